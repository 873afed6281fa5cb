/* Several epochs without calls of Python. */

KERNEL static int all_finite(ptrdiff_t n, const real *x)
{
    int n_others = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        n_others += !(FABS(x[i]) <= REAL_MAX);
    return n_others == 0;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

ptrdiff_t F(train_epochs)(Plan *plan, const intptr_t *orders, ptrdiff_t stride,
                          ptrdiff_t n_samples, Batch *batches, ptrdiff_t n_epochs,
                          const double *rates, Threads *threads, Epoch *epochs)
{
    double before = seconds();
    for (ptrdiff_t k = 0; k < n_epochs; k++) {
        Epoch *epoch = &epochs[k];
        Totals totals = {0};
        ptrdiff_t n = 0;
        const intptr_t *order = orders == NULL ? NULL : orders + k * stride;
        const ptrdiff_t n_batches = F(divide)(plan, order, n_samples, batches);
        for (ptrdiff_t i = 0; i < n_batches; i++) {
            batches[i].learning_rate = rates[k];
            n += batches[i].stop - batches[i].start;
        }
        F(train)(plan, order, n_batches, batches, threads, &totals);
        const double now = seconds();
        epoch->loss = totals.loss / (double)n;
        epoch->grad_norm = totals.grad_norm / (double)n_batches;
        epoch->seconds = now - before;
        before = now;
        /* If the squares of the gradient overflow, the state of the optimizer is invalid. */
        if (!(epoch->grad_norm < 1e-6 * sqrt(REAL_MAX)) ||
            !all_finite(plan->n_parameters, plan->theta) ||
            !all_finite(plan->n_running, plan->running))
            return k + 1;
    }
    return n_epochs;
}
