/* SPDX-License-Identifier: ISC */
/* Files that are to be loaded as code, for the helpers that load a vendor's library. */
#ifndef OS_LIBRARY_H
#define OS_LIBRARY_H

#include "base/bytes.h"

/* Is the file what it should be? To load it would run it, so it is looked at before: a regular file, an ELF library of this machine, with
 * `symbol` among those that it defines. ERR_NOT_FOUND with errno: cannot be opened. ERR_FORMAT: it is none. */
MUST_USE enum err library_check(const char *path, const char *symbol);

#endif
