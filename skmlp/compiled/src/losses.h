/* Losses and their gradients, over whole arrays.
 *
 * The formulas are those of skmlp/core/losses.py. tests/compiled/test_formulas.py
 * compares the two modules.
 */

/* Bounds of probabilities. The loss of 0 or 1 could be infinite. */
#define PROBABILITY(p) MINIMUM(MAXIMUM(p, REAL_EPS), 1 - REAL_EPS)
/* With the square root of the smallest number, y / p is finite. */
#if SINGLE
#define AWAY_FROM_ZERO(p) MAXIMUM(p, (real)1.0842021724855044e-19)
#else
#define AWAY_FROM_ZERO(p) MAXIMUM(p, 1.4916681462400413e-154)
#endif
#define BELOW_ONE(p) MINIMUM(p, 1 - REAL_EPS / 2)
/* y log(y / p). It is 0 for y = 0, even if p has underflowed or overflowed. */
#define QUOTIENT(y, p) MINIMUM(MAXIMUM((y) / MAXIMUM(p, REAL_MIN), REAL_MIN), REAL_MAX)

/* All losses. To add one, add a line here.
 *
 * LOSS(name, l(y, p), dl/dp) is a loss. c is the only element of the class's
 * `constants`. HARD_LOSS(name, l(y, p), gradient, hard) has another formula of l(y, p)
 * for targets that are all 0 or 1.
 *
 * The one of binary_log_loss uses the probability of the true label. The equal
 * expression |1 - y - p| would lose digits, because the compiler may subtract p first.
 */
/* clang-format off */
#define LOSSES(LOSS, HARD_LOSS)                                                        \
    LOSS(squared_error, (real)0.5 * SQUARE(p - y), p - y)                              \
    LOSS(absolute_error, FABS(y - p), SIGN(p - y))                                     \
    LOSS(huber, FABS(y - p) <= c ? (real)0.5 * SQUARE(y - p)                           \
                                 : c * (FABS(y - p) - (real)0.5 * c),                  \
         MINIMUM(MAXIMUM(p - y, -c), c))                                               \
    LOSS(quantile, (y - p) * (y > p ? c : c - 1),                                      \
         MINIMUM(MAXIMUM(SIGN(p - y), -c), 1 - c))                                     \
    LOSS(poisson, y * LOG(QUOTIENT(y, p)) - y + p, 1 - y / AWAY_FROM_ZERO(p))          \
    HARD_LOSS(binary_log_loss,                                                         \
              -y * LOG(PROBABILITY(p)) - (1 - y) * LOG(PROBABILITY(1 - p)),            \
              (BELOW_ONE(AWAY_FROM_ZERO(p)) - y) /                                     \
                  (BELOW_ONE(AWAY_FROM_ZERO(p)) * (1 - BELOW_ONE(AWAY_FROM_ZERO(p)))), \
              -LOG(PROBABILITY(y > 0 ? p : 1 - p)))                                    \
    LOSS(log_loss, -y * LOG(PROBABILITY(p)), -y / AWAY_FROM_ZERO(p))
/* clang-format on */

/* The code of a loss is its position in the list. */
#define CODE(name, ...) LOSS_##name,
enum { LOSSES(CODE, CODE) };
#undef CODE

/* Return the sum of l(y, p) over n elements in double precision. */
#define SUM(name, formula)                                                             \
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

#define FUNCTIONS(name, formula, gradient)                                             \
    SUM(name##_sum, formula)                                                           \
    GRADIENT(name##_gradient, gradient)
#define HARD_FUNCTIONS(name, formula, gradient, hard)                                  \
    FUNCTIONS(name, formula, gradient)                                                 \
    SUM(name##_hard_sum, hard)
LOSSES(FUNCTIONS, HARD_FUNCTIONS)
#undef FUNCTIONS
#undef HARD_FUNCTIONS

/* p - y: the delta of an output layer with the canonical activation. */
#define residual squared_error_gradient

static double sum_loss(int code, double constant, int hard_labels, ptrdiff_t n,
                       const real *Y, const real *P)
{
    const real c = (real)constant;
#define CASE(name, ...)                                                                \
    case LOSS_##name: return name##_sum(n, Y, P, c);
#define HARD_CASE(name, ...)                                                           \
    case LOSS_##name:                                                                  \
        return hard_labels ? name##_hard_sum(n, Y, P, c) : name##_sum(n, Y, P, c);
    switch (code) {
        LOSSES(CASE, HARD_CASE)
    }
#undef CASE
#undef HARD_CASE
    return 0;
}

static void differentiate_loss(int code, double constant, ptrdiff_t n, const real *Y,
                               const real *P, real *out)
{
    const real c = (real)constant;
#define CASE(name, ...)                                                                \
    case LOSS_##name: name##_gradient(n, Y, P, out, c); break;
    switch (code) {
        LOSSES(CASE, CASE)
    }
#undef CASE
}
