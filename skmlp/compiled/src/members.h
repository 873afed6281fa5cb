/* Ensembles whose members share weights, see skmlp/layers/members.py.
 *
 * Both operations are called with the rows of samples and members, k for each sample.
 * Parameters of `members`: r of shape (k, n_in). Parameters of `heads`: W of shape
 * (n_in, k n_out) and b of shape (k, n_out).
 */

/* Return the samples of a range of rows of samples and members. */
static Rows samples_of(const Operation *op, const Rows *rows)
{
    Rows samples = *rows;
    samples.begin /= op->n_members;
    samples.end /= op->n_members;
    samples.origin /= op->n_members;
    return samples;
}

static void members_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    const Rows samples = samples_of(op, rows);
    const ptrdiff_t n = op->n_in, k = op->n_members;
    const real *r = op->parameters[0];
    real *out = at(op->out, rows, n);
    ptrdiff_t ld;
    const real *A = input(op, &samples, &ld);
    (void)p;
    for (ptrdiff_t i = 0; i < samples.end - samples.begin; i++)
        for (ptrdiff_t m = 0; m < k; m++, out += n)
            multiply(n, A + i * ld, r + m * n, out);
}

KERNEL static void add_products(ptrdiff_t n, const real *x, const real *y, real *out)
{
    ELEMENTWISE for (ptrdiff_t j = 0; j < n; j++) out[j] += x[j] * y[j];
}

static void members_backward(const Plan *p, const Operation *op, const Rows *rows)
{
    if (op->delta_in == NULL)
        return;
    const Rows samples = samples_of(op, rows);
    const ptrdiff_t n = op->n_in, k = op->n_members;
    const real *r = op->parameters[0];
    const real *delta = at(op->delta, rows, n);
    real *out = at(op->delta_in, &samples, n);
    (void)p;
    for (ptrdiff_t i = 0; i < samples.end - samples.begin; i++, out += n) {
        memset(out, 0, n * sizeof(real));
        for (ptrdiff_t m = 0; m < k; m++, delta += n)
            add_products(n, delta, r + m * n, out);
    }
}

/* Add the gradient of a part of r of samples [begin, end), whose input is A. */
static void differentiate_members(const Operation *op, const Part *part,
                                  ptrdiff_t begin, ptrdiff_t end, const real *A,
                                  ptrdiff_t ld, real *g)
{
    const ptrdiff_t n = op->n_in, k = op->n_members;
    const real *delta = (const real *)op->delta + (begin * k + part->row) * n;
    for (ptrdiff_t i = 0; i < end - begin; i++, delta += k * n)
        for (ptrdiff_t m = 0; m < part->n_rows; m++)
            add_products(n, A + i * ld, delta + m * n, g + m * n);
}

static void members_differentiate(const Plan *p, const Operation *op, const Samples *s,
                                  const intptr_t *order, const Part *part, int me,
                                  real *g)
{
    const ptrdiff_t n = op->n_in, n_samples = s->n_rows / op->n_members;
    memset(g, 0, part->size * sizeof(real));
    if (!sees_stream(op, s)) {
        const Rows samples = rows_of(s, 0, n_samples);
        ptrdiff_t ld;
        const real *A = input(op, &samples, &ld);
        differentiate_members(op, part, 0, n_samples, A, ld, g);
        return;
    }
    real *X = own_block(p, me);
    for (ptrdiff_t begin = 0; begin < n_samples; begin += BLOCK_ROWS) {
        const ptrdiff_t rest = n_samples - begin;
        const ptrdiff_t end = begin + (rest < BLOCK_ROWS ? rest : BLOCK_ROWS);
        gather_X(p, order, s, begin, end, 0, n, X);
        differentiate_members(op, part, begin, end, X, n, g);
    }
}

static void heads_forward(const Plan *p, const Operation *op, const Rows *rows)
{
    const ptrdiff_t K = op->n_out, k = op->n_members;
    const ptrdiff_t n_samples = (rows->end - rows->begin) / k;
    const real *A = at(op->input, rows, op->n_in);
    const real *W = op->parameters[0], *b = op->parameters[1];
    real *Z = at(op->out, rows, K);
    for (ptrdiff_t i = 0; i < n_samples; i++)
        memcpy(Z + i * k * K, b, k * K * sizeof(real));
    for (ptrdiff_t m = 0; m < k; m++) {
        const Product t = {
            .m = n_samples,
            .k = op->n_in,
            .n = K,
            .A_row = k * op->n_in,
            .A_column = 1,
            .B_row = k * K,
            .C_row = k * K,
            .A = A + m * op->n_in,
            .B = W + m * K,
            .C = Z + m * K,
        };
        multiply_strided(p->gemm, ADD_PRODUCT, &t);
    }
}

static void heads_backward(const Plan *p, const Operation *op, const Rows *rows)
{
    if (op->delta_in == NULL)
        return;
    const ptrdiff_t K = op->n_out, k = op->n_members;
    const real *delta = at(op->delta, rows, K), *W = op->parameters[0];
    real *out = at(op->delta_in, rows, op->n_in);
    for (ptrdiff_t m = 0; m < k; m++) {
        const Product t = {
            .m = (rows->end - rows->begin) / k,
            .k = K,
            .n = op->n_in,
            .A_row = k * K,
            .A_column = 1,
            .B_row = k * K,
            .C_row = k * op->n_in,
            .A = delta + m * K,
            .B = W + m * K,
            .C = out + m * op->n_in,
        };
        multiply_strided(p->gemm, MULTIPLY_TRANSPOSED, &t);
    }
}

static void heads_differentiate(const Plan *p, const Operation *op, const Samples *s,
                                const intptr_t *order, const Part *part, int me,
                                real *g)
{
    const ptrdiff_t K = op->n_out, k = op->n_members, n_samples = s->n_rows / k;
    (void)order, (void)me;
    if (part->parameter == 1) {
        sum_rows(n_samples, k * K, op->delta, g);
        return;
    }
    for (ptrdiff_t m = 0; m < k; m++) {
        const Product t = {
            .m = part->n_rows,
            .k = n_samples,
            .n = K,
            .A_row = 1,
            .A_column = k * op->n_in,
            .B_row = k * K,
            .C_row = k * K,
            .A = (const real *)op->input + m * op->n_in + part->row,
            .B = (const real *)op->delta + m * K,
            .C = g + m * K,
        };
        multiply_strided(p->gemm, MULTIPLY, &t);
    }
}

static const Kind members = {
    .forward = members_forward,
    .backward = members_backward,
    .differentiate = members_differentiate,
};

static const Kind heads = {
    .forward = heads_forward,
    .backward = heads_backward,
    .differentiate = heads_differentiate,
};
