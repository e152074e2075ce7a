/* SPDX-License-Identifier: ISC */
/* kit/pkcs11.h on a command line, for pkcs11.py.
 * usage: pkcs11-driver PROVIDER PIN [ASKED...] < commands
 * PIN `-`: none. ASKED: what a person answers when asked, one after the other; without any nobody can be asked.
 * With BY_POLL in the environment the provider is opened in two halves.
 * Lists the keys, then reads commands, a line each: `sign LABEL ALG TEXT`, `begin LABEL ALG TEXT` (and waits by poll). */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/text.h"
#include "kit/pkcs11.h"

static char **asked;

static enum err pin(void *ctx, const char *label, bool again, struct secret *out)
{
    (void)ctx;
    printf("asked for %s%s\n", label, again ? " again" : "");
    if (!*asked) return ERR_DENIED;
    return secret_copy(out, bytes_str(*asked++));
}

static enum err open_by_poll(const struct pkcs11_how *how, const char *provider, struct bytes pin_first, struct pkcs11 **out)
{
    enum err e = pkcs11_open_begin(how, provider, pin_first, out);
    while (!e && (e = pkcs11_open_end(*out)) == ERR_AGAIN) {
        struct pollfd fd = {.fd = pkcs11_fd(*out), .events = POLLIN};
        (void)poll(&fd, 1, 200);
        e = ERR_NONE;
    }
    return e;
}

static enum err sign_by_poll(struct pkcs11 *p, const struct pkcs11_key *k, const struct sig_alg *alg, struct bytes text, struct wr *w)
{
    enum err e = pkcs11_sign_begin(p, k, alg, text);
    while (!e && (e = pkcs11_sign_end(p, w)) == ERR_AGAIN) {
        struct pollfd fd = {.fd = pkcs11_fd(p), .events = POLLIN};
        (void)poll(&fd, 1, 200);
        e = ERR_NONE;
    }
    return e;
}

static const struct pkcs11_key *by_label(const struct pkcs11 *p, const char *label)
{
    for (size_t i = 0; i < pkcs11_count(p); i++)
        if (strcmp(pkcs11_key(p, i)->label, label) == 0) return pkcs11_key(p, i);
    return NULL;
}

static void command(struct pkcs11 *p, char *line)
{
    char verb[16], label[64], alg_name[64], text[256];
    CLEANUP(wr_clear) struct wr w = wr_heap(SIGNATURE_MAX);
    if (sscanf(line, "%15s %63s %63s %255s", verb, label, alg_name, text) != 4) exit(2);
    const struct pkcs11_key *k = by_label(p, label);
    const struct sig_alg *alg = sig_alg_find(bytes_str(alg_name));
    enum err e = !k || !alg ? ERR_NOT_FOUND : *verb == 's' ? pkcs11_sign(p, k, alg, bytes_str(text), &w) : sign_by_poll(p, k, alg, bytes_str(text), &w);
    if (e) printf("failed %s: %s\n", err_name(e), pkcs11_why());
    else printf("signed %s\n", pubkey_verify(k->pub, alg, bytes_str(text), wr_bytes(&w)) == VERDICT_GOOD ? "well" : "badly");
}

int main(int argc, char **argv)
{
    CLEANUP(pkcs11_drop) struct pkcs11 *p = NULL;
    char line[1024];
    if (argc < 3) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    asked = argv + 3;
    const char *seconds = getenv("TIMEOUT_S");
    struct pkcs11_how how = {.pin = argc > 3 ? pin : NULL, .timeout_s = seconds ? (unsigned)strtoul(seconds, NULL, 10) : 0};
    struct bytes first = bytes_str(strcmp(argv[2], "-") == 0 ? "" : argv[2]);
    enum err e = getenv("BY_POLL") ? open_by_poll(&how, argv[1], first, &p) : pkcs11_open(&how, argv[1], first, &p);
    if (e) {
        printf("failed %s: %s\n", err_name(e), pkcs11_why());
        return 1;
    }
    for (size_t i = 0; i < pkcs11_count(p); i++) {
        const struct pkcs11_key *k = pkcs11_key(p, i);
        CLEANUP(wr_clear) struct wr w = wr_heap(65536);
        pubkey_line_write(&w, k->pub, bytes_str(k->label));
        printf("key %.*s\n", (int)w.n, (const char *)w.p);
    }
    while (fgets(line, sizeof line, stdin)) command(p, line);
    return 0;
}
