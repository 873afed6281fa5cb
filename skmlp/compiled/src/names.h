/* The names of the operations and formulas. They do not depend on the type. */

#define NAME(name, ...) #name,
const char *activation_names[] = {ACTIVATIONS(NAME, NAME) NULL};
const char *loss_names[] = {LOSSES(NAME, NAME) NULL};
const char *optimizer_names[] = {"none", OPTIMIZERS(NAME) NULL};
const char *penalty_names[] = {PENALTIES(NAME) NULL};
const char *operation_names[] = {OPERATIONS(NAME) NULL};
#undef NAME
