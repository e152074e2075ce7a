/* SPDX-License-Identifier: ISC */
/* Who is it? Every method ends in one of three words: no, yes, or go on; only finish() turns a yes into a login. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "base/text.h"
#include "conf/parse.h"
#include "os/message.h"
#include "os/process.h"
#include "sshd/sha256.h"
#include "sshd/warden.h"

#define ATTEMPTS_MAX 1024               /* requests of any outcome, as OpenSSH */
#define HELPER_MS 20000
#define DISCONNECT_PROTOCOL 2           /* RFC 4253 11.1; what OpenSSH sends for too many failures */

/* ---- the host key's signatures ---- */

static void sign(struct warden *w, enum say_type say_type, const struct keys_ask *ask)
{
    struct keys_say *got = &warden_scratch.sign.got;
    struct say_signed *say = &warden_scratch.sign.say;
    *say = (struct say_signed){.type = say_type};
    enum err e = warden_ask_helper(w, w->server->keys_line[0], ask, sizeof *ask, got, sizeof *got);
    if (e == ERR_NONE && got->ok && got->sig_n <= sizeof got->sig) {
        say->ok = 1;
        FIELD_SET(say, sig, bytes_of(got->sig, got->sig_n));
    } else {
        log_line(LOG_LEVEL_ERROR, "no signature from the host key process: %s", e == ERR_NONE ? "it refused" : err_text(e));
    }
    warden_say(w, say, NULL, 0);
}

static bool hostkey_can(const struct warden *w, uint32_t i, struct bytes alg)
{
    return i < w->server->hostkey_count && names_has(bytes_str(w->server->hostkeys[i].algs), alg);
}

/* The first hash that is signed is the session id: whoever presents another one later did not do this key exchange. */
void warden_sign(struct warden *w, const struct ask_sign *ask)
{
    struct bounded alg = FIELD(ask, alg), hash = FIELD(ask, hash);
    struct keys_ask to = {.type = KEYS_SIGN_KEX, .hostkey = ask->hostkey};
    if (alg.err != ERR_NONE || hash.err != ERR_NONE || (hash.b.n != 32 && hash.b.n != 48 && hash.b.n != 64) || !hostkey_can(w, ask->hostkey, alg.b))
        warden_guilt(w, "SIGN", ERR_FORMAT);
    if (w->turns.stage == AT_SESSION && !warden_authenticated(w)) warden_guilt(w, "SIGN", ERR_STATE);
    if (w->turns.stage == AT_KEX) {
        memcpy(w->session_id, hash.b.p, hash.b.n);
        w->session_id_n = hash.b.n, w->hostkey = ask->hostkey;
        w->turns.stage = AT_AUTH;
    }
    FIELD_SET(&to, alg, alg.b);
    FIELD_SET(&to, data, hash.b);
    sign(w, SAY_SIGNED, &to);
}

void warden_prove(struct warden *w, const struct ask_prove *ask)
{
    struct bounded alg = FIELD(ask, alg);
    struct keys_ask to = {.type = KEYS_SIGN_PROVE, .hostkey = ask->hostkey};
    if (alg.err != ERR_NONE || !hostkey_can(w, ask->hostkey, alg.b)) warden_guilt(w, "PROVE", ERR_FORMAT);
    FIELD_SET(&to, alg, alg.b);
    FIELD_SET(&to, data, bytes_of(w->session_id, w->session_id_n));
    sign(w, SAY_PROVED, &to);
}

/* ---- who ---- */

void warden_flush_user(struct warden *w)
{
    if (w->options) munmap(w->options, sizeof *w->options);
    if (w->asked_options) munmap(w->asked_options, sizeof *w->asked_options);
    free(w->asked_key);
    if (w->conf) sshd_conf_free(w->conf);
    w->options = w->asked_options = NULL, w->asked_key = NULL, w->asked_key_n = 0, w->conf = NULL;
    w->proven_key_count = 0, w->user_known = w->allowed = w->prompting = w->change_password = false;
    wipe(&w->account, sizeof w->account);
}

/* Large, short-lived and often not needed at all: memory of its own, given back as a whole. */
static struct key_options *options_new(void)
{
    void *p = mmap(NULL, sizeof(struct key_options), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void banner_send(struct warden *w)
{
    struct say_banner *say = &warden_scratch.banner;
    char *text = banner_read(w->conf);
    size_t n = text ? strlen(text) : 0;
    for (size_t at = 0; at < n; at += say->text_n) {
        say->type = SAY_BANNER;
        FIELD_SET(say, text, bytes_of(text + at, n - at));
        warden_say(w, say, NULL, 0);
    }
    free(text);
}

static void user_begin(struct warden *w, const struct ask_who *who)
{
    char reason[1024] = "";
    bool first = w->attempts == 0;
    warden_flush_user(w);
    w->who = *who;
    /* "bob:style" is bob: what is behind the colon chose among devices once, and is still part of the signed text. */
    const uint8_t *colon = memchr(who->user, ':', who->user_n);
    escape_str(bytes_of(who->user, colon ? (size_t)(colon - who->user) : who->user_n), w->user, sizeof w->user);
    account_find(w->user, &w->account);
    const struct sshd_peer peer = {.user = w->user, .user_invalid = !w->account.valid, .host = w->link.client_host, .address = w->link.client_addr,
                                   .local_address = w->link.server_addr, .local_port = w->link.server_port};
    if (sshd_conf_for(w->server->rows, &w->server->world, &peer, &w->conf) != ERR_NONE) {
        log_line(LOG_LEVEL_ERROR, "configuration cannot be evaluated for %s; refused", w->user);
        warden_exit(w, WARDEN_FAILED);
    }
    w->user_known = true;
    if (!w->server->options.debug && !w->server->options.quiet) log_set_level((enum log_level)w->conf->log_level);
    w->allowed = access_check(&w->account, w->conf, &w->link, reason, sizeof reason) == VERDICT_GOOD &&
                 bytes_is(bytes_of(who->service, who->service_n), "ssh-connection");
    if (reason[0]) log_line(LOG_LEVEL_INFO, "%s", reason);
    methods_init(&w->methods, w->conf);
    title_set("%s [priv]", w->account.valid ? w->user : "unknown");
    if (first) banner_send(w);
}

/* Every request begins here. A new name or service starts from nothing: no proof of one user ever counts for another. */
static void attempt_begin(struct warden *w, const struct ask_who *who)
{
    if (who->user_n > sizeof who->user || who->service_n > sizeof who->service) warden_guilt(w, "AUTH", ERR_FORMAT);
    bool same = w->user_known && bytes_equal(bytes_of(who->user, who->user_n), bytes_of(w->who.user, w->who.user_n)) &&
                bytes_equal(bytes_of(who->service, who->service_n), bytes_of(w->who.service, w->who.service_n));
    if (!same) user_begin(w, who);
    w->attempts++;
}

/* ---- the outcome ---- */

struct outcome {
    const char *method;
    bool yes;
    enum say_auth_result go_on;         /* when not yes: NO, PK_OK or PROMPT */
    char detail[160];                   /* for the log: key type and fingerprint */
};

static void outcome_log(const struct warden *w, const struct outcome *o, const char *what)
{
    char line[1024];
    bool info = o->yes || !w->account.valid || w->failures >= w->conf->max_auth_tries / 2 || strcmp(o->method, "password") == 0;
    bool silent = strcmp(o->method, "none") == 0 || (strcmp(o->method, "publickey") == 0 && !w->account.valid);
    if (silent && !o->yes) return;
    auth_line(what, o->method, &w->account, &w->link, o->detail, line, sizeof line);
    log_line(info ? LOG_LEVEL_INFO : LOG_LEVEL_VERBOSE, "%s%s", line, strcmp(what, "Postponed") == 0 ? " [preauth]" : "");
}

static void too_many(struct warden *w)
{
    char peer[512];
    struct say_end end = {.type = SAY_END, .reason = DISCONNECT_PROTOCOL, .text = "Too many authentication failures"};
    log_line(LOG_LEVEL_ERROR, "maximum authentication attempts exceeded for %s%.100s from %.200s port %u ssh2%s",
             w->account.valid ? "" : "invalid user ", w->user, w->link.client_addr, w->link.client_port, warden_phase(w));
    log_line(LOG_LEVEL_INFO, "Disconnecting %s: Too many authentication failures%s", warden_peer(w, peer, sizeof peer), warden_phase(w));
    w->turns.stage = AT_END;
    warden_say(w, &end, NULL, 0);
}

/* The answer to a failure leaves after a time that depends on the user's name and a secret, so that what the check cost cannot be
 * seen; the next multiple if that is over already. Success never waits. "none", which most clients send first, checks nothing, but looks the
 * name up, and that takes longer for one that nobody has: it waits, too, a little. */
static void failure_wait(const struct warden *w, bool none, uint64_t began_us)
{
    uint8_t hash[32];
    const struct bytes name = bytes_str(w->user);
    uint8_t text[sizeof w->server->delay_secret + 256] = {0};
    memcpy(text, &w->server->delay_secret, sizeof w->server->delay_secret);
    memcpy(text + sizeof w->server->delay_secret, name.p, name.n < 256 ? name.n : 256);
    sha256_sum(bytes_of(text, sizeof text), hash);
    uint64_t step = none ? 1000 + get_u32(hash) % 800 : 5000 + get_u32(hash) % 4000, spent = clock_us() - began_us, until = step;
    while (until < spent) until *= 2;
    const struct timespec t = {.tv_nsec = (long)(until - spent) * 1000};
    nanosleep(&t, NULL);
}

static void policy_fill(struct policy *p, const struct sshd_conf *c)
{
    p->client_alive_s = (uint32_t)c->client_alive_interval_s, p->client_alive_max = c->client_alive_count_max;
    p->max_sessions = c->max_sessions, p->unused_timeout_s = (uint32_t)c->unused_connection_timeout_s;
    p->session_timeout_s = conf_channel_timeout_s(&c->channel_timeout, "session", NULL);
    p->direct_timeout_s = conf_channel_timeout_s(&c->channel_timeout, "direct-tcpip", NULL);
    p->forwarded_timeout_s = conf_channel_timeout_s(&c->channel_timeout, "forwarded-tcpip", NULL);
    p->agent_timeout_s = conf_channel_timeout_s(&c->channel_timeout, "agent-connection", NULL);
    p->global_timeout_s = conf_channel_timeout_s(&c->channel_timeout, "global", NULL);
    p->tos_interactive = (uint32_t)c->ipqos.interactive, p->tos_bulk = (uint32_t)c->ipqos.bulk;
    p->rekey_bytes = c->rekey_limit.bytes, p->rekey_s = (uint64_t)c->rekey_limit.time_s;
}

/* The one place where somebody becomes authenticated. */
static void login(struct warden *w, const struct outcome *o, struct say_auth *say)
{
    outcome_log(w, o, "Accepted");
    warden_seal(w);
    if (w->asked_options) munmap(w->asked_options, sizeof *w->asked_options);
    free(w->asked_key);
    w->asked_options = NULL, w->asked_key = NULL, w->asked_key_n = 0;
    say->result = SAY_AUTH_YES;
    policy_fill(&say->policy, w->conf);
    warden_title(w);
}

static void finish(struct warden *w, const struct outcome *o, uint64_t began_us)
{
    struct say_auth say = {.type = SAY_AUTH, .result = o->go_on};
    bool none = strcmp(o->method, "none") == 0, yes = o->yes && w->allowed && w->account.valid;
    if (!none || o->yes) w->tried = true;
    if (yes) {
        if (methods_done(&w->methods, o->method)) {
            login(w, o, &say);
        } else {
            say.result = SAY_AUTH_PARTIAL;
            outcome_log(w, o, "Partial");
        }
    } else if (o->go_on == SAY_AUTH_NO) {
        if (!none || w->attempts > 1) w->failures++;
        outcome_log(w, o, "Failed");
        failure_wait(w, none, began_us);
        if (w->failures >= w->conf->max_auth_tries || w->attempts >= ATTEMPTS_MAX) {
            too_many(w);
            return;
        }
    } else {
        outcome_log(w, o, "Postponed");
        if (o->go_on == SAY_AUTH_PROMPT) FIELD_SET(&say, prompt, BYTES_LIT("Password: "));
    }
    if (say.result == SAY_AUTH_NO || say.result == SAY_AUTH_PARTIAL) {
        char methods[256];
        methods_text(&w->methods, methods, sizeof methods);
        FIELD_SET(&say, methods, bytes_str(methods));
    }
    warden_say(w, &say, NULL, 0);
}

static bool root_may(struct warden *w, bool by_password, bool forced)
{
    char reason[256] = "";
    bool may = access_root_check(&w->account, w->conf, &w->link, by_password, forced, reason, sizeof reason) == VERDICT_GOOD;
    if (reason[0]) log_line(LOG_LEVEL_INFO, "%s", reason);
    return may;
}

/* ---- passwords ---- */

static bool password_good(struct warden *w, bool may, struct bytes secret)
{
    struct password_ask ask = {.fd = -1};
    enum verdict v = VERDICT_BAD;
    if (password_start(&w->account, may && w->allowed, w->conf, secret, w->server->exe_auth, &ask) != ERR_NONE) return false;
    if (password_finish(&ask, warden_patience_ms(w, HELPER_MS), &v) != ERR_NONE) return false;
    if (v != VERDICT_GOOD || !root_may(w, true, false)) return false;
    if (w->account.must_change) {
        log_line(LOG_LEVEL_INFO, "User %.100s password has expired", w->user);
        w->change_password = true;
    }
    return true;
}

void warden_auth_other(struct warden *w, const struct ask_auth_other *ask)
{
    uint64_t began = clock_us();
    struct bounded method = FIELD(ask, method);
    if (method.err != ERR_NONE) warden_guilt(w, "AUTH_OTHER", method.err);
    attempt_begin(w, &ask->who);
    struct outcome o = {.method = bytes_is(method.b, "none") ? "none" : "unknown", .go_on = SAY_AUTH_NO};
    /* RFC 4252 5.2: "none" succeeds only for an account that needs nothing. */
    bool empty = o.method[0] == 'n' && w->conf->permit_empty_passwords && w->methods.n == 0 && methods_may(&w->methods, "password");
    if (empty) o.yes = password_good(w, true, (struct bytes){0});
    finish(w, &o, began);
}

void warden_auth_secret(struct warden *w, const struct ask_auth_secret *ask)
{
    uint64_t began = clock_us();
    struct bounded secret = FIELD(ask, secret);
    if (secret.err != ERR_NONE || ask->kbdint > 2) warden_guilt(w, "AUTH_SECRET", ERR_FORMAT);
    /* An answer to a prompt carries no name (RFC 4256 3.4): it belongs to the request that the prompt answered. */
    const struct ask_who who = ask->kbdint == 2 && w->prompting ? w->who : ask->who;
    attempt_begin(w, &who);
    struct outcome o = {.method = ask->kbdint ? "keyboard-interactive" : "password", .go_on = SAY_AUTH_NO};
    bool may = methods_may(&w->methods, o.method), answer = ask->kbdint != 1 && (ask->kbdint == 0 || w->prompting);
    w->prompting = false;
    if (ask->kbdint == 1 && may) {
        w->prompting = true;
        o.go_on = SAY_AUTH_PROMPT;
    } else if (answer && may) {
        if (ask->change) log_line(LOG_LEVEL_INFO, "password change not supported");
        o.yes = password_good(w, !ask->change, secret.b);
        if (!o.yes) record_failure(w->user, &w->link);
    }
    finish(w, &o, began);
}

/* ---- public keys ---- */

/* How OpenSSH calls the kinds of keys in its log. */
static const char *key_kind(struct bytes type)
{
    if (bytes_is(type, "ssh-ed25519")) return "ED25519";
    if (bytes_is(type, "ssh-rsa")) return "RSA";
    return bytes_starts(type, "ecdsa-") ? "ECDSA" : "unknown";
}

/* The first string of a blob, by its length only. */
static struct bytes blob_type(struct bytes blob)
{
    if (blob.n < 4 || get_u32(blob.p) > blob.n - 4) return (struct bytes){0};
    return bytes_of(blob.p + 4, get_u32(blob.p));
}

static bool key_asked_before(const struct warden *w, struct bytes key)
{
    return w->asked_options && bytes_equal(bytes_of(w->asked_key, w->asked_key_n), key);
}

/* Is the key listed? The answer stays for the signature that follows. */
static bool key_listed(struct warden *w, bool may, struct bytes key)
{
    struct keys_answer answer = {.found = VERDICT_BAD};
    if (may && key_asked_before(w, key)) return w->asked_answer.found == VERDICT_GOOD;
    const struct keys_question q = {.account = &w->account, .allowed = may, .conf = w->conf, .link = &w->link, .blob = key,
                                    .timeout_ms = warden_patience_ms(w, HELPER_MS)};
    struct key_options *options = options_new();
    free(w->asked_key);
    w->asked_key = NULL, w->asked_key_n = 0;
    if (w->asked_options) munmap(w->asked_options, sizeof *w->asked_options);
    w->asked_options = NULL;
    if (!options) return false;
    enum err e = keys_ask(&q, options, &answer);
    if (e == ERR_NONE && answer.note[0]) log_line(LOG_LEVEL_INFO, "%s", answer.note);
    if (e != ERR_NONE || answer.found != VERDICT_GOOD || !may || !(w->asked_key = malloc(key.n))) {
        munmap(options, sizeof *options);
        return false;
    }
    memcpy(w->asked_key, key.p, key.n);
    w->asked_key_n = key.n, w->asked_options = options, w->asked_answer = answer;
    return true;
}

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
    head->rsa_bits_min = w->conf->required_rsa_size_bits;
    FIELD_SET(head, alg, bytes_of(h->alg, h->alg_n));
    memcpy(small ? ask->small.text : ask->big.text, text.p, text.n);
    memcpy(small ? ask->small.key : ask->big.key, key.p, key.n);
    if (sig.n > 0) memcpy(small ? ask->small.sig : ask->big.sig, sig.p, sig.n);
    enum err e = warden_ask_helper(w, w->server->verify_line[0], ask, n, &say, sizeof say);
    return e == ERR_NONE && say.verdict == VERIFY_GOOD;
}

/* With several factors the same key counts once ("publickey,publickey" means two keys). */
static bool key_is_new(struct warden *w, struct bytes key)
{
    uint8_t hash[32];
    sha256_sum(key, hash);
    for (size_t i = 0; i < w->proven_key_count; i++)
        if (memcmp(w->proven_key[i], hash, sizeof hash) == 0) return false;
    if (w->proven_key_count == PROVEN_KEYS_MAX) return false;
    memcpy(w->proven_key[w->proven_key_count++], hash, sizeof hash);
    return true;
}

/* The restrictions of this key join those of the keys before it. */
static bool options_take(struct warden *w)
{
    if (w->asked_answer.plain) return true;     /* it has none: NULL, or those before it, stay; nothing large is kept for it */
    if (!w->options) {
        w->options = w->asked_options, w->asked_options = NULL;
        return w->options != NULL;
    }
    if (w->asked_options && key_options_merge(w->options, w->asked_options) == ERR_NONE) return true;
    log_line(LOG_LEVEL_ERROR, "keys of %s with contradicting options; refused", w->user);
    return false;
}

static bool key_proven(struct warden *w, const struct ask_key_head *h, struct bytes key, struct bytes sig, const struct outcome *o)
{
    if (!signature_good(w, h, key, sig) || !key_is_new(w, key)) return false;
    log_line(LOG_LEVEL_VERBOSE, "Accepted key %s found at %s:%u", o->detail, w->asked_answer.file, w->asked_answer.line);
    if (!root_may(w, false, w->asked_options && w->asked_options->has_command)) return false;
    return options_take(w);
}

void warden_auth_key(struct warden *w, const struct ask_key_head *head, struct bytes key, struct bytes sig)
{
    uint64_t began = clock_us();
    struct bounded alg = FIELD(head, alg);
    if (alg.err != ERR_NONE || head->has_sig > 1 || head->hostbound > 1) warden_guilt(w, "AUTH_KEY", ERR_FORMAT);
    attempt_begin(w, &head->who);
    struct outcome o = {.method = "publickey", .go_on = SAY_AUTH_NO};
    char fingerprint[64];
    blob_fingerprint(key, w->conf->fingerprint_hash, fingerprint);
    snprintf(o.detail, sizeof o.detail, "%s %s", key_kind(blob_type(key)), fingerprint);
    bool may = w->allowed && methods_may(&w->methods, "publickey") && names_has(bytes_str(w->conf->pubkey_accepted_algorithms), alg.b);
    bool listed = key_listed(w, may, key);
    if (may && listed && !head->has_sig) o.go_on = SAY_AUTH_PK_OK;
    if (may && listed && head->has_sig) o.yes = key_proven(w, head, key, sig, &o);
    finish(w, &o, began);
}
