/* The dense layer, see skmlp/layers/dense.py.
 *
 * Parameters: W, and b unless a normalization follows, which has the biases.
 */

/* Compute the output for a range of rows and columns. */
static void multiply_columns(const Plan *p, const Operation *op, const Rows *rows,
                             ptrdiff_t j, ptrdiff_t n_columns)
{
    const ptrdiff_t n_rows = rows->end - rows->begin, n_out = op->n_out;
    const real *b = op->parameters[1];
    real *Z = at(op->out, rows, n_out) + j;
    ptrdiff_t ld;
    const real *A = input(op, rows, &ld);
    product(p->gemm, n_rows, op->n_in, n_columns, A, ld, (real *)op->parameters[0] + j,
            b == NULL ? NULL : b + j, Z, n_out);
}

static void dense_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    multiply_columns(p, op, rows, 0, op->n_out);
}

/* BLAS copies the weights in each product. This takes as long as the product of a few
 * rows. Therefore the product of a layer with many weights is divided by columns, in
 * groups of STRIPE_UNIT, like in the inner loops of BLAS. The output layer is not divided.
 */
#define STRIPE_UNIT 16

/* Whether the input is streamed, so that only a block of it is in memory. */
static int sees_stream(const Operation *op, const Samples *s)
{
    return op->input == NULL && s->streams_X;
}

static ptrdiff_t dense_n_groups(const Operation *op, const Samples *s)
{
    if (op->is_output || sees_stream(op, s))
        return 0;
    const ptrdiff_t n_units = op->n_out / STRIPE_UNIT;
    ptrdiff_t n = (op->n_in * op->n_out / 131072) & ~(ptrdiff_t)1;
    if (n > n_units)
        n = n_units;
    return n < 2 ? 0 : n;
}

static void dense_forward_group(const Plan *p, const Operation *op, const Samples *s,
                                ptrdiff_t i)
{
    const ptrdiff_t n_out = op->n_out, n = dense_n_groups(op, s);
    const ptrdiff_t j = n_out / STRIPE_UNIT * i / n * STRIPE_UNIT;
    const ptrdiff_t end =
        i == n - 1 ? n_out : n_out / STRIPE_UNIT * (i + 1) / n * STRIPE_UNIT;
    const Rows rows = rows_of(s, 0, s->n_rows);
    multiply_columns(p, op, &rows, j, end - j);
}

static void dense_backward(const Plan *p, const Operation *op, const Rows *rows)
{
    if (op->delta_in != NULL)
        product_transposed(p->gemm, rows->end - rows->begin, op->n_out, op->n_in,
                           at(op->delta, rows, op->n_out), op->parameters[0],
                           at(op->delta_in, rows, op->n_in));
}

/* Compute the gradient of a range of rows of W with streamed samples. */
static void differentiate_stream(const Plan *p, const Operation *op, const Samples *s,
                                 const intptr_t *order, const Part *part, int me,
                                 real *g)
{
    real *X = own_block(p, me);
    for (ptrdiff_t begin = 0; begin < s->n_rows; begin += BLOCK_ROWS) {
        const ptrdiff_t rest = s->n_rows - begin;
        const ptrdiff_t n_rows = rest < BLOCK_ROWS ? rest : BLOCK_ROWS;
        gather_X(p, order, s, begin, begin + n_rows, part->row, part->n_rows, X);
        transposed_product(p->gemm, part->n_rows, n_rows, op->n_out, X, part->n_rows,
                           (real *)op->delta + begin * op->n_out, begin > 0, g);
    }
}

static void dense_differentiate(const Plan *p, const Operation *op, const Samples *s,
                                const intptr_t *order, const Part *part, int me,
                                real *g)
{
    if (part->parameter == 1) {
        sum_rows(s->n_rows, op->n_out, op->delta, g);
    } else if (sees_stream(op, s)) {
        differentiate_stream(p, op, s, order, part, me, g);
    } else {
        const Rows rows = rows_of(s, 0, s->n_rows);
        ptrdiff_t ld;
        const real *A = input(op, &rows, &ld);
        transposed_product(p->gemm, part->n_rows, s->n_rows, op->n_out, A + part->row,
                           ld, op->delta, 0, g);
    }
}

static const Kind dense = {
    .forward = dense_forward,
    .backward = dense_backward,
    .n_groups = dense_n_groups,
    .forward_group = dense_forward_group,
    .differentiate = dense_differentiate,
};
