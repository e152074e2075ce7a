/* SPDX-License-Identifier: ISC */
/* AuthenticationMethods (sshd_config(5)): lists of methods, one of which must be gone through in order. */
#include "sshd/warden.h"

/* In the order in which they are offered, with the setting that enables them. */
static const struct {
    const char *name;
    size_t flag;
} known[] = {
    {"publickey", offsetof(struct sshd_conf, pubkey_authentication)},
    {"password", offsetof(struct sshd_conf, password_authentication)},
    {"keyboard-interactive", offsetof(struct sshd_conf, kbd_interactive_authentication)},
};

static bool enabled(const struct sshd_conf *conf, size_t i)
{
    bool on;
    memcpy(&on, (const char *)conf + known[i].flag, sizeof on);
    return on;
}

/* A list's first entry names `method`, with or without a device behind a colon? Its length, with the comma; 0: no. */
static size_t head_is(const char *rest, const char *method)
{
    size_t n = strlen(method);
    if (strncmp(rest, method, n) != 0 || (rest[n] != 0 && rest[n] != ',' && rest[n] != ':')) return 0;
    n += strcspn(rest + n, ",");
    return rest[n] == ',' ? n + 1 : n;
}

void methods_init(struct methods *m, const struct sshd_conf *conf)
{
    *m = (struct methods){.conf = conf};
    const struct conf_texts *lists = &conf->authentication_methods;
    if (lists->n == 1 && strcmp(lists->v[0], "any") == 0) return;
    for (size_t i = 0; i < lists->n && m->n < METHOD_LISTS_MAX; i++) m->rest[m->n++] = lists->v[i];
}

bool methods_may(const struct methods *m, const char *method)
{
    bool on = false;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i].name, method) == 0) on = enabled(m->conf, i);
    if (!on || m->n == 0) return on;
    for (size_t i = 0; i < m->n; i++)
        if (head_is(m->rest[i], method)) return true;
    return false;
}

bool methods_done(struct methods *m, const char *method)
{
    if (m->n == 0) return true;
    bool complete = false;
    for (size_t i = 0; i < m->n; i++) {
        size_t cut = head_is(m->rest[i], method);
        m->rest[i] += cut;
        if (cut > 0 && m->rest[i][0] == 0) complete = true;
    }
    return complete;
}

void methods_text(const struct methods *m, char *out, size_t cap)
{
    struct wr w = wr_span((struct span){(uint8_t *)out, cap - 1});
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (!methods_may(m, known[i].name)) continue;
        if (w.n > 0) wr_u8(&w, ',');
        wr_text(&w, known[i].name);
    }
    out[w.n] = 0;
}
