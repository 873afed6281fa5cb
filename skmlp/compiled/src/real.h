/* Definitions that depend on the type, float or double.
 *
 * A source file defines SINGLE as 1 or 0 before it includes the templates. The names of
 * functions end in the type: F(step) is step_f32 or step_f64.
 */

#ifndef SKMLP_REAL_H
#define SKMLP_REAL_H

/* With this macro, glibc declares the vector versions of its functions in libmvec.
 * -ffast-math defines it too, but the compiler would then assume that no value is NaN or
 * infinite. Such values must be equal to NumPy's, so that divergence is detected.
 */
#ifndef __FAST_MATH__
#define __FAST_MATH__ 1
#include <math.h>
#undef __FAST_MATH__
#endif
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "kernel.h"

#if SINGLE
typedef float real;
#define F(name) name##_f32
#define EXP expf
#define EXPM1 expm1f
#define LOG logf
#define LOG1P log1pf
#define TANH tanhf
#define ERFC erfcf
#define SQRT sqrtf
#define FABS fabsf
#define REAL_EPS FLT_EPSILON
#define REAL_MIN FLT_MIN
#define REAL_MAX FLT_MAX
#else
typedef double real;
#define F(name) name##_f64
#define EXP exp
#define EXPM1 expm1
#define LOG log
#define LOG1P log1p
#define TANH tanh
#define ERFC erfc
#define SQRT sqrt
#define FABS fabs
#define REAL_EPS DBL_EPSILON
#define REAL_MIN DBL_MIN
#define REAL_MAX DBL_MAX
#endif

/* The arrays of such a loop are equal or do not overlap. */
#if defined(__clang__)
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define ELEMENTWISE _Pragma("GCC ivdep")
#else
#define ELEMENTWISE
#endif

/* Like NumPy's maximum and minimum, they return NaN if x is NaN. */
#define MAXIMUM(x, bound) ((x) < (bound) ? (bound) : (x))
#define MINIMUM(x, bound) ((x) > (bound) ? (bound) : (x))
#define SIGN(x) ((x) > 0 ? 1 : (x) < 0 ? -1 : (x))

#endif
