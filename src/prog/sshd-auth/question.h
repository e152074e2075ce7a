/* SPDX-License-Identifier: ISC */
/* What the warden asks sshd-auth: one datagram of exactly this size on descriptor 0, answered by one 64-bit value. */
#ifndef SSHD_AUTH_QUESTION_H
#define SSHD_AUTH_QUESTION_H

#include <stdint.h>

#include "base/limits.h"

#define AUTH_MAGIC 0x5f70773f5f70773fULL
#define AUTH_YES   0x9d3c5a71e8b24f06ULL
#define AUTH_NO    0x62c3a58e174db0f9ULL
#define AUTH_SETTING_MAX 192    /* crypt(5): CRYPT_GENSALT_OUTPUT_SIZE */
#define AUTH_HASH_MAX 512       /* crypt(5): CRYPT_OUTPUT_SIZE is 384 */

struct auth_question {
    uint64_t magic;
    uint32_t hash_n, setting_n, password_n;
    char hash[AUTH_HASH_MAX];           /* as in shadow; empty, or one no password fits: the work is done all the same */
    char setting[AUTH_SETTING_MAX];     /* crypt(5) setting to work with where the hash is none; empty: the system's default */
    char password[PASSWORD_MAX + 8];
};

#endif
