/* SPDX-License-Identifier: ISC */
/* What this machine's processor brings; a file a family, chosen by the build. */
#ifndef OS_CPU_H
#define OS_CPU_H

#include <stdbool.h>

/* Instructions for AES and for carry-less multiplication: AES-GCM is then faster than ChaCha20-Poly1305. False where we do not know. */
bool cpu_has_aes(void);

#endif
