/* SPDX-License-Identifier: ISC */
/* What a certificate permits, and whether it is to be believed. No cryptography: the signature was verified when it was parsed. */
#include "base/text.h"
#include "key/cert.h"

/* ---- what it permits ---- */

/* An address or a block; no zone, no pattern. */
static bool is_source(struct bytes one)
{
    char host[80];
    enum match is_address = MATCH_NO, ignored;
    const uint8_t *slash = one.n ? memchr(one.p, '/', one.n) : NULL;
    for (size_t i = 0; i < one.n; i++)
        if (one.p[i] == 0 || !strchr("0123456789abcdefABCDEF.:/", one.p[i])) return false;
    struct bytes address = bytes_of(one.p, slash ? (size_t)(slash - one.p) : one.n);
    return bytes_to_str(address, host, sizeof host) == ERR_NONE &&
           address_list_match(host, BYTES_LIT("0.0.0.0/0,::/0"), &is_address) == ERR_NONE && is_address == MATCH_YES &&
           address_list_match(host, one, &ignored) == ERR_NONE;
}

enum verdict cert_source_check(struct bytes list)
{
    size_t from = 0;
    for (size_t i = 0; i <= list.n; i++) {
        if (i < list.n && list.p[i] != ',') continue;
        if (!is_source(bytes_of(list.p + from, i - from))) return VERDICT_BAD;
        from = i + 1;
    }
    return VERDICT_GOOD;
}

static enum err set_force_command(struct key_options *o, struct bytes text, const char **why)
{
    if (bytes_to_str(text, o->command, sizeof o->command) == ERR_NONE) {
        o->has_command = 1;
        return ERR_NONE;
    }
    *why = "Certificate force-command is too long";
    return ERR_TOO_LONG;
}

static enum err set_source_address(struct key_options *o, struct bytes text, const char **why)
{
    *why = "Certificate source-address contents invalid";
    if (cert_source_check(text) != VERDICT_GOOD) return ERR_FORMAT;
    TRY(bytes_to_str(text, o->source_address, sizeof o->source_address));
    o->has_source_address = 1;
    return ERR_NONE;
}

static enum err set_verify_required(struct key_options *o, struct bytes text UNUSED, const char **why UNUSED)
{
    o->verify_required = 1;
    return ERR_NONE;
}

static const struct critical {
    const char *name;
    bool text;                  /* its data is one string; else it has none */
    enum err (*set)(struct key_options *o, struct bytes text, const char **why);
} criticals[] = {
    {"force-command", true, set_force_command},
    {"source-address", true, set_source_address},
    {"verify-required", false, set_verify_required},
};

static const struct critical *critical_find(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(criticals); i++)
        if (bytes_is(name, criticals[i].name)) return &criticals[i];
    return NULL;
}

/* A string's data: its length field at least. */
static bool data_fits(const struct cert_option *o, bool text)
{
    return text ? o->data.n >= 4 && o->text.n == o->data.n - 4 : o->data.n == 0;
}

static enum err criticals_read(struct bytes rest, struct key_options *o, const char **why)
{
    struct cert_option one;
    while (cert_option_next(&rest, &one)) {
        const struct critical *row = critical_find(one.name);
        *why = row ? "Certificate option corrupt" : "Certificate critical option is not supported";
        if (!row || !data_fits(&one, row->text) || (one.text.n && memchr(one.text.p, 0, one.text.n))) return ERR_FORMAT;
        TRY(row->set(o, one.text, why));
    }
    return ERR_NONE;
}

static enum err extensions_read(struct bytes rest, struct key_options *o, const char **why)
{
    const struct {
        const char *name;
        uint8_t *field;
    } rows[] = {
        {"no-touch-required", &o->no_touch_required},
        {"permit-X11-forwarding", &o->permit_x11_forwarding},
        {"permit-agent-forwarding", &o->permit_agent_forwarding},
        {"permit-port-forwarding", &o->permit_port_forwarding},
        {"permit-pty", &o->permit_pty},
        {"permit-user-rc", &o->permit_user_rc},
    };
    struct cert_option one;
    while (cert_option_next(&rest, &one))
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            if (!bytes_is(one.name, rows[i].name)) continue;
            *why = "Certificate option corrupt (extra data)";
            if (!data_fits(&one, false)) return ERR_FORMAT;
            *rows[i].field = 1;
        }
    return ERR_NONE;
}

enum err cert_key_options(const struct cert *c, struct key_options *out, const char **why)
{
    struct key_options o;
    const char *wrong = "not a user certificate";
    key_options_init(&o);
    o.permit_port_forwarding = o.permit_agent_forwarding = o.permit_x11_forwarding = 0;
    o.permit_pty = o.permit_user_rc = 0;
    enum err e = c->kind == CERT_USER ? criticals_read(c->critical, &o, &wrong) : ERR_FORMAT;
    if (e == ERR_NONE) e = extensions_read(c->extensions, &o, &wrong);
    if (e != ERR_NONE) {
        *why = wrong;
        return e;
    }
    *out = o;
    return ERR_NONE;
}

/* ---- believing it ---- */

static bool all_names_plain(const struct cert *c)
{
    struct bytes rest = c->principals, name;
    while (cert_name_next(&rest, &name))
        if (name.n && (memchr(name.p, ',', name.n) || memchr(name.p, 0, name.n))) return false;
    return true;
}

static bool critical_known(const struct cert *c, enum cert_kind kind)
{
    struct bytes rest = c->critical;
    struct cert_option o;
    while (cert_option_next(&rest, &o))
        if (kind == CERT_HOST || !critical_find(o.name)) return false;
    return true;
}

static const char *fault(const struct cert *c, enum cert_kind kind, uint64_t now_s, struct bytes ca_algs)
{
    if (c->kind != kind)
        return kind == CERT_HOST ? "Certificate invalid: not a host certificate" : "Certificate invalid: not a user certificate";
    if (now_s < c->valid_after) return "Certificate invalid: not yet valid";
    if (now_s >= c->valid_before && c->valid_before != CERT_FOREVER) return "Certificate invalid: expired";
    /* CVE-2024-7594: an empty list is no list of everyone. */
    if (c->principals_n == 0) return "Certificate lacks principal list";
    /* CVE-2026-35414: one name must never be taken for several. */
    if (!all_names_plain(c)) return "Certificate invalid: a principal contains a separator";
    if (!critical_known(c, kind)) return "Certificate contains unsupported critical options";
    if (!names_has(ca_algs, bytes_str(c->ca_alg))) return "Certificate signed with disallowed algorithm";
    return NULL;
}

enum verdict cert_check(const struct cert *c, enum cert_kind kind, uint64_t now_s, struct bytes ca_algs, const char **why)
{
    const char *wrong = fault(c, kind, now_s, ca_algs);
    if (!wrong) return VERDICT_GOOD;
    *why = wrong;
    return VERDICT_BAD;
}

bool cert_has_principal(const struct cert *c, struct bytes name)
{
    struct bytes rest = c->principals, one;
    if (name.n == 0) return false;
    while (cert_name_next(&rest, &one)) {
        if (one.n == 0 || memchr(one.p, ',', one.n)) continue;
        /* A pattern list of one: no comma is in it, but a leading '!' would negate. */
        if (c->kind == CERT_HOST ? one.p[0] != '!' && pattern_list_match(name, one, true) == MATCH_YES : bytes_equal(one, name)) return true;
    }
    return false;
}

/* ---- showing it ---- */

void cert_validity_write(struct wr *w, uint64_t valid_after, uint64_t valid_before, void (*time_write)(struct wr *w, uint64_t at_s))
{
    bool begins = valid_after != 0, ends = valid_before != CERT_FOREVER;
    if (!begins && !ends) wr_text(w, "forever");
    if (begins) wr_text(w, ends ? "from " : "after "), time_write(w, valid_after);
    if (ends) wr_text(w, begins ? " to " : "before "), time_write(w, valid_before);
}
