/* SPDX-License-Identifier: ISC */
#include "os/hide.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define HEAP_STEP (1 << 20)         /* the heap grows by this much at once */

static uintptr_t hidden_to;         /* heap below this address is hidden; 0: there is none yet */

static void hide(uintptr_t from, uintptr_t to)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *p = (void *)(from / page * page);     /* NOLINT: an address as the kernel gave it */
    if (to <= from) return;
    (void)madvise(p, to - (uintptr_t)p, MADV_DONTDUMP);
    (void)mlock(p, to - (uintptr_t)p);          /* its limit may be low: what is beyond it may be swapped */
}

/* Heap and stack, as they are now. */
static enum err hide_present(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps) return ERR_SYSTEM;
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        if (!strstr(line, "[heap]") && !strstr(line, "[stack]")) continue;
        if (sscanf(line, "%lx-%lx", &from, &to) == 2) hide(from, to);
    }
    fclose(maps);
    hidden_to = (uintptr_t)sbrk(0);
    return ERR_NONE;
}

enum err process_hide(void)
{
    const struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0) return ERR_SYSTEM;
    /* no pieces of their own for large blocks, nothing given back: the heap is one stretch that only grows */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT32_MAX);
    mallopt(M_TOP_PAD, HEAP_STEP);
    return hide_present();
}

void process_hide_more(void)
{
    uintptr_t end = (uintptr_t)sbrk(0);
    if (hidden_to == 0 || end <= hidden_to) return;
    hide(hidden_to, end);
    hidden_to = end;
}
