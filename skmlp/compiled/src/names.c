#include "engine.h"

#define ENTRY(name) #name,
const char *const operation_names[] = {OPERATIONS(ENTRY) NULL};
#undef ENTRY
