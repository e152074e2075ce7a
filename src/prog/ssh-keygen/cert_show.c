/* SPDX-License-Identifier: ISC */
/* Showing certificates (-L). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/text.h"
#include "certify.h"
#include "key/known_hosts.h"

#define INDENT "                "

static void print_hash(const struct options *o, const struct pubkey *k)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(4096);
    pubkey_fingerprint_write(&w, k, o->hash);
    if (wr_done(&w) != ERR_NONE) fatal("fingerprint: %s", reason(wr_done(&w)));
    printf("%s %.*s", pubkey_short_name(k), (int)w.n, (const char *)w.p);
}

static void show_validity(const struct cert *c)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(4096);
    cert_validity_write(&w, c->valid_after, c->valid_before, time_show);
    need_written(&w);
    printf("        Valid: %.*s\n", (int)w.n, (const char *)w.p);
}

static void show_principals(const struct cert *c)
{
    struct bytes rest = c->principals, name;
    printf("        Principals: %s\n", c->principals_n ? "" : "(none)");
    while (cert_name_next(&rest, &name)) {
        printf(INDENT);
        text_print(name);
        printf("\n");
    }
}

static const struct known {
    const char *name;
    bool critical, text;
} known[] = {
    {"force-command", true, true},           {"source-address", true, true},           {"verify-required", true, false},
    {"permit-X11-forwarding", false, false}, {"permit-agent-forwarding", false, false}, {"permit-port-forwarding", false, false},
    {"permit-pty", false, false},            {"permit-user-rc", false, false},         {"no-touch-required", false, false},
};

static const struct known *known_find(struct bytes name, bool critical)
{
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i].critical == critical && bytes_is(name, known[i].name)) return &known[i];
    return NULL;
}

static void show_option(const struct cert_option *option, bool critical)
{
    const struct known *k = known_find(option->name, critical);
    bool fits = k && (k->text ? option->data.n >= 4 && option->text.n == option->data.n - 4 : option->data.n == 0);
    printf(INDENT);
    text_print(option->name);
    if (fits && k->text) {
        printf(" ");
        text_print(option->text);
    } else if (!fits && option->data.n) {
        struct wr hex CLEANUP(wr_clear) = wr_heap(2 * PUBKEY_BLOB_MAX);
        hex_write(&hex, option->data);
        need_written(&hex);
        printf(" UNKNOWN OPTION: %.*s (len %zu)", (int)hex.n, (const char *)hex.p, option->data.n);
    } else if (!fits) {
        printf(" UNKNOWN FLAG OPTION");
    }
    printf("\n");
}

static void show_options(const char *title, struct bytes packed, bool critical)
{
    struct cert_option option;
    printf("        %s: %s\n", title, packed.n ? "" : "(none)");
    while (cert_option_next(&packed, &option)) show_option(&option, critical);
}

static void show_cert(const struct options *o, const struct pubkey *k)
{
    const struct cert *c = pubkey_cert(k);
    printf("        Type: %s %s certificate\n        Public key: ", pubkey_type(k), c->kind == CERT_HOST ? "host" : "user");
    print_hash(o, k);
    printf("\n        Signing CA: ");
    print_hash(o, c->ca);
    printf(" (using %s)\n        Key ID: \"", c->ca_alg);
    text_print(c->key_id);
    printf("\"\n        Serial: %llu\n", (unsigned long long)c->serial);
    show_validity(c);
    show_principals(c);
    show_options("Critical Options", c->critical, true);
    show_options("Extensions", c->extensions, false);
}

int job_show_cert(struct options *o)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct line_walk walk = {0};
    struct bytes line;
    bool any = false;
    const char *shown = keys_read(o, &text);
    bool input = strcmp(o->file, "-") == 0;
    walk.rest = secret_bytes(&text);
    while (line_next(&walk, &line)) {
        struct pubkey *k CLEANUP(pubkey_drop) = NULL;
        struct pubkey_line view;
        while (line.n && (line.p[0] == ' ' || line.p[0] == '\t')) line.p++, line.n--;
        if (line.n == 0 || line.p[0] == '#') continue;
        enum err e = pubkey_line_parse_any(line, &view, &k);
        need_sound(e, shown);
        if (e != ERR_NONE) {
            say("%s:%zu: invalid key: %s", shown, walk.number, reason(e));
            continue;
        }
        if (!pubkey_cert(k)) {
            say("%s:%zu is not a certificate", shown, walk.number);
            continue;
        }
        any = true;
        if (!input && walk.number == 1) printf("%s:\n", shown);
        else printf("%s:%zu:\n", shown, walk.number);
        show_cert(o, k);
    }
    return any ? 0 : 1;
}
