/* Inference: no gradient, and memory for a few samples only. */

typedef struct {
    const Plan *plan;
    ptrdiff_t n_samples, widest;
    real *buffers, *out;
} Prediction;

static void predict_task(void *argument, ptrdiff_t i, int me)
{
    const Prediction *t = argument;
    const Plan *p = t->plan;
    const ptrdiff_t n = p->layers[0].n_in;
    real *buffers[2];
    for (int k = 0; k < 2; k++)
        buffers[k] = t->buffers + (2 * me + k) * BLOCK_ROWS * t->widest;
    const ptrdiff_t begin = i * BLOCK_ROWS;
    const ptrdiff_t rest = t->n_samples - begin;
    const ptrdiff_t n_rows = rest < BLOCK_ROWS ? rest : BLOCK_ROWS;
    const real *A = (const real *)p->X + begin * p->X_row;
    ptrdiff_t ld = p->X_row;
    if (!has_plain_rows(p)) {
        for (ptrdiff_t r = 0; r < n_rows; r++)
            copy_row(n, A + r * p->X_row, p->X_column, buffers[1] + r * n);
        A = buffers[1];
        ld = n;
    }
    for (ptrdiff_t l = 0; l < p->n_layers; l++) {
        const Layer *layer = &p->layers[l];
        const int is_last = l == p->n_layers - 1;
        real *Z = is_last ? t->out + begin * layer->n_out : buffers[l % 2];
        fill_rows(n_rows, layer->n_out, layer->b, Z);
        product(p->gemm, n_rows, layer->n_in, layer->n_out, A, ld, layer->W, 1, Z,
                layer->n_out);
        if (!is_last)
            forward(layer->activation, layer->constants, n_rows, layer->n_out, Z, Z);
        A = Z;
        ld = layer->n_out;
    }
}

void F(predict)(const Plan *plan, ptrdiff_t n_samples, ptrdiff_t widest, void *buffers,
                Threads *threads, void *out)
{
    Prediction t = {plan, n_samples, widest, buffers, out};
    threads_start(threads);
    team_run(threads->team, n_blocks(n_samples), predict_task, &t);
    threads_stop(threads, (double)n_samples);
}
