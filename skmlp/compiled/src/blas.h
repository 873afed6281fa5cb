/* BLAS's own threads, which are held to one while the engine computes.
 *
 * Their number is one for the whole process. Other code may set it at any time, as
 * scikit-learn does while it clusters or computes distances.
 */

#ifndef SKMLP_BLAS_H
#define SKMLP_BLAS_H

typedef int get_number_t(void);
typedef void set_number_t(int);

/* Let a library be held, by the functions that get and set its number of threads. */
void blas_add(get_number_t *get_number, set_number_t *set_number);

/* Hold all libraries to one thread, and release them. A number that other code has set in
 * the meantime stays. With the GIL.
 */
void blas_hold(void);
void blas_release(void);

/* Multiplications in a product that no BLAS shares out among its threads. OpenBLAS's
 * bound is 2^18. A computation that has larger ones must hold BLAS.
 */
#define BLAS_SHARES (1 << 17)

/* Before a product: hold them again if other code has set a number. At the end of a call
 * of the engine: give back what was set.
 */
void blas_keep(double multiplications);
void blas_give_back(void);

#endif
