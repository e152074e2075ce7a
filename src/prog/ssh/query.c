/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "conf/world.h"
#include "crypto/algs.h"
#include "crypto/sign.h"
#include "ui.h"

void version_show(void)
{
    fprintf(stderr, "Nacre_%s (OpenSSH_10.5p1), %s\n", NACRE_VERSION, crypto_version());
}

static bool have_cipher(struct bytes name) { return cipher_find(name) != NULL; }
static bool have_aead(struct bytes name) { return have_cipher(name) && cipher_find(name)->cls != CIPHER_STREAM; }
static bool have_mac(struct bytes name) { return mac_find(name) != NULL; }
static bool have_kex(struct bytes name) { return kex_find(name) != NULL; }

/* What is built, in the order in which OpenSSH prints its own. */
static void list_known(const char *known, bool (*have)(struct bytes name))
{
    struct bytes name;
    for (size_t pos = 0; names_next(bytes_str(known), &pos, &name);)
        if (have(name))
            printf("%.*s\n", (int)name.n, (const char *)name.p);
}

static void list_ciphers(void) { list_known(conf_algs_openssh.ciphers_known, have_cipher); }
static void list_aead(void) { list_known(conf_algs_openssh.ciphers_known, have_aead); }
static void list_macs(void) { list_known(conf_algs_openssh.macs_known, have_mac); }
static void list_kex(void) { list_known(conf_algs_openssh.kex_known, have_kex); }

/* types: each key type once, without the signature names that share one. */
static void list_algs(bool types, bool plain, bool cert)
{
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if ((sig_alg_is_cert(a) ? cert : plain) && (!types || strcmp(a->name, a->key_type) == 0))
            puts(a->name);
}

static void list_keys(void) { list_algs(true, true, true); }
static void list_keys_plain(void) { list_algs(true, true, false); }
static void list_keys_cert(void) { list_algs(true, false, true); }
static void list_sigs(void) { list_algs(false, true, true); }
static void list_sigs_plain(void) { list_algs(false, true, false); }

static void list_compression(void)
{
    puts("none\nzlib@openssh.com");
}

static void list_version(void)
{
    puts("2");
}

static void list_help(void);

static const struct query {
    const char *name;
    void (*list)(void);
    bool alias;             /* a configuration keyword */
} queries[] = {
    {"cipher", list_ciphers, false}, {"cipher-auth", list_aead, false}, {"compression", list_compression, false},
    {"kex", list_kex, false}, {"key", list_keys, false}, {"key-ca-sign", list_sigs_plain, false},
    {"key-cert", list_keys_cert, false}, {"key-plain", list_keys_plain, false},
    {"key-sig", list_sigs, false}, {"mac", list_macs, false}, {"protocol-version", list_version, false}, {"sig", list_sigs_plain, false},
    {"help", list_help, true}, {"ciphers", list_ciphers, true}, {"macs", list_macs, true}, {"kexalgorithms", list_kex, true},
    {"pubkeyacceptedalgorithms", list_sigs, true}, {"pubkeyacceptedkeytypes", list_sigs, true},
    {"hostkeyalgorithms", list_sigs, true}, {"hostbasedkeytypes", list_sigs, true}, {"hostbasedacceptedkeytypes", list_sigs, true},
    {"hostbasedacceptedalgorithms", list_sigs, true}, {"casignaturealgorithms", list_sigs_plain, true}};

static void list_help(void)
{
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        if (!queries[i].alias)
            puts(queries[i].name);
}

void query_run(const char *what)
{
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        if (text_equal_fold(bytes_str(queries[i].name), bytes_str(what))) {
            queries[i].list();
            exit(0);
        }
    fatal("Unsupported query \"%s\"", what);
}
