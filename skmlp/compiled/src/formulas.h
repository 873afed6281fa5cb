/* Single formulas for the tests, which compare them with NumPy. */

void F(activate)(int code, const double *constants, ptrdiff_t n_rows,
                 ptrdiff_t n_columns, const void *Z, void *A)
{
    forward(code, constants, n_rows, n_columns, Z, A);
}

void F(differentiate)(int code, const double *constants, ptrdiff_t n_rows,
                      ptrdiff_t n_columns, const void *Z, const void *A, void *delta)
{
    backward(code, constants, n_rows, n_columns, Z, A, delta);
}

double F(loss_sum)(int code, double constant, int hard_labels, ptrdiff_t n,
                   const void *Y, const void *P)
{
    return sum_loss(code, constant, hard_labels, n, Y, P);
}

void F(loss_gradient)(int code, double constant, ptrdiff_t n, const void *Y,
                      const void *P, void *out)
{
    differentiate_loss(code, constant, n, Y, P, out);
}

int F(product)(int kind, int bytes, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n,
               const void *A, ptrdiff_t A_row, ptrdiff_t A_column, const void *B,
               const void *b, void *C)
{
    const ptrdiff_t B_row = kind == MULTIPLY_TRANSPOSED ? k : n;
    const Product t = {m, k, n, A_row, A_column, B_row, n, A, B, b, C};
    return multiply_in_tiles(kind, bytes, &t);
}
