#include "engine.h"
#include "kernel.h"

/* The conditions with which the loader selects the version of a loop, see kernel.h. */
const char *instruction_set(void)
{
#if HAS_VERSIONS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4"))
        return "x86-64-v4";
    if (__builtin_cpu_supports("x86-64-v3"))
        return "x86-64-v3";
    return "x86-64";
#else
    return "the compiler's default";
#endif
}

int vector_bytes(void)
{
#if HAS_TILES
    if (__builtin_cpu_supports("x86-64-v4"))
        return 64;
    if (__builtin_cpu_supports("x86-64-v3"))
        return 32;
#endif
    return 0;
}
