/* Batch normalization, see skmlp/layers/batch_norm.py.
 *
 * Parameters: gamma, b. Statistics: running mean, running variance. Buffers: U_hat, mean,
 * variance, inverse standard deviation. Constants: epsilon.
 */

KERNEL static void average(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                           const real *U, const real *center, const real *w, double n,
                           double *out)
{
    for (ptrdiff_t j = 0; j < n_columns; j++)
        out[j] = 0;
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        const double v = w == NULL ? 1.0 : (double)w[i];
        if (center == NULL) {
            for (ptrdiff_t j = 0; j < n_columns; j++)
                out[j] += v * (double)U[i * ld + j];
        } else {
            for (ptrdiff_t j = 0; j < n_columns; j++) {
                const real u = U[i * ld + j] - center[j];
                out[j] += v * (double)(u * u);
            }
        }
    }
    for (ptrdiff_t j = 0; j < n_columns; j++)
        out[j] /= n;
}

KERNEL static void normalize(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                             const real *mean, const real *inverse_std,
                             const real *gamma, const real *b, real *U, real *U_hat)
{
    for (ptrdiff_t i = 0; i < n_rows; i++)
        ELEMENTWISE for (ptrdiff_t j = 0; j < n_columns; j++)
        {
            const real u = (U[i * ld + j] - mean[j]) * inverse_std[j];
            U_hat[i * ld + j] = u;
            U[i * ld + j] = u * gamma[j] + b[j];
        }
}

static int is_normalized_by_batch(const Operation *op, const Samples *s)
{
    return s->batch->n_weighted > 1 && !op->frozen;
}

static ptrdiff_t batch_norm_n_groups(const Operation *op, const Samples *s)
{
    (void)s;
    return n_column_groups(op->n_out);
}

static void batch_norm_forward_group(const Plan *p, const Operation *op,
                                     const Samples *s, ptrdiff_t i)
{
    const ptrdiff_t j = i * MAX_COLUMNS, n_columns = width(op->n_out, i);
    real *U = (real *)op->out + j, *mean = (real *)op->buffers[1] + j;
    real *variance = (real *)op->buffers[2] + j;
    real *inverse_std = (real *)op->buffers[3] + j;
    real *running_mean = (real *)op->statistics[0] + j;
    real *running_variance = (real *)op->statistics[1] + j;
    if (is_normalized_by_batch(op, s)) {
        const real momentum = (real)p->norm_momentum;
        Columns sums;
        average(s->n_rows, op->n_out, n_columns, U, NULL, s->w, s->batch->n, sums);
        for (ptrdiff_t k = 0; k < n_columns; k++)
            mean[k] = (real)sums[k];
        average(s->n_rows, op->n_out, n_columns, U, mean, s->w, s->batch->n, sums);
        for (ptrdiff_t k = 0; k < n_columns; k++)
            variance[k] = (real)sums[k];
        /* A search can evaluate points that overflow, and 0 times infinity is NaN. */
        for (ptrdiff_t k = 0; momentum > 0 && k < n_columns; k++) {
            running_mean[k] += momentum * (mean[k] - running_mean[k]);
            running_variance[k] += momentum * (variance[k] - running_variance[k]);
        }
    } else {
        memcpy(mean, running_mean, n_columns * sizeof(real));
        memcpy(variance, running_variance, n_columns * sizeof(real));
    }
    for (ptrdiff_t k = 0; k < n_columns; k++)
        inverse_std[k] = 1 / SQRT(variance[k] + (real)op->constants[0]);
    normalize(s->n_rows, op->n_out, n_columns, mean, inverse_std,
              (real *)op->parameters[0] + j, (real *)op->parameters[1] + j, U,
              (real *)op->buffers[0] + j);
}

KERNEL static void scale_and_shift(ptrdiff_t n_rows, ptrdiff_t n, const real *mean,
                                   const real *scale, const real *b, real *U)
{
    for (ptrdiff_t i = 0; i < n_rows; i++)
        ELEMENTWISE for (ptrdiff_t j = 0; j < n; j++) U[i * n + j] =
            (U[i * n + j] - mean[j]) * scale[j] + b[j];
}

/* Prediction with the running statistics. The first buffer has n_out elements. */
static void batch_norm_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t n = op->n_out;
    const real *gamma = op->parameters[0], *variance = op->statistics[1];
    real *scale = op->buffers[0];
    (void)p;
    for (ptrdiff_t j = 0; j < n; j++)
        scale[j] = gamma[j] / SQRT(variance[j] + (real)op->constants[0]);
    scale_and_shift(rows->end - rows->begin, n, op->statistics[0], scale,
                    op->parameters[1], at(op->out, rows, n));
}

KERNEL static void sum_products(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                                const real *delta, const real *U_hat, double *sums,
                                double *products)
{
    for (ptrdiff_t j = 0; j < n_columns; j++)
        sums[j] = products[j] = 0;
    for (ptrdiff_t i = 0; i < n_rows; i++)
        for (ptrdiff_t j = 0; j < n_columns; j++) {
            sums[j] += (double)delta[i * ld + j];
            products[j] += (double)(delta[i * ld + j] * U_hat[i * ld + j]);
        }
}

KERNEL static void center_delta(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                                const real *grad_b, const real *grad_gamma,
                                const real *U_hat, const real *w, double n, real *delta)
{
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        const real v = (real)((w == NULL ? 1.0 : (double)w[i]) / n);
        ELEMENTWISE for (ptrdiff_t j = 0; j < n_columns; j++) delta[i * ld + j] -=
            (U_hat[i * ld + j] * grad_gamma[j] + grad_b[j]) * v;
    }
}

KERNEL static void scale_columns(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                                 const real *gamma, const real *inverse_std,
                                 real *delta)
{
    for (ptrdiff_t i = 0; i < n_rows; i++)
        ELEMENTWISE for (ptrdiff_t j = 0; j < n_columns; j++) delta[i * ld + j] *=
            gamma[j] * inverse_std[j];
}

/* The derivative with respect to the input, and the gradient of the parameters. */
static void batch_norm_backward_group(const Plan *p, const Operation *op,
                                      const Samples *s, ptrdiff_t i)
{
    const ptrdiff_t j = i * MAX_COLUMNS, n_columns = width(op->n_out, i);
    const ptrdiff_t n_rows = s->n_rows, ld = op->n_out;
    real *delta = (real *)op->delta + j, *U_hat = (real *)op->buffers[0] + j;
    real *grad_gamma = (real *)op->gradients[0] + j;
    real *grad_b = (real *)op->gradients[1] + j;
    Columns sums, products;
    (void)p;
    sum_products(n_rows, ld, n_columns, delta, U_hat, sums, products);
    for (ptrdiff_t k = 0; k < n_columns; k++) {
        grad_b[k] = (real)sums[k];
        grad_gamma[k] = (real)products[k];
    }
    if (is_normalized_by_batch(op, s)) /* the statistics depend on the input */
        center_delta(n_rows, ld, n_columns, grad_b, grad_gamma, U_hat, s->w,
                     s->batch->n, delta);
    scale_columns(n_rows, ld, n_columns, (real *)op->parameters[0] + j,
                  (real *)op->buffers[3] + j, delta);
}

static const Kind batch_norm = {
    .forward = batch_norm_forward,
    .n_groups = batch_norm_n_groups,
    .forward_group = batch_norm_forward_group,
    .backward_group = batch_norm_backward_group,
};
