/* A kind of operation. Functions that it does not have are NULL. */

typedef struct {
    /* Compute the output for a range of rows, and the derivative with respect to the input
     * from that with respect to the output. Prediction also uses `forward`.
     */
    void (*forward)(const Plan *, const Operation *, const Rows *);
    void (*backward)(const Plan *, const Operation *, const Rows *);

    /* In training, an operation that needs all rows is computed in groups of columns.
     * `n_groups` is 0 if it is computed by rows.
     */
    ptrdiff_t (*n_groups)(const Operation *, const Samples *);
    void (*forward_group)(const Plan *, const Operation *, const Samples *,
                          ptrdiff_t i);
    void (*backward_group)(const Plan *, const Operation *, const Samples *,
                           ptrdiff_t i);

    /* Compute the gradient of a part of the parameters. */
    void (*differentiate)(const Plan *, const Operation *, const Samples *,
                          const intptr_t *order, const Part *, int me, real *g);

    /* Draw the random numbers of a batch before the step, one for each input. Otherwise
     * `forward` draws those of its rows from the stream, from position `n_drawn` on.
     */
    void (*draw)(const Plan *, const Operation *, ptrdiff_t n_rows);
} Kind;
