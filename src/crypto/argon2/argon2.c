/* SPDX-License-Identifier: ISC */
/* Argon2 (RFC 9106) through libargon2. */
#include <argon2.h>

#include "base/limits.h"
#include "crypto/kdf.h"

enum err argon2_derive(const struct argon2_cost *cost, struct bytes pass, struct bytes salt, struct span key)
{
    static const argon2_type types[] = {[ARGON2D] = Argon2_d, [ARGON2I] = Argon2_i, [ARGON2ID] = Argon2_id};
    if (cost->kib > ARGON2_KIB_MAX || cost->lanes < 1 || cost->lanes > ARGON2_LANES_MAX || cost->kib < 8 * cost->lanes) return ERR_RANGE;
    if (cost->passes < 1 || (uint64_t)cost->kib * cost->passes > ARGON2_WORK_MAX) return ERR_RANGE;
    if (pass.n > UINT32_MAX || salt.n > KDF_SALT_MAX || key.n > KDF_SALT_MAX) return ERR_TOO_LONG;
    /* the library only reads pass and salt unless it is told to clear them */
    argon2_context c = {.out = key.p, .outlen = (uint32_t)key.n, .pwd = (uint8_t *)(uintptr_t)pass.p, .pwdlen = (uint32_t)pass.n,
                        .salt = (uint8_t *)(uintptr_t)salt.p, .saltlen = (uint32_t)salt.n, .t_cost = cost->passes, .m_cost = cost->kib,
                        .lanes = cost->lanes, .threads = 1, .version = ARGON2_VERSION_13, .flags = ARGON2_DEFAULT_FLAGS};
    int e = argon2_ctx(&c, types[cost->kind]);
    return e == ARGON2_OK ? ERR_NONE : e == ARGON2_MEMORY_ALLOCATION_ERROR ? ERR_NOMEM : e == ARGON2_SALT_TOO_SHORT ? ERR_RANGE : ERR_CRYPTO;
}
