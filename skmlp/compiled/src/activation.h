/* The activation of a layer, see skmlp/layers/activation.py. */

static void activation_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out;
    (void)p;
    forward(op->activation, op->constants, rows->end - rows->begin, n,
            at(op->input, rows, n), at(op->out, rows, n));
}

static void activation_backward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out;
    (void)p;
    backward(op->activation, op->constants, rows->end - rows->begin, n,
             at(op->input, rows, n), at(op->out, rows, n), at(op->delta, rows, n));
}

static const Kind activation = {
    .forward = activation_forward,
    .backward = activation_backward,
};
