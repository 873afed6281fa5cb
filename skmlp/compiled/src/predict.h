/* Prediction, without gradients and with memory for one block per thread. */

typedef struct {
    const Plan *plan;
    ptrdiff_t n_samples;
    real *X_buffers, *out;
} Prediction;

/* The operations of a thread, with buffers for a block of samples. */
static void predict_task(void *argument, ptrdiff_t i, int me)
{
    const Prediction *t = argument;
    const Plan *p = t->plan;
    Operation *operations = p->operations + me * p->n_operations;
    Operation *last = &operations[p->n_operations - 1];
    const ptrdiff_t n = operations[0].n_in, n_rows = prediction_rows(t->n_samples);
    const ptrdiff_t begin = i * n_rows, rest = t->n_samples - begin;
    const ptrdiff_t end = begin + (rest < n_rows ? rest : n_rows);
    Rows rows = {begin, end, begin, (const real *)p->X + begin * p->X_row, p->X_row};
    if (!has_plain_rows(p)) {
        real *X = t->X_buffers + me * n_rows * n;
        for (ptrdiff_t r = 0; r < end - begin; r++)
            copy_row(n, rows.X + r * p->X_row, p->X_column, X + r * n);
        rows.X = X;
        rows.ldx = n;
    }
    last->out = t->out + begin * last->n_members * last->n_out;
    for (ptrdiff_t k = 0; k < p->n_operations; k++)
        run_forward(p, &operations[k], &rows);
}

void F(predict)(const Plan *plan, ptrdiff_t n_samples, void *X_buffers,
                Threads *threads, void *out)
{
    Prediction t = {plan, n_samples, X_buffers, out};
    threads_start(threads);
    const ptrdiff_t n_rows = prediction_rows(n_samples);
    team_run(threads->team, (n_samples + n_rows - 1) / n_rows, predict_task, &t);
    threads_stop(threads, (double)n_samples);
}
