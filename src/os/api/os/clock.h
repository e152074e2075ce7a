/* SPDX-License-Identifier: ISC */
/* The one clock that waits and deadlines are measured by. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds by a clock of clock_gettime(2). */
static inline uint64_t clock_read_us(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Monotonic microseconds. */
static inline uint64_t clock_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC);
}

/* A span of microseconds as ppoll(2) and nanosleep(2) take it. */
static inline struct timespec clock_span(uint64_t us)
{
    return (struct timespec){.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
}

#endif
