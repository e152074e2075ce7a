/* SPDX-License-Identifier: ISC */
/* A process that keeps secrets of its user from the user's other processes, and off every disk. */
#ifndef OS_HIDE_H
#define OS_HIDE_H

#include "base/bytes.h"

/* No core file, and no ptrace, /proc/PID/mem or process_vm_readv by anyone without CAP_SYS_PTRACE. All heap is kept in one place from now
 * on, out of core dumps and, as far as the limit goes, out of swap. Call it once, after the last fork and before the first secret.
 * ERR_SYSTEM with errno: the process could not be hidden. */
MUST_USE enum err process_hide(void);
/* The same for heap that was added since. Cheap; once a turn of the main loop. */
void process_hide_more(void);

#endif
