/* SPDX-License-Identifier: ISC */
/* A fresh stack canary for a forked process: with its parent's, whoever learned one from a crash could use it on all of its siblings.
 * Only for a function that never returns and is compiled without stack protector (its callers' frames hold the old value). */
#ifndef OS_CANARY_H
#define OS_CANARY_H

#include <stdint.h>

#if defined(__x86_64__)
/* The x86-64 ABI keeps it at %fs:0x28. Its lowest byte stays zero, against string overruns. */
static inline void canary_set(uint64_t random)
{
    __asm__ volatile("movq %0, %%fs:0x28" : : "r"(random & ~0xffULL) : "memory");
}
#else
/* aarch64: it is a variable of the loader that is read-only by now (PROCESSES 1). */
static inline void canary_set(uint64_t random)
{
    (void)random;
}
#endif

#endif
