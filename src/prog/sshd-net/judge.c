/* SPDX-License-Identifier: ISC */
/* What is to be thought of a key before it is looked for: revoked? A certificate: from whom, for whom, until when, and what may its holder
 * do? All that a stranger or an administrator wrote as text is read here, in the jail, in a process for this one question. */
#include <unistd.h>

#include "base/text.h"
#include "key/krl.h"
#include "net.h"
#include "os/jail.h"
#include "os/message.h"

#define PIECE 65536

static struct judge_say say;

static void why(const char *text)
{
    if (say.why[0] == 0) escape_str(bytes_str(text), say.why, sizeof say.why);      /* the first reason is the one worth reading */
}

/* A whole file, bounded. */
MUST_USE static enum err file_take(int fd, struct wr *out)
{
    for (;;) {
        uint8_t *room = wr_room(out, PIECE);
        if (!room) return wr_done(out);
        ssize_t n = read(fd, room, PIECE);
        if (n < 0) return ERR_SYSTEM;
        out->n -= PIECE - (size_t)n;
        if (n == 0) return ERR_NONE;
    }
}

/* ---- revocation ---- */

static enum verdict revoked_check(int fd, const struct pubkey *k)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(KRL_FILE_MAX + PIECE);
    struct krl *list CLEANUP(krl_drop) = NULL;
    if (file_take(fd, &text) != ERR_NONE || revoked_parse(wr_bytes(&text), &list) != ERR_NONE) {
        why("Error checking authentication key in revoked keys file: it cannot be read as a list of keys; all keys are refused");
        return VERDICT_BAD;
    }
    return krl_check(list, k);
}

static enum verdict all_revoked_check(const struct judge_ask *ask, const int *fds, const struct pubkey *k)
{
    for (uint32_t i = 0; i < ask->revoked_n; i++) {
        if (revoked_check(fds[i], k) == VERDICT_GOOD) continue;
        char text[300], print[64];
        struct wr w = wr_span((struct span){(uint8_t *)print, sizeof print - 1});
        fingerprint_write(&w, pubkey_blob(pubkey_plain(k)), ask->md5 ? FINGERPRINT_MD5 : FINGERPRINT_SHA256);
        print[w.n] = 0;
        struct wr line = wr_span((struct span){(uint8_t *)text, sizeof text - 1});
        wr_textf(&line, "Authentication key %s %s revoked by file #%u of RevokedKeys", pubkey_short_name(k), print, i + 1);
        text[line.n] = 0;
        why(text);
        return VERDICT_BAD;
    }
    return VERDICT_GOOD;
}

/* ---- the authorities ---- */

/* One plain key a line. A line with options is none: nobody would obey them. */
static bool ca_listed(struct bytes text, struct bytes ca)
{
    struct line_walk walk = {.rest = text};
    struct bytes line;
    while (line_next(&walk, &line)) {
        struct authorized_line l;
        if (authorized_line_parse(line, &l) == ERR_NONE && l.options.n == 0 && authorized_line_has_blob(&l, ca)) return true;
    }
    return false;
}

static bool ca_trusted(int fd, struct bytes ca)
{
    struct wr text CLEANUP(wr_clear) = wr_heap(KRL_FILE_MAX + PIECE);
    return file_take(fd, &text) == ERR_NONE && ca_listed(wr_bytes(&text), ca);
}

/* ---- a certificate's facts ---- */

static void print_write(char out[64], const struct pubkey *k, bool md5)
{
    struct wr w = wr_span((struct span){(uint8_t *)out, 63});
    fingerprint_write(&w, pubkey_blob(k), md5 ? FINGERPRINT_MD5 : FINGERPRINT_SHA256);
    out[w.n] = 0;
}

static void detail_write(const struct pubkey *k, const struct cert *c)
{
    char id[512];
    struct wr w = wr_span((struct span){(uint8_t *)say.detail, sizeof say.detail - 1});
    escape_str(c->key_id, id, sizeof id);
    wr_textf(&w, "%s %s ID %s (serial %llu) CA %s %s", pubkey_short_name(k), say.fingerprint, id, (unsigned long long)c->serial, say.ca_name,
             say.ca_fingerprint);
    say.detail[w.n] = 0;
}

static void limits_take(const struct key_options *o)
{
    say.limits = (struct judge_limits){o->permit_port_forwarding, o->permit_agent_forwarding, o->permit_x11_forwarding, o->permit_pty,
                                       o->permit_user_rc, o->no_touch_required, o->verify_required, o->has_command, ""};
    memcpy(say.limits.command, o->command, sizeof say.limits.command);
}

_Static_assert(sizeof say.limits.command == KEY_COMMAND_MAX, "a forced command crosses whole");

static bool address_good(const struct key_options *o, const struct judge_ask *ask)
{
    enum match m = MATCH_NO;
    return !o->has_source_address || (address_list_match(ask->address, bytes_str(o->source_address), &m) == ERR_NONE && m == MATCH_YES);
}

static bool cert_believed(const struct judge_ask *ask, const struct cert *c)
{
    static struct key_options options;
    const char *text = "Certificate invalid";
    bool good = cert_check(c, CERT_USER, ask->now_s, bytes_of(ask->ca_algs, ask->ca_algs_n), &text) == VERDICT_GOOD &&
                cert_key_options(c, &options, &text) == ERR_NONE;
    if (!good) {
        why(text);
        return false;
    }
    limits_take(&options);
    if (address_good(&options, ask)) return true;
    char line[sizeof say.why], user[128];
    escape_str(bytes_of(ask->user, ask->user_n), user, sizeof user);
    struct wr w = wr_span((struct span){(uint8_t *)line, sizeof line - 1});
    wr_textf(&w, "Authentication tried for %.100s with valid certificate but not from a permitted source address (%.64s).", user, ask->address);
    line[w.n] = 0;
    why(line);
    return false;
}

MUST_USE static enum err cert_judge(const struct judge_ask *ask, const int *fds, const struct pubkey *k, const struct cert *c)
{
    struct bytes ca = pubkey_blob(c->ca);
    if (c->key_id.n > sizeof say.key_id || ca.n > sizeof say.ca || c->principals.n > sizeof say.principals) return ERR_TOO_LONG;
    print_write(say.fingerprint, pubkey_plain(k), ask->md5);
    print_write(say.ca_fingerprint, c->ca, ask->md5);
    struct wr w = wr_span((struct span){(uint8_t *)say.ca_name, sizeof say.ca_name - 1});
    wr_text(&w, pubkey_short_name(c->ca));
    detail_write(k, c);
    TRY(hash_digest(&hash_sha256, pubkey_blob(pubkey_plain(k)), say.plain_sha256));
    say.is_cert = 1, say.serial = c->serial;
    FIELD_SET(&say, key_id, c->key_id);
    FIELD_SET(&say, ca, ca);
    FIELD_SET(&say, principals, c->principals);
    say.believed = cert_believed(ask, c);
    say.names_user = cert_has_principal(c, bytes_of(ask->user, ask->user_n));
    if (ask->has_cas) say.ca_trusted = ca_trusted(fds[0], ca);
    return ERR_NONE;
}

MUST_USE static enum err judge(const struct judge_ask *ask, const int *fds, size_t fd_count)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct bounded key = FIELD(ask, key), algs = FIELD(ask, ca_algs), user = FIELD(ask, user);
    TRY(key.err);
    TRY(algs.err);
    TRY(user.err);
    if (ask->has_cas > 1 || ask->revoked_n > JUDGE_REVOKED_MAX || fd_count != ask->has_cas + ask->revoked_n) return ERR_FORMAT;
    if (!memchr(ask->address, 0, sizeof ask->address)) return ERR_FORMAT;
    TRY(pubkey_parse_any(key.b, &k));
    const struct cert *c = pubkey_cert(k);
    if (pubkey_rsa_small(k, ask->rsa_bits_min) || (c && pubkey_rsa_small(c->ca, ask->rsa_bits_min))) {
        why("refusing RSA key: Invalid key length");
        return ERR_KEY_TOO_SMALL;
    }
    if (all_revoked_check(ask, fds + ask->has_cas, k) != VERDICT_GOOD) return ERR_DENIED;
    return c ? cert_judge(ask, fds, k, c) : ERR_NONE;
}

const struct judge_say *judge_answer(const struct judge_ask *ask, const int *files, size_t file_count)
{
    say = (struct judge_say){.verdict = VERIFY_BAD};
    if (judge(ask, files, file_count) == ERR_NONE) say.verdict = VERIFY_GOOD;
    return &say;
}

NORETURN void judge_run(const struct judge_ask *ask, const int *fds, size_t fd_count)
{
    if (jail_filter(JAIL_FILTER_VERIFIER) != ERR_NONE) _exit(2);
    const struct judge_say *answer = judge_answer(ask, fds + 1, fd_count - 1);
    _exit(message_send(fds[0], answer, sizeof *answer, NULL, 0, true) == ERR_NONE ? 0 : 1);
}
