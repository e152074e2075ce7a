/* SPDX-License-Identifier: ISC */
/* Key files of other suites. Argon2 is not linked here: what a KDF may cost is the unit tests' matter. */
#include <stdlib.h>

#include "base/limits.h"
#include "crypto/sign.h"
#include "key/key.h"
#include "targets.h"

/* What parses must survive being written in this form and read again. */
static void go_round(const struct privkey *k, enum privkey_format format)
{
    struct privkey *again CLEANUP(privkey_drop) = NULL;
    struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    const struct privkey_file_how how = {.format = format, .rounds = 1};
    if (privkey_file_write(k, (struct bytes){0}, &how, &random_libcrypto, &text) != ERR_NONE) return;   /* types that have no such form */
    if (privkey_file_parse(wr_bytes(&text), (struct bytes){0}, &again, NULL) != ERR_NONE) abort();
    if (!bytes_equal(pubkey_blob(privkey_public(k)), pubkey_blob(privkey_public(again)))) abort();
}

static void private_file(struct bytes in, enum privkey_format format)
{
    enum privkey_format form = privkey_file_format(in);
    bool dear = form == PRIVKEY_PKCS8 || form == PRIVKEY_OPENSSH;   /* the KDF's cost is the file's to choose */
    struct bytes passphrase = dear ? (struct bytes){0} : BYTES_LIT("x");
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    struct pubkey *pub CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    (void)privkey_file_encrypted(in);
    (void)!privkey_file_public(in, &pub);
    if (privkey_file_parse(in, passphrase, &k, &comment) == ERR_NONE) go_round(k, format);
}

void fuzz_ppk(struct bytes in)
{
    private_file(in, PRIVKEY_PPK);
}

void fuzz_pem(struct bytes in)
{
    private_file(in, PRIVKEY_PEM);
}

void fuzz_dropbear(struct bytes in)
{
    private_file(in, PRIVKEY_DROPBEAR);
}

/* All forms of public keys, and ssh.com's private keys in the same frame. */
void fuzz_rfc4716(struct bytes in)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
    private_file(in, PRIVKEY_PEM);
    if (pubkey_file_parse(in, &k, &comment) != ERR_NONE) return;
    for (int f = PUBKEY_LINE; f <= PUBKEY_PKCS1; f++) {
        struct pubkey *again CLEANUP(pubkey_drop) = NULL;
        struct wr text CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX);
        if (pubkey_file_write(k, (enum pubkey_format)f, (struct bytes){0}, &text) != ERR_NONE) continue;
        if (f == PUBKEY_LINE || pubkey_blob(k).n > PUBKEY_BLOB_MAX / 2) continue;
        if (pubkey_file_parse(wr_bytes(&text), &again, NULL) != ERR_NONE) abort();
    }
}
