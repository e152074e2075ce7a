/* SPDX-License-Identifier: ISC */
/* Public keys and certificates. Nothing of either is read here: a verifier says what a key is and what a certificate states, readers say where it
 * is listed, a verifier says whether a signature is good. All of that is asked for names that do not exist, too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "key/sk.h"
#include "os/clock.h"
#include "sshd/sha256.h"
#include "sshd/warden_auth.h"

#define COMMAND_MS 120000               /* a program of the administrator's; the grace time ends it sooner */

/* ---- what is kept from a query to its signature ---- */

void warden_key_forget(struct warden *w)
{
    if (w->asked && w->asked->options) munmap(w->asked->options, sizeof *w->asked->options);
    free(w->asked);
    w->asked = NULL;
}

static struct asked_key *asked_new(struct bytes key)
{
    struct asked_key *a = calloc(1, sizeof *a + key.n);
    if (!a) return NULL;
    memcpy(a + 1, key.p, key.n);
    a->blob = bytes_of(a + 1, key.n);
    /* Large, short-lived and often not needed at all: memory of its own, given back as a whole. */
    void *p = mmap(NULL, sizeof *a->options, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    a->options = p == MAP_FAILED ? NULL : p;
    if (a->options) return a;
    free(a);
    return NULL;
}

/* ---- names ---- */

/* The first string of a blob, by its length only. */
static struct bytes blob_type(struct bytes blob)
{
    if (blob.n < 4 || get_u32(blob.p) > blob.n - 4) return (struct bytes){0};
    return bytes_of(blob.p + 4, get_u32(blob.p));
}

/* How OpenSSH calls the kinds of keys in its log. */
static const char *key_kind(struct bytes type)
{
    static const struct { const char *type, *name; } rows[] = {
        {"ssh-ed25519", "ED25519"}, {"ssh-rsa", "RSA"}, {"sk-ssh-ed25519@openssh.com", "ED25519-SK"}, {"sk-ecdsa-sha2-nistp256@openssh.com", "ECDSA-SK"},
        {"ssh-mldsa44-ed25519@openssh.com", "MLDSA44-ED25519"}, {"ecdsa-sha2-nistp256", "ECDSA"}, {"ecdsa-sha2-nistp384", "ECDSA"},
        {"ecdsa-sha2-nistp521", "ECDSA"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (bytes_is(type, rows[i].type)) return rows[i].name;
    return "unknown";
}

/* ---- the judgement ---- */

static void log_file_error(const char *keyword, const char *path)
{
    log_line(LOG_LEVEL_ERROR, "%s \"%.500s\" cannot be read: %s", keyword, path, strerror(errno));
}

/* An administrator's file, by root, for a jailed process to read; -1: no. */
static int file_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

/* The files that a judgement needs. False: a list of revoked keys is not there, and so no key is good. */
static bool files_open(const struct warden *w, bool is_cert, struct judge_ask *ask, int fds[1 + JUDGE_REVOKED_MAX], size_t *n)
{
    const struct conf_texts *revoked = &w->conf->revoked_keys;
    const char *cas = is_cert ? w->conf->trusted_user_ca_keys : NULL;
    *n = 0;
    int fd = cas ? file_open(cas) : -1;
    if (cas && fd < 0) log_file_error("TrustedUserCAKeys", cas);
    if (fd >= 0) fds[(*n)++] = fd, ask->has_cas = 1;
    for (size_t i = 0; i < revoked->n; i++) {
        fd = i < JUDGE_REVOKED_MAX ? file_open(revoked->v[i]) : -1;
        if (fd < 0) {
            log_file_error("all keys are refused: RevokedKeys", revoked->v[i]);
            return false;
        }
        fds[(*n)++] = fd, ask->revoked_n++;
    }
    return true;
}

static bool ended(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

static bool say_fits(const struct judge_say *s)
{
    const struct judge_limits *l = &s->limits;
    const uint8_t flags[] = {l->permit_port_forwarding, l->permit_agent_forwarding, l->permit_x11_forwarding, l->permit_pty, l->permit_user_rc,
                             l->no_touch_required, l->verify_required, l->has_command};
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (flags[i] > 1) return false;
    return s->is_cert <= 1 && s->believed <= 1 && s->ca_trusted <= 1 && s->names_user <= 1 && s->ca_n <= sizeof s->ca &&
           s->principals_n <= sizeof s->principals && s->key_id_n <= sizeof s->key_id && ended(s->why, sizeof s->why) &&
           ended(s->detail, sizeof s->detail) && ended(s->fingerprint, sizeof s->fingerprint) && ended(s->ca_fingerprint, sizeof s->ca_fingerprint) &&
           ended(s->ca_name, sizeof s->ca_name) && ended(l->command, sizeof l->command);
}

static enum err judge_send(struct warden *w, const struct judge_ask *ask, const int *fds, size_t n, struct judge_say *say)
{
    const struct helper_ask h = {.p = ask, .n = sizeof *ask, .fds = fds, .fd_count = n};
    TRY(warden_ask_helper(w, w->server->verify_line[0], &h, say, sizeof *say));
    return say_fits(say) ? ERR_NONE : ERR_FORMAT;
}

/* Is it a key that may be used at all? For a certificate *out says what it states. */
static bool judged(struct warden *w, struct bytes key, bool is_cert, const struct judge_say **out)
{
    struct judge_ask *ask = &warden_scratch.judge.ask;
    struct judge_say *say = &warden_scratch.judge.say;
    int fds[1 + JUDGE_REVOKED_MAX];
    size_t n = 0;
    *out = NULL;
    if (!is_cert && w->conf->revoked_keys.n == 0) return true;
    memset(ask, 0, sizeof *ask);
    *ask = (struct judge_ask){.rsa_bits_min = w->conf->required_rsa_size_bits, .md5 = w->conf->fingerprint_hash == CONF_FP_MD5,
                              .now_s = (uint64_t)time(NULL)};
    memcpy(ask->address, w->link.client_addr, sizeof ask->address);
    FIELD_SET(ask, key, key);
    FIELD_SET(ask, user, bytes_str(w->account.valid ? w->account.name : ""));
    FIELD_SET(ask, ca_algs, bytes_str(w->conf->ca_signature_algorithms));
    bool whole = strlen(w->conf->ca_signature_algorithms) <= sizeof ask->ca_algs && files_open(w, is_cert, ask, fds, &n);
    enum err e = whole ? judge_send(w, ask, fds, n, say) : ERR_DENIED;
    if (whole && e != ERR_NONE) log_line(LOG_LEVEL_ERROR, "a key could not be judged: %s", err_text(e));
    while (n > 0) close(fds[--n]);
    bool good = e == ERR_NONE && say->verdict == VERIFY_GOOD && say->is_cert == is_cert;
    if (e == ERR_NONE && !good && say->why[0]) log_line(LOG_LEVEL_ERROR, "%s", say->why);
    if (good && is_cert) *out = say;
    return good;
}

/* ---- where it is listed ---- */

struct search {
    struct bytes key;
    const struct judge_say *cert;       /* NULL: a plain key */
    bool may;                           /* else all is asked alike, for nothing */
    bool refused;                       /* a line for one of the principals said no */
    bool by_ca;                         /* found by TrustedUserCAKeys alone: no line of options stands beside the certificate's */
    struct key_options *options;
    struct keys_answer answer;
};

static bool ask_reader(struct warden *w, struct search *s, enum keys_source source)
{
    bool command = source == KEYS_COMMAND || source == KEYS_PRINCIPALS_COMMAND;
    const char *name = source == KEYS_COMMAND ? w->conf->authorized_keys_command_user : w->conf->authorized_principals_command_user;
    struct account runner = {0};
    if (command) account_find(name ? name : "", &runner);
    if (command && !runner.valid) {
        log_line(LOG_LEVEL_ERROR, "%s \"%s\" not found", source == KEYS_COMMAND ? "AuthorizedKeysCommandUser" : "AuthorizedPrincipalsCommandUser",
                 name ? name : "");
        return false;
    }
    const struct keys_question q = {.source = source, .runner = &runner, .cert = s->cert, .account = &w->account, .allowed = s->may, .conf = w->conf,
                                    .link = &w->link, .blob = s->key, .timeout_ms = warden_patience_ms(w, command ? COMMAND_MS : HELPER_MS)};
    struct keys_answer a = {.found = VERDICT_BAD};
    enum err e = keys_ask(&q, s->options, &a);
    if (e == ERR_NONE && a.note[0]) log_line(a.is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "%s", a.note);
    if (e == ERR_TIMEOUT) log_line(LOG_LEVEL_ERROR, "looking for a key of %s took too long; ended", w->user);
    if (e != ERR_NONE || !s->may) return false;
    s->refused |= a.refuses;
    if (a.found != VERDICT_GOOD) return false;
    s->answer = a;
    return true;
}

/* sshd_config(5), TrustedUserCAKeys: the names are those of AuthorizedPrincipalsFile or -Command where one is set, else the user's own. */
static bool ca_admits(struct warden *w, struct search *s)
{
    const struct sshd_conf *c = w->conf;
    bool listed = false, names = c->authorized_principals_file || c->authorized_principals_command;
    if (!s->cert || !c->trusted_user_ca_keys || !s->cert->ca_trusted) return false;
    if (!s->cert->believed) {
        log_line(LOG_LEVEL_ERROR, "%s", s->cert->why);
        return false;
    }
    if (c->authorized_principals_file) listed = ask_reader(w, s, KEYS_PRINCIPALS_FILE);
    if (!listed && !s->refused && c->authorized_principals_command) listed = ask_reader(w, s, KEYS_PRINCIPALS_COMMAND);
    if (names && !listed) log_line(LOG_LEVEL_ERROR, "Certificate does not contain an authorized principal");
    if (names) return listed;
    if (!s->cert->names_user) log_line(LOG_LEVEL_ERROR, "Certificate invalid: name is not a listed principal");
    if (!s->cert->names_user || !s->may) return false;
    s->by_ca = true;
    s->answer = (struct keys_answer){.found = VERDICT_GOOD, .plain = true};
    snprintf(s->answer.file, sizeof s->answer.file, "%s", c->trusted_user_ca_keys);
    return true;
}

static bool found(struct warden *w, struct search *s)
{
    if (ask_reader(w, s, KEYS_FILES)) return true;
    if (ca_admits(w, s)) return true;
    return w->conf->authorized_keys_command && ask_reader(w, s, KEYS_COMMAND);
}

/* What the certificate does not permit is not permitted, whatever the line says (TRUST 10). */
static bool limits_join(struct asked_key *a, const struct judge_limits *l, bool by_ca)
{
    struct key_options *o = &warden_scratch.judge.limits;
    bool all = l->permit_port_forwarding && l->permit_agent_forwarding && l->permit_x11_forwarding && l->permit_pty && l->permit_user_rc;
    if (a->plain && all && !l->has_command && !l->verify_required && !(by_ca && l->no_touch_required)) return true;
    if (a->plain) key_options_init(a->options);
    /* A touch is needed unless line and certificate both say that it is not (where there is no line: the certificate). */
    if (by_ca) a->options->no_touch_required = 1;
    key_options_init(o);
    o->permit_port_forwarding = l->permit_port_forwarding, o->permit_agent_forwarding = l->permit_agent_forwarding;
    o->permit_x11_forwarding = l->permit_x11_forwarding, o->permit_pty = l->permit_pty, o->permit_user_rc = l->permit_user_rc;
    o->no_touch_required = l->no_touch_required, o->verify_required = l->verify_required;
    o->has_command = l->has_command;
    memcpy(o->command, l->command, sizeof o->command);
    if (key_options_merge(a->options, o) != ERR_NONE) return false;
    a->plain = false;
    return true;
}

/* OpenSSH's two ways to say it. */
static void cert_note(const struct judge_say *c, bool by_ca, struct asked_key *a)
{
    char id[1024];
    escape_str(bytes_of(c->key_id, c->key_id_n), id, sizeof id);
    snprintf(a->cert, sizeof a->cert,
             by_ca ? "certificate ID \"%s\" (serial %llu) signed by %s CA %s via" : "certificate ID \"%s\" (serial %llu) signed by CA %s %s found at",
             id, (unsigned long long)c->serial, c->ca_name, c->ca_fingerprint);
}

/* Is the key listed? The answer stays for the signature that follows. */
static bool key_listed(struct warden *w, bool may, struct bytes key, bool is_cert, struct outcome *o)
{
    struct search s = {.key = key, .may = may};
    if (may && w->asked && bytes_equal(w->asked->blob, key)) return true;
    warden_key_forget(w);
    bool good = judged(w, key, is_cert, &s.cert);
    if (good && s.cert) memcpy(o->detail, s.cert->detail, sizeof o->detail);
    struct asked_key *a = asked_new(key);
    if (!a) return false;
    s.options = a->options;
    w->asked = a;
    good = good && found(w, &s);
    if (good && s.cert && !s.cert->believed) {
        log_line(LOG_LEVEL_ERROR, "%s", s.cert->why);
        good = false;
    }
    if (good) {
        if (s.cert) memcpy(a->sha256, s.cert->plain_sha256, sizeof a->sha256);
        else sha256_sum(key, a->sha256);
        a->plain = s.answer.plain, a->line = s.answer.line;
        memcpy(a->where, s.answer.file, sizeof a->where), memcpy(a->detail, o->detail, sizeof a->detail);
        good = !s.cert || limits_join(a, &s.cert->limits, s.by_ca);
        if (!good) log_line(LOG_LEVEL_ERROR, "forced command options do not match");
        if (s.cert) cert_note(s.cert, s.by_ca, a);
    }
    if (!good) warden_key_forget(w);
    return good;
}

/* ---- signatures ---- */

/* RFC 4252 7, and publickey-hostbound-v00@openssh.com: what the signature must cover, from what this process knows by itself. */
static void signed_text(const struct warden *w, const struct ask_key_head *h, struct bytes key, struct wr *out)
{
    const struct hostkey *host = &w->server->hostkeys[w->hostkey];
    wr_string(out, bytes_of(w->session_id, w->session_id_n));
    wr_u8(out, 50);
    wr_string(out, bytes_of(w->who.user, w->who.user_n));
    wr_string(out, bytes_of(w->who.service, w->who.service_n));
    wr_cstring(out, h->hostbound ? "publickey-hostbound-v00@openssh.com" : "publickey");
    wr_bool(out, true);
    wr_string(out, bytes_of(h->alg, h->alg_n));
    wr_string(out, key);
    if (h->hostbound) wr_string(out, bytes_of(host->blob, host->blob_n));
}

/* PubkeyAuthOptions, and what the key's line and certificate ask of a FIDO key: a touch, unless the line (and the certificate) waives it. */
static uint32_t sk_flags(const struct warden *w)
{
    const struct key_options *o = w->asked->plain ? NULL : w->asked->options;
    bool touch = (w->conf->pubkey_auth_options & SSHD_PUBKEY_TOUCH_REQUIRED) || !o || !o->no_touch_required;
    bool person = (w->conf->pubkey_auth_options & SSHD_PUBKEY_VERIFY_REQUIRED) || (o && o->verify_required);
    return (touch ? SK_PRESENCE : 0u) | (person ? SK_VERIFY : 0u);
}

static bool signature_good(struct warden *w, const struct ask_key_head *h, struct bytes key, struct bytes sig)
{
    __typeof__(warden_scratch.verify) *ask = &warden_scratch.verify;
    struct verify_say say = {0};
    struct wr text CLEANUP(wr_clear) = wr_heap(VERIFY_TEXT_BIG);
    signed_text(w, h, key, &text);
    if (wr_done(&text) != ERR_NONE) return false;
    bool small = text.n <= VERIFY_TEXT_SMALL && key.n <= ASK_KEY_SMALL && sig.n <= ASK_SIG_SMALL;
    size_t n = small ? sizeof ask->small : sizeof ask->big;
    memset(ask, 0, n);
    struct verify_head *head = &ask->small.head;     /* both forms begin alike */
    head->text_n = (uint32_t)text.n, head->key_n = (uint32_t)key.n, head->sig_n = (uint32_t)sig.n;
    head->rsa_bits_min = w->conf->required_rsa_size_bits, head->sk_flags = sk_flags(w);
    FIELD_SET(head, alg, bytes_of(h->alg, h->alg_n));
    memcpy(small ? ask->small.text : ask->big.text, text.p, text.n);
    memcpy(small ? ask->small.key : ask->big.key, key.p, key.n);
    if (sig.n > 0) memcpy(small ? ask->small.sig : ask->big.sig, sig.p, sig.n);
    enum err e = warden_ask_helper(w, w->server->verify_line[0], &(const struct helper_ask){.p = ask, .n = n}, &say, sizeof say);
    return e == ERR_NONE && say.verdict == VERIFY_GOOD;
}

/* With several factors the same key counts once, with whatever certificate it comes ("publickey,publickey" means two private keys). */
static bool key_is_new(struct warden *w, const struct asked_key *a)
{
    for (size_t i = 0; i < w->proven_key_count; i++)
        if (memcmp(w->proven_key[i], a->sha256, sizeof a->sha256) == 0) {
            log_line(LOG_LEVEL_INFO, "refusing previously-used key");
            return false;
        }
    if (w->proven_key_count == PROVEN_KEYS_MAX) return false;
    memcpy(w->proven_key[w->proven_key_count++], a->sha256, sizeof a->sha256);
    return true;
}

/* The restrictions of this key join those of the keys before it. */
static bool options_take(struct warden *w)
{
    struct asked_key *a = w->asked;
    if (a->plain) return true;      /* it has none: NULL, or those before it, stay; nothing large is kept for it */
    if (!w->options) {
        w->options = a->options, a->options = NULL;
        warden_key_forget(w);       /* what is left of it would say less */
        return true;
    }
    if (key_options_merge(w->options, a->options) == ERR_NONE) return true;
    log_line(LOG_LEVEL_ERROR, "keys of %s with contradicting options; refused", w->user);
    return false;
}

static bool key_proven(struct warden *w, const struct ask_key_head *h, struct bytes key, struct bytes sig, const struct outcome *o)
{
    const struct asked_key *a = w->asked;
    if (!signature_good(w, h, key, sig) || !key_is_new(w, a)) return false;
    if (a->cert[0] && a->line == 0) log_line(LOG_LEVEL_VERBOSE, "Accepted %s %s", a->cert, a->where);
    else if (a->cert[0]) log_line(LOG_LEVEL_VERBOSE, "Accepted %s %s:%u", a->cert, a->where, a->line);
    else log_line(LOG_LEVEL_VERBOSE, "Accepted key %s found at %s:%u", o->detail, a->where, a->line);
    if (!warden_root_may(w, false, !a->plain && a->options->has_command)) return false;
    return options_take(w);
}

void warden_auth_key(struct warden *w, const struct ask_key_head *head, struct bytes key, struct bytes sig)
{
    uint64_t began = clock_us();
    struct bounded alg = FIELD(head, alg);
    if (alg.err != ERR_NONE || head->has_sig > 1 || head->hostbound > 1) warden_guilt(w, "AUTH_KEY", ERR_FORMAT);
    warden_attempt_begin(w, &head->who);
    struct outcome o = {.method = "publickey", .go_on = SAY_AUTH_NO, .key = key, .key_type = blob_type(key)};
    char fingerprint[64];
    blob_fingerprint(key, w->conf->fingerprint_hash, fingerprint);
    snprintf(o.detail, sizeof o.detail, "%s %s", key_kind(o.key_type), fingerprint);
    const struct sig_alg *known = sig_alg_find(alg.b);
    bool cert = known && sig_alg_is_cert(known);
    bool fits = known && bytes_is(o.key_type, known->key_type) && names_has(bytes_str(w->conf->pubkey_accepted_algorithms), alg.b);
    bool may = w->allowed && fits && methods_may(&w->methods, "publickey");
    bool listed = key_listed(w, may, key, cert, &o);
    if (listed && w->asked) memcpy(o.detail, w->asked->detail, sizeof o.detail);
    if (may && listed && !head->has_sig) o.go_on = SAY_AUTH_PK_OK;
    if (may && listed && head->has_sig) o.yes = key_proven(w, head, key, sig, &o);
    warden_auth_finish(w, &o, began);
}
