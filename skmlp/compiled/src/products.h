/* Matrix products in tiles or with BLAS, and loops over rows. */

/* out -> x B + out for a row x of length k. B has n columns and the row stride `ld`. BLAS
 * would copy B, which takes longer than the product. Four rows of B are read at a time, so
 * that `out` is written less often.
 */
KERNEL static void add_row_product(ptrdiff_t k, ptrdiff_t n, const real *x,
                                   const real *B, ptrdiff_t ld, real *out)
{
    ptrdiff_t i = 0;
    for (; i + 4 <= k; i += 4, B += 4 * ld) {
        const real *B1 = B + ld, *B2 = B1 + ld, *B3 = B2 + ld;
        const real x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
        ELEMENTWISE for (ptrdiff_t j = 0; j < n; j++) out[j] +=
            x0 * B[j] + x1 * B1[j] + x2 * B2[j] + x3 * B3[j];
    }
    for (; i < k; i++, B += ld)
        ELEMENTWISE for (ptrdiff_t j = 0; j < n; j++) out[j] += x[i] * B[j];
}

/* The matrices of a product. C is of shape (m, n), and k is the number of terms of its
 * elements. The element (i, p) of A is A[i * A_row + p * A_column]. b is a row that is
 * added to each row of the result, or NULL.
 */
typedef struct {
    ptrdiff_t m, k, n, A_row, A_column, B_row, C_row;
    const real *A, *B, *b;
    real *C;
} Product;

#if HAS_TILES
#if SINGLE
#define BITS int32_t
#else
#define BITS int64_t
#endif

/* AVX-512 */
#define TILES(name) name##_v4
#define TARGET __attribute__((target("arch=x86-64-v4")))
#define BYTES 64
#define R 8
#define V 3
#define R_T 4
#include "tiles.h"

/* AVX2 */
#define TILES(name) name##_v3
#define TARGET __attribute__((target("arch=x86-64-v3")))
#define BYTES 32
#define R 4
#define V 3
#define R_T 2
#include "tiles.h"
#endif

/* Compute a product in tiles with vectors of `bytes`. Return 0 if there are none. */
static int multiply_in_tiles(int kind, int bytes, const Product *t)
{
#if HAS_TILES
    switch (bytes) {
    case 64: multiply_v4(kind, t); return 1;
    case 32: multiply_v3(kind, t); return 1;
    }
#endif
    (void)kind, (void)bytes, (void)t;
    return 0;
}

/* Maximum number of multiplications for tiles with AVX2. BLAS is as fast in larger products
 * with AVX2, and slower with AVX-512.
 */
#define MAX_IN_AVX2 1e6

/* Compute a product in tiles if that is fast. Return whether it is computed. */
static int multiply_fast(int kind, const Product *t)
{
    const int bytes = vector_bytes();
    if (bytes < 64 && (double)t->m * t->k * t->n > MAX_IN_AVX2)
        return 0;
    return multiply_in_tiles(kind, bytes, t);
}

/* C -> A B + b. A is of shape (m, k) with row stride `lda`. B and C have n columns and row
 * stride `ld`. b is a row or NULL. BLAS uses column-major order, so it computes the
 * transposed product.
 */
static void product(gemm_t *gemm, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n, const real *A,
                    ptrdiff_t lda, const real *B, const real *b, real *C, ptrdiff_t ld)
{
    const Product t = {m, k, n, lda, 1, ld, ld, A, B, b, C};
    if (n == 1 && ld == 1) {
        /* The transposed product: C^T -> B^T A^T. */
        const Product u = {1, k, m, k, 1, lda, m, B, A, NULL, C};
        if (multiply_fast(MULTIPLY_TRANSPOSED, &u)) {
            for (ptrdiff_t i = 0; b != NULL && i < m; i++)
                C[i] += b[0];
            return;
        }
    } else if (m > 1 && multiply_fast(MULTIPLY, &t)) {
        return;
    }
    for (ptrdiff_t i = 0; b != NULL && i < m; i++)
        memcpy(C + i * ld, b, n * sizeof(real));
    if (m == 1) {
        if (b == NULL)
            memset(C, 0, n * sizeof(real));
        add_row_product(k, n, A, B, ld, C);
        return;
    }
    int M = (int)n, N = (int)m, K = (int)k, ld_A = (int)lda, ld_B = (int)ld;
    real one = 1, beta = b == NULL ? 0 : 1;
    blas_keep((double)m * k * n);
    gemm("N", "N", &M, &N, &K, &one, (void *)B, &ld_B, (void *)A, &ld_A, &beta, C,
         &ld_B);
}

/* C -> A^T B, or C + A^T B if `adds`. A is of shape (k, m) with row stride `lda`. */
static void transposed_product(gemm_t *gemm, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n,
                               const real *A, ptrdiff_t lda, const real *B, int adds,
                               real *C)
{
    const Product t = {m, k, n, 1, lda, n, n, A, B, NULL, C};
    if (n == 1) {
        if (!adds)
            memset(C, 0, m * sizeof(real));
        add_row_product(k, m, B, A, lda, C);
        return;
    }
    if (multiply_fast(adds ? ADD_PRODUCT : MULTIPLY, &t))
        return;
    int M = (int)n, N = (int)m, K = (int)k, ld_A = (int)lda;
    real one = 1, beta = adds ? 1 : 0;
    blas_keep((double)m * k * n);
    gemm("N", "T", &M, &N, &K, &one, (void *)B, &M, (void *)A, &ld_A, &beta, C, &M);
}

/* C -> A B^T of shape (m, n). */
static void product_transposed(gemm_t *gemm, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n,
                               const real *A, const real *B, real *C)
{
    const Product t = {m, k, n, k, 1, k, n, A, B, NULL, C};
    if (multiply_fast(MULTIPLY_TRANSPOSED, &t))
        return;
    int M = (int)n, N = (int)m, K = (int)k;
    real one = 1, zero = 0;
    blas_keep((double)m * k * n);
    gemm("T", "N", &M, &N, &K, &one, (void *)B, &K, (void *)A, &K, &zero, C, &M);
}

/* Compute the product of a kind of matrices with any row strides. b is NULL. */
static void multiply_strided(gemm_t *gemm, int kind, const Product *t)
{
    if (multiply_fast(kind, t))
        return;
    const int is_transposed = t->A_column != 1; /* then A_row is 1 */
    int M = (int)t->n, N = (int)t->m, K = (int)t->k;
    int ld_A = (int)(is_transposed ? t->A_column : t->A_row);
    int ld_B = (int)t->B_row, ld_C = (int)t->C_row;
    real one = 1, beta = kind == ADD_PRODUCT ? 1 : 0;
    blas_keep((double)t->m * t->k * t->n);
    gemm(kind == MULTIPLY_TRANSPOSED ? "T" : "N", is_transposed ? "T" : "N", &M, &N, &K,
         &one, (void *)t->B, &ld_B, (void *)t->A, &ld_A, &beta, t->C, &ld_C);
}

KERNEL static void multiply(ptrdiff_t n, const real *x, const real *y, real *out)
{
    ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++) out[i] = x[i] * y[i];
}

KERNEL static void multiply_rows(ptrdiff_t n_rows, ptrdiff_t n, const real *w, real *A)
{
    for (ptrdiff_t i = 0; i < n_rows; i++)
        for (ptrdiff_t j = 0; j < n; j++)
            A[i * n + j] *= w[i];
}

/* In stripes of columns that fit into registers. */
#define STRIPE 32

KERNEL static void sum_rows(ptrdiff_t n_rows, ptrdiff_t n, const real *A, real *out)
{
    ptrdiff_t j = 0;
    for (; j + STRIPE <= n; j += STRIPE) {
        real sums[STRIPE] = {0};
        for (ptrdiff_t i = 0; i < n_rows; i++)
            for (ptrdiff_t k = 0; k < STRIPE; k++)
                sums[k] += A[i * n + j + k];
        for (ptrdiff_t k = 0; k < STRIPE; k++)
            out[j + k] = sums[k];
    }
    for (; j < n; j++) {
        real sum = 0;
        for (ptrdiff_t i = 0; i < n_rows; i++)
            sum += A[i * n + j];
        out[j] = sum;
    }
}
