/* The samples of a batch in the order of the batch. */

/* A batch in memory. */
typedef struct {
    ptrdiff_t n_rows, ldx;
    const real *X, *Y, *w; /* X has the row stride `ldx` and begins with `first_row` */
    ptrdiff_t first_row;
    int gathers_X, gathers_Y;
    int streams_X; /* whether blocks are copied each time that they are needed */
    const Batch *batch;
} Samples;

/* Whether BLAS can use the samples in place. */
static int has_plain_rows(const Plan *p)
{
    return p->X_column == 1 && p->X_row >= p->operations[0].n_in && p->X_row <= INT_MAX;
}

/* Return the batch, whose arrays are in place or buffers for `gather`. */
static Samples find(const Plan *p, const intptr_t *order, const Batch *batch)
{
    Samples s = {.n_rows = batch->stop - batch->start, .batch = batch};
    const Operation *first = &p->operations[0];
    const Operation *last = &p->operations[p->n_operations - 1];
    const ptrdiff_t start = batch->start;
    s.gathers_X = order != NULL || batch->n_weighted < s.n_rows || !has_plain_rows(p);
    s.streams_X = s.gathers_X && p->batch_size > MAX_GATHERED;
    s.gathers_Y = order != NULL || p->hard_labels || last->n_members > 1;
    s.X = s.gathers_X ? p->X_batch : (const real *)p->X + start * p->X_row;
    s.ldx = s.gathers_X ? first->n_in : p->X_row;
    s.Y = s.gathers_Y ? p->Y_batch : (const real *)p->Y + start * last->n_out;
    if (p->w != NULL)
        s.w = s.gathers_Y ? p->w_batch : (const real *)p->w + start;
    return s;
}

/* Return the row number in X of a row of the batch. */
static ptrdiff_t row_of(const intptr_t *order, const Samples *s, ptrdiff_t i)
{
    return order == NULL ? s->batch->start + i : order[s->batch->start + i];
}

static void copy_row(ptrdiff_t n, const real *source, ptrdiff_t step, real *out)
{
    if (step == 1)
        memcpy(out, source, n * sizeof(real));
    else
        for (ptrdiff_t j = 0; j < n; j++)
            out[j] = source[j * step];
}

/* Copy the columns [j, j + n) of rows of the batch. */
static void gather_X(const Plan *p, const intptr_t *order, const Samples *s,
                     ptrdiff_t begin, ptrdiff_t end, ptrdiff_t j, ptrdiff_t n,
                     real *out)
{
    for (ptrdiff_t i = begin; i < end; i++, out += n) {
        ptrdiff_t row = row_of(order, s, i);
        /* A sample of weight zero is ignored even if it is not finite. */
        if (p->w != NULL && ((const real *)p->w)[row] == 0)
            row = s->batch->max_weight_row;
        copy_row(n, (const real *)p->X + row * p->X_row + j * p->X_column, p->X_column,
                 out);
    }
}

/* Copy the targets and weights, once for each member. */
static void gather_targets(const Plan *p, const intptr_t *order, const Samples *s,
                           ptrdiff_t begin, ptrdiff_t end)
{
    const Operation *last = &p->operations[p->n_operations - 1];
    const ptrdiff_t K = last->n_out, n_members = last->n_members;
    for (ptrdiff_t i = begin * n_members; i < end * n_members; i++) {
        const ptrdiff_t row = row_of(order, s, i / n_members);
        real *y = (real *)p->Y_batch + i * K;
        if (p->hard_labels) {
            const unsigned char *source = (const unsigned char *)p->Y + row * K;
            for (ptrdiff_t k = 0; k < K; k++)
                y[k] = source[k];
        } else {
            memcpy(y, (const real *)p->Y + row * K, K * sizeof(real));
        }
        if (p->w != NULL)
            ((real *)p->w_batch)[i] = ((const real *)p->w)[row];
    }
}

/* Return the block of X_batch of thread `me` if X is streamed. */
static real *own_block(const Plan *p, int me)
{
    return (real *)p->X_batch + (ptrdiff_t)me * BLOCK_ROWS * p->operations[0].n_in;
}

/* Copy a block and return the batch with the samples of thread `me`. */
static Samples gather(const Plan *p, const intptr_t *order, const Samples *s,
                      ptrdiff_t begin, ptrdiff_t end, int me)
{
    const ptrdiff_t n = p->operations[0].n_in;
    Samples block = *s;
    if (s->gathers_Y)
        gather_targets(p, order, s, begin, end);
    if (s->streams_X) {
        block.X = own_block(p, me);
        block.first_row = begin;
    }
    if (s->gathers_X)
        gather_X(p, order, s, begin, end, 0, n,
                 (real *)block.X + (begin - block.first_row) * n);
    return block;
}

/* A range of rows of a batch or of the samples in prediction. */
typedef struct {
    ptrdiff_t begin, end; /* rows of the batch */
    ptrdiff_t origin;     /* first row of the buffers */
    const real *X;        /* row `begin` of the samples, with row stride `ldx` */
    ptrdiff_t ldx;
} Rows;

static Rows rows_of(const Samples *s, ptrdiff_t begin, ptrdiff_t end)
{
    const Rows rows = {begin, end, 0, s->X + (begin - s->first_row) * s->ldx, s->ldx};
    return rows;
}

/* Return the address of the rows in a buffer of n columns. */
static real *at(const void *buffer, const Rows *rows, ptrdiff_t n)
{
    return (real *)buffer + (rows->begin - rows->origin) * n;
}

/* Return their address in the input of an operation, and its row stride in `*ld`. */
static const real *input(const Operation *op, const Rows *rows, ptrdiff_t *ld)
{
    *ld = op->input == NULL ? rows->ldx : op->n_in;
    return op->input == NULL ? rows->X : at(op->input, rows, op->n_in);
}
