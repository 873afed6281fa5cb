#include "engine.h"

void shuffle(bitgen_t *bitgen, ptrdiff_t n, intptr_t *order)
{
    for (ptrdiff_t i = n - 1; i > 0; i--) {
        uint64_t mask = (uint64_t)i, j;
        for (int bits = 1; bits < 64; bits *= 2)
            mask |= mask >> bits;
        do
            j = mask & ((uint64_t)i <= UINT32_MAX ? bitgen->next_uint32(bitgen->state)
                                                  : bitgen->next_uint64(bitgen->state));
        while (j > (uint64_t)i);
        const intptr_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
}
