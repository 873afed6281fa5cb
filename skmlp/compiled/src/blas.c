#include "blas.h"

#include <stdatomic.h>

enum { MAX_LIBRARIES = 32 };

static struct {
    get_number_t *get_number;
    set_number_t *set_number;
    int held;           /* number of threads before it was set to one */
    atomic_int foreign; /* number that other code has set during a call, or 0 */
} libraries[MAX_LIBRARIES];

static int n_libraries;

void blas_add(get_number_t *get_number, set_number_t *set_number)
{
    if (n_libraries == MAX_LIBRARIES)
        return;
    libraries[n_libraries].get_number = get_number;
    libraries[n_libraries].set_number = set_number;
    n_libraries++;
}

void blas_hold(void)
{
    for (int k = 0; k < n_libraries; k++) {
        libraries[k].held = libraries[k].get_number();
        libraries[k].set_number(1);
    }
}

void blas_release(void)
{
    for (int k = 0; k < n_libraries; k++)
        if (libraries[k].get_number() == 1)
            libraries[k].set_number(libraries[k].held);
}

void blas_keep(double multiplications)
{
    if (multiplications <= BLAS_SHARES)
        return;
    for (int k = 0; k < n_libraries; k++) {
        const int number = libraries[k].get_number();
        if (number != 1) {
            atomic_store(&libraries[k].foreign, number);
            libraries[k].set_number(1);
        }
    }
}

void blas_give_back(void)
{
    for (int k = 0; k < n_libraries; k++) {
        const int number = atomic_exchange(&libraries[k].foreign, 0);
        if (number && libraries[k].get_number() == 1)
            libraries[k].set_number(number);
    }
}
