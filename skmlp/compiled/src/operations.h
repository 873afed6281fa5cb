/* The kinds of operations that a network consists of. */

#include "kind.h"

#include "activation.h"
#include "batch_norm.h"
#include "dense.h"
#include "dropout.h"
#include "layer_norm.h"
#include "residual.h"

/* The names of all kinds. */
#define OPERATIONS(KIND)                                                               \
    KIND(dense)                                                                        \
    KIND(activation)                                                                   \
    KIND(dropout)                                                                      \
    KIND(batch_norm)                                                                   \
    KIND(layer_norm)                                                                   \
    KIND(branch)                                                                       \
    KIND(add)

#define ENTRY(name) &name,
static const Kind *const kinds[] = {OPERATIONS(ENTRY)};
#undef ENTRY

static const Kind *kind_of(const Operation *op)
{
    return kinds[op->kind];
}
