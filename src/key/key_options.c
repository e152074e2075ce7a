/* SPDX-License-Identifier: ISC */
/* The options of an authorized_keys line, in a form without pointers. */
#include "base/text.h"
#include "key/authorized_keys.h"
#include "key/cert.h"

void key_options_init(struct key_options *o)
{
    memset(o, 0, sizeof *o);
    o->permit_port_forwarding = o->permit_agent_forwarding = o->permit_x11_forwarding = 1;
    o->permit_pty = o->permit_user_rc = 1;
    o->tunnel = KEY_TUNNEL_NONE;
}

/* What stands after an option's name, and where to put it. */
struct option {
    struct key_options *o;
    bool positive;              /* no "no-" before the name */
    struct bytes value;         /* with \" made " */
    const char *why;
};

static enum err refuse(struct option *p, const char *why)
{
    p->why = why;
    return ERR_FORMAT;
}

static enum err too_long(struct option *p, const char *why)
{
    p->why = why;
    return ERR_TOO_LONG;
}

/* ---- options with a text ---- */

static enum err text_once(struct option *p, uint8_t *has, char *room, size_t cap, const char *twice, const char *longer)
{
    if (*has) return refuse(p, twice);
    if (bytes_to_str(p->value, room, cap) != ERR_NONE) return too_long(p, longer);
    *has = 1;
    return ERR_NONE;
}

static enum err set_command(struct option *p)
{
    return text_once(p, &p->o->has_command, p->o->command, sizeof p->o->command, "multiple \"command\" clauses",
                     "command is too long");
}

static enum err set_principals(struct option *p)
{
    return text_once(p, &p->o->has_principals, p->o->principals, sizeof p->o->principals, "multiple \"principals\" clauses",
                     "list of principals is too long");
}

static enum err set_from(struct option *p)
{
    enum match ignored;
    TRY(text_once(p, &p->o->has_from, p->o->from, sizeof p->o->from, "multiple \"from\" clauses", "\"from\" list is too long"));
    /* A list that could not be judged at login would refuse every login then: say it now. */
    if (address_list_match("127.0.0.1", p->value, &ignored) != ERR_NONE) return refuse(p, "invalid \"from\" list");
    return ERR_NONE;
}

static bool is_env_name(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) {
        char c = ascii_lower((char)b.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
    }
    return b.n > 0;
}

static enum err set_environment(struct option *p)
{
    struct key_options *o = p->o;
    const uint8_t *eq = p->value.n ? memchr(p->value.p, '=', p->value.n) : NULL;
    if (!eq) return refuse(p, "invalid environment string");
    struct bytes name = bytes_of(p->value.p, (size_t)(eq - p->value.p));
    if (!is_env_name(name)) return refuse(p, "invalid environment string");
    const char *have;
    for (size_t pos = 0; (have = key_options_environment(o, &pos));)
        if (strncmp(have, (const char *)name.p, name.n) == 0 && have[name.n] == '=') return ERR_NONE; /* the first one wins */
    size_t room = sizeof o->environment - o->environment_used;
    if (bytes_to_str(p->value, o->environment + o->environment_used, room) != ERR_NONE)
        return too_long(p, "too many environment strings");
    o->environment_used += (uint32_t)p->value.n + 1;
    o->environment_n++;
    return ERR_NONE;
}

const char *key_options_environment(const struct key_options *o, size_t *pos)
{
    if (*pos >= o->environment_used) return NULL;
    const char *s = o->environment + *pos;
    *pos += strlen(s) + 1;
    return s;
}

/* ---- permitopen, permitlisten ---- */

/* "host:port", "[v6]:port"; the port may be "*"; `bare`: "port" alone means any host. */
static enum err set_permit(struct option *p, struct key_permit *list, uint32_t *n, bool bare)
{
    struct bytes v = p->value, host = BYTES_LIT("*"), port = v;
    const uint8_t *colon = v.n ? memchr(v.p, ':', v.n) : NULL;
    if (colon || !bare) {
        const uint8_t *end = v.n && v.p[0] == '[' ? memchr(v.p, ']', v.n) : NULL;
        if (v.n && v.p[0] == '[') {
            if (!end) return refuse(p, "invalid permission hostname");
            host = bytes_of(v.p + 1, (size_t)(end - v.p) - 1);
            colon = end + 1;
        } else {
            host = bytes_of(v.p, colon ? (size_t)(colon - v.p) : v.n);
        }
        if (host.n == 0 || host.n >= KEY_PERMIT_HOST_MAX) return refuse(p, "invalid permission hostname");
        if (!colon || colon >= v.p + v.n || *colon != ':') return refuse(p, "missing permission port");
        port = bytes_of(colon + 1, (size_t)(v.p + v.n - colon) - 1);
    }
    uint64_t number = KEY_PORT_ANY;
    if (!bytes_is(port, "*") && (text_to_u64(port, 65535, &number) != ERR_NONE || number == 0))
        return refuse(p, "invalid permission port");
    if (*n >= KEY_PERMIT_MAX) return too_long(p, "too many permission directives");
    if (bytes_to_str(host, list[*n].host, KEY_PERMIT_HOST_MAX) != ERR_NONE) return refuse(p, "invalid permission hostname");
    list[*n].port = (uint32_t)number;
    ++*n;
    return ERR_NONE;
}

static enum err set_permit_open(struct option *p)
{
    return set_permit(p, p->o->permit_open, &p->o->permit_open_n, false);
}

static enum err set_permit_listen(struct option *p)
{
    return set_permit(p, p->o->permit_listen, &p->o->permit_listen_n, true);
}

/* ---- expiry-time ---- */

static bool leap(uint64_t y)
{
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int64_t days_before_year(uint64_t y)
{
    uint64_t k = y - 1;
    return (int64_t)(k * 365 + k / 4 - k / 100 + k / 400) - 719162; /* 1970-01-01 is day 0 */
}

enum err key_time_parse(struct bytes text, bool *utc, int64_t *out)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool z = text.n && ascii_lower((char)text.p[text.n - 1]) == 'z';
    if (z) text.n--;
    if (text.n != 8 && text.n != 12 && text.n != 14) return ERR_FORMAT;
    uint64_t f[6] = {0}; /* year, month, day, hour, minute, second */
    for (size_t i = 0, at = 0; at < text.n; i++) {
        size_t n = i == 0 ? 4 : 2;
        TRY(text_to_u64(bytes_of(text.p + at, n), 9999, &f[i]));
        at += n;
    }
    if (f[0] < 1970 || f[1] < 1 || f[1] > 12 || f[3] > 23 || f[4] > 59 || f[5] > 60) return ERR_FORMAT;
    uint64_t last = month_days[f[1] - 1] + (f[1] == 2 && leap(f[0]));
    if (f[2] < 1 || f[2] > last) return ERR_FORMAT;

    int64_t days = days_before_year(f[0]) + (int64_t)f[2] - 1;
    for (size_t m = 0; m + 1 < f[1]; m++) days += month_days[m] + (m == 1 && leap(f[0]));
    *utc = z;
    *out = days * 86400 + (int64_t)(f[3] * 3600 + f[4] * 60 + f[5]);
    return ERR_NONE;
}

static enum err set_expiry(struct option *p)
{
    bool utc;
    int64_t at;
    if (key_time_parse(p->value, &utc, &at) != ERR_NONE || at == 0) return refuse(p, "invalid expires time");
    int64_t *field = utc ? &p->o->expiry_utc : &p->o->expiry_local;
    if (*field == 0 || at < *field) *field = at;
    return ERR_NONE;
}

bool key_options_expired(const struct key_options *o, int64_t now_utc, int32_t utc_offset)
{
    if (o->expiry_utc && o->expiry_utc < now_utc) return true;
    return o->expiry_local && o->expiry_local < now_utc + utc_offset;
}

/* ---- tunnel and flags ---- */

static enum err set_tunnel(struct option *p)
{
    uint64_t unit;
    if (text_equal_fold(p->value, BYTES_LIT("any"))) {
        p->o->tunnel = KEY_TUNNEL_ANY;
        return ERR_NONE;
    }
    if (text_to_u64(p->value, KEY_TUNNEL_ANY - 2, &unit) != ERR_NONE) return refuse(p, "invalid tun device");
    p->o->tunnel = (int32_t)unit;
    return ERR_NONE;
}

static enum err set_restrict(struct option *p)
{
    struct key_options *o = p->o;
    o->restricted = 1;
    o->permit_port_forwarding = o->permit_agent_forwarding = o->permit_x11_forwarding = 0;
    o->permit_pty = o->permit_user_rc = 0;
    return ERR_NONE;
}

#define FLAG(name, field, value) \
    static enum err name(struct option *p) \
    { \
        p->o->field = value; \
        return ERR_NONE; \
    }
FLAG(set_cert_authority, cert_authority, 1)
FLAG(set_port_forwarding, permit_port_forwarding, p->positive)
FLAG(set_agent_forwarding, permit_agent_forwarding, p->positive)
FLAG(set_x11_forwarding, permit_x11_forwarding, p->positive)
FLAG(set_pty, permit_pty, p->positive)
FLAG(set_user_rc, permit_user_rc, p->positive)
FLAG(set_touch_required, no_touch_required, !p->positive)
FLAG(set_verify_required, verify_required, p->positive)

/* ---- the list ---- */

static const struct row {
    const char *name;
    enum { FLAG_ONLY, FLAG_OR_NO, TEXT } form;
    enum err (*set)(struct option *p);
} rows[] = {
    {"restrict", FLAG_ONLY, set_restrict},
    {"cert-authority", FLAG_ONLY, set_cert_authority},
    {"port-forwarding", FLAG_OR_NO, set_port_forwarding},
    {"agent-forwarding", FLAG_OR_NO, set_agent_forwarding},
    {"X11-forwarding", FLAG_OR_NO, set_x11_forwarding},
    {"pty", FLAG_OR_NO, set_pty},
    {"user-rc", FLAG_OR_NO, set_user_rc},
    {"touch-required", FLAG_OR_NO, set_touch_required},
    {"verify-required", FLAG_OR_NO, set_verify_required},
    {"command", TEXT, set_command},
    {"environment", TEXT, set_environment},
    {"expiry-time", TEXT, set_expiry},
    {"from", TEXT, set_from},
    {"permitlisten", TEXT, set_permit_listen},
    {"permitopen", TEXT, set_permit_open},
    {"principals", TEXT, set_principals},
    {"tunnel", TEXT, set_tunnel},
};

static const struct row *row_find(struct bytes name, bool text, bool *positive)
{
    struct bytes no = BYTES_LIT("no-");
    struct bytes bare = {0};
    if (name.n > no.n && text_equal_fold(bytes_of(name.p, no.n), no)) bare = bytes_of(name.p + no.n, name.n - no.n);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bytes want = bytes_str(rows[i].name);
        if ((rows[i].form == TEXT) != text) continue;
        *positive = text_equal_fold(name, want);
        if (*positive || (rows[i].form == FLAG_OR_NO && text_equal_fold(bare, want))) return &rows[i];
    }
    return NULL;
}

/* A quoted value at text.p[*at], unquoted into room; *at moves behind the closing quote. */
static enum err value_parse(struct bytes text, size_t *at, struct wr *room, const char **why)
{
    size_t i = *at;
    if (i >= text.n || text.p[i] != '"') {
        *why = "missing start quote";
        return ERR_FORMAT;
    }
    for (i++; i < text.n && text.p[i] != '"'; i++) {
        if (text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] == '"') i++;
        wr_u8(room, text.p[i]);
    }
    if (i >= text.n) {
        *why = "missing end quote";
        return ERR_FORMAT;
    }
    *at = i + 1;
    *why = "value is too long";
    return wr_done(room);
}

static enum err option_parse(struct bytes text, size_t *at, struct option *p)
{
    size_t n = *at;
    while (n < text.n && text.p[n] != '=' && text.p[n] != ',' && text.p[n] != '"') n++;
    struct bytes name = bytes_of(text.p + *at, n - *at);
    bool has_text = n < text.n && text.p[n] == '=';
    const struct row *row = row_find(name, has_text, &p->positive);
    if (!row) return refuse(p, "unknown key option");
    struct wr value CLEANUP(wr_clear) = wr_heap(AUTHORIZED_LINE_MAX);
    *at = n;
    if (has_text) {
        ++*at;
        TRY(value_parse(text, at, &value, &p->why));
    }
    p->value = wr_bytes(&value);
    return row->set(p);
}

/* Commas may also stand before, behind and beside each other: OpenSSH's sshd takes "no-pty, ssh-ed25519 ...", and who switches has such lines. */
static enum err options_parse(struct bytes text, struct option *p)
{
    for (size_t at = 0; at < text.n;) {
        if (text.p[at] == ',') {
            at++;
            continue;
        }
        TRY(option_parse(text, &at, p));
        if (at < text.n && text.p[at] != ',') return refuse(p, "unknown key option");
    }
    return ERR_NONE;
}

enum err key_options_parse(struct bytes text, struct key_options *out, const char **why)
{
    struct key_options o;
    struct option p = {.o = &o, .why = "out of memory"};
    key_options_init(&o);
    enum err e = text.n > AUTHORIZED_LINE_MAX ? too_long(&p, "line is too long") : options_parse(text, &p);
    if (e != ERR_NONE) {
        *why = p.why;
        return e;
    }
    *out = o;
    return ERR_NONE;
}

/* ---- the receiver's check ---- */

static bool ended(const char *s, size_t cap)
{
    return memchr(s, 0, cap) != NULL;
}

static bool permits_ok(const struct key_permit *list, uint32_t n)
{
    if (n > KEY_PERMIT_MAX) return false;
    for (uint32_t i = 0; i < n; i++)
        if (!ended(list[i].host, sizeof list[i].host) || list[i].host[0] == 0 || list[i].port > 65535) return false;
    return true;
}

static bool environment_ok(const struct key_options *o)
{
    size_t n = 0;
    if (o->environment_used > sizeof o->environment || o->environment_n > sizeof o->environment) return false;
    if (o->environment_used && o->environment[o->environment_used - 1] != 0) return false;
    const char *s;
    for (size_t pos = 0; (s = key_options_environment(o, &pos)); n++) {
        const char *eq = strchr(s, '=');
        if (!eq || !is_env_name(bytes_of(s, (size_t)(eq - s)))) return false;
    }
    return n == o->environment_n;
}

enum verdict key_options_check(const struct key_options *o)
{
    const uint8_t flags[] = {o->permit_port_forwarding, o->permit_agent_forwarding, o->permit_x11_forwarding, o->permit_pty,
                             o->permit_user_rc,         o->restricted,              o->cert_authority,        o->no_touch_required,
                             o->verify_required,        o->has_command,             o->has_from,              o->has_principals,
                             o->has_source_address};
    for (size_t i = 0; i < sizeof flags; i++)
        if (flags[i] > 1) return VERDICT_BAD;
    if (o->tunnel < KEY_TUNNEL_NONE || o->expiry_utc < 0 || o->expiry_local < 0) return VERDICT_BAD;
    if (!ended(o->command, sizeof o->command) || !ended(o->from, sizeof o->from)) return VERDICT_BAD;
    if (!ended(o->source_address, sizeof o->source_address)) return VERDICT_BAD;
    if (o->has_source_address && cert_source_check(bytes_str(o->source_address)) != VERDICT_GOOD) return VERDICT_BAD;
    if (!ended(o->principals, sizeof o->principals) || !environment_ok(o)) return VERDICT_BAD;
    if (!permits_ok(o->permit_open, o->permit_open_n) || !permits_ok(o->permit_listen, o->permit_listen_n)) return VERDICT_BAD;
    return VERDICT_GOOD;
}
