/* SPDX-License-Identifier: ISC */
/* -O for certificates: what they permit and force. */
#include <stdlib.h>
#include <strings.h>

#include "certify.h"

static const struct permission {
    const char *word;                   /* behind "no-" or "permit-" */
    const char *extension;
} permissions[] = {
    {"x11-forwarding", "permit-X11-forwarding"}, {"agent-forwarding", "permit-agent-forwarding"}, {"port-forwarding", "permit-port-forwarding"},
    {"pty", "permit-pty"},                       {"user-rc", "permit-user-rc"},
};

struct wanted {
    bool permitted[COUNT_OF(permissions)];
    bool no_touch, verify;
    const char *command, *source;
};

/* An option's data: nothing, or the text as a string. */
static struct bytes data_make(const char *text)
{
    if (!text) return bytes_of(NULL, 0);
    struct wr w = wr_heap(1 << 16);
    wr_cstring(&w, text);
    if (wr_done(&w) != ERR_NONE) fatal("Invalid certificate option: %s", reason(wr_done(&w)));
    return wr_bytes(&w); /* lives as long as the program */
}

/* The same twice is once; with other contents it would be two answers to one question. */
static void list_add(struct option_list *list, struct bytes name, struct bytes data)
{
    if (name.n == 0) fatal("Empty certificate option name");
    for (size_t i = 0; i < list->n; i++) {
        if (!bytes_equal(list->at[i].name, name)) continue;
        if (bytes_equal(list->at[i].data, data)) return;
        fatal("certificate option \"%.*s\" is given twice", (int)name.n, (const char *)name.p);
    }
    list->at[list->n++] = (struct cert_option){.name = name, .data = data};
}

/* "name" or "name=contents" */
static void list_add_custom(struct option_list *list, const char *text)
{
    const char *eq = strchr(text, '=');
    list_add(list, bytes_of(text, eq ? (size_t)(eq - text) : strlen(text)), data_make(eq ? eq + 1 : NULL));
}

static bool starts(const char *text, const char *prefix, const char **rest)
{
    size_t n = strlen(prefix);
    if (strncasecmp(text, prefix, n) != 0) return false;
    *rest = text + n;
    return true;
}

static bool take_permission(const char *text, struct wanted *w)
{
    const char *word;
    bool yes = starts(text, "permit-", &word);
    if (!yes && !starts(text, "no-", &word)) return false;
    for (size_t i = 0; i < COUNT_OF(permissions); i++)
        if (strcasecmp(word, permissions[i].word) == 0) {
            w->permitted[i] = yes;
            return true;
        }
    return false;
}

/* What a login with an authenticator's key must prove. */
static bool take_proof(const char *text, struct wanted *w)
{
    const struct {
        const char *word;
        bool *field, value;
    } rows[] = {{"no-touch-required", &w->no_touch, true}, {"touch-required", &w->no_touch, false},
                {"verify-required", &w->verify, true}, {"no-verify-required", &w->verify, false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcasecmp(text, rows[i].word) == 0) {
            *rows[i].field = rows[i].value;
            return true;
        }
    return false;
}

static void take(const char *text, struct wanted *w, struct certify *out)
{
    const char *value;
    if (strcasecmp(text, "clear") == 0) {
        *w = (struct wanted){.command = w->command, .source = w->source};
    } else if (take_permission(text, w) || take_proof(text, w)) {
        return;
    } else if (starts(text, "force-command=", &value)) {
        if (!*value) fatal("Empty force-command option");
        if (w->command) fatal("force-command already specified");
        w->command = value;
    } else if (starts(text, "source-address=", &value)) {
        if (w->source) fatal("source-address already specified");
        if (cert_source_check(bytes_str(value)) != VERDICT_GOOD) fatal("Invalid source-address list");
        w->source = value;
    } else if (starts(text, "extension:", &value)) {
        list_add_custom(&out->extensions, value);
    } else if (starts(text, "critical:", &value)) {
        list_add_custom(&out->critical, value);
    } else {
        fatal("Unsupported certificate option \"%s\"", text);
    }
}

void certify_options(const struct options *o, struct certify *out)
{
    struct wanted w = {0};
    for (size_t i = 0; i < COUNT_OF(permissions); i++) w.permitted[i] = !o->host_cert;
    for (size_t i = 0; i < o->extra_n; i++) take(o->extra[i], &w, out);
    for (size_t i = 0; i < COUNT_OF(permissions); i++)
        if (w.permitted[i]) list_add(&out->extensions, bytes_str(permissions[i].extension), data_make(NULL));
    if (w.no_touch) list_add(&out->extensions, BYTES_LIT("no-touch-required"), data_make(NULL));
    if (w.verify) list_add(&out->critical, BYTES_LIT("verify-required"), data_make(NULL));
    if (w.command) list_add(&out->critical, BYTES_LIT("force-command"), data_make(w.command));
    if (w.source) list_add(&out->critical, BYTES_LIT("source-address"), data_make(w.source));
}
