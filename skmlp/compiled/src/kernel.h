/* A KERNEL is a loop over arrays that is compiled for several instruction sets, of which
 * the loader chooses the best that the processor has. That takes GCC and glibc, and no
 * sanitizer, which is not ready yet when the loader chooses; elsewhere there is one
 * version, for the instruction set that the compiler is told.
 */

#ifndef SKMLP_KERNEL_H
#define SKMLP_KERNEL_H

#include <string.h> /* says whether this is glibc */

#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) &&                \
    __GNUC__ >= 12 && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HAS_VERSIONS 1
#define KERNEL                                                                         \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define HAS_VERSIONS 0
#define KERNEL
#endif

#endif
