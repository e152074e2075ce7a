/* SPDX-License-Identifier: ISC */
#ifndef PQ_MASK_H
#define PQ_MASK_H

#include <stdint.h>

/* The same value, of which the compiler no longer knows where it comes from. A mask that selects between two values must pass through
 * this: else a compiler may notice that it is all ones or all zeros and branch on it (clang 14 did). */
static inline uint32_t mask_opaque(uint32_t mask)
{
    __asm__("" : "+r"(mask));
    return mask;
}

#endif
