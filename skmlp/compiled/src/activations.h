/* Activations and their derivatives, over whole arrays.
 *
 * The formulas are those of skmlp/core/activations.py, whose classes say where they
 * are from; tests/compiled/test_formulas.py compares the two.
 */

/* A -> g(Z) elementwise; c and s are the activation's constants. */
#define FORWARD(name, formula)                                                         \
    KERNEL static void name(ptrdiff_t n, const real *Z, real *A, real c, real s)       \
    {                                                                                  \
        (void)c, (void)s;                                                              \
        ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++)                                  \
        {                                                                              \
            const real z = Z[i];                                                       \
            A[i] = (formula);                                                          \
        }                                                                              \
    }

/* delta -> delta * g'(Z) elementwise. */
#define BACKWARD(name, formula)                                                        \
    KERNEL static void name(ptrdiff_t n, const real *Z, const real *A, real *delta,    \
                            real c, real s)                                            \
    {                                                                                  \
        (void)c, (void)s;                                                              \
        ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++)                                  \
        {                                                                              \
            const real z = Z[i], a = A[i];                                             \
            (void)z, (void)a;                                                          \
            delta[i] *= (formula);                                                     \
        }                                                                              \
    }

#define SIGMOID(z) (1 / (1 + EXP(-(z))))
#define LOG_ONE_PLUS_EXP(z) (MAXIMUM(z, 0) + LOG1P(EXP(-FABS(z))))
#define NORMAL_CDF(z) ((real)0.5 * ERFC((z) * (real)-0.70710678118654752440))
/* Farther out than 40 it is 0, and z^2 might overflow. */
#define CLIPPED(z) MINIMUM(MAXIMUM(z, -40), 40)
#define Z_NORMAL_PDF(z)                                                                \
    (CLIPPED(z) * (real)0.39894228040143267794 *                                       \
     EXP((real)-0.5 * CLIPPED(z) * CLIPPED(z)))
#define SQUARE(x) ((x) * (x))

/* clang-format off */
FORWARD(logistic, SIGMOID(z))
FORWARD(tanh_, TANH(z))
FORWARD(relu, MAXIMUM(z, 0))
FORWARD(leaky_relu, MAXIMUM(z, c * z))
FORWARD(elu, s * MAXIMUM(z, 0) + s * c * EXPM1(MINIMUM(z, 0)))
FORWARD(softplus, LOG_ONE_PLUS_EXP(z))
FORWARD(softsign, z / (1 + FABS(z)))
FORWARD(gelu, z * NORMAL_CDF(z))
FORWARD(silu, z * SIGMOID(z))
FORWARD(mish, z * TANH(LOG_ONE_PLUS_EXP(z)))
FORWARD(exp_, EXP(z))
/* clang-format on */

BACKWARD(logistic_backward, a * (1 - a))
BACKWARD(tanh_backward, 1 - a * a)
/* The last case is a NaN, which stays one. */
BACKWARD(relu_backward, a > 0 ? 1 : a <= 0 ? 0 : a)
BACKWARD(leaky_relu_backward, a > 0 ? 1 : a <= 0 ? c : a)
BACKWARD(elu_backward, a > 0 ? s : a + s * c)
BACKWARD(softplus_backward, -EXPM1(-a))
BACKWARD(softsign_backward, SQUARE(1 - FABS(a)))
BACKWARD(gelu_backward, NORMAL_CDF(z) + Z_NORMAL_PDF(z))
BACKWARD(silu_backward, SIGMOID(z) * (1 + z * (1 - SIGMOID(z))))
BACKWARD(mish_backward, TANH(LOG_ONE_PLUS_EXP(z)) +
                            z * SIGMOID(z) * (1 - SQUARE(TANH(LOG_ONE_PLUS_EXP(z)))))
BACKWARD(exp_backward, a)

/* The exponential of a whole block at once: a row alone is too short for vectors. */
static void softmax(ptrdiff_t n_rows, ptrdiff_t n_columns, const real *Z, real *A)
{
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        const real *z = Z + i * n_columns;
        real largest = z[0];
        for (ptrdiff_t k = 1; k < n_columns; k++)
            largest = z[k] > largest ? z[k] : largest;
        for (ptrdiff_t k = 0; k < n_columns; k++)
            A[i * n_columns + k] = z[k] - largest;
    }
    exp_(n_rows * n_columns, A, A, 0, 0);
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        real *a = A + i * n_columns, sum = 0;
        for (ptrdiff_t k = 0; k < n_columns; k++)
            sum += a[k];
        for (ptrdiff_t k = 0; k < n_columns; k++)
            a[k] /= sum;
    }
}

static void softmax_backward(ptrdiff_t n_rows, ptrdiff_t n_columns, const real *A,
                             real *delta)
{
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
    switch (code) {
    case IDENTITY:
        if (A != Z)
            memcpy(A, Z, n * sizeof(real));
        break;
    case LOGISTIC: logistic(n, Z, A, c, s); break;
    case TANH_: tanh_(n, Z, A, c, s); break;
    case RELU: relu(n, Z, A, c, s); break;
    case LEAKY_RELU: leaky_relu(n, Z, A, c, s); break;
    case ELU:
    case SELU: elu(n, Z, A, c, s); break;
    case SOFTPLUS: softplus(n, Z, A, c, s); break;
    case SOFTSIGN: softsign(n, Z, A, c, s); break;
    case GELU: gelu(n, Z, A, c, s); break;
    case SILU: silu(n, Z, A, c, s); break;
    case MISH: mish(n, Z, A, c, s); break;
    case EXP_: exp_(n, Z, A, c, s); break;
    case SOFTMAX: softmax(n_rows, n_columns, Z, A); break;
    }
}

static void backward(int code, const double *constants, ptrdiff_t n_rows,
                     ptrdiff_t n_columns, const real *Z, const real *A, real *delta)
{
    const ptrdiff_t n = n_rows * n_columns;
    const real c = (real)constants[0], s = (real)constants[1];
    switch (code) {
    case IDENTITY: break;
    case LOGISTIC: logistic_backward(n, Z, A, delta, c, s); break;
    case TANH_: tanh_backward(n, Z, A, delta, c, s); break;
    case RELU: relu_backward(n, Z, A, delta, c, s); break;
    case LEAKY_RELU: leaky_relu_backward(n, Z, A, delta, c, s); break;
    case ELU:
    case SELU: elu_backward(n, Z, A, delta, c, s); break;
    case SOFTPLUS: softplus_backward(n, Z, A, delta, c, s); break;
    case SOFTSIGN: softsign_backward(n, Z, A, delta, c, s); break;
    case GELU: gelu_backward(n, Z, A, delta, c, s); break;
    case SILU: silu_backward(n, Z, A, delta, c, s); break;
    case MISH: mish_backward(n, Z, A, delta, c, s); break;
    case EXP_: exp_backward(n, Z, A, delta, c, s); break;
    case SOFTMAX: softmax_backward(n_rows, n_columns, A, delta); break;
    }
}
