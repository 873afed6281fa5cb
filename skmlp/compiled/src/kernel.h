/* A KERNEL is a loop over arrays that is compiled for several instruction sets. The loader
 * selects the best one for the processor. This requires GCC and glibc, and no sanitizer,
 * which is not initialized when the loader selects. Otherwise there is one version, for
 * the default instruction set of the compiler.
 */

#ifndef SKMLP_KERNEL_H
#define SKMLP_KERNEL_H

#include <string.h> /* defines __GLIBC__ */

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) &&                \
    __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HAS_VERSIONS 1
#define KERNEL                                                                         \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HAS_VERSIONS 0
#define KERNEL
#endif

/* Whether products are computed in the tiles of tiles.h. */
#if defined(__x86_64__) && !defined(_WIN32) && !defined(__clang__) && __GNUC__ >= 12
#define HAS_TILES 1
#else
#define HAS_TILES 0
#endif

#endif
