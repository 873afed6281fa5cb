/* Dropout, see skmlp/layers/dropout.py.
 *
 * Buffers: the mask. Constants: the rate.
 */

static real dropout_scale(const Operation *op)
{
    return (real)(1 / (1 - op->constants[0]));
}

/* Draw the mask as NumPy's Generator.random draws, in one thread. */
static void dropout_draw(const Plan *p, const Operation *op, ptrdiff_t n_rows)
{
    real *mask = op->buffers[0];
    const real rate = (real)op->constants[0], scale = dropout_scale(op);
    const ptrdiff_t n = n_rows * op->n_in;
    void *state = p->bitgen->state;
    for (ptrdiff_t i = 0; i < n; i++) {
#if SINGLE
        const real u = RANDOM(p->bitgen->next_uint32(state));
#else
        const real u = p->bitgen->next_double(state);
#endif
        mask[i] = u >= rate ? scale : 0;
    }
}

static void dropout_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n_rows = rows->end - rows->begin, n = op->n_in;
    real *mask = at(op->buffers[0], rows, n), *out = at(op->out, rows, n);
    ptrdiff_t ld;
    const real *A = input(op, rows, &ld);
    if (p->stream.is_known)
        stream_mask(&p->stream, op->n_drawn + (uint64_t)(rows->begin * n), n_rows * n,
                    (real)op->constants[0], dropout_scale(op), mask);
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
