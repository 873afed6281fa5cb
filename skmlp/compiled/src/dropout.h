/* Dropout, see skmlp/layers/dropout.py.
 *
 * Buffers: the mask. Constants: the rate.
 */

/* Draw the mask as NumPy's Generator.random draws. */
static void dropout_draw(const Plan *p, const Operation *op, ptrdiff_t n_rows)
{
    real *mask = op->buffers[0];
    const real rate = (real)op->constants[0];
    const real scale = (real)(1 / (1 - op->constants[0]));
    const ptrdiff_t n = n_rows * op->n_in;
    void *state = p->bitgen->state;
    for (ptrdiff_t i = 0; i < n; i++) {
#if SINGLE
        const real u = (p->bitgen->next_uint32(state) >> 8) * (1.0f / 16777216.0f);
#else
        const real u = p->bitgen->next_double(state);
#endif
        mask[i] = u >= rate ? scale : 0;
    }
}

static void dropout_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n_rows = rows->end - rows->begin, n = op->n_in;
    const real *mask = at(op->buffers[0], rows, n);
    real *out = at(op->out, rows, n);
    ptrdiff_t ld;
    const real *A = input(op, rows, &ld);
    (void)p;
    if (ld == n)
        multiply(n_rows * n, A, mask, out);
    else
        for (ptrdiff_t i = 0; i < n_rows; i++)
            multiply(n, A + i * ld, mask + i * n, out + i * n);
}

static void dropout_backward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_in;
    real *delta = at(op->delta, rows, n);
    (void)p;
    multiply((rows->end - rows->begin) * n, delta, at(op->buffers[0], rows, n), delta);
}

static const Kind dropout = {
    .forward = dropout_forward,
    .backward = dropout_backward,
    .draw = dropout_draw,
};
