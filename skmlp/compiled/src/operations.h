/* The kinds of operations that a network consists of. */

#include "kind.h"

#include "activation.h"
#include "batch_norm.h"
#include "dense.h"
#include "dropout.h"
#include "layer_norm.h"
#include "members.h"
#include "residual.h"

/* The names of all kinds. */
#define OPERATIONS(KIND)                                                               \
    KIND(dense)                                                                        \
    KIND(activation)                                                                   \
    KIND(dropout)                                                                      \
    KIND(batch_norm)                                                                   \
    KIND(layer_norm)                                                                   \
    KIND(members)                                                                      \
    KIND(heads)                                                                        \
    KIND(branch)                                                                       \
    KIND(add)

#define ENTRY(name) &name,
static const Kind *const kinds[] = {OPERATIONS(ENTRY)};
#undef ENTRY

static const Kind *kind_of(const Operation *op)
{
    return kinds[op->kind];
}

/* Return the rows of an operation, which has several for each sample of an ensemble. */
static Rows rows_for(const Operation *op, const Rows *samples)
{
    Rows rows = *samples;
    rows.begin *= op->n_members;
    rows.end *= op->n_members;
    rows.origin *= op->n_members;
    return rows;
}

/* Return the batch with the number of rows of an operation. */
static Samples batch_for(const Operation *op, const Samples *s)
{
    Samples batch = *s;
    batch.n_rows *= op->n_members;
    return batch;
}

static void run_forward(const Plan *p, const Operation *op, const Rows *samples)
{
    const Rows rows = rows_for(op, samples);
    if (kind_of(op)->forward != NULL)
        kind_of(op)->forward(p, op, &rows);
}

static void run_backward(const Plan *p, const Operation *op, const Rows *samples)
{
    const Rows rows = rows_for(op, samples);
    kind_of(op)->backward(p, op, &rows);
}
