/* SPDX-License-Identifier: ISC */
/* RevokedHostKeys: lists of keys and certificates that no host may show. */
#include <errno.h>

#include "key/krl.h"
#include "look.h"
#include "os/atomic_file.h"

/* Lists that cannot be read or understood refuse every key. `key` is as the host showed it: a certificate is looked up by its authority,
 * serial and id, too. */
void revocation_check(const struct look *l, const struct pubkey *key)
{
    const struct conf_texts *files = &ui.conf->revoked_host_keys;
    for (size_t i = 0; i < files->n; i++) {
        CLEANUP(secret_clear) struct secret text = {0};
        CLEANUP(krl_drop) struct krl *krl = NULL;
        CLEANUP(wr_clear) struct wr path = wr_heap(8192);
        enum err e = ssh_conf_path(ui.conf, ui.world, &ui.tokens, files->v[i], &path);
        wr_u8(&path, 0);
        if (!e)
            e = wr_done(&path);
        const char *name = e ? files->v[i] : (const char *)path.p;
        if (!e)
            e = file_read(name, KRL_FILE_MAX, false, &text, NULL);
        const char *why = file_read_why(e);
        if (!e) {
            e = revoked_parse(secret_bytes(&text), &krl);
            why = err_text(e);
        }
        if (e) {
            say(CONF_LOG_ERROR, "Error checking host key %s %s in revoked keys file %s: %s", l->type, l->fingerprint, name, why);
            refuse();
        }
        if (krl_check(krl, key) != VERDICT_GOOD) {
            say(CONF_LOG_ERROR, "Host key %s %s revoked by file %s", l->type, l->fingerprint, name);
            refuse();
        }
    }
}
