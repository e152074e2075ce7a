/* SPDX-License-Identifier: ISC */
/* usage: option-facts ssh|sshd
 * What the option tables know, for page.py, which puts it into ssh_config(5) and sshd_config(5): a line a keyword, its parts between
 * tabs: option NAME BUILT HOW-IT-COUNTS WORDS DEFAULT; and a line a retired keyword: alias NAME WHAT. */
#include <stdio.h>
#include <string.h>

#include "option.h"

static const char *built_name(const struct option *o)
{
    static const char *const names[] = {[BUILT] = "built", [LESS] = "less", [ABSENT] = "absent", [MORE] = "more"};
    return names[o->built];
}

/* Words with one meaning follow each other, divided by =; others by a comma. */
static void words_print(const struct words *ws)
{
    for (const struct word *w = ws->word; w->text; w++) {
        bool first = true;
        for (const struct word *before = ws->word; before < w; before++) first &= before->value != w->value;
        if (!first) continue;
        printf("%s%s", w == ws->word ? "" : ",", w->text);
        for (const struct word *same = w + 1; same->text; same++)
            if (same->value == w->value) printf("=%s", same->text);
    }
}

static const char *preset_of_algs(const struct algs_arg *a)
{
    const struct conf_algs *g = &conf_algs_openssh;
    const char *const all[] = {[ALGS_CIPHERS] = g->ciphers_default, [ALGS_MACS] = g->macs_default,
                               [ALGS_KEX] = a->server ? g->kex_default_server : g->kex_default_client, [ALGS_KEYS] = g->key_default,
                               [ALGS_CA] = g->ca_default};
    return all[a->which];
}

static void row_print(const struct option *o)
{
    static const struct word yes_no[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
    static const struct words flag = {yes_no, NULL, NULL};
    printf("option\t%s\t%s\t%s%s\t", o->name, built_name(o), o->flags & OPT_APPEND ? "adds" : "first", o->flags & OPT_MATCH ? ",match" : "");
    if (o->kind == &kind_flag || o->kind == &kind_word) words_print(o->arg ? o->arg : &flag);
    printf("\t%s\n", o->kind == &kind_algs ? preset_of_algs(o->arg) : o->preset ? o->preset : "");
}

int main(int argc, char **argv)
{
    const struct table *t = argc == 2 && strcmp(argv[1], "ssh") == 0 ? &ssh_table : argc == 2 && strcmp(argv[1], "sshd") == 0 ? &sshd_table : NULL;
    if (!t) return 2;
    for (size_t i = 0; i < t->n; i++) row_print(&t->rows[i]);
    for (size_t i = 0; i < t->alias_n; i++) {
        const char *to = t->aliases[i].stands_for;
        printf("alias\t%s\t%s\n", t->aliases[i].name, !to ? "ignored" : !*to ? "unsupported" : to);
    }
    return fflush(stdout) != 0;
}
