/* The output of the network, and its loss. */

/* Return the weighted sum of the losses of a range of samples: of an ensemble, of the mean
 * over its members.
 */
static double sum_output_loss(const Plan *p, const Samples *s, ptrdiff_t begin,
                              ptrdiff_t end)
{
    const Operation *last = &p->operations[p->n_operations - 1];
    const ptrdiff_t K = last->n_out;
    begin *= last->n_members;
    end *= last->n_members;
    const real *Y = s->Y + begin * K, *P = (real *)last->out + begin * K;
    if (s->w == NULL)
        return sum_loss(p->loss, p->loss_constant, p->hard_labels, (end - begin) * K, Y,
                        P) /
               (double)last->n_members;
    double sum = 0;
    for (ptrdiff_t i = 0; i < end - begin; i++)
        if (s->w[begin + i] > 0)
            sum += (double)s->w[begin + i] * sum_loss(p->loss, p->loss_constant,
                                                      p->hard_labels, K, Y + i * K,
                                                      P + i * K);
    return sum / (double)last->n_members;
}

KERNEL static void divide_array(ptrdiff_t n, real divisor, real *x)
{
    ELEMENTWISE for (ptrdiff_t i = 0; i < n; i++) x[i] /= divisor;
}

/* Compute the derivative of the loss with respect to the last pre-activation. */
static void differentiate_output(const Plan *p, const Samples *s, const Rows *samples)
{
    const Operation *last = &p->operations[p->n_operations - 1];
    const Rows of_members = rows_for(last, samples), *rows = &of_members;
    const ptrdiff_t K = last->n_out, n_rows = rows->end - rows->begin, n = n_rows * K;
    const real *Y = s->Y + rows->begin * K, *P = at(last->out, rows, K);
    real *delta = at(last->delta, rows, K);
    if (p->has_canonical_output) {
        residual(n, Y, P, delta, 0);
    } else {
        differentiate_loss(p->loss, p->loss_constant, n, Y, P, delta);
        kind_of(last)->backward(p, last, rows);
    }
    if (s->w != NULL)
        multiply_rows(n_rows, K, s->w + rows->begin, delta);
    if (last->n_members > 1)
        divide_array(n, (real)last->n_members, delta);
}
