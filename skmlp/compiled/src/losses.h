/* Losses and their gradients, over whole arrays.
 *
 * The formulas are those of skmlp/core/losses.py; tests/compiled/test_formulas.py
 * compares the two.
 */

/* Sum of l(y, p) over n elements. In double: it sums up many samples. */
#define LOSS(name, formula)                                                            \
    KERNEL static double name(ptrdiff_t n, const real *Y, const real *P, real c)       \
    {                                                                                  \
        double sum = 0;                                                                \
        (void)c;                                                                       \
        for (ptrdiff_t i = 0; i < n; i++) {                                            \
            const real y = Y[i], p = P[i];                                             \
            sum += (formula);                                                          \
        }                                                                              \
        return sum;                                                                    \
    }

/* out -> dl/dp elementwise. */
#define GRADIENT(name, formula)                                                        \
    KERNEL static void name(ptrdiff_t n, const real *Y, const real *P, real *out,      \
                            real c)                                                    \
    {                                                                                  \
        (void)c;                                                                       \
        ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++)                                  \
        {                                                                              \
            const real y = Y[i], p = P[i];                                             \
            out[i] = (formula);                                                        \
        }                                                                              \
    }

/* A probability that rounds to 0 or 1 would give an infinite loss. */
#define PROBABILITY(p) MINIMUM(MAXIMUM(p, REAL_EPS), 1 - REAL_EPS)
/* With the root of the least number, y / p is finite. */
#if SINGLE
#define AWAY_FROM_ZERO(p) MAXIMUM(p, (real)1.0842021724855044e-19)
#else
#define AWAY_FROM_ZERO(p) MAXIMUM(p, 1.4916681462400413e-154)
#endif
#define BELOW_ONE(p) MINIMUM(p, 1 - REAL_EPS / 2)
/* y log(y / p), which is 0 for y = 0, where p may have under- or overflowed. */
#define QUOTIENT(y, p) MINIMUM(MAXIMUM((y) / MAXIMUM(p, REAL_MIN), REAL_MIN), REAL_MAX)

/* clang-format off */
LOSS(squared_error, (real)0.5 * SQUARE(p - y))
LOSS(absolute_error, FABS(y - p))
LOSS(huber, FABS(y - p) <= c ? (real)0.5 * SQUARE(y - p)
                             : c * (FABS(y - p) - (real)0.5 * c))
LOSS(quantile, (y - p) * (y > p ? c : c - 1))
LOSS(poisson, y * LOG(QUOTIENT(y, p)) - y + p)
/* Of the probability given to the true label, where y is 0 or 1. As |1 - y - p| it would
 * lose its digits, for the compiler may subtract p first.
 */
LOSS(hard_binary_log_loss, -LOG(PROBABILITY(y > 0 ? p : 1 - p)))
LOSS(soft_binary_log_loss,
     -y * LOG(PROBABILITY(p)) - (1 - y) * LOG(PROBABILITY(1 - p)))
LOSS(log_loss, -y * LOG(PROBABILITY(p)))
/* clang-format on */

GRADIENT(residual, p - y)
GRADIENT(absolute_error_gradient, SIGN(p - y))
GRADIENT(huber_gradient, MINIMUM(MAXIMUM(p - y, -c), c))
GRADIENT(quantile_gradient, MINIMUM(MAXIMUM(SIGN(p - y), -c), 1 - c))
GRADIENT(poisson_gradient, 1 - y / AWAY_FROM_ZERO(p))
GRADIENT(binary_log_loss_gradient,
         (BELOW_ONE(AWAY_FROM_ZERO(p)) - y) /
             (BELOW_ONE(AWAY_FROM_ZERO(p)) * (1 - BELOW_ONE(AWAY_FROM_ZERO(p)))))
GRADIENT(log_loss_gradient, -y / AWAY_FROM_ZERO(p))

static double sum_loss(int code, double constant, int hard_labels, ptrdiff_t n,
                       const real *Y, const real *P)
{
    const real c = (real)constant;
    switch (code) {
    case SQUARED_ERROR: return squared_error(n, Y, P, c);
    case ABSOLUTE_ERROR: return absolute_error(n, Y, P, c);
    case HUBER: return huber(n, Y, P, c);
    case QUANTILE: return quantile(n, Y, P, c);
    case POISSON: return poisson(n, Y, P, c);
    case BINARY_LOG_LOSS:
        return hard_labels ? hard_binary_log_loss(n, Y, P, c)
                           : soft_binary_log_loss(n, Y, P, c);
    default: return log_loss(n, Y, P, c);
    }
}

static void differentiate_loss(int code, double constant, ptrdiff_t n, const real *Y,
                               const real *P, real *out)
{
    const real c = (real)constant;
    switch (code) {
    case SQUARED_ERROR: residual(n, Y, P, out, c); break;
    case ABSOLUTE_ERROR: absolute_error_gradient(n, Y, P, out, c); break;
    case HUBER: huber_gradient(n, Y, P, out, c); break;
    case QUANTILE: quantile_gradient(n, Y, P, out, c); break;
    case POISSON: poisson_gradient(n, Y, P, out, c); break;
    case BINARY_LOG_LOSS: binary_log_loss_gradient(n, Y, P, out, c); break;
    default: log_loss_gradient(n, Y, P, out, c); break;
    }
}
