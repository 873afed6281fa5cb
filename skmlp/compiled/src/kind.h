/* What a kind of operation consists of. Functions that it does not have are NULL. */

typedef struct {
    /* Compute the output for some rows, and the derivative by the input from that by the
     * output. Prediction uses `forward`, too.
     */
    void (*forward)(const Plan *, const Operation *, const Rows *);
    void (*backward)(const Plan *, const Operation *, const Rows *);

    /* In training, the operation may need all rows, and is then computed in groups of
     * columns. `n_groups` is 0 if it is computed by rows.
     */
    ptrdiff_t (*n_groups)(const Operation *, const Samples *);
    void (*forward_group)(const Plan *, const Operation *, const Samples *,
                          ptrdiff_t i);
    void (*backward_group)(const Plan *, const Operation *, const Samples *,
                           ptrdiff_t i);

    /* The gradient of a part of the parameters, from the derivative by the output. */
    void (*differentiate)(const Plan *, const Operation *, const Samples *,
                          const intptr_t *order, const Part *, int me, real *g);

    /* Draw random numbers for a batch. */
    void (*draw)(const Plan *, const Operation *, ptrdiff_t n_rows);
} Kind;
