/* Matrix products with BLAS, and loops over rows. */

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

/* C -> A B + beta C. A is of shape (m, k) with row stride `lda`. B and C have n columns
 * and row stride `ld`. BLAS uses column-major order, so it computes the transposed product.
 */
static void product(gemm_t *gemm, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n, const real *A,
                    ptrdiff_t lda, const real *B, real beta, real *C, ptrdiff_t ld)
{
    if (m == 1) {
        if (beta == 0)
            memset(C, 0, n * sizeof(real));
        add_row_product(k, n, A, B, ld, C);
        return;
    }
    int M = (int)n, N = (int)m, K = (int)k, ld_A = (int)lda, ld_B = (int)ld;
    real one = 1;
    blas_keep((double)m * k * n);
    gemm("N", "N", &M, &N, &K, &one, (void *)B, &ld_B, (void *)A, &ld_A, &beta, C,
         &ld_B);
}

/* C -> A^T B + beta C. A is of shape (k, m) with row stride `lda`.
 */
static void transposed_product(gemm_t *gemm, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n,
                               const real *A, ptrdiff_t lda, const real *B, real beta,
                               real *C)
{
    int M = (int)n, N = (int)m, K = (int)k, ld_A = (int)lda;
    real one = 1;
    blas_keep((double)m * k * n);
    gemm("N", "T", &M, &N, &K, &one, (void *)B, &M, (void *)A, &ld_A, &beta, C, &M);
}

/* C -> A B^T of shape (m, n). */
static void product_transposed(gemm_t *gemm, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n,
                               const real *A, const real *B, real *C)
{
    int M = (int)n, N = (int)m, K = (int)k;
    real one = 1, zero = 0;
    blas_keep((double)m * k * n);
    gemm("T", "N", &M, &N, &K, &one, (void *)B, &K, (void *)A, &K, &zero, C, &M);
}

/* Copy a row to all rows of A. */
static void fill_rows(ptrdiff_t n_rows, ptrdiff_t n, const real *row, real *A)
{
    memcpy(A, row, n * sizeof(real));
    for (ptrdiff_t done = 1; done < n_rows; done *= 2) { /* few calls of memcpy */
        const ptrdiff_t rest = n_rows - done;
        memcpy(A + done * n, A, (rest < done ? rest : done) * n * sizeof(real));
    }
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
