/* SPDX-License-Identifier: ISC */
/* What the two programs do: each event has its answer, and between events there is work. */
#include "duo.h"

#define PASSWORD "correct horse"
enum { TAG_EXEC = 100, TAG_OTHER };

static void wrong(struct duo_side *s, const char *what)
{
    if (!s->wrong) s->wrong = what;
}

/* An error of a call is the conn's: the next conn_next() repeats it. ERR_AGAIN must not come where the script asks. */
static void must(struct duo_side *s, enum err e, const char *what)
{
    if (e == ERR_USAGE || e == ERR_STATE) wrong(s, what);
}

static void answer(struct duo_side *s, const struct event *ev, const struct answer *a)
{
    must(s, conn_answer(s->c, ev->question, a), "an answer was not taken");
}

void duo_pattern(enum role from, uint32_t chan, uint64_t at, struct span out)
{
    uint32_t salt = (uint32_t)from * 77777u + chan * 1234567u;
    for (size_t i = 0; i < out.n; i++) {
        uint32_t x = (uint32_t)(at + i) * 2654435761u ^ salt;
        out.p[i] = (uint8_t)(x >> 13 ^ x >> 24);
    }
}

/* ---- both ---- */

static void take_data(struct duo *d, struct duo_side *s, const struct event *ev)
{
    struct duo_chan *ch = &s->chan[ev->chan % DUO_CHANNELS];
    struct bytes b = ev->data.bytes;
    uint8_t want[4096];
    for (size_t at = 0; at < b.n; at += sizeof(want)) {
        size_t n = b.n - at < sizeof(want) ? b.n - at : sizeof(want);
        duo_pattern((enum role)(1 - s->role), ev->chan, ch->got + at, (struct span){want, n});
        if (memcmp(want, b.p + at, n) != 0) wrong(s, "received bytes differ from the sent ones");
    }
    if (ch->peer_eof) wrong(s, "data after EOF");
    ch->got += b.n;
    if (d->plan.slow) ch->held += b.n;
    else chan_consumed(s->c, ev->chan, b.n);
}

/* Send what goes now. */
static bool give_data(struct duo *d, struct duo_side *s, uint32_t n)
{
    struct duo_chan *ch = &s->chan[n];
    uint64_t total = s->role == ROLE_CLIENT ? d->plan.up : d->plan.down;
    if (!ch->running || ch->sent >= total || d->plan.hold) return false;
    struct span room[4];
    size_t rooms = chan_reserve_v(s->c, n, STREAM_DATA, 0, room, 1 + rng_below(&s->rng, 4)), sum = 0;
    for (size_t i = 0; i < rooms && sum < total - ch->sent; i++) {
        struct span r = room[i];
        if (r.n > total - ch->sent - sum) r.n = (size_t)(total - ch->sent - sum);
        if (i + 1 == rooms || rng_below(&s->rng, 4) == 0) r.n = 1 + (size_t)rng_below(&s->rng, r.n);
        duo_pattern(s->role, n, ch->sent + sum, r);
        sum += r.n;
        if (r.n < room[i].n) break;
    }
    if (rooms) chan_commit(s->c, n, STREAM_DATA, sum);
    ch->sent += sum;
    if (sum && ch->sent == total) chan_eof(s->c, n);
    return sum != 0;
}

/* A slow reader takes what it likes when it likes, but takes it all where nothing else would move. */
static bool consume(const struct duo *d, struct duo_side *s, uint32_t n)
{
    struct duo_chan *ch = &s->chan[n];
    size_t part = ch->held < 500 || d->without_chance ? ch->held : (size_t)rng_below(&s->rng, ch->held);
    if (part == 0 || (!d->without_chance && rng_below(&s->rng, 8) == 0)) return false;
    chan_consumed(s->c, n, part);
    ch->held -= part;
    return true;
}

static void chat(struct duo *d, struct duo_side *s)
{
    static const struct global_request keepalive = {.type = GLOBAL_KEEPALIVE, .want_reply = true};
    if (!d->plan.chatty || rng_below(&s->rng, 50) || !conn_facts(s->c)->authenticated) return;
    const struct channel_request resize = {.type = REQ_WINDOW_CHANGE, .cols = 80, .rows = 24};
    switch (rng_below(&s->rng, 3)) {
    case 0: (void)!conn_global(s->c, &keepalive, TAG_OTHER); break;
    case 1: (void)!conn_ping(s->c, BYTES_LIT("are you there")); break;
    default:
        if (s->role == ROLE_CLIENT && s->chan[0].running && !s->chan[0].closed) (void)!chan_request(s->c, 0, &resize, 0);
    }
}

/* ---- client ---- */

static void client_try(struct duo *d, struct duo_side *s)
{
    char how = d->plan.login[s->login_at++];
    const struct bytes blob = pubkey_blob(privkey_public(s->key));
    struct auth_attempt a = {.user = BYTES_LIT("bob"), .alg = BYTES_LIT("ssh-ed25519"), .key = blob};
    switch (how) {
    case 'n': a.method = AUTH_NONE; break;
    case 'q': a.method = AUTH_PUBLICKEY; break;
    case 's': a.method = AUTH_PUBLICKEY, a.sign = true; break;
    case 'p': a.method = AUTH_PASSWORD, a.password = BYTES_LIT(PASSWORD); break;
    case 'k': a.method = AUTH_KBDINT; break;
    default: wrong(s, "the login plan ran out"); return;
    }
    must(s, conn_auth_try(s->c, &a), "an authentication request was not taken");
}

static void client_sign(struct duo_side *s, const struct event *ev)
{
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    if (privkey_sign(s->key, sig_alg_find(ev->sign.alg), ev->sign.msg, &sig) != ERR_NONE) wrong(s, "signing failed");
    answer(s, ev, &(struct answer){.type = ANSWER_YES, .data = wr_bytes(&sig)});
}

static void client_opens(struct duo *d, struct duo_side *s)
{
    static const struct global_request no_more = {.type = GLOBAL_NO_MORE_SESSIONS};
    s->logged_in = true;
    for (unsigned i = 0; i < d->plan.channels; i++) {
        uint32_t n = 0;
        const struct channel_open open = {.type = OPEN_SESSION};
        must(s, chan_open(s->c, &open, &n), "a channel was not opened");
        if (n < DUO_CHANNELS) s->chan[n].used = true;
    }
    if (!d->plan.more_sessions) must(s, conn_global(s->c, &no_more, 0), "a global request was not taken");
}

static void client_start(struct duo_side *s, uint32_t n)
{
    const struct channel_request pty = {.type = REQ_PTY, .text = BYTES_LIT("xterm"), .value = BYTES_LIT("\0"), .cols = 80, .rows = 24};
    const struct channel_request env = {.type = REQ_ENV, .text = BYTES_LIT("LANG"), .value = BYTES_LIT("C")};
    const struct channel_request exec = {.type = REQ_EXEC, .want_reply = true, .text = BYTES_LIT("run it")};
    s->chan[n].open = true;
    must(s, chan_request(s->c, n, &pty, 0), "pty-req was not taken");
    must(s, chan_request(s->c, n, &env, 0), "env was not taken");
    must(s, chan_request(s->c, n, &exec, TAG_EXEC), "exec was not taken");
}

static void client_closed(struct duo *d, struct duo_side *s, uint32_t n)
{
    struct duo_chan *ch = &s->chan[n];
    if (ch->got != d->plan.down || !ch->status_seen) wrong(s, "a channel closed before it had all");
    ch->closed = true;
    if (++s->ended < d->plan.channels) return;
    s->finished = true;
    conn_disconnect(s->c, 11, BYTES_LIT("disconnected by user"));
}

static void client_event(struct duo *d, struct duo_side *s, const struct event *ev)
{
    struct duo_chan *ch = &s->chan[ev->chan % DUO_CHANNELS];
    static const struct bytes reply[PROMPTS_MAX] = {{(const uint8_t *)PASSWORD, sizeof(PASSWORD) - 1}};
    switch (ev->type) {
    case EV_HOSTKEY_CHECK: {
        bool known = bytes_equal(ev->hostkey.key, d->side[ROLE_SERVER].hostkey.blob);
        answer(s, ev, &(struct answer){.type = known ? ANSWER_YES : ANSWER_NO});
        break;
    }
    case EV_KEX_DONE:
        if (s->login_at == 0) client_try(d, s);
        break;
    case EV_AUTH_NEXT: case EV_PK_OK: client_try(d, s); break;
    case EV_SIGN: client_sign(s, ev); break;
    case EV_PROMPTS: answer(s, ev, &(struct answer){.type = ANSWER_YES, .answers = reply, .count = ev->prompts.count}); break;
    case EV_AUTH_DONE: client_opens(d, s); break;
    case EV_CHANNEL_OPENED: s->opened++, client_start(s, ev->chan); break;
    case EV_REQUEST_DONE:
        if (ev->done.tag != TAG_EXEC || !ev->done.ok) wrong(s, "exec was refused");
        ch->running = true;
        if (d->plan.up == 0) chan_eof(s->c, ev->chan);
        break;
    case EV_CHANNEL_REQUEST:
        if (ev->request.type == REQ_EXIT_STATUS && ev->request.number == DUO_STATUS) ch->status_seen = true;
        break;
    case EV_CHANNEL_CLOSED: client_closed(d, s, ev->chan); break;
    case EV_CHANNEL_REFUSED: wrong(s, "a channel was refused"); break;
    default: break;
    }
}

/* ---- server ---- */

static bool last_method(const struct duo *d, char how)
{
    const char *p = strrchr(d->plan.login, how);
    return p && p[1] == 0;
}

static void server_auth(struct duo *d, struct duo_side *s, const struct event *ev)
{
    static const struct prompt prompt = {.text = BYTES_LIT("Password: ")};
    const struct auth_try *t = &ev->auth;
    struct answer a = {.type = ANSWER_NO, .data = BYTES_LIT("publickey,password,keyboard-interactive")};
    bool good = false;
    char how = 'n';
    if (!t->response && (!bytes_is(t->user, "bob") || !bytes_is(t->service, "ssh-connection"))) wrong(s, "an authentication request was changed");
    if (t->method == AUTH_PASSWORD) how = 'p', good = bytes_is(t->password, PASSWORD);
    if (t->method == AUTH_KBDINT) how = 'k', good = t->response && t->answer_count == 1 && bytes_is(t->answers[0], PASSWORD);
    if (t->method == AUTH_PUBLICKEY && t->has_sig) {
        const struct pubkey *key = privkey_public(d->side[ROLE_CLIENT].key);
        how = 's', good = pubkey_verify(key, sig_alg_find(t->alg), t->signed_text, t->sig) == VERDICT_GOOD;
    }
    if (how != 'n' && !good && !(t->method == AUTH_KBDINT && !t->response)) wrong(s, "a credential arrived changed");
    if (good) a.type = last_method(d, how) ? ANSWER_YES : ANSWER_PARTIAL;
    if (t->method == AUTH_PUBLICKEY && !t->has_sig) a.type = ANSWER_PK_OK;
    if (t->method == AUTH_KBDINT && !t->response) a = (struct answer){.type = ANSWER_PROMPTS, .prompts = &prompt, .count = 1};
    answer(s, ev, &a);
    if (a.type == ANSWER_YES) {
        static const struct global_request keys = {.type = GLOBAL_HOSTKEYS, .body = BYTES_LIT("\0\0\0\4abcd")};
        s->logged_in = true;
        must(s, conn_global(s->c, &keys, 0), "hostkeys-00 was not taken");
    }
}

static void server_request(struct duo *d, struct duo_side *s, const struct event *ev)
{
    struct duo_chan *ch = &s->chan[ev->chan % DUO_CHANNELS];
    if (ev->request.type == REQ_EXEC) {
        if (!bytes_is(ev->request.text, "run it")) wrong(s, "the command was changed");
        ch->running = true;
    }
    if (ev->question) answer(s, ev, &(struct answer){.type = ANSWER_YES});
    if (ev->request.type == REQ_EXEC && d->plan.down == 0) chan_eof(s->c, ev->chan);
}

static void server_event(struct duo *d, struct duo_side *s, const struct event *ev)
{
    struct duo_chan *ch = &s->chan[ev->chan % DUO_CHANNELS];
    struct wr sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    switch (ev->type) {
    case EV_SIGN:
        if (privkey_sign(s->key, sig_alg_find(ev->sign.alg), ev->sign.msg, &sig) != ERR_NONE) wrong(s, "signing failed");
        answer(s, ev, &(struct answer){.type = ANSWER_YES, .data = wr_bytes(&sig)});
        break;
    case EV_AUTH_TRY: server_auth(d, s, ev); break;
    case EV_CHANNEL_OPEN: *ch = (struct duo_chan){.used = true, .question = ev->question, .wait = d->plan.open_delay}; break;
    case EV_CHANNEL_REQUEST: server_request(d, s, ev); break;
    case EV_GLOBAL_REQUEST:
        if (ev->question) answer(s, ev, &(struct answer){.type = ANSWER_NO});
        break;
    case EV_CHANNEL_CLOSED:
        ch->closed = true, s->ended++;
        break;
    default: break;
    }
}

/* The command ends when it has read and written all. */
static bool server_end(struct duo *d, struct duo_side *s, uint32_t n)
{
    struct duo_chan *ch = &s->chan[n];
    if (!ch->running || ch->ending || ch->sent != d->plan.down || !ch->peer_eof || ch->got != d->plan.up) return false;
    ch->ending = true;
    chan_exit_status(s->c, n, DUO_STATUS);
    chan_close(s->c, n);
    return true;
}

static bool server_open(struct duo_side *s, uint32_t n)
{
    struct duo_chan *ch = &s->chan[n];
    if (!ch->question) return false;
    if (ch->wait) {
        ch->wait--;
        return true;
    }
    enum err e = conn_answer(s->c, ch->question, &(struct answer){.type = ANSWER_YES});
    if (e == ERR_AGAIN) return false;
    must(s, e, "the answer to an open was not taken");
    ch->question = 0, ch->open = true;
    return true;
}

/* ---- doors ---- */

bool script_event(struct duo *d, struct duo_side *s, const struct event *ev)
{
    struct duo_chan *ch = &s->chan[ev->chan % DUO_CHANNELS];
    if (ev->type == EV_CHANNEL_DATA) take_data(d, s, ev);
    if (ev->type == EV_CHANNEL_EOF) ch->peer_eof = true;
    if (s->role == ROLE_CLIENT) client_event(d, s, ev);
    else server_event(d, s, ev);
    return true;
}

bool script_work(struct duo *d, struct duo_side *s)
{
    bool moved = false;
    chat(d, s);
    for (uint32_t n = 0; n < DUO_CHANNELS && n < d->plan.channels; n++) {
        if (!s->chan[n].used || s->chan[n].closed) continue;
        if (s->role == ROLE_SERVER && server_open(s, n)) moved = true;
        if (give_data(d, s, n)) moved = true;
        if (d->plan.slow && consume(d, s, n)) moved = true;
        if (s->role == ROLE_SERVER && server_end(d, s, n)) moved = true;
    }
    return moved;
}
