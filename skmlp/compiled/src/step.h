/* Training steps, in one thread or several.
 *
 * A step is a sequence of jobs. The tasks of a job are divided among the threads. In the
 * first job, a task is the forward pass and the backpropagation of a block of samples. In
 * the second job, a task computes the gradient of a part of the parameters over the whole
 * batch and updates the part. There are further jobs for operations that need all samples,
 * such as batch normalization, and for bounds on the norms of weights.
 *
 * Blocks and parts do not depend on the number of threads. Therefore results are bitwise
 * equal for each number of threads.
 */

/* Number of elements for which several loops run one after another in the cache. */
#define CHUNK 4096

/* A step, and the arguments of its current job. */
typedef struct {
    Plan *plan;
    Team *team;
    const intptr_t *order;
    Samples samples;
    int with_gradient;
    const Scalars *scalars; /* of the optimizer, or NULL without an update */
    double shorten;         /* factor of the gradient */
    /* Range of operations: forward pass through [first, last), backpropagation from `from`
     * down to stop + 1.
     */
    ptrdiff_t first, last, from, stop;
} Step;

/* Return the beginning of part `i` of n. 64 bits avoid overflow of the product. */
static ptrdiff_t cut(ptrdiff_t n_rows, ptrdiff_t i, ptrdiff_t n)
{
    return (ptrdiff_t)((int64_t)n_rows * i / n);
}

/* Set the rows [*begin, *end) of block `i`. */
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

static void run_parts(Step *t, task_t *task)
{
    team_run(t->team, t->plan->n_parts, task, t);
}

/* Return the number of groups of columns of an operation that needs all samples. */
static ptrdiff_t n_groups(const Operation *op, const Samples *s)
{
    const Kind *kind = kind_of(op);
    const Samples batch = batch_for(op, s);
    return kind->n_groups == NULL ? 0 : kind->n_groups(op, &batch);
}

/* Return the first operation from `i` on that needs all samples. */
static ptrdiff_t next_forward(const Step *t, ptrdiff_t i)
{
    const Plan *p = t->plan;
    while (i < p->n_operations && n_groups(&p->operations[i], &t->samples) == 0)
        i++;
    return i;
}

/* Return the last operation up to `i` that needs all samples in backpropagation, or the
 * one before the first operation of backpropagation.
 */
static ptrdiff_t next_backward(const Plan *p, ptrdiff_t i)
{
    while (i >= p->first && kind_of(&p->operations[i])->backward_group == NULL)
        i--;
    return i;
}

/* Backpropagation from operation `from` down to stop + 1 for a range of rows. */
static void go_back(const Step *t, const Rows *rows)
{
    const Plan *p = t->plan;
    for (ptrdiff_t i = t->from; i > t->stop; i--)
        run_backward(p, &p->operations[i], rows);
}

/* Task: the forward pass of a block, and backpropagation after the last operation. */
static void forward_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Plan *p = t->plan;
    ptrdiff_t begin, end;
    find_block(t, i, &begin, &end);
    Samples block = t->samples;
    if (t->first == 0 && (block.gathers_X || block.gathers_Y))
        block = gather(p, t->order, &t->samples, begin, end, me);
    const Rows rows = rows_of(&block, begin, end);
    for (ptrdiff_t k = t->first; k < t->last; k++)
        run_forward(p, &p->operations[k], &rows);
    if (t->last < p->n_operations)
        return;
    p->block_loss[i] = sum_output_loss(p, &t->samples, begin, end);
    if (t->with_gradient) {
        differentiate_output(p, &t->samples, &rows);
        go_back(t, &rows);
    }
}

static void forward_group_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Operation *op = &t->plan->operations[t->last];
    const Samples batch = batch_for(op, &t->samples);
    (void)me;
    kind_of(op)->forward_group(t->plan, op, &batch, i);
}

static void backward_group_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Operation *op = &t->plan->operations[t->stop];
    const Samples batch = batch_for(op, &t->samples);
    (void)me;
    kind_of(op)->backward_group(t->plan, op, &batch, i);
}

static void backward_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    ptrdiff_t begin, end;
    (void)me;
    find_block(t, i, &begin, &end);
    const Rows rows = rows_of(&t->samples, begin, end);
    go_back(t, &rows);
}

/* Compute the forward pass and, if `with_gradient`, the derivatives with respect to the
 * outputs of all trained operations.
 */
static void run_operations(Step *t)
{
    const Plan *p = t->plan;
    t->from = p->n_operations - 2; /* the operation before the output activation */
    t->stop = next_backward(p, t->from);
    for (t->first = 0; t->first < p->n_operations; t->first = t->last + 1) {
        t->last = next_forward(t, t->first);
        if (t->first == 0 || t->first < t->last)
            run_blocks(t, forward_task);
        if (t->last < p->n_operations)
            team_run(t->team, n_groups(&p->operations[t->last], &t->samples),
                     forward_group_task, t);
    }
    while (t->with_gradient && t->stop >= p->first) {
        team_run(t->team, n_groups(&p->operations[t->stop], &t->samples),
                 backward_group_task, t);
        t->from = t->stop - 1;
        t->stop = next_backward(p, t->from);
        if (t->from > t->stop)
            run_blocks(t, backward_task);
    }
}

/* Compute the gradient of a part, without the penalty and the division by n. */
static void differentiate_part(const Step *t, const Part *part, int me)
{
    const Plan *p = t->plan;
    const Operation *op = &p->operations[part->operation];
    real *g = (real *)p->grad + part->begin;
    if (op->frozen) {
        memset(g, 0, part->size * sizeof(real));
    } else if (kind_of(op)->differentiate != NULL) {
        const Samples batch = batch_for(op, &t->samples);
        kind_of(op)->differentiate(p, op, &batch, t->order, part, me, g);
    }
}

static void move_chunk(const Step *t, const Part *part, ptrdiff_t offset, ptrdiff_t n)
{
    const Plan *p = t->plan;
    const ptrdiff_t at = part->begin + offset;
    Slice slice = {
        .theta = (real *)p->theta + at,
        .g = (real *)p->grad + at,
        .decay = 1,
        .shorten = (real)t->shorten,
    };
    for (int k = 0; k < 3; k++)
        if (p->optimizer.state[k] != NULL)
            slice.state[k] = (real *)p->optimizer.state[k] + at;
    if (part->is_weights && part->kept == NULL) {
        slice.decay = (real)(1 - p->optimizer.learning_rate * p->weight_decay);
        slice.threshold = (real)(p->l1 / t->samples.batch->n * t->shorten);
    }
    optimize(p->optimizer.kind, n, &slice, t->scalars);
}

/* Restore the values of a frozen part. */
static void restore(const Plan *p, const Part *part)
{
    memcpy((real *)p->theta + part->begin, part->kept, part->size * sizeof(real));
}

/* Return the norm of a column whose squares overflow. */
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

/* Return the norm of the gradient from the sums over the parts. */
static double grad_norm(const Plan *p)
{
    double squares = 0;
    for (ptrdiff_t i = 0; i < p->n_parts; i++)
        squares += p->parts[i].grad_squares;
    if (!isinf(squares))
        return sqrt(squares);
    /* The norm can be finite even if the squares overflow. */
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

/* Add to the sums of the penalty over weights of a part. */
static void sum_penalty(const Plan *p, Part *part, ptrdiff_t offset, ptrdiff_t n)
{
    const real *theta = (real *)p->theta + part->begin + offset;
    if (p->l2 > 0)
        part->weight_squares += sum_squares(n, theta);
    if (p->l1 > 0)
        part->weight_magnitudes += sum_magnitudes(n, theta);
}

/* Compute the final gradient and the sums of the penalty. */
static void finish_chunk(const Plan *p, const Samples *s, Part *part, ptrdiff_t offset,
                         ptrdiff_t n)
{
    const real *theta = (real *)p->theta + part->begin + offset;
    real *g = (real *)p->grad + part->begin + offset;
    const real inverse_n = (real)(1 / s->batch->n);
    double unused = 0;
    if (part->kept != NULL) {
        if (part->is_weights)
            sum_penalty(p, part, offset, n);
    } else if (!part->is_weights) {
        finish_gradient(n, theta, g, 0, inverse_n, &part->grad_squares, &unused);
    } else {
        finish_gradient(n, theta, g, (real)p->l2, inverse_n, &part->grad_squares,
                        &part->weight_squares);
        if (p->l1 > 0)
            part->weight_magnitudes += sum_magnitudes(n, theta);
    }
}

/* Task: the gradient of a part and, if there is an optimizer, its update. */
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
    if (t->scalars != NULL && part->kept != NULL)
        restore(p, part);
}

/* Task: the sums of the penalty over a part. */
static void penalty_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Plan *p = t->plan;
    Part *part = &p->parts[i];
    (void)me;
    part->weight_squares = part->weight_magnitudes = 0;
    if (!part->is_weights)
        return;
    for (ptrdiff_t offset = 0; offset < part->size; offset += CHUNK) {
        const ptrdiff_t rest = part->size - offset;
        sum_penalty(p, part, offset, rest < CHUNK ? rest : CHUNK);
    }
}

/* Task: the update of a part whose gradient has been computed. */
static void update_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Plan *p = t->plan;
    const Part *part = &p->parts[i];
    (void)me;
    move_chunk(t, part, 0, part->size);
    if (part->kept != NULL)
        restore(p, part);
}

/* Return the number of columns of the weight matrix of an operation, or 0. */
static ptrdiff_t n_columns(const Operation *op)
{
    if (kind_of(op) == &heads)
        return op->n_members * op->n_out;
    return kind_of(op) == &dense ? op->n_out : 0;
}

static void max_norm_task(void *argument, ptrdiff_t i, int me)
{
    const Step *t = argument;
    const Plan *p = t->plan;
    const Operation *op = &p->operations[t->from];
    (void)me;
    const ptrdiff_t n = n_columns(op);
    shorten_columns(op->n_in, n, width(n, i), p->max_norm,
                    (real *)op->parameters[0] + i * MAX_COLUMNS);
}

/* Compute the gradient and, if there is an optimizer, update all parameters. */
static void run_all_parts(Step *t, double learning_rate)
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
    for (t->from = 0; t->from < p->n_operations; t->from++) {
        const Operation *op = &p->operations[t->from];
        if (n_columns(op) > 0 && !op->frozen)
            team_run(t->team, n_column_groups(n_columns(op)), max_norm_task, t);
    }
}

/* Add the results of the tasks of a batch to the totals. */
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
    if (p->l2 > 0) /* without L2, the squares can have overflowed */
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

/* Draw the random numbers of a step, or find where the operations draw theirs in the
 * stream. Return the number of those that are drawn later.
 */
static uint64_t prepare_draws(Plan *plan, ptrdiff_t n_samples)
{
    uint64_t n_drawn = 0;
    for (ptrdiff_t i = 0; plan->bitgen != NULL && i < plan->n_operations; i++) {
        Operation *op = &plan->operations[i];
        if (kind_of(op)->draw == NULL)
            continue;
        const ptrdiff_t n_rows = n_samples * op->n_members;
        op->n_drawn = n_drawn;
        if (plan->stream.is_known)
            n_drawn += (uint64_t)(n_rows * op->n_in);
        else
            kind_of(op)->draw(plan, op, n_rows);
    }
    return n_drawn;
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
    const uint64_t n_drawn = prepare_draws(plan, t.samples.n_rows);
    run_operations(&t);
    if (n_drawn > 0)
        stream_skip(&plan->stream, n_drawn);
    if (with_gradient)
        run_all_parts(&t, batch->learning_rate);
    else
        run_parts(&t, penalty_task);
    sum_up(&t, totals);
    /* Backpropagation takes about twice as long as the forward pass. */
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
            real max_weight = 0;
            for (ptrdiff_t i = batch.start; i < batch.stop; i++) {
                const ptrdiff_t row = order == NULL ? i : order[i];
                batch.n += (double)w[row];
                batch.n_weighted += w[row] > 0;
                if (w[row] > max_weight) {
                    max_weight = w[row];
                    batch.max_weight_row = row;
                }
            }
        }
        if (batch.n_weighted > 0)
            batches[n_batches++] = batch;
    }
    return n_batches;
}
