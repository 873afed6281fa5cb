/* Steps: from batches to new weights, in one thread or several.
 *
 * A step has two phases, with a barrier after each. First every thread takes some of
 * the batch's blocks of samples forward and back; then every thread takes some of the
 * parts of the parameters: it computes their gradient over the whole batch, and moves
 * them. Batch normalization, and bounds on the norms, need a barrier of their own.
 *
 * Blocks and parts do not depend on the number of threads, so neither does any bit of
 * the result.
 */

/* Elements that go through several loops one after the other, to stay in the cache. */
#define CHUNK 4096

typedef struct {
    Plan *plan;
    const intptr_t *order;
    ptrdiff_t n_batches;
    const Batch *batches;
    int with_gradient;
    Totals *totals;
} Run;

/* What a thread knows. */
typedef struct {
    Plan *plan;
    Team *team;
    int me;
    double *block_loss;
} Worker;

/* Where part `i` of n begins, in 64 bits also where pointers have 32. */
static ptrdiff_t cut(ptrdiff_t n_rows, ptrdiff_t i, ptrdiff_t n)
{
    return (ptrdiff_t)((int64_t)n_rows * i / n);
}

/* Blocks of samples, to be claimed: block `i` is [begin, end). */
#define FOR_BLOCKS(w, n_rows, i, begin, end)                                           \
    for (ptrdiff_t n_ = n_blocks(n_rows), i = claim((w)->team), begin, end;            \
         i < n_ && (begin = cut(n_rows, i, n_), end = cut(n_rows, i + 1, n_), 1);      \
         i = claim((w)->team))

/* Columns in groups that are the same for any number of threads: the compiler may treat
 * those at the end of a group, which fill no vector, differently from the others.
 */
#define FOR_MY_COLUMNS(w, n_columns, j, width)                                         \
    for (ptrdiff_t n_ = (n_columns + MAX_COLUMNS - 1) / MAX_COLUMNS,                   \
                   i_ = share((w)->team, (w)->me, n_),                                 \
                   last_ = share((w)->team, (w)->me + 1, n_), j = i_ * MAX_COLUMNS,    \
                   width = n_columns - j < MAX_COLUMNS ? n_columns - j : MAX_COLUMNS;  \
         i_ < last_;                                                                   \
         i_++, j += MAX_COLUMNS,                                                       \
         width = n_columns - j < MAX_COLUMNS ? n_columns - j : MAX_COLUMNS)

static void normalize_columns(Worker *w, const Samples *s, ptrdiff_t l,
                              void pass(const Plan *, const Samples *, ptrdiff_t,
                                        ptrdiff_t, ptrdiff_t))
{
    barrier(w->team);
    FOR_MY_COLUMNS(w, w->plan->layers[l].n_out, j, width)
    pass(w->plan, s, l, j, width);
    barrier(w->team);
}

/* Back from layer l to layer `stop`, for some rows. */
static void backward_segment(const Plan *p, ptrdiff_t l, ptrdiff_t stop, ptrdiff_t begin,
                             ptrdiff_t end)
{
    for (; l > stop; l--)
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

/* The output of a block of samples and, `with_gradient`, the way back to layer `stop`. */
static void turn_back(const Worker *w, const Samples *s, ptrdiff_t i, ptrdiff_t begin,
                      ptrdiff_t end, int with_gradient, ptrdiff_t stop)
{
    w->block_loss[i] = output_rows(w->plan, s, begin, end);
    if (with_gradient) {
        output_delta(w->plan, s, begin, end);
        backward_segment(w->plan, w->plan->n_layers - 1, stop, begin, end);
    }
}

/* Forward and, `with_gradient`, back, to the deltas of every layer that is trained. */
static void go_through_layers(Worker *w, const intptr_t *order, const Samples *s,
                              int with_gradient)
{
    const Plan *p = w->plan;
    const ptrdiff_t last = p->n_layers - 1;
    ptrdiff_t stop = next_stop(p, last);
    for (ptrdiff_t first = 0, l; first <= last; first = l + 1) {
        /* Up to the next layer that takes a barrier: layer l is it, or the last. */
        for (l = first; l < last; l++)
            if (p->layers[l].has_norm || n_stripes(p, s, l) > 1)
                break;
        const ptrdiff_t stripes = l < last ? n_stripes(p, s, l) : 1;
        FOR_BLOCKS(w, s->n_rows, i, begin, end)
        {
            Samples block = *s;
            if (first == 0 && (s->gathers_X || s->gathers_Y))
                block = gather(p, order, s, begin, end, w->me);
            for (ptrdiff_t k = first; k <= l; k++) {
                prepare_rows(p, &block, k, begin, end);
                if (k < l || stripes == 1)
                    multiply_layer(p, &block, k, begin, end, 0, p->layers[k].n_out);
            }
            if (l == last)
                turn_back(w, s, i, begin, end, with_gradient, stop);
        }
        if (stripes > 1) {
            barrier(w->team);
            for (ptrdiff_t i; (i = claim(w->team)) < stripes;)
                multiply_stripe(p, s, l, i);
        }
        if (p->layers[l].has_norm)
            normalize_columns(w, s, l, norm_forward);
        else if (stripes > 1)
            barrier(w->team);
    }
    if (!with_gradient)
        return;
    while (p->layers[stop].has_norm) {
        normalize_columns(w, s, stop, norm_backward);
        if (stop == p->first)
            return;
        const ptrdiff_t from = stop;
        stop = next_stop(p, from);
        FOR_BLOCKS(w, s->n_rows, i, begin, end)
        backward_segment(p, from, stop, begin, end);
    }
}

/* The gradient of some of the first layer's weights, over samples that are streamed. */
static void differentiate_stream(const Worker *w, const intptr_t *order,
                                 const Samples *s, const Part *part)
{
    const Plan *p = w->plan;
    const ptrdiff_t n_out = p->layers[0].n_out;
    real *X = own_block(p, w->me), *g = (real *)p->grad + part->begin;
    for (ptrdiff_t begin = 0; begin < s->n_rows; begin += BLOCK_ROWS) {
        const ptrdiff_t rest = s->n_rows - begin;
        const ptrdiff_t n_rows = rest < BLOCK_ROWS ? rest : BLOCK_ROWS;
        gather_X(p, order, s, begin, begin + n_rows, part->row, part->n_rows, X);
        transposed_product(p->gemm, part->n_rows, n_rows, n_out, X, part->n_rows,
                           (real *)p->layers[0].D + begin * n_out, begin > 0, g);
    }
}

/* The gradient of a part, but for penalty and division by n. */
static void differentiate_part(const Worker *w, const intptr_t *order, const Samples *s,
                               const Part *part)
{
    const Plan *p = w->plan;
    const Layer *layer = &p->layers[part->layer];
    real *g = (real *)p->grad + part->begin;
    if (layer->frozen) {
        memset(g, 0, part->size * sizeof(real));
    } else if (part->kind == WEIGHTS && sees_stream(p, s, part->layer)) {
        differentiate_stream(w, order, s, part);
    } else if (part->kind == WEIGHTS) {
        ptrdiff_t ld;
        const real *A = input(p, s, part->layer, 0, &ld);
        transposed_product(p->gemm, part->n_rows, s->n_rows, layer->n_out,
                           A + part->row, ld, layer->D, 0, g);
    } else if (part->kind == BIASES && !layer->has_norm) {
        sum_rows(s->n_rows, layer->n_out, layer->D, g);
    } /* else the normalization has computed it */
}

static void move_chunk(const Plan *p, const Part *part, ptrdiff_t offset, ptrdiff_t n,
                       const Scalars *c, double n_samples, double shorten)
{
    const ptrdiff_t at = part->begin + offset;
    const int is_weights = part->kind == WEIGHTS, frozen = p->layers[part->layer].frozen;
    Slice slice = {
        .theta = (real *)p->theta + at,
        .g = (real *)p->grad + at,
        .decay = 1,
        .shorten = (real)shorten,
    };
    for (int k = 0; k < 3; k++)
        if (p->optimizer.state[k] != NULL)
            slice.state[k] = (real *)p->optimizer.state[k] + at;
    if (is_weights && !frozen) {
        slice.decay = (real)(1 - p->optimizer.learning_rate * p->weight_decay);
        slice.threshold = (real)(p->l1 / n_samples * shorten);
    }
    optimize(p->optimizer.kind, n, &slice, c);
}

/* Let a frozen part be as it was. */
static void restore(const Plan *p, const Part *part)
{
    const Layer *layer = &p->layers[part->layer];
    const real *kept = part->kind == WEIGHTS  ? (const real *)layer->kept_W +
                                                   part->row * layer->n_out
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

KERNEL static void shorten_columns(ptrdiff_t n_rows, ptrdiff_t ld,
                                   ptrdiff_t n_columns, double bound, real *W)
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
    for (ptrdiff_t i = 0; i < n_rows; i++)
        ELEMENTWISE for (ptrdiff_t j = 0; j < n_columns; j++) W[i * ld + j] *= factor[j];
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

/* The gradient of all parts; with a step `c` that needs no bound, their move, too. */
static void go_through_parts(Worker *w, const intptr_t *order, const Samples *s,
                             const Scalars *c)
{
    const Plan *p = w->plan;
    for (ptrdiff_t i; (i = claim(w->team)) < p->n_parts;) {
        Part *part = &p->parts[i];
        part->grad_squares = part->weight_squares = part->weight_magnitudes = 0;
        differentiate_part(w, order, s, part);
        for (ptrdiff_t offset = 0; offset < part->size; offset += CHUNK) {
            const ptrdiff_t rest = part->size - offset;
            const ptrdiff_t n = rest < CHUNK ? rest : CHUNK;
            finish_chunk(p, s, part, offset, n);
            if (c != NULL)
                move_chunk(p, part, offset, n, c, s->batch->n, 1);
        }
        if (c != NULL && p->layers[part->layer].frozen)
            restore(p, part);
    }
}

/* The penalty's sums over all parts. */
static void sum_weights(Worker *w)
{
    const Plan *p = w->plan;
    for (ptrdiff_t i; (i = claim(w->team)) < p->n_parts;) {
        Part *part = &p->parts[i];
        part->weight_squares = part->weight_magnitudes = 0;
        if (part->kind != WEIGHTS)
            continue;
        for (ptrdiff_t offset = 0; offset < part->size; offset += CHUNK) {
            const ptrdiff_t rest = part->size - offset;
            sum_penalty(p, part, offset, rest < CHUNK ? rest : CHUNK);
        }
    }
}

static void move_parts(Worker *w, const Samples *s, const Scalars *c)
{
    const Plan *p = w->plan;
    const double norm = grad_norm(p);
    const double shorten = norm > p->clip_norm ? p->clip_norm / norm : 1;
    for (ptrdiff_t i; (i = claim(w->team)) < p->n_parts;) {
        const Part *part = &p->parts[i];
        move_chunk(p, part, 0, part->size, c, s->batch->n, shorten);
        if (p->layers[part->layer].frozen)
            restore(p, part);
    }
}

static void bound_weights(Worker *w)
{
    const Plan *p = w->plan;
    for (ptrdiff_t l = 0; l < p->n_layers; l++) {
        const Layer *layer = &p->layers[l];
        if (layer->frozen)
            continue;
        FOR_MY_COLUMNS(w, layer->n_out, j, width)
        shorten_columns(layer->n_in, layer->n_out, width, p->max_norm,
                        (real *)layer->W + j);
    }
}

/* Add up what the threads have left of a batch. */
static void sum_up(const Worker *w, const Samples *s, int with_gradient,
                   Totals *totals)
{
    const Plan *p = w->plan;
    double loss = 0, squares = 0, magnitudes = 0;
    for (ptrdiff_t i = 0; i < n_blocks(s->n_rows); i++)
        loss += w->block_loss[i];
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
    if (with_gradient)
        totals->grad_norm += grad_norm(p);
}

static void work(Team *team, int me, void *argument)
{
    const Run *run = argument;
    Plan plan = *run->plan; /* the optimizer's scalars are every thread's own */
    Worker w = {.plan = &plan, .team = team, .me = me};
    for (ptrdiff_t k = 0; k < run->n_batches; k++) {
        const Samples s = find(&plan, run->order, &run->batches[k]);
        /* While thread 0 sums up a step's losses, the others may be in the next. */
        w.block_loss = plan.block_loss + (k % 2) * n_blocks(plan.batch_size);
        if (plan.bitgen != NULL) {
            if (me == 0)
                draw_masks(&plan, s.n_rows);
            barrier(team);
        }
        go_through_layers(&w, run->order, &s, run->with_gradient);
        barrier(team);
        if (run->with_gradient) {
            const int trains = plan.optimizer.kind != NO_OPTIMIZER;
            const int bounded = !isinf(plan.clip_norm);
            Scalars c;
            if (trains)
                c = begin_step(&plan.optimizer, run->batches[k].learning_rate);
            go_through_parts(&w, run->order, &s, trains && !bounded ? &c : NULL);
            if (trains && bounded) {
                barrier(team);
                move_parts(&w, &s, &c);
            }
            if (trains && !isinf(plan.max_norm)) {
                barrier(team);
                bound_weights(&w);
            }
        } else {
            sum_weights(&w);
        }
        barrier(team);
        if (me == 0)
            sum_up(&w, &s, run->with_gradient, run->totals);
    }
    if (me == 0)
        run->plan->optimizer = plan.optimizer;
}

void F(train)(Plan *plan, const intptr_t *order, ptrdiff_t n_batches, const Batch *batches,
              int n_threads, Totals *totals)
{
    Run run = {plan, order, n_batches, batches, 1, totals};
    team_run(n_threads, work, &run);
}

void F(evaluate)(Plan *plan, const Batch *batch, int with_gradient, int n_threads,
                 Totals *totals)
{
    Run run = {plan, NULL, 1, batch, with_gradient, totals};
    team_run(n_threads, work, &run);
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
