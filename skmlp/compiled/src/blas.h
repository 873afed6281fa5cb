/* The number of threads of BLAS, which is one while the engine computes.
 *
 * It is a setting of the whole process. Other code can change it at any time, as
 * scikit-learn does in clustering and for distances.
 */

#ifndef SKMLP_BLAS_H
#define SKMLP_BLAS_H

typedef int get_number_t(void);
typedef void set_number_t(int);

/* Add a library with the functions that get and set its number of threads. */
void blas_add(get_number_t *get_number, set_number_t *set_number);

/* Set the number of threads of all libraries to one, and restore it. A number that other
 * code has set in the meantime is kept. The caller holds the GIL.
 */
void blas_hold(void);
void blas_release(void);

/* Number of multiplications in a product up to which no BLAS uses several threads. It is
 * 2^18 in OpenBLAS. A computation with larger products must set the number of threads.
 */
#define BLAS_SHARES (1 << 17)

/* Set one thread again before a product if other code has changed the number, and restore
 * that number at the end of a call of the engine.
 */
void blas_keep(double multiplications);
void blas_give_back(void);

#endif
