/* SPDX-License-Identifier: ISC */
/* Keys on tokens: listing them (-D), and one of them as CA (-s with -D). */
#include "kit/pkcs11.h"

#include <stdio.h>

#include "keygen.h"

static enum err pin_ask(void *ctx, const char *label, bool again, struct secret *out)
{
    char text[400];
    (void)ctx;
    snprintf(text, sizeof text, "Enter PIN for '%.200s'%s: ", label, again ? " (for this signature)" : "");
    const struct prompt p = {.text = text, .stdin_too = true};
    return prompt_ask(&p, out);
}

struct pkcs11 *token_open(const struct options *o)
{
    const struct pkcs11_how how = {.libexec_dir = LIBEXEC_DIR, .verbose = o->verbose, .pin = pin_ask};
    struct pkcs11 *p = NULL;
    if (pkcs11_open(&how, o->pkcs11, (struct bytes){0}, &p) != ERR_NONE) fatal("PKCS#11 provider %s: %s", o->pkcs11, pkcs11_why());
    if (pkcs11_count(p) == 0) fatal("cannot read public key from pkcs11");
    return p;
}

const struct pkcs11_key *token_find(const struct pkcs11 *p, const struct pubkey *pub, const char *path)
{
    const struct pkcs11_key *k = pkcs11_find(p, pub);
    if (!k) fatal("No PKCS#11 key matching %s found", path);
    return k;
}

static void key_print(const struct options *o, const struct pkcs11_key *k)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(65536);
    if (o->fingerprint) {
        wr_textf(&w, "%zu ", pubkey_bits(k->pub));
        fingerprint_write(&w, pubkey_blob(k->pub), o->hash);
        wr_textf(&w, " %s (PKCS11 key)", k->label);
    } else {
        pubkey_line_write(&w, k->pub, bytes_str(k->label));
    }
    if (w.err != ERR_NONE) fatal("out of memory");
    printf("%.*s\n", (int)w.n, (const char *)w.p);
    if (o->fingerprint && o->verbose) print_randomart(o, k->pub);
}

int job_token(struct options *o)
{
    struct pkcs11 *p CLEANUP(pkcs11_drop) = token_open(o);
    for (size_t i = 0; i < pkcs11_count(p); i++) key_print(o, pkcs11_key(p, i));
    return 0;
}
