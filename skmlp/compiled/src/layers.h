/* What a batch does on its way through the layers, forward and back.
 *
 * The mathematics is that of skmlp/core/network.py, in blocks of samples: what one
 * sample does no other one notices, except in batch normalization, which goes by
 * columns.
 */

/* C -> A B + beta C, where A has m rows of k that are `lda` apart, and B and C have n of
 * their `ld` columns. BLAS stores its matrices column by column, so it is told of the
 * transposed product.
 */
static void product(gemm_t *gemm, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n, const real *A,
                    ptrdiff_t lda, const real *B, real beta, real *C, ptrdiff_t ld)
{
    int M = (int)n, N = (int)m, K = (int)k, ld_A = (int)lda, ld_B = (int)ld;
    real one = 1;
    blas_keep((double)m * k * n);
    gemm("N", "N", &M, &N, &K, &one, (void *)B, &ld_B, (void *)A, &ld_A, &beta, C,
         &ld_B);
}

/* C -> A^T B + beta C, where A has k rows, of which m columns are used, that are `lda`
 * apart.
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

/* C -> A B^T, of m rows and n columns. */
static void product_transposed(gemm_t *gemm, ptrdiff_t m, ptrdiff_t k, ptrdiff_t n,
                               const real *A, const real *B, real *C)
{
    int M = (int)n, N = (int)m, K = (int)k;
    real one = 1, zero = 0;
    blas_keep((double)m * k * n);
    gemm("T", "N", &M, &N, &K, &one, (void *)B, &K, (void *)A, &K, &zero, C, &M);
}

/* Every row of A -> row. */
static void fill_rows(ptrdiff_t n_rows, ptrdiff_t n, const real *row, real *A)
{
    memcpy(A, row, n * sizeof(real));
    for (ptrdiff_t done = 1; done < n_rows; done *= 2) { /* few calls for many rows */
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

/* In stripes that stay in registers. */
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

/* A batch in memory. */
typedef struct {
    ptrdiff_t n_rows, ldx;
    const real *X, *Y, *w; /* rows of X are `ldx` apart, and begin with `first_row` */
    ptrdiff_t first_row;
    int gathers_X, gathers_Y;
    int streams_X; /* into a thread's own block, each time that it is needed */
    const Batch *batch;
} Samples;

/* Whether BLAS can take the samples as they lie. */
static int has_plain_rows(const Plan *p)
{
    return p->X_column == 1 && p->X_row >= p->layers[0].n_in && p->X_row <= INT_MAX;
}

/* Where the samples of a batch are, or where `gather` has to put them. */
static Samples find(const Plan *p, const intptr_t *order, const Batch *batch)
{
    Samples s = {.n_rows = batch->stop - batch->start, .batch = batch};
    const Layer *first = &p->layers[0], *last = &p->layers[p->n_layers - 1];
    const ptrdiff_t start = batch->start;
    s.gathers_X = order != NULL || batch->n_weighted < s.n_rows || !has_plain_rows(p);
    s.streams_X = s.gathers_X && p->batch_size > MOST_GATHERED;
    s.gathers_Y = order != NULL || p->hard_labels;
    s.X = s.gathers_X ? p->X_batch : (const real *)p->X + start * p->X_row;
    s.ldx = s.gathers_X ? first->n_in : p->X_row;
    s.Y = s.gathers_Y ? p->Y_batch : (const real *)p->Y + start * last->n_out;
    if (p->w != NULL)
        s.w = order != NULL ? p->w_batch : (const real *)p->w + start;
    return s;
}

/* Where a row of the batch is among the samples. */
static ptrdiff_t row_of(const intptr_t *order, const Samples *s, ptrdiff_t i)
{
    return order == NULL ? s->batch->start + i : order[s->batch->start + i];
}

static void copy_row(ptrdiff_t n, const real *source, ptrdiff_t step, real *out)
{
    if (step == 1)
        memcpy(out, source, n * sizeof(real));
    else
        for (ptrdiff_t j = 0; j < n; j++)
            out[j] = source[j * step];
}

/* The columns [j, j + n) of X that stand for some rows of the batch. */
static void gather_X(const Plan *p, const intptr_t *order, const Samples *s,
                     ptrdiff_t begin, ptrdiff_t end, ptrdiff_t j, ptrdiff_t n,
                     real *out)
{
    for (ptrdiff_t i = begin; i < end; i++, out += n) {
        ptrdiff_t row = row_of(order, s, i);
        /* A sample of weight zero must not matter even if it overflows. */
        if (p->w != NULL && ((const real *)p->w)[row] == 0)
            row = s->batch->heaviest;
        copy_row(n, (const real *)p->X + row * p->X_row + j * p->X_column, p->X_column,
                 out);
    }
}

static void gather_targets(const Plan *p, const intptr_t *order, const Samples *s,
                           ptrdiff_t begin, ptrdiff_t end)
{
    const ptrdiff_t K = p->layers[p->n_layers - 1].n_out;
    for (ptrdiff_t i = begin; i < end; i++) {
        const ptrdiff_t row = row_of(order, s, i);
        real *y = (real *)p->Y_batch + i * K;
        if (p->hard_labels) {
            const unsigned char *source = (const unsigned char *)p->Y + row * K;
            for (ptrdiff_t k = 0; k < K; k++)
                y[k] = source[k];
        } else {
            memcpy(y, (const real *)p->Y + row * K, K * sizeof(real));
        }
        if (p->w != NULL)
            ((real *)p->w_batch)[i] = ((const real *)p->w)[row];
    }
}

/* The block of X_batch that is thread `me`'s own, where X is streamed. */
static real *own_block(const Plan *p, int me)
{
    return (real *)p->X_batch + (ptrdiff_t)me * BLOCK_ROWS * p->layers[0].n_in;
}

/* Gather a block; returns the samples as thread `me` then has them. */
static Samples gather(const Plan *p, const intptr_t *order, const Samples *s,
                      ptrdiff_t begin, ptrdiff_t end, int me)
{
    const ptrdiff_t n = p->layers[0].n_in;
    Samples block = *s;
    if (s->gathers_Y)
        gather_targets(p, order, s, begin, end);
    if (s->streams_X) {
        block.X = own_block(p, me);
        block.first_row = begin;
    }
    if (s->gathers_X)
        gather_X(p, order, s, begin, end, 0, n,
                 (real *)block.X + (begin - block.first_row) * n);
    return block;
}

/* The masks of a batch, drawn as NumPy's Generator.random draws them. */
static void draw_masks(const Plan *p, ptrdiff_t n_rows)
{
    for (ptrdiff_t l = 0; l < p->n_layers; l++) {
        const Layer *layer = &p->layers[l];
        if (layer->mask == NULL)
            continue;
        real *mask = layer->mask;
        const real rate = (real)layer->dropout_rate;
        const real scale = (real)(1 / (1 - layer->dropout_rate));
        const ptrdiff_t n = n_rows * layer->n_in;
        void *state = p->bitgen->state;
        for (ptrdiff_t i = 0; i < n; i++) {
#if SINGLE
            const real u = (p->bitgen->next_uint32(state) >> 8) * (1.0f / 16777216.0f);
#else
            const real u = p->bitgen->next_double(state);
#endif
            mask[i] = u >= rate ? scale : 0;
        }
    }
}

/* What layer l sees, from row `begin` on: its rows are `*ld` apart. */
static const real *input(const Plan *p, const Samples *s, ptrdiff_t l, ptrdiff_t begin,
                         ptrdiff_t *ld)
{
    const Layer *layer = &p->layers[l];
    *ld = layer->n_in;
    if (layer->mask != NULL)
        return (const real *)layer->dropped + begin * *ld;
    if (l > 0)
        return (const real *)p->layers[l - 1].A + begin * *ld;
    *ld = s->ldx;
    return s->X + (begin - s->first_row) * *ld;
}

/* Whether the first layer sees samples that are streamed. */
static int sees_stream(const Plan *p, const Samples *s, ptrdiff_t l)
{
    return l == 0 && s->streams_X && p->layers[0].mask == NULL;
}

/* From the pre-activations of layer l - 1 to what layer l sees, for some rows. */
static void prepare_rows(const Plan *p, const Samples *s, ptrdiff_t l, ptrdiff_t begin,
                         ptrdiff_t end)
{
    const Layer *layer = &p->layers[l];
    const ptrdiff_t n_rows = end - begin, n_in = layer->n_in;
    if (l > 0) {
        const Layer *below = layer - 1;
        forward(below->activation, below->constants, n_rows, n_in,
                (real *)below->Z + begin * n_in, (real *)below->A + begin * n_in);
    }
    if (layer->mask == NULL)
        return;
    const real *A = l > 0 ? (const real *)layer[-1].A + begin * n_in
                          : s->X + (begin - s->first_row) * s->ldx;
    const ptrdiff_t ld = l > 0 ? n_in : s->ldx;
    real *mask = (real *)layer->mask + begin * n_in;
    real *dropped = (real *)layer->dropped + begin * n_in;
    if (ld == n_in)
        multiply(n_rows * n_in, A, mask, dropped);
    else
        for (ptrdiff_t i = 0; i < n_rows; i++)
            multiply(n_in, A + i * ld, mask + i * n_in, dropped + i * n_in);
}

/* The product of layer l, and its biases unless they come after a normalization, for
 * some rows and columns.
 */
static void multiply_layer(const Plan *p, const Samples *s, ptrdiff_t l,
                           ptrdiff_t begin, ptrdiff_t end, ptrdiff_t j,
                           ptrdiff_t n_columns)
{
    const Layer *layer = &p->layers[l];
    const ptrdiff_t n_rows = end - begin, n_out = layer->n_out;
    const real *b = (real *)layer->b + j;
    real *Z = (real *)layer->Z + begin * n_out + j;
    if (!layer->has_norm && n_columns == n_out)
        fill_rows(n_rows, n_out, b, Z);
    else if (!layer->has_norm)
        for (ptrdiff_t i = 0; i < n_rows; i++)
            memcpy(Z + i * n_out, b, n_columns * sizeof(real));
    ptrdiff_t ld;
    const real *A = input(p, s, l, begin, &ld);
    product(p->gemm, n_rows, layer->n_in, n_columns, A, ld, (real *)layer->W + j,
            layer->has_norm ? 0 : 1, Z, n_out);
}

/* BLAS copies the weights in each product, which costs as much as the product of a few
 * rows. So the product of a layer with many weights is shared out by columns instead,
 * which come in groups of GROUP, as its inner loops take them.
 */
#define GROUP 16

static ptrdiff_t n_stripes(const Plan *p, const Samples *s, ptrdiff_t l)
{
    const Layer *layer = &p->layers[l];
    if (sees_stream(p, s, l))
        return 1; /* there is only a block at a time */
    const ptrdiff_t n_groups = layer->n_out / GROUP;
    const ptrdiff_t n = (layer->n_in * layer->n_out / 131072) & ~(ptrdiff_t)1;
    return n < 2 ? 1 : n < n_groups ? n : n_groups > 1 ? n_groups : 1;
}

static void multiply_stripe(const Plan *p, const Samples *s, ptrdiff_t l, ptrdiff_t i)
{
    const ptrdiff_t n_out = p->layers[l].n_out, n = n_stripes(p, s, l);
    const ptrdiff_t j = n_out / GROUP * i / n * GROUP;
    const ptrdiff_t end = i == n - 1 ? n_out : n_out / GROUP * (i + 1) / n * GROUP;
    multiply_layer(p, s, l, 0, s->n_rows, j, end - j);
}

/* The output of some rows. Returns the weighted sum of their losses. */
static double output_rows(const Plan *p, const Samples *s, ptrdiff_t begin,
                          ptrdiff_t end)
{
    const Layer *last = &p->layers[p->n_layers - 1];
    const ptrdiff_t K = last->n_out, n_rows = end - begin;
    const real *Y = s->Y + begin * K;
    real *P = (real *)last->A + begin * K;
    forward(last->activation, last->constants, n_rows, K, (real *)last->Z + begin * K,
            P);
    if (s->w == NULL)
        return sum_loss(p->loss, p->loss_constant, p->hard_labels, n_rows * K, Y, P);
    double sum = 0;
    for (ptrdiff_t i = 0; i < n_rows; i++)
        if (s->w[begin + i] > 0)
            sum += (double)s->w[begin + i] * sum_loss(p->loss, p->loss_constant,
                                                      p->hard_labels, K, Y + i * K,
                                                      P + i * K);
    return sum;
}

/* The delta of the output layer, for some rows. */
static void output_delta(const Plan *p, const Samples *s, ptrdiff_t begin,
                         ptrdiff_t end)
{
    const Layer *last = &p->layers[p->n_layers - 1];
    const ptrdiff_t K = last->n_out, n_rows = end - begin, n = n_rows * K;
    const real *Y = s->Y + begin * K, *P = (real *)last->A + begin * K;
    real *delta = (real *)last->D + begin * K;
    if (p->has_canonical_output) {
        residual(n, Y, P, delta, 0);
    } else {
        differentiate_loss(p->loss, p->loss_constant, n, Y, P, delta);
        backward(last->activation, last->constants, n_rows, K,
                 (real *)last->Z + begin * K, P, delta);
    }
    if (s->w != NULL)
        multiply_rows(n_rows, K, s->w + begin, delta);
}

/* The delta of layer l - 1 from that of layer l, for some rows. */
static void backward_rows(const Plan *p, ptrdiff_t l, ptrdiff_t begin, ptrdiff_t end)
{
    const Layer *layer = &p->layers[l], *below = layer - 1;
    const ptrdiff_t n_rows = end - begin, n = layer->n_in;
    real *D = (real *)below->D + begin * n;
    product_transposed(p->gemm, n_rows, layer->n_out, n,
                       (real *)layer->D + begin * layer->n_out, layer->W, D);
    if (layer->mask != NULL)
        multiply(n_rows * n, D, (real *)layer->mask + begin * n, D);
    backward(below->activation, below->constants, n_rows, n,
             (real *)below->Z + begin * n, (real *)below->A + begin * n, D);
}

/* Batch normalization, by columns; the formulas are those of
 * skmlp/core/batch_norm.py.
 */

#define MAX_COLUMNS 32

/* A number for each column, in double: it sums up many samples. */
typedef double Columns[MAX_COLUMNS];

KERNEL static void average(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                           const real *U, const real *center, const real *w, double n,
                           double *out)
{
    for (ptrdiff_t j = 0; j < n_columns; j++)
        out[j] = 0;
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        const double v = w == NULL ? 1.0 : (double)w[i];
        if (center == NULL) {
            for (ptrdiff_t j = 0; j < n_columns; j++)
                out[j] += v * (double)U[i * ld + j];
        } else {
            for (ptrdiff_t j = 0; j < n_columns; j++) {
                const real u = U[i * ld + j] - center[j];
                out[j] += v * (double)(u * u);
            }
        }
    }
    for (ptrdiff_t j = 0; j < n_columns; j++)
        out[j] /= n;
}

KERNEL static void normalize(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                             const real *mean, const real *inverse_std,
                             const real *gamma, const real *b, real *U, real *U_hat)
{
    for (ptrdiff_t i = 0; i < n_rows; i++)
        ELEMENTWISE for (ptrdiff_t j = 0; j < n_columns; j++)
        {
            const real u = (U[i * ld + j] - mean[j]) * inverse_std[j];
            U_hat[i * ld + j] = u;
            U[i * ld + j] = u * gamma[j] + b[j];
        }
}

static int is_normalized_by_batch(const Layer *layer, const Samples *s)
{
    return s->batch->n_weighted > 1 && !layer->frozen;
}

/* Up to MAX_COLUMNS columns of layer l, from column j on. */
static void norm_forward(const Plan *p, const Samples *s, ptrdiff_t l, ptrdiff_t j,
                         ptrdiff_t n_columns)
{
    const Layer *layer = &p->layers[l];
    real *U = (real *)layer->Z + j, *mean = (real *)layer->mean + j;
    real *variance = (real *)layer->variance + j;
    real *inverse_std = (real *)layer->inverse_std + j;
    real *running_mean = (real *)layer->running_mean + j;
    real *running_variance = (real *)layer->running_variance + j;
    if (is_normalized_by_batch(layer, s)) {
        const real momentum = (real)p->norm_momentum;
        Columns sums;
        average(s->n_rows, layer->n_out, n_columns, U, NULL, s->w, s->batch->n, sums);
        for (ptrdiff_t k = 0; k < n_columns; k++)
            mean[k] = (real)sums[k];
        average(s->n_rows, layer->n_out, n_columns, U, mean, s->w, s->batch->n, sums);
        for (ptrdiff_t k = 0; k < n_columns; k++)
            variance[k] = (real)sums[k];
        /* A search may look at points that overflow: 0 times infinity is no number. */
        for (ptrdiff_t k = 0; momentum > 0 && k < n_columns; k++) {
            running_mean[k] += momentum * (mean[k] - running_mean[k]);
            running_variance[k] += momentum * (variance[k] - running_variance[k]);
        }
    } else {
        memcpy(mean, running_mean, n_columns * sizeof(real));
        memcpy(variance, running_variance, n_columns * sizeof(real));
    }
    for (ptrdiff_t k = 0; k < n_columns; k++)
        inverse_std[k] = 1 / SQRT(variance[k] + (real)p->norm_epsilon);
    normalize(s->n_rows, layer->n_out, n_columns, mean, inverse_std,
              (real *)layer->gamma + j, (real *)layer->b + j, U,
              (real *)layer->U_hat + j);
}

KERNEL static void sum_products(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                                const real *delta, const real *U_hat, double *sums,
                                double *products)
{
    for (ptrdiff_t j = 0; j < n_columns; j++)
        sums[j] = products[j] = 0;
    for (ptrdiff_t i = 0; i < n_rows; i++)
        for (ptrdiff_t j = 0; j < n_columns; j++) {
            sums[j] += (double)delta[i * ld + j];
            products[j] += (double)(delta[i * ld + j] * U_hat[i * ld + j]);
        }
}

KERNEL static void center_delta(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                                const real *grad_b, const real *grad_gamma,
                                const real *U_hat, const real *w, double n, real *delta)
{
    for (ptrdiff_t i = 0; i < n_rows; i++) {
        const real v = (real)((w == NULL ? 1.0 : (double)w[i]) / n);
        ELEMENTWISE for (ptrdiff_t j = 0; j < n_columns; j++) delta[i * ld + j] -=
            (U_hat[i * ld + j] * grad_gamma[j] + grad_b[j]) * v;
    }
}

KERNEL static void scale_columns(ptrdiff_t n_rows, ptrdiff_t ld, ptrdiff_t n_columns,
                                 const real *gamma, const real *inverse_std,
                                 real *delta)
{
    for (ptrdiff_t i = 0; i < n_rows; i++)
        ELEMENTWISE for (ptrdiff_t j = 0; j < n_columns; j++) delta[i * ld + j] *=
            gamma[j] * inverse_std[j];
}

/* From dE/dZ to dE/dU, and the gradient of biases and scales. */
static void norm_backward(const Plan *p, const Samples *s, ptrdiff_t l, ptrdiff_t j,
                          ptrdiff_t n_columns)
{
    const Layer *layer = &p->layers[l];
    const ptrdiff_t n_rows = s->n_rows, ld = layer->n_out;
    real *delta = (real *)layer->D + j, *U_hat = (real *)layer->U_hat + j;
    real *grad_b = (real *)layer->grad_b + j,
         *grad_gamma = (real *)layer->grad_gamma + j;
    Columns sums, products;
    sum_products(n_rows, ld, n_columns, delta, U_hat, sums, products);
    for (ptrdiff_t k = 0; k < n_columns; k++) {
        grad_b[k] = (real)sums[k];
        grad_gamma[k] = (real)products[k];
    }
    if (is_normalized_by_batch(layer, s)) /* which depends on U as well */
        center_delta(n_rows, ld, n_columns, grad_b, grad_gamma, U_hat, s->w,
                     s->batch->n, delta);
    scale_columns(n_rows, ld, n_columns, (real *)layer->gamma + j,
                  (real *)layer->inverse_std + j, delta);
}
