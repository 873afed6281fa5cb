/* Activations and their derivatives, over whole arrays.
 *
 * The formulas and their sources are in skmlp/core/activations.py.
 * tests/compiled/test_formulas.py compares the two modules.
 */

#define SIGMOID(z) (1 / (1 + EXP(-(z))))
#define LOG_ONE_PLUS_EXP(z) (MAXIMUM(z, 0) + LOG1P(EXP(-FABS(z))))
#define NORMAL_CDF(z) ((real)0.5 * ERFC((z) * (real)-0.70710678118654752440))
/* It is 0 for |z| > 40, where z^2 could overflow. */
#define CLIPPED(z) MINIMUM(MAXIMUM(z, -40), 40)
#define Z_NORMAL_PDF(z)                                                                \
    (CLIPPED(z) * (real)0.39894228040143267794 *                                       \
     EXP((real)-0.5 * CLIPPED(z) * CLIPPED(z)))
#define SQUARE(x) ((x) * (x))
#define ELU(z) (s * MAXIMUM(z, 0) + s * c * EXPM1(MINIMUM(z, 0)))
#define ELU_DERIVATIVE(a) ((a) > 0 ? s : (a) + s * c)

/* All activations. To add one, add a line here.
 *
 * FORMULA(name, g(z), g'(z)) is an element-wise activation. The derivative is a function
 * of a = g(z), or of z if the class in Python has `needs_z`. c and s are the first and the
 * second of the class's `constants`. ROWWISE(name) is an activation of whole rows. Its
 * functions NAME_forward and NAME_backward are below.
 *
 * The last case of the derivatives in terms of the sign of a returns NaN for NaN.
 */
/* clang-format off */
#define ACTIVATIONS(FORMULA, ROWWISE)                                             \
    ROWWISE(identity)                                                                  \
    FORMULA(logistic, SIGMOID(z), a * (1 - a))                                    \
    FORMULA(tanh, TANH(z), 1 - a * a)                                             \
    FORMULA(relu, MAXIMUM(z, 0), a > 0 ? 1 : a <= 0 ? 0 : a)                      \
    FORMULA(leaky_relu, MAXIMUM(z, c * z), a > 0 ? 1 : a <= 0 ? c : a)            \
    FORMULA(elu, ELU(z), ELU_DERIVATIVE(a))                                       \
    FORMULA(selu, ELU(z), ELU_DERIVATIVE(a))                                      \
    FORMULA(softplus, LOG_ONE_PLUS_EXP(z), -EXPM1(-a))                            \
    FORMULA(softsign, z / (1 + FABS(z)), SQUARE(1 - FABS(a)))                     \
    FORMULA(gelu, z * NORMAL_CDF(z), NORMAL_CDF(z) + Z_NORMAL_PDF(z))             \
    FORMULA(silu, z * SIGMOID(z), SIGMOID(z) * (1 + z * (1 - SIGMOID(z))))        \
    FORMULA(mish, z * TANH(LOG_ONE_PLUS_EXP(z)),                                  \
                 TANH(LOG_ONE_PLUS_EXP(z)) +                                           \
                     z * SIGMOID(z) * (1 - SQUARE(TANH(LOG_ONE_PLUS_EXP(z)))))         \
    FORMULA(exp, EXP(z), a)                                                       \
    ROWWISE(softmax)
/* clang-format on */

/* The code of an activation is its position in the list. */
#define CODE(name, ...) ACTIVATION_##name,
enum { ACTIVATIONS(CODE, CODE) };
#undef CODE

/* NAME_forward: A -> g(Z). NAME_backward: delta -> delta * g'(Z). */
#define FUNCTIONS(name, formula, derivative)                                           \
    KERNEL static void name##_forward(ptrdiff_t n, const real *Z, real *A, real c,     \
                                      real s)                                          \
    {                                                                                  \
        (void)c, (void)s;                                                              \
        ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++)                                  \
        {                                                                              \
            const real z = Z[i];                                                       \
            A[i] = (formula);                                                          \
        }                                                                              \
    }                                                                                  \
    KERNEL static void name##_backward(ptrdiff_t n, const real *Z, const real *A,      \
                                       real *delta, real c, real s)                    \
    {                                                                                  \
        (void)c, (void)s;                                                              \
        ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++)                                  \
        {                                                                              \
            const real z = Z[i], a = A[i];                                             \
            (void)z, (void)a;                                                          \
            delta[i] *= (derivative);                                                  \
        }                                                                              \
    }
#define NO_FUNCTIONS(name)
ACTIVATIONS(FUNCTIONS, NO_FUNCTIONS)
#undef FUNCTIONS
#undef NO_FUNCTIONS

static void identity_forward(ptrdiff_t n_rows, ptrdiff_t n_columns, const real *Z,
                             real *A)
{
    if (A != Z)
        memcpy(A, Z, n_rows * n_columns * sizeof(real));
}

static void identity_backward(ptrdiff_t n_rows, ptrdiff_t n_columns, const real *Z,
                              const real *A, real *delta)
{
    (void)n_rows, (void)n_columns, (void)Z, (void)A, (void)delta;
}

/* Compute the exponential of a whole block, because a row is too short for vectors. */
static void softmax_forward(ptrdiff_t n_rows, ptrdiff_t n_columns, const real *Z,
                            real *A)
{
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        const real *z = Z + i * n_columns;
        real largest = z[0];
        for (ptrdiff_t k = 1; k < n_columns; k++)
            largest = z[k] > largest ? z[k] : largest;
        for (ptrdiff_t k = 0; k < n_columns; k++)
            A[i * n_columns + k] = z[k] - largest;
    }
    exp_forward(n_rows * n_columns, A, A, 0, 0);
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        real *a = A + i * n_columns, sum = 0;
        for (ptrdiff_t k = 0; k < n_columns; k++)
            sum += a[k];
        for (ptrdiff_t k = 0; k < n_columns; k++)
            a[k] /= sum;
    }
}

static void softmax_backward(ptrdiff_t n_rows, ptrdiff_t n_columns, const real *Z,
                             const real *A, real *delta)
{
    (void)Z;
    for (ptrdiff_t i = 0; i < n_rows; i++, A += n_columns, delta += n_columns) {
        real sum = 0;
        for (ptrdiff_t k = 0; k < n_columns; k++)
            sum += delta[k] * A[k];
        for (ptrdiff_t k = 0; k < n_columns; k++)
            delta[k] = A[k] * (delta[k] - sum);
    }
}

static void forward(int code, const double *constants, ptrdiff_t n_rows,
                    ptrdiff_t n_columns, const real *Z, real *A)
{
    const ptrdiff_t n = n_rows * n_columns;
    const real c = (real)constants[0], s = (real)constants[1];
#define FORMULA_CASE(name, ...)                                                        \
    case ACTIVATION_##name: name##_forward(n, Z, A, c, s); break;
#define ROWWISE_CASE(name)                                                             \
    case ACTIVATION_##name: name##_forward(n_rows, n_columns, Z, A); break;
    switch (code) {
        ACTIVATIONS(FORMULA_CASE, ROWWISE_CASE)
    }
#undef FORMULA_CASE
#undef ROWWISE_CASE
}

static void backward(int code, const double *constants, ptrdiff_t n_rows,
                     ptrdiff_t n_columns, const real *Z, const real *A, real *delta)
{
    const ptrdiff_t n = n_rows * n_columns;
    const real c = (real)constants[0], s = (real)constants[1];
#define FORMULA_CASE(name, ...)                                                        \
    case ACTIVATION_##name: name##_backward(n, Z, A, delta, c, s); break;
#define ROWWISE_CASE(name)                                                             \
    case ACTIVATION_##name: name##_backward(n_rows, n_columns, Z, A, delta); break;
    switch (code) {
        ACTIVATIONS(FORMULA_CASE, ROWWISE_CASE)
    }
#undef FORMULA_CASE
#undef ROWWISE_CASE
}
