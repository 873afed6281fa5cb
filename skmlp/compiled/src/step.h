/* Steps: from batches to new weights, in one thread or several.
 *
 * A step is a sequence of jobs, whose tasks the threads share. The tasks of the first job
 * are blocks of samples, which go forward and back through the layers. Those of the
 * second are parts of the parameters: a task computes the gradient of its part over the
 * whole batch, and updates it. Batch normalization, bounds on the norms, and layers with
 * many weights need jobs of their own.
 *
 * Blocks and parts do not depend on the number of threads, so neither does any bit of
 * the result.
 */

/* Elements that go through several loops one after the other, to stay in the cache. */
#define CHUNK 4096

/* A step, and the arguments of its current job. */
typedef struct {
    Plan *plan;
    Team *team;
    const intptr_t *order;
    Samples samples;
    int with_gradient;
    const Scalars *scalars; /* of the optimizer; NULL if it does not update yet */
    double shorten;         /* factor of the gradient */
    /* Layers. A block of samples goes forward from layer `first` to `last`, or back
     * from layer `from` to `stop`.
     */
    ptrdiff_t first, last, from, stop;
    ptrdiff_t stripes; /* of the product of layer `last`; 1 if it is not divided */
} Step;

/* Where part `i` of n begins, in 64 bits also where pointers have 32. */
static ptrdiff_t cut(ptrdiff_t n_rows, ptrdiff_t i, ptrdiff_t n)
{
    return (ptrdiff_t)((int64_t)n_rows * i / n);
}

/* Block `i` of the samples: [*begin, *end). */
static void find_block(const Step *t, ptrdiff_t i, ptrdiff_t *begin, ptrdiff_t *end)
{
    const ptrdiff_t n_rows = t->samples.n_rows, n = n_blocks(n_rows);
    *begin = cut(n_rows, i, n);
    *end = cut(n_rows, i + 1, n);
}

static void run_blocks(Step *t, task_t *task)
{
    team_run(t->team, n_blocks(t->samples.n_rows), task, t);
}

/* Columns in groups that are the same for any number of threads: the compiler may treat
 * those at the end of a group, which fill no vector, differently from the others.
 */
static void run_columns(Step *t, ptrdiff_t n_columns, task_t *task)
{
    team_run(t->team, (n_columns + MAX_COLUMNS - 1) / MAX_COLUMNS, task, t);
}

/* Number of columns in group `i`, of which the first is i * MAX_COLUMNS. */
static ptrdiff_t width(ptrdiff_t n_columns, ptrdiff_t i)
{
    const ptrdiff_t rest = n_columns - i * MAX_COLUMNS;
    return rest < MAX_COLUMNS ? rest : MAX_COLUMNS;
}

static void run_parts(Step *t, task_t *task)
{
    team_run(t->team, t->plan->n_parts, task, t);
}

/* Back from layer `from` to layer `stop`, for some rows. */
static void backward_segment(const Plan *p, ptrdiff_t from, ptrdiff_t stop,
                             ptrdiff_t begin, ptrdiff_t end)
{
    for (ptrdiff_t l = from; l > stop; l--)
        backward_rows(p, l, begin, end);
}

/* The layer below l to which the way back is free: the next one with batch
 * normalization, or the first that is trained.
 */
static ptrdiff_t next_stop(const Plan *p, ptrdiff_t l)
{
    while (l > p->first && !p->layers[--l].has_norm)
        ;
    return l;
}

/* The layer, from `first` on, at which all samples have to be there: one with batch
 * normalization, one whose product is divided by columns, or the last.
 */
static ptrdiff_t last_of_segment(const Step *t)
{
    const Plan *p = t->plan;
    ptrdiff_t l = t->first;
    while (l < p->n_layers - 1 && !p->layers[l].has_norm &&
           n_stripes(p, &t->samples, l) == 1)
        l++;
    return l;
}

/* Forward through the layers of the segment; from the last one back to layer `stop`. */
static void forward_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Plan *p = t->plan;
    ptrdiff_t begin, end;
    find_block(t, i, &begin, &end);
    Samples block = t->samples;
    if (t->first == 0 && (block.gathers_X || block.gathers_Y))
        block = gather(p, t->order, &t->samples, begin, end, me);
    for (ptrdiff_t k = t->first; k <= t->last; k++) {
        prepare_rows(p, &block, k, begin, end);
        if (k < t->last || t->stripes == 1)
            multiply_layer(p, &block, k, begin, end, 0, p->layers[k].n_out);
    }
    if (t->last < p->n_layers - 1)
        return;
    p->block_loss[i] = output_rows(p, &t->samples, begin, end);
    if (t->with_gradient) {
        output_delta(p, &t->samples, begin, end);
        backward_segment(p, t->last, t->stop, begin, end);
    }
}

static void stripe_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    (void)me;
    multiply_stripe(t->plan, &t->samples, t->last, i);
}

static void norm_forward_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    (void)me;
    norm_forward(t->plan, &t->samples, t->last, i * MAX_COLUMNS,
                 width(t->plan->layers[t->last].n_out, i));
}

static void norm_backward_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    (void)me;
    norm_backward(t->plan, &t->samples, t->from, i * MAX_COLUMNS,
                  width(t->plan->layers[t->from].n_out, i));
}

static void backward_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    ptrdiff_t begin, end;
    (void)me;
    find_block(t, i, &begin, &end);
    backward_segment(t->plan, t->from, t->stop, begin, end);
}

/* Forward and, `with_gradient`, back, to the deltas of every layer that is trained. */
static void go_through_layers(Step *t)
{
    const Plan *p = t->plan;
    const ptrdiff_t output = p->n_layers - 1;
    t->stop = next_stop(p, output);
    for (t->first = 0; t->first <= output; t->first = t->last + 1) {
        t->last = last_of_segment(t);
        t->stripes = t->last < output ? n_stripes(p, &t->samples, t->last) : 1;
        run_blocks(t, forward_task);
        if (t->stripes > 1)
            team_run(t->team, t->stripes, stripe_task, t);
        if (p->layers[t->last].has_norm)
            run_columns(t, p->layers[t->last].n_out, norm_forward_task);
    }
    while (t->with_gradient && p->layers[t->stop].has_norm) {
        t->from = t->stop;
        run_columns(t, p->layers[t->from].n_out, norm_backward_task);
        if (t->from == p->first)
            return;
        t->stop = next_stop(p, t->from);
        run_blocks(t, backward_task);
    }
}

/* The gradient of some of the first layer's weights, over samples that are streamed. */
static void differentiate_stream(const Step *t, const Part *part, int me)
{
    const Plan *p = t->plan;
    const Samples *s = &t->samples;
    const ptrdiff_t n_out = p->layers[0].n_out;
    real *X = own_block(p, me), *g = (real *)p->grad + part->begin;
    for (ptrdiff_t begin = 0; begin < s->n_rows; begin += BLOCK_ROWS) {
        const ptrdiff_t rest = s->n_rows - begin;
        const ptrdiff_t n_rows = rest < BLOCK_ROWS ? rest : BLOCK_ROWS;
        gather_X(p, t->order, s, begin, begin + n_rows, part->row, part->n_rows, X);
        transposed_product(p->gemm, part->n_rows, n_rows, n_out, X, part->n_rows,
                           (real *)p->layers[0].D + begin * n_out, begin > 0, g);
    }
}

/* The gradient of a part, but for penalty and division by n. */
static void differentiate_part(const Step *t, const Part *part, int me)
{
    const Plan *p = t->plan;
    const Samples *s = &t->samples;
    const Layer *layer = &p->layers[part->layer];
    real *g = (real *)p->grad + part->begin;
    if (layer->frozen) {
        memset(g, 0, part->size * sizeof(real));
    } else if (part->kind == WEIGHTS && sees_stream(p, s, part->layer)) {
        differentiate_stream(t, part, me);
    } else if (part->kind == WEIGHTS) {
        ptrdiff_t ld;
        const real *A = input(p, s, part->layer, 0, &ld);
        transposed_product(p->gemm, part->n_rows, s->n_rows, layer->n_out,
                           A + part->row, ld, layer->D, 0, g);
    } else if (part->kind == BIASES && !layer->has_norm) {
        sum_rows(s->n_rows, layer->n_out, layer->D, g);
    } /* else the normalization has computed it */
}

static void move_chunk(const Step *t, const Part *part, ptrdiff_t offset, ptrdiff_t n)
{
    const Plan *p = t->plan;
    const ptrdiff_t at = part->begin + offset;
    const int is_weights = part->kind == WEIGHTS,
              frozen = p->layers[part->layer].frozen;
    Slice slice = {
        .theta = (real *)p->theta + at,
        .g = (real *)p->grad + at,
        .decay = 1,
        .shorten = (real)t->shorten,
    };
    for (int k = 0; k < 3; k++)
        if (p->optimizer.state[k] != NULL)
            slice.state[k] = (real *)p->optimizer.state[k] + at;
    if (is_weights && !frozen) {
        slice.decay = (real)(1 - p->optimizer.learning_rate * p->weight_decay);
        slice.threshold = (real)(p->l1 / t->samples.batch->n * t->shorten);
    }
    optimize(p->optimizer.kind, n, &slice, t->scalars);
}

/* Let a frozen part be as it was. */
static void restore(const Plan *p, const Part *part)
{
    const Layer *layer = &p->layers[part->layer];
    const real *kept = part->kind == WEIGHTS
                           ? (const real *)layer->kept_W + part->row * layer->n_out
                       : part->kind == BIASES ? layer->kept_b
                                              : layer->kept_gamma;
    memcpy((real *)p->theta + part->begin, kept, part->size * sizeof(real));
}

/* Norm of a column whose squares overflow. */
static double large_norm(ptrdiff_t n_rows, ptrdiff_t ld, const real *W)
{
    double largest = 0, squares = 0;
    for (ptrdiff_t i = 0; i < n_rows; i++)
        if (!(fabs((double)W[i * ld]) <= largest))
            largest = fabs((double)W[i * ld]);
    for (ptrdiff_t i = 0; i < n_rows; i++)
        squares += (W[i * ld] / largest) * (W[i * ld] / largest);
    return largest * sqrt(squares);
}

KERNEL static void shorten_columns(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                                   double bound, real *W)
{
    Columns squares = {0};
    real factor[MAX_COLUMNS];
    for (ptrdiff_t i = 0; i < n_rows; i++)
        for (ptrdiff_t j = 0; j < n_columns; j++)
            squares[j] += (double)(W[i * ld + j] * W[i * ld + j]);
    for (ptrdiff_t j = 0; j < n_columns; j++) {
        double norm = sqrt(squares[j]);
        if (isinf(norm))
            norm = large_norm(n_rows, ld, W + j);
        factor[j] = (real)(bound / MAXIMUM(norm, bound));
    }
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        real *row = W + i * ld;
        ELEMENTWISE for (ptrdiff_t j = 0; j < n_columns; j++) row[j] *= factor[j];
    }
}

/* Norm of the gradient, from the sums over the parts. */
static double grad_norm(const Plan *p)
{
    double squares = 0;
    for (ptrdiff_t i = 0; i < p->n_parts; i++)
        squares += p->parts[i].grad_squares;
    if (!isinf(squares))
        return sqrt(squares);
    /* The squares overflow, the norm need not. */
    const real *g = p->grad;
    double largest = 0;
    const Part *end = &p->parts[p->n_parts - 1];
    const ptrdiff_t size = end->begin + end->size;
    for (ptrdiff_t i = 0; i < size; i++)
        if (!(fabs((double)g[i]) <= largest))
            largest = fabs((double)g[i]);
    if (!isfinite(largest))
        return largest;
    squares = 0;
    for (ptrdiff_t i = 0; i < size; i++)
        squares += (g[i] / largest) * (g[i] / largest);
    return largest * sqrt(squares);
}

/* The penalty's sums over some of a part's weights. */
static void sum_penalty(const Plan *p, Part *part, ptrdiff_t offset, ptrdiff_t n)
{
    const real *theta = (real *)p->theta + part->begin + offset;
    if (p->l2 > 0)
        part->weight_squares += sum_squares(n, theta);
    if (p->l1 > 0)
        part->weight_magnitudes += sum_magnitudes(n, theta);
}

/* They, and the gradient as it is to be. */
static void finish_chunk(const Plan *p, const Samples *s, Part *part, ptrdiff_t offset,
                         ptrdiff_t n)
{
    const real *theta = (real *)p->theta + part->begin + offset;
    real *g = (real *)p->grad + part->begin + offset;
    const real inverse_n = (real)(1 / s->batch->n);
    double unused = 0;
    if (p->layers[part->layer].frozen) {
        if (part->kind == WEIGHTS)
            sum_penalty(p, part, offset, n);
    } else if (part->kind != WEIGHTS) {
        finish_gradient(n, theta, g, 0, inverse_n, &part->grad_squares, &unused);
    } else {
        finish_gradient(n, theta, g, (real)p->l2, inverse_n, &part->grad_squares,
                        &part->weight_squares);
        if (p->l1 > 0)
            part->weight_magnitudes += sum_magnitudes(n, theta);
    }
}

/* The gradient of a part and, with the optimizer's scalars, its update. */
static void gradient_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Plan *p = t->plan;
    Part *part = &p->parts[i];
    part->grad_squares = part->weight_squares = part->weight_magnitudes = 0;
    differentiate_part(t, part, me);
    for (ptrdiff_t offset = 0; offset < part->size; offset += CHUNK) {
        const ptrdiff_t rest = part->size - offset, n = rest < CHUNK ? rest : CHUNK;
        finish_chunk(p, &t->samples, part, offset, n);
        if (t->scalars != NULL)
            move_chunk(t, part, offset, n);
    }
    if (t->scalars != NULL && p->layers[part->layer].frozen)
        restore(p, part);
}

/* The penalty's sums over a part. */
static void penalty_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Plan *p = t->plan;
    Part *part = &p->parts[i];
    (void)me;
    part->weight_squares = part->weight_magnitudes = 0;
    if (part->kind != WEIGHTS)
        return;
    for (ptrdiff_t offset = 0; offset < part->size; offset += CHUNK) {
        const ptrdiff_t rest = part->size - offset;
        sum_penalty(p, part, offset, rest < CHUNK ? rest : CHUNK);
    }
}

/* The update of a part whose gradient is known. */
static void update_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Plan *p = t->plan;
    const Part *part = &p->parts[i];
    (void)me;
    move_chunk(t, part, 0, part->size);
    if (p->layers[part->layer].frozen)
        restore(p, part);
}

static void max_norm_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Plan *p = t->plan;
    const Layer *layer = &p->layers[t->from];
    (void)me;
    shorten_columns(layer->n_in, layer->n_out, width(layer->n_out, i), p->max_norm,
                    (real *)layer->W + i * MAX_COLUMNS);
}

/* The gradient and, if there is an optimizer, the update of all parameters. */
static void go_through_parts(Step *t, double learning_rate)
{
    Plan *p = t->plan;
    if (p->optimizer.kind == NO_OPTIMIZER) {
        run_parts(t, gradient_task);
        return;
    }
    const Scalars scalars = begin_step(&p->optimizer, learning_rate);
    const int is_bounded = !isinf(p->clip_norm);
    t->scalars = is_bounded ? NULL : &scalars;
    t->shorten = 1;
    run_parts(t, gradient_task);
    if (is_bounded) {
        const double norm = grad_norm(p);
        t->scalars = &scalars;
        t->shorten = norm > p->clip_norm ? p->clip_norm / norm : 1;
        run_parts(t, update_task);
    }
    t->scalars = NULL;
    if (isinf(p->max_norm))
        return;
    for (t->from = 0; t->from < p->n_layers; t->from++)
        if (!p->layers[t->from].frozen)
            run_columns(t, p->layers[t->from].n_out, max_norm_task);
}

/* Add up what the tasks have left of a batch. */
static void sum_up(const Step *t, Totals *totals)
{
    const Plan *p = t->plan;
    const Samples *s = &t->samples;
    double loss = 0, squares = 0, magnitudes = 0;
    for (ptrdiff_t i = 0; i < n_blocks(s->n_rows); i++)
        loss += p->block_loss[i];
    for (ptrdiff_t i = 0; i < p->n_parts; i++) {
        squares += p->parts[i].weight_squares;
        magnitudes += p->parts[i].weight_magnitudes;
    }
    loss /= s->batch->n;
    double penalty = 0;
    if (p->l2 > 0) /* or the squares may have overflowed, to no harm */
        penalty += 0.5 * p->l2 * squares;
    if (p->l1 > 0)
        penalty += p->l1 * magnitudes;
    penalty /= s->batch->n;
    totals->mean_loss = loss;
    totals->penalty = penalty;
    totals->loss += (loss / p->loss_divisor + penalty) * (double)s->n_rows;
    if (t->with_gradient)
        totals->grad_norm += grad_norm(p);
}

static void run_step(Plan *plan, const intptr_t *order, const Batch *batch,
                     int with_gradient, Threads *threads, Totals *totals)
{
    Step t = {
        .plan = plan,
        .order = order,
        .samples = find(plan, order, batch),
        .with_gradient = with_gradient,
    };
    threads_start(threads);
    t.team = threads->team;
    if (plan->bitgen != NULL)
        draw_masks(plan, t.samples.n_rows);
    go_through_layers(&t);
    if (with_gradient)
        go_through_parts(&t, batch->learning_rate);
    else
        run_parts(&t, penalty_task);
    sum_up(&t, totals);
    /* Backpropagation takes about twice the time of the forward pass. */
    threads_stop(threads, (double)t.samples.n_rows * (with_gradient ? 3 : 1));
}

void F(train)(Plan *plan, const intptr_t *order, ptrdiff_t n_batches,
              const Batch *batches, Threads *threads, Totals *totals)
{
    for (ptrdiff_t k = 0; k < n_batches; k++)
        run_step(plan, order, &batches[k], 1, threads, totals);
}

void F(evaluate)(Plan *plan, const Batch *batch, int with_gradient, Threads *threads,
                 Totals *totals)
{
    run_step(plan, NULL, batch, with_gradient, threads, totals);
}

ptrdiff_t F(divide)(const Plan *plan, const intptr_t *order, ptrdiff_t n_samples,
                    Batch *batches)
{
    const real *w = plan->w;
    ptrdiff_t n_batches = 0;
    for (ptrdiff_t k = 0; k * plan->batch_size < n_samples; k++) {
        Batch batch = {.number = k, .start = k * plan->batch_size};
        batch.stop = batch.start + plan->batch_size;
        if (batch.stop > n_samples)
            batch.stop = n_samples;
        if (w == NULL) {
            batch.n_weighted = batch.stop - batch.start;
            batch.n = (double)batch.n_weighted;
        } else {
            real heaviest = 0;
            for (ptrdiff_t i = batch.start; i < batch.stop; i++) {
                const ptrdiff_t row = order == NULL ? i : order[i];
                batch.n += (double)w[row];
                batch.n_weighted += w[row] > 0;
                if (w[row] > heaviest) {
                    heaviest = w[row];
                    batch.heaviest = row;
                }
            }
        }
        if (batch.n_weighted > 0)
            batches[n_batches++] = batch;
    }
    return n_batches;
}
