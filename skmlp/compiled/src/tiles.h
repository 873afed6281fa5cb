/* Matrix products in tiles of the result that stay in vector registers.
 *
 * BLAS copies its operands for each product, which takes as long as the product of a few
 * rows. These loops read the operands in place. The order of the terms of an element does
 * not depend on the tile or on the number of rows.
 *
 * products.h includes this file once per instruction set, with these macros:
 *
 * TARGET   : attribute that selects the instruction set
 * TILES(f) : name of a function for it
 * BYTES    : size of a vector
 * R, V     : rows and vectors of a tile. R V sums, V vectors and a factor fill the registers.
 * R_T      : rows of a tile of a product with a transposed matrix, which has 4 columns
 */

#define LANES ((int)(BYTES / sizeof(real)))
#define INLINE static inline __attribute__((always_inline))
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)

/* Rows of A that are used for all columns before the next rows, and stay in the cache. */
#define ROWS_IN_CACHE 128

/* Rows of B, or columns of B^T, that are copied at a time if B is narrow. */
#define LENGTH 256

/* Even and odd lanes of two vectors. */
#if BYTES / (SINGLE ? 4 : 8) == 4
#define EVEN 0, 2, 4, 6
#define ODD 1, 3, 5, 7
#elif BYTES / (SINGLE ? 4 : 8) == 8
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD 1, 3, 5, 7, 9, 11, 13, 15
#else
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#endif

typedef real TILES(vector)
    __attribute__((vector_size(BYTES), aligned(sizeof(real)), may_alias));
typedef BITS TILES(mask) __attribute__((vector_size(BYTES)));
#define vector TILES(vector)
#define mask TILES(mask)
#define LOAD(p) (*(const vector *)(p))

/* Compute n_rows rows of n_vectors vectors at the position (i, j). If `adds`, the result is
 * added to C, without the lanes that `keep` masks.
 */
INLINE TARGET void TILES(tile)(const Product *t, ptrdiff_t i, ptrdiff_t j,
                               const int n_rows, const int n_vectors, const int adds,
                               const mask keep)
{
    vector sum[R][V];
    EACH (r, n_rows)
        EACH (v, n_vectors)
            sum[r][v] = (vector){0};
    const real *A = t->A + i * t->A_row, *B = t->B + j;
    const ptrdiff_t A_row = t->A_row, A_column = t->A_column, B_row = t->B_row;
    for (ptrdiff_t p = 0; p < t->k; p++, A += A_column, B += B_row) {
        vector row[V];
        EACH (v, n_vectors)
            row[v] = LOAD(B + v * LANES);
        EACH (r, n_rows)
            EACH (v, n_vectors)
                sum[r][v] += A[r * A_row] * row[v];
    }
    EACH (r, n_rows)
        EACH (v, n_vectors) {
            const ptrdiff_t column = j + v * LANES;
            vector *out = (vector *)(t->C + (i + r) * t->C_row + column);
            if (adds)
                *out += (vector)((mask)sum[r][v] & keep);
            else if (t->b != NULL)
                *out = sum[r][v] + LOAD(t->b + column);
            else
                *out = sum[r][v];
        }
}

INLINE TARGET void TILES(columns)(const Product *t, ptrdiff_t i, ptrdiff_t end,
                                  ptrdiff_t j, const int n_vectors, const int adds,
                                  const mask keep)
{
    for (; i + R <= end; i += R)
        TILES(tile)(t, i, j, R, n_vectors, adds, keep);
    for (; i + R / 2 <= end; i += R / 2)
        TILES(tile)(t, i, j, R / 2, n_vectors, adds, keep);
    for (; i < end; i++)
        TILES(tile)(t, i, j, 1, n_vectors, adds, keep);
}

/* The last vector of a row overlaps the one before, if n is no multiple of LANES. */
INLINE TARGET void TILES(all_columns)(const Product *t, const int adds)
{
    for (ptrdiff_t i = 0; i < t->m; i += ROWS_IN_CACHE) {
        const ptrdiff_t end = i + ROWS_IN_CACHE < t->m ? i + ROWS_IN_CACHE : t->m;
        const mask all = ~(mask){0};
        ptrdiff_t j = 0;
        for (; j + V * LANES <= t->n; j += V * LANES)
            TILES(columns)(t, i, end, j, V, adds, all);
        for (; j + LANES <= t->n; j += LANES)
            TILES(columns)(t, i, end, j, 1, adds, all);
        if (j < t->n) {
            mask keep;
            for (ptrdiff_t l = 0; l < LANES; l++)
                keep[l] = t->n - LANES + l >= j ? -1 : 0;
            TILES(columns)(t, i, end, t->n - LANES, 1, adds, keep);
        }
    }
}

/* The product if C is narrower than a vector, with a copy of B in wider rows. */
TARGET static void TILES(multiply_narrow)(const Product *t, int adds)
{
    real B[LENGTH * LANES], C[R * LANES];
    const mask all = ~(mask){0};
    for (ptrdiff_t p = 0; p < t->k; p += LENGTH) {
        const ptrdiff_t k = t->k - p < LENGTH ? t->k - p : LENGTH;
        for (ptrdiff_t q = 0; q < k; q++)
            for (ptrdiff_t j = 0; j < LANES; j++)
                B[q * LANES + j] = j < t->n ? t->B[(p + q) * t->B_row + j] : 0;
        for (ptrdiff_t i = 0; i < t->m; i += R) {
            const ptrdiff_t n_rows = t->m - i < R ? t->m - i : R;
            const Product part = {
                .k = k,
                .A_row = t->A_row,
                .A_column = t->A_column,
                .B_row = LANES,
                .C_row = LANES,
                .A = t->A + i * t->A_row + p * t->A_column,
                .B = B,
                .C = C,
            };
            TILES(columns)(&part, 0, n_rows, 0, 1, 0, all);
            for (ptrdiff_t r = 0; r < n_rows; r++)
                for (ptrdiff_t j = 0; j < t->n; j++) {
                    real *out = t->C + (i + r) * t->C_row + j, sum = C[r * LANES + j];
                    if (p > 0 || adds)
                        sum += *out;
                    else if (t->b != NULL)
                        sum += t->b[j];
                    *out = sum;
                }
        }
    }
}

TARGET static void TILES(multiply_plain)(const Product *t)
{
    if (t->n < LANES)
        TILES(multiply_narrow)(t, 0);
    else
        TILES(all_columns)(t, 0);
}

TARGET static void TILES(add_plain)(const Product *t)
{
    if (t->n < LANES)
        TILES(multiply_narrow)(t, 1);
    else
        TILES(all_columns)(t, 1);
}

/* Return the sums of neighbours, of x in the first half and of y in the second half. */
INLINE TARGET vector TILES(add_pairs)(const vector x, const vector y)
{
    return __builtin_shufflevector(x, y, EVEN) + __builtin_shufflevector(x, y, ODD);
}

/* Compute n_rows rows and 4 columns of C = A B^T at the position (i, j). A and B have k
 * columns. `keep` masks the terms of the last vectors that overlap the vectors before.
 */
INLINE TARGET void TILES(dots)(const Product *t, ptrdiff_t i, ptrdiff_t j,
                               const int n_rows, const mask keep)
{
    vector sum[4 * R_T];
    EACH (s, 4 * n_rows)
        sum[s] = (vector){0};
    const ptrdiff_t k = t->k, A_row = t->A_row, B_row = t->B_row;
    const real *A = t->A + i * A_row, *B = t->B + j * B_row;
    ptrdiff_t p = 0;
    for (; p + LANES <= k; p += LANES) {
        vector y[4];
        EACH (c, 4)
            y[c] = LOAD(B + c * B_row + p);
        EACH (r, n_rows) {
            const vector x = LOAD(A + r * A_row + p);
            EACH (c, 4)
                sum[4 * r + c] += x * y[c];
        }
    }
    if (p < k) {
        p = k - LANES;
        vector y[4];
        EACH (c, 4)
            y[c] = (vector)((mask)LOAD(B + c * B_row + p) & keep);
        EACH (r, n_rows) {
            const vector x = (vector)((mask)LOAD(A + r * A_row + p) & keep);
            EACH (c, 4)
                sum[4 * r + c] += x * y[c];
        }
    }
    /* After each pass, a vector has the sums of twice as many of the first vectors. */
    int n = 4 * n_rows;
    for (int lanes = LANES; lanes > 1; lanes /= 2) {
        const int rest = n > 1 ? n / 2 : 1;
        EACH (s, rest)
            sum[s] = TILES(add_pairs)(sum[2 * s], sum[n > 1 ? 2 * s + 1 : 2 * s]);
        n = rest;
    }
    EACH (r, n_rows)
        memcpy(t->C + (i + r) * t->C_row + j, (const real *)sum + 4 * r,
               4 * sizeof(real));
}

/* The product A B^T of matrices with less than LANES columns, with a copy of B^T. */
TARGET static void TILES(multiply_short)(const Product *t)
{
    real B[LANES * LENGTH];
    for (ptrdiff_t j = 0; j < t->n; j += LENGTH) {
        Product part = *t;
        part.n = t->n - j < LENGTH ? t->n - j : LENGTH;
        part.B = B;
        part.B_row = LENGTH;
        part.C = t->C + j;
        for (ptrdiff_t l = 0; l < part.n; l++)
            for (ptrdiff_t p = 0; p < t->k; p++)
                B[p * LENGTH + l] = t->B[(j + l) * t->B_row + p];
        TILES(multiply_plain)(&part);
    }
}

/* C -> A B^T of shape (m, n). */
TARGET static void TILES(multiply_transposed)(const Product *t)
{
    const ptrdiff_t k = t->k;
    if (k < LANES) {
        TILES(multiply_short)(t);
        return;
    }
    mask keep;
    for (ptrdiff_t l = 0; l < LANES; l++)
        keep[l] = l >= LANES - k % LANES ? -1 : 0;
    ptrdiff_t j = 0;
    for (; j + 4 <= t->n; j += 4) {
        ptrdiff_t i = 0;
        for (; i + R_T <= t->m; i += R_T)
            TILES(dots)(t, i, j, R_T, keep);
        for (; i < t->m; i++)
            TILES(dots)(t, i, j, 1, keep);
    }
    for (; j < t->n; j++)
        for (ptrdiff_t i = 0; i < t->m; i++) {
            real sum = 0;
            for (ptrdiff_t p = 0; p < k; p++)
                sum += t->A[i * t->A_row + p] * t->B[j * t->B_row + p];
            t->C[i * t->C_row + j] = sum;
        }
}

static void TILES(multiply)(int kind, const Product *t)
{
    if (kind == MULTIPLY)
        TILES(multiply_plain)(t);
    else if (kind == ADD_PRODUCT)
        TILES(add_plain)(t);
    else
        TILES(multiply_transposed)(t);
}

#undef TILES
#undef TARGET
#undef BYTES
#undef R
#undef V
#undef R_T
#undef LANES
#undef INLINE
#undef EACH
#undef ROWS_IN_CACHE
#undef LENGTH
#undef EVEN
#undef ODD
#undef vector
#undef mask
#undef LOAD
