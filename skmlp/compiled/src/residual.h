/* Residual connections, see skmlp/layers/residual.py.
 *
 * Buffers of `add`: the derivative that is passed to `branch`, and the input of `branch`.
 * Buffers of `branch`: the derivative from `add`.
 */

KERNEL static void sum_arrays(ptrdiff_t n, const real *x, const real *y, real *out)
{
    ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++) out[i] = x[i] + y[i];
}

static void add_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out;
    (void)p;
    sum_arrays((rows->end - rows->begin) * n, at(op->input, rows, n),
               at(op->buffers[1], rows, n), at(op->out, rows, n));
}

static void add_backward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out;
    (void)p;
    memcpy(at(op->buffers[0], rows, n), at(op->delta, rows, n),
           (rows->end - rows->begin) * n * sizeof(real));
}

static void branch_backward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out;
    real *delta = at(op->delta, rows, n);
    (void)p;
    sum_arrays((rows->end - rows->begin) * n, delta, at(op->buffers[0], rows, n),
               delta);
}

static const Kind branch = {
    .backward = branch_backward,
};

static const Kind add = {
    .forward = add_forward,
    .backward = add_backward,
};
