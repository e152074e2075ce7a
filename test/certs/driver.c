/* SPDX-License-Identifier: ISC */
/* What key says of certificates, for the checker in Python: a line "blob kind now algs name" (blob in base64, name in hex; those
 * two and algs with a leading "x") on standard input, a line of answers on standard output. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/text.h"
#include "key/cert.h"

static void show_hex(const char *before, struct bytes b)
{
    printf("%s", before);
    for (size_t i = 0; i < b.n; i++) printf("%02x", b.p[i]);
}

static void show_options(const char *title, struct bytes packed)
{
    struct cert_option o;
    printf(" %s=", title);
    for (bool first = true; cert_option_next(&packed, &o); first = false) {
        show_hex(first ? "" : ",", o.name);
        show_hex(":", o.data);
    }
}

static void show_permits(const struct cert *c)
{
    static struct key_options o;
    const char *why = NULL;
    if (cert_key_options(c, &o, &why) != ERR_NONE) {
        printf("none\n");
        return;
    }
    if (key_options_check(&o) != VERDICT_GOOD) abort();
    const struct {
        bool on;
        const char *name, *text;
    } rows[] = {
        {o.has_command, "force-command", o.command}, {o.no_touch_required, "no-touch-required", ""},
        {o.permit_x11_forwarding, "permit-X11-forwarding", ""}, {o.permit_agent_forwarding, "permit-agent-forwarding", ""},
        {o.permit_port_forwarding, "permit-port-forwarding", ""}, {o.permit_pty, "permit-pty", ""}, {o.permit_user_rc, "permit-user-rc", ""},
        {o.has_source_address, "source-address", o.source_address}, {o.verify_required, "verify-required", ""},
    };
    const char *space = "";
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!rows[i].on) continue;
        printf("%s%s=", space, rows[i].name);
        show_hex("", bytes_str(rows[i].text));
        space = " ";
    }
    printf("\n");
}

static void show(const struct pubkey *k, enum cert_kind kind, uint64_t now, struct bytes algs, struct bytes name)
{
    const struct cert *c = pubkey_cert(k);
    struct bytes rest = c->principals, one;
    const char *why = NULL;
    printf("type=%s kind=%d serial=%" PRIu64, pubkey_type(k), c->kind, c->serial);
    show_hex(" id=", c->key_id);
    printf(" after=%" PRIu64 " before=%" PRIu64 " principals=", c->valid_after, c->valid_before);
    for (bool first = true; cert_name_next(&rest, &one); first = false) show_hex(first ? "" : ",", one);
    show_options("critical", c->critical);
    show_options("extensions", c->extensions);
    printf(" alg=%s check=%d principal=%d permits=", c->ca_alg, cert_check(c, kind, now, algs, &why) == VERDICT_GOOD, cert_has_principal(c, name));
    show_permits(c);
}

int main(void)
{
    static char line[1 << 20], base64[1 << 18], algs[1 << 12], name[1 << 16];
    unsigned kind;
    uint64_t now;
    while (fgets(line, sizeof line, stdin)) {
        struct pubkey *k CLEANUP(pubkey_drop) = NULL;
        struct wr blob CLEANUP(wr_clear) = wr_heap(1 << 18), principal CLEANUP(wr_clear) = wr_heap(1 << 16);
        if (sscanf(line, "%262143s %u %" SCNu64 " %4095s %65535s", base64, &kind, &now, algs, name) != 5) return 2;
        if (base64_parse(bytes_str(base64 + 1), &blob) != ERR_NONE || hex_parse(bytes_str(name + 1), &principal) != ERR_NONE) return 2;
        if (pubkey_parse_any(wr_bytes(&blob), &k) != ERR_NONE || !pubkey_cert(k)) printf("refused\n");
        else show(k, (enum cert_kind)kind, now, bytes_str(algs + 1), wr_bytes(&principal));
        fflush(stdout);
    }
    return 0;
}
