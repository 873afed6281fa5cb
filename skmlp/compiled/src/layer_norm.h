/* Layer normalization, see skmlp/layers/layer_norm.py.
 *
 * Parameters: gamma, b. Buffers in training: U_hat, inverse standard deviation.
 * Constants: epsilon.
 */

KERNEL static double sum(ptrdiff_t n, const real *x)
{
    double total = 0;
    for (ptrdiff_t j = 0; j < n; j++)
        total += (double)x[j];
    return total;
}

/* Sum of the squares after the mean has been subtracted. */
KERNEL static double center(ptrdiff_t n, real mean, real *u)
{
    double total = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        u[j] -= mean;
        total += (double)(u[j] * u[j]);
    }
    return total;
}

KERNEL static void scale_row(ptrdiff_t n, real inverse_std, const real *gamma,
                             const real *b, real *u, real *u_hat)
{
    ELEMENTWISE for (ptrdiff_t j = 0; j < n; j++) u[j] *= inverse_std;
    if (u_hat != NULL)
        memcpy(u_hat, u, n * sizeof(real));
    ELEMENTWISE for (ptrdiff_t j = 0; j < n; j++) u[j] = u[j] * gamma[j] + b[j];
}

static void layer_norm_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out;
    real *u = at(op->out, rows, n);
    const int is_training = op->buffers[1] != NULL;
    real *u_hat = is_training ? at(op->buffers[0], rows, n) : NULL;
    (void)p;
    for (ptrdiff_t i = 0; i < rows->end - rows->begin; i++, u += n) {
        const double variance = center(n, (real)(sum(n, u) / (double)n), u) / (double)n;
        const real inverse_std = (real)(1 / sqrt(variance + op->constants[0]));
        scale_row(n, inverse_std, op->parameters[0], op->parameters[1], u, u_hat);
        if (is_training) {
            at(op->buffers[1], rows, 1)[i] = inverse_std;
            u_hat += n;
        }
    }
}

KERNEL static void layer_norm_backward_row(ptrdiff_t n, const real *gamma,
                                           real inverse_std, const real *u_hat,
                                           const real *delta, real *h)
{
    double mean = 0, projection = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        h[j] = delta[j] * gamma[j];
        mean += (double)h[j];
        projection += (double)(h[j] * u_hat[j]);
    }
    const real m = (real)(mean / (double)n), q = (real)(projection / (double)n);
    ELEMENTWISE for (ptrdiff_t j = 0; j < n; j++) h[j] =
        (h[j] - m - u_hat[j] * q) * inverse_std;
}

static void layer_norm_backward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out;
    const real *inverse_std = at(op->buffers[1], rows, 1);
    const real *u_hat = at(op->buffers[0], rows, n);
    const real *delta = at(op->delta, rows, n);
    real *h = at(op->delta_in, rows, n);
    (void)p;
    for (ptrdiff_t i = 0; i < rows->end - rows->begin; i++)
        layer_norm_backward_row(n, op->parameters[0], inverse_std[i], u_hat + i * n,
                                delta + i * n, h + i * n);
}

KERNEL static void sum_rows_of_products(ptrdiff_t n_rows, ptrdiff_t n,
                                        const real *delta, const real *u_hat, real *out)
{
    for (ptrdiff_t j = 0; j < n; j++)
        out[j] = 0;
    for (ptrdiff_t i = 0; i < n_rows; i++)
        for (ptrdiff_t j = 0; j < n; j++)
            out[j] += delta[i * n + j] * u_hat[i * n + j];
}

static void layer_norm_differentiate(const Plan *p, const Operation *op,
                                     const Samples *s, const intptr_t *order,
                                     const Part *part, int me, real *g)
{
    (void)p, (void)order, (void)me;
    if (part->parameter == 1)
        sum_rows(s->n_rows, op->n_out, op->delta, g);
    else
        sum_rows_of_products(s->n_rows, op->n_out, op->delta, op->buffers[0], g);
}

static const Kind layer_norm = {
    .forward = layer_norm_forward,
    .backward = layer_norm_backward,
    .differentiate = layer_norm_differentiate,
};
