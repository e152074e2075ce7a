/* SPDX-License-Identifier: ISC */
/* Who is it? Every method ends in one of three words: no, yes, or go on; only finish() turns a yes into a login. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "base/text.h"
#include "conf/parse.h"
#include "os/clock.h"
#include "os/process.h"
#include "sshd/sha256.h"
#include "sshd/warden_auth.h"

#define ATTEMPTS_MAX 1024               /* requests of any outcome, as OpenSSH */
#define DISCONNECT_PROTOCOL 2           /* RFC 4253 11.1; what OpenSSH sends for too many failures */

/* ---- the host key's signatures ---- */

static void sign(struct warden *w, enum say_type say_type, const struct keys_ask *ask)
{
    struct keys_say *got = &warden_scratch.sign.got;
    struct say_signed *say = &warden_scratch.sign.say;
    *say = (struct say_signed){.type = say_type};
    enum err e = warden_ask_helper(w, w->server->keys_line[0], &(const struct helper_ask){.p = ask, .n = sizeof *ask}, got, sizeof *got);
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
    struct keys_ask to = {.type = KEYS_SIGN_KEX};
    if (alg.err != ERR_NONE || hash.err != ERR_NONE || (hash.b.n != 32 && hash.b.n != 48 && hash.b.n != 64) || !hostkey_can(w, ask->hostkey, alg.b))
        warden_guilt(w, "SIGN", ERR_FORMAT);
    if (w->turns.stage == AT_SESSION && !warden_authenticated(w)) warden_guilt(w, "SIGN", ERR_STATE);
    if (w->turns.stage == AT_KEX) {
        memcpy(w->session_id, hash.b.p, hash.b.n);
        w->session_id_n = hash.b.n, w->hostkey = ask->hostkey;
        w->turns.stage = AT_AUTH;
    }
    to.hostkey = w->server->hostkeys[ask->hostkey].index;
    FIELD_SET(&to, alg, alg.b);
    FIELD_SET(&to, data, hash.b);
    sign(w, SAY_SIGNED, &to);
}

void warden_prove(struct warden *w, const struct ask_prove *ask)
{
    struct bounded alg = FIELD(ask, alg);
    struct keys_ask to = {.type = KEYS_SIGN_PROVE};
    if (alg.err != ERR_NONE || !hostkey_can(w, ask->hostkey, alg.b)) warden_guilt(w, "PROVE", ERR_FORMAT);
    to.hostkey = w->server->hostkeys[ask->hostkey].index;
    FIELD_SET(&to, alg, alg.b);
    FIELD_SET(&to, data, bytes_of(w->session_id, w->session_id_n));
    sign(w, SAY_PROVED, &to);
}

/* ---- who ---- */

void warden_flush_user(struct warden *w)
{
    if (w->options) munmap(w->options, sizeof *w->options);
    warden_key_forget(w);
    wr_clear(&w->auth_info);
    w->auth_info = wr_heap(AUTH_INFO_MAX);
    if (w->conf) sshd_conf_free(w->conf);
    w->options = NULL, w->conf = NULL;
    w->proven_key_count = 0, w->user_known = w->allowed = w->prompting = w->change_password = false;
    wipe(&w->account, sizeof w->account);
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

/* Where settings hang on who comes, the face has told the client what holds for everybody; now it can say more. */
static void ext_send(struct warden *w)
{
    struct say_ext *say = &warden_scratch.ext;
    if (!sshd_rows_match(w->server->rows)) return;
    *say = (struct say_ext){.type = SAY_EXT, .agent = w->conf->allow_agent_forwarding && !w->conf->disable_forwarding};
    FIELD_SET(say, algs, bytes_str(w->conf->pubkey_accepted_algorithms));
    warden_say(w, say, NULL, 0);
}

/* RefuseConnection of a Match block: who comes is only known now. */
NORETURN static void refused(struct warden *w)
{
    char peer[512];
    log_line(LOG_LEVEL_INFO, "Connection from %s refused by configuration%s", warden_peer(w, peer, sizeof peer), warden_phase(w));
    warden_exit(w, WARDEN_REFUSED);
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
    if (w->conf->refuse_connection) refused(w);
    w->allowed = access_check(&w->account, w->conf, &w->link, reason, sizeof reason) == VERDICT_GOOD &&
                 bytes_is(bytes_of(who->service, who->service_n), "ssh-connection");
    if (reason[0]) log_line(LOG_LEVEL_INFO, "%s", reason);
    methods_init(&w->methods, w->conf);
    title_set("%s [priv]", w->account.valid ? w->user : "unknown");
    if (first) ext_send(w), banner_send(w);
}

void warden_attempt_begin(struct warden *w, const struct ask_who *who)
{
    if (who->user_n > sizeof who->user || who->service_n > sizeof who->service) warden_guilt(w, "AUTH", ERR_FORMAT);
    bool same = w->user_known && bytes_equal(bytes_of(who->user, who->user_n), bytes_of(w->who.user, w->who.user_n)) &&
                bytes_equal(bytes_of(who->service, who->service_n), bytes_of(w->who.service, w->who.service_n));
    if (!same) user_begin(w, who);
    w->attempts++;
}

/* ---- the outcome ---- */

static void outcome_log(const struct warden *w, const struct outcome *o, const char *what)
{
    char line[2048];
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
    const struct timespec t = clock_span(until - spent);
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

/* For ExposeAuthInfo: the method, and the key it was done with. */
static void info_add(struct warden *w, const struct outcome *o)
{
    wr_text(&w->auth_info, o->method);
    if (o->key.n > 0) {
        wr_u8(&w->auth_info, ' ');
        wr_raw(&w->auth_info, o->key_type), wr_u8(&w->auth_info, ' ');
        base64_write(&w->auth_info, o->key);
    }
    wr_u8(&w->auth_info, '\n');
}

/* The one place where somebody becomes authenticated. */
static void login(struct warden *w, const struct outcome *o, struct say_auth *say)
{
    outcome_log(w, o, "Accepted");
    warden_seal(w);
    warden_key_forget(w);
    if (!w->conf->expose_auth_info) wr_clear(&w->auth_info);
    say->result = SAY_AUTH_YES;
    policy_fill(&say->policy, w->conf);
    warden_title(w);
}

void warden_auth_finish(struct warden *w, const struct outcome *o, uint64_t began_us)
{
    struct say_auth say = {.type = SAY_AUTH, .result = o->go_on};
    bool none = strcmp(o->method, "none") == 0, yes = o->yes && w->allowed && w->account.valid;
    if (!none || o->yes) w->tried = true;
    if (yes) {
        info_add(w, o);
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

bool warden_root_may(struct warden *w, bool by_password, bool forced)
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
    if (v != VERDICT_GOOD || !warden_root_may(w, true, false)) return false;
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
    warden_attempt_begin(w, &ask->who);
    struct outcome o = {.method = bytes_is(method.b, "none") ? "none" : "unknown", .go_on = SAY_AUTH_NO};
    /* RFC 4252 5.2: "none" succeeds only for an account that needs nothing. */
    bool empty = o.method[0] == 'n' && w->conf->permit_empty_passwords && w->methods.n == 0 && methods_may(&w->methods, "password");
    if (empty) o.yes = password_good(w, true, (struct bytes){0});
    warden_auth_finish(w, &o, began);
}

void warden_auth_secret(struct warden *w, const struct ask_auth_secret *ask)
{
    uint64_t began = clock_us();
    struct bounded secret = FIELD(ask, secret);
    if (secret.err != ERR_NONE || ask->kbdint > 2) warden_guilt(w, "AUTH_SECRET", ERR_FORMAT);
    /* An answer to a prompt carries no name (RFC 4256 3.4): it belongs to the request that the prompt answered. */
    const struct ask_who who = ask->kbdint == 2 && w->prompting ? w->who : ask->who;
    warden_attempt_begin(w, &who);
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
    warden_auth_finish(w, &o, began);
}
