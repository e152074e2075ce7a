/* SPDX-License-Identifier: ISC */
/* Whether libcrypto was ever refused memory. Many of its answers do not tell that from "no": a point that is not on its curve, a signature that is not
 * good. Who tells people what is so must know. */
#ifndef CRYPTO_MEMORY_H
#define CRYPTO_MEMORY_H

#include <stdbool.h>

/* From now on it is noted. Before anything else of this room: false, and nothing is noted, when libcrypto has memory already. */
bool crypto_memory_watch(void);
bool crypto_memory_refused(void);

#endif
