/* SPDX-License-Identifier: ISC */
/* Kinds of the client with a form of their own. */
#include <stdio.h>

#include "conf/destination.h"
#include "conf/ssh.h"
#include "option.h"

/* ---- LocalForward, RemoteForward, DynamicForward; arg: 'L', 'R' or 'D' ---- */

const char forward_local = 'L', forward_remote = 'R', forward_dynamic = 'D';

#define FORWARDS_MAX 4096   /* each is compared with all before it */

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_forward(const struct conf_forward *a, const struct conf_forward *b)
{
    return a->listen_port == b->listen_port && a->connect_port == b->connect_port && same_text(a->listen_host, b->listen_host) &&
           same_text(a->listen_path, b->listen_path) && same_text(a->connect_host, b->connect_host) &&
           same_text(a->connect_path, b->connect_path);
}

static enum err forwards_add(struct line *l, struct conf_forwards *to, const struct conf_forward *f)
{
    for (size_t i = 0; i < to->n; i++)
        if (same_forward(&to->v[i], f)) return ERR_NONE;
    if (to->n >= FORWARDS_MAX) return option_bad(l, "Too many forwardings (max %d).", FORWARDS_MAX);
    struct conf_forward *v = conf_pool_grow(l->pool, to->v, to->n, sizeof *v);
    if (!v) return ERR_NOMEM;
    v[to->n] = *f;
    to->v = v, to->n++;
    return ERR_NONE;
}

static enum err forward_parse(struct line *l, const struct option *o, void *conf)
{
    char how = *(const char *)o->arg;
    const char *listen, *target = NULL;
    TRY(option_need(l, &listen));
    if (how != 'D') target = option_word(l);
    if (how == 'L' && !target) return option_bad(l, "Missing target argument.");
    size_t cap = strlen(listen) + (target ? strlen(target) : 0) + 2;
    char *spec = conf_pool_alloc(l->pool, cap), *storage = conf_pool_alloc(l->pool, cap + 4);
    if (!spec || !storage) return ERR_NOMEM;
    snprintf(spec, cap, target ? "%s:%s" : "%s", listen, target);
    struct conf_forward f;
    if (conf_forward_parse(spec, !target, how == 'R', storage, &f) != ERR_NONE) return option_bad(l, "Bad forwarding specification.");
    return forwards_add(l, FIELD(conf, struct conf_forwards, o->at), &f);
}

static void end_dump(const char *path, const char *host, unsigned port, struct wr *out)
{
    if (path) wr_textf(out, " %.2000s", path);
    else if (host) wr_textf(out, " [%.2000s]:%u", host, port);
    else wr_textf(out, " %u", port);
}

static void forward_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_forwards *t = FIELD_CONST(conf, struct conf_forwards, o->at);
    char how = *(const char *)o->arg;
    for (size_t i = 0; i < t->n; i++) {
        const struct conf_forward *f = &t->v[i];
        bool socks = !f->connect_host && !f->connect_path;
        option_dump_name(o, out);
        end_dump(f->listen_path, f->listen_host, f->listen_port, out);
        if (how != 'D') end_dump(f->connect_path, socks ? "socks" : f->connect_host, f->connect_port, out);
        wr_u8(out, '\n');
    }
}

const struct kind kind_forward = {.size = sizeof(struct conf_forwards), .parse = forward_parse, .dump = forward_dump};

/* ---- EscapeChar ---- */

static enum err escape_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    TRY(option_need(l, &word));
    int *to = FIELD(conf, int, o->at);
    if (conf_word_is(word, "none")) *to = SSH_ESCAPE_NONE;
    else if (!word[1]) *to = (uint8_t)word[0];
    else if (word[0] == '^' && !word[2] && (uint8_t)word[1] >= 64 && (uint8_t)word[1] < 128) *to = word[1] & 31;
    else return option_bad(l, "Bad escape character.");
    return ERR_NONE;
}

static void escape_dump(const struct option *o, const void *conf, struct wr *out)
{
    int v = *FIELD_CONST(conf, int, o->at);
    char text[8] = {(char)v, 0};
    if (v == SSH_ESCAPE_NONE) snprintf(text, sizeof text, "none");
    else if (v < 32) snprintf(text, sizeof text, "\\^%c", v + 64);
    option_dump_value(o, text, out);
}

const struct kind kind_escape = {.size = sizeof(int), .parse = escape_parse, .dump = escape_dump};

/* ---- AddKeysToAgent: a word, a time, or "confirm" and a time ---- */

static const struct word add_keys_word[] = {{"false", SSH_ADD_KEYS_NO}, {"no", SSH_ADD_KEYS_NO},   {"true", SSH_ADD_KEYS_YES},
                                            {"yes", SSH_ADD_KEYS_YES},  {"ask", SSH_ADD_KEYS_ASK}, {"confirm", SSH_ADD_KEYS_CONFIRM},
                                            {NULL, 0}};
static const struct words add_keys_words = {add_keys_word, "unsupported option", ""};

static enum err add_keys_parse(struct line *l, const struct option *o, void *conf)
{
    int how = SSH_ADD_KEYS_YES;
    int64_t time_s = 0;
    if (l->words == 1 && conf_time_s(bytes_str(l->word[0]), &time_s) == ERR_NONE) {
        l->used = 1;
    } else {
        const char *word = l->words ? l->word[0] : "";
        bool known = false;
        for (const struct word *w = add_keys_word; w->text; w++) known |= conf_word_is(w->text, word);
        if (*word && !known) return option_bad(l, "unsupported option");
        TRY(option_words_find(l, &add_keys_words, &how));
        word = how == SSH_ADD_KEYS_CONFIRM ? option_word(l) : NULL;
        if (word && conf_time_s(bytes_str(word), &time_s) != ERR_NONE) return option_bad(l, "invalid time value.");
    }
    *FIELD(conf, int, o->at) = how;
    *FIELD(conf, int64_t, o->at2) = time_s;
    return ERR_NONE;
}

static void add_keys_dump(const struct option *o, const void *conf, struct wr *out)
{
    int how = *FIELD_CONST(conf, int, o->at);
    long long time_s = *FIELD_CONST(conf, int64_t, o->at2);
    char text[40];
    if (time_s <= 0) snprintf(text, sizeof text, "%s", option_words_name(&add_keys_words, how));
    else snprintf(text, sizeof text, "%s%lld", how == SSH_ADD_KEYS_CONFIRM ? "confirm " : "", time_s);
    option_dump_value(o, text, out);
}

const struct kind kind_add_keys = {.size = sizeof(int), .size2 = sizeof(int64_t), .parse = add_keys_parse, .dump = add_keys_dump};

/* ---- ForwardAgent: yes, no, a socket path or $NAME ---- */

static bool yes_or_no(const char *word, bool *out)
{
    bool yes = conf_word_is(word, "yes") || conf_word_is(word, "true");
    *out = yes;
    return yes || conf_word_is(word, "no") || conf_word_is(word, "false");
}

static enum err forward_agent_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    bool flag = true;
    TRY(option_need(l, &word));
    *FIELD(conf, const char *, o->at2) = yes_or_no(word, &flag) ? NULL : word;
    *FIELD(conf, bool, o->at) = *FIELD(conf, const char *, o->at2) || flag;
    return ERR_NONE;
}

static void forward_agent_dump(const struct option *o, const void *conf, struct wr *out)
{
    const char *path = *FIELD_CONST(conf, const char *, o->at2);
    option_dump_value(o, path ? path : *FIELD_CONST(conf, bool, o->at) ? "yes" : "no", out);
}

const struct kind kind_forward_agent = {.size = sizeof(bool), .size2 = sizeof(const char *), .parse = forward_agent_parse,
                                        .dump = forward_agent_dump};

/* ---- ControlPersist: yes, no or a time ---- */

static enum err persist_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    bool flag = true;
    int64_t time_s = 0;
    TRY(option_need(l, &word));
    if (!yes_or_no(word, &flag)) {
        flag = true;
        if (conf_time_s(bytes_str(word), &time_s) != ERR_NONE) return option_bad(l, "Bad ControlPersist argument.");
    }
    *FIELD(conf, bool, o->at) = flag;
    *FIELD(conf, int64_t, o->at2) = time_s;
    return ERR_NONE;
}

static void persist_dump(const struct option *o, const void *conf, struct wr *out)
{
    char text[24];
    long long time_s = *FIELD_CONST(conf, int64_t, o->at2);
    if (time_s) snprintf(text, sizeof text, "%lld", time_s);
    else snprintf(text, sizeof text, "%s", *FIELD_CONST(conf, bool, o->at) ? "yes" : "no");
    option_dump_value(o, text, out);
}

const struct kind kind_persist = {.size = sizeof(bool), .size2 = sizeof(int64_t), .parse = persist_parse, .dump = persist_dump};

/* ---- ObscureKeystrokeTiming: yes, no, interval:MS ---- */

#define OBSCURE_PRESET_MS 20
#define OBSCURE_MAX_MS 1000

static enum err obscure_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    bool flag;
    uint64_t ms = OBSCURE_PRESET_MS;
    TRY(option_need(l, &word));
    if (strncmp(word, "interval:", 9) == 0) {
        if (text_to_u64(bytes_str(word + 9), OBSCURE_MAX_MS, &ms) != ERR_NONE || ms == 0) return option_bad(l, "invalid interval \"%s\".", word);
    } else if (yes_or_no(word, &flag)) {
        ms = flag ? OBSCURE_PRESET_MS : 0;
    } else {
        return option_bad(l, "unsupported option \"%s\".", word);
    }
    *FIELD(conf, uint32_t, o->at) = (uint32_t)ms;
    return ERR_NONE;
}

static void obscure_dump(const struct option *o, const void *conf, struct wr *out)
{
    char text[24];
    uint32_t ms = *FIELD_CONST(conf, uint32_t, o->at);
    snprintf(text, sizeof text, "interval:%u", ms);
    option_dump_value(o, ms == 0 ? "no" : ms == OBSCURE_PRESET_MS ? "yes" : text, out);
}

const struct kind kind_obscure = {.size = sizeof(uint32_t), .parse = obscure_parse, .dump = obscure_dump};

/* ---- TunnelDevice local[:remote] ---- */

static bool unit_parse(struct bytes t, int *out)
{
    uint64_t v;
    if (bytes_is(t, "any")) *out = CONF_TUN_ANY;
    else if (text_to_u64(t, CONF_TUN_ANY - 2, &v) == ERR_NONE) *out = (int)v;
    else return false;
    return true;
}

static enum err tunnel_device_parse(struct line *l, const struct option *o, void *conf)
{
    const char *word;
    TRY(option_need(l, &word));
    size_t n = strcspn(word, ":");
    struct conf_tunnel_device d = {CONF_TUN_ANY, CONF_TUN_ANY};
    if (!unit_parse(bytes_of(word, n), &d.local) || (word[n] && !unit_parse(bytes_str(word + n + 1), &d.remote)))
        return option_bad(l, "Bad tun device.");
    *FIELD(conf, struct conf_tunnel_device, o->at) = d;
    return ERR_NONE;
}

static const char *unit_text(int v, char buf[16])
{
    snprintf(buf, 16, "%d", v);
    return v == CONF_TUN_ANY ? "any" : buf;
}

static void tunnel_device_dump(const struct option *o, const void *conf, struct wr *out)
{
    const struct conf_tunnel_device *d = FIELD_CONST(conf, struct conf_tunnel_device, o->at);
    char a[16], b[16], text[40];
    snprintf(text, sizeof text, "%s:%s", unit_text(d->local, a), unit_text(d->remote, b));
    option_dump_value(o, text, out);
}

const struct kind kind_tunnel_device = {.size = sizeof(struct conf_tunnel_device), .parse = tunnel_device_parse, .dump = tunnel_device_dump};
