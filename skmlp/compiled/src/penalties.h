/* Penalties on the weights.
 *
 * The formulas are those of skmlp/core/penalties.py. tests/compiled/test_formulas.py
 * compares the two modules. step.h applies the penalties.
 */

/* The names of all penalties. */
#define PENALTIES(PENALTY) PENALTY(elastic_net)

/* soft(w, t) = w - clip(w, -t, t) */
#define SOFT(w, t) ((w) - MAXIMUM(MINIMUM(w, t), -(t)))

/* Compute the gradient of the objective from sums over the batch: add the gradient of the
 * L2 penalty and divide by n. Add the squares of gradient and parameters to the sums.
 */
KERNEL static void finish_gradient(ptrdiff_t n, const real *theta, real *g, real l2,
                                   real inverse_n, double *grad_squares,
                                   double *weight_squares)
{
    real g_squares = 0, w_squares = 0;
    ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++)
    {
        const real w = theta[i], x = (g[i] + l2 * w) * inverse_n;
        g[i] = x;
        g_squares += x * x;
        w_squares += w * w;
    }
    *grad_squares += (double)g_squares;
    *weight_squares += (double)w_squares;
}

KERNEL static double sum_squares(ptrdiff_t n, const real *x)
{
    real sum = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return (double)sum;
}

KERNEL static double sum_magnitudes(ptrdiff_t n, const real *x)
{
    real sum = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        sum += FABS(x[i]);
    return (double)sum;
}
