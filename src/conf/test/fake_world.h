/* SPDX-License-Identifier: ISC */
/* A world made of tables: files, groups, addresses; it keeps what was said and what was run. */
#ifndef CONF_TEST_FAKE_WORLD_H
#define CONF_TEST_FAKE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conf/world.h"

struct fake_file {
    const char *path, *text;
    size_t n;                   /* 0: strlen */
    enum err err;               /* what reading it gives instead */
};

struct fake {
    struct conf_world w;
    struct fake_file file[16];
    size_t files;
    char said[16384];           /* every error and warning, a line each */
    char debug[16384];
    char ran[4096];             /* every command, a line each */
    int exit_status;
    unsigned reads;
};

static inline void fake_note(char *to, size_t cap, const char *text)
{
    size_t n = strlen(to);
    snprintf(to + n, cap - n, "%s\n", text);
}

static inline void fake_say(void *ctx, enum conf_say what, const char *text)
{
    struct fake *f = ctx;
    if (what == CONF_SAY_DEBUG) fake_note(f->debug, sizeof f->debug, text);
    else fake_note(f->said, sizeof f->said, text);
}

static inline enum err fake_read(void *ctx, const char *path, unsigned flags, struct wr *out)
{
    struct fake *f = ctx;
    f->reads++;
    for (size_t i = 0; i < f->files; i++) {
        const struct fake_file *x = &f->file[i];
        if (strcmp(x->path, path) != 0) continue;
        if (x->err == ERR_DENIED && !(flags & CONF_READ_CHECK_OWNER)) continue;
        if (x->err != ERR_NONE) return x->err;
        wr_raw(out, bytes_of(x->text, x->n ? x->n : strlen(x->text)));
        return wr_done(out);
    }
    return ERR_NOT_FOUND;
}

/* "dir/" and a star is all the tests need; other patterns mean themselves. */
static inline enum err fake_glob(void *ctx, const char *pattern, struct wr *out)
{
    struct fake *f = ctx;
    size_t n = strcspn(pattern, "*");
    for (size_t i = 0; i < f->files; i++)
        if (pattern[n] ? strncmp(f->file[i].path, pattern, n) == 0 : strcmp(f->file[i].path, pattern) == 0)
            wr_raw(out, bytes_of(f->file[i].path, strlen(f->file[i].path) + 1));
    return wr_done(out);
}

static inline enum err fake_exec(void *ctx, const char *command, int *status)
{
    struct fake *f = ctx;
    fake_note(f->ran, sizeof f->ran, command);
    *status = f->exit_status;
    return ERR_NONE;
}

static inline const char *fake_env(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "WHERE") == 0 ? "/from/env" : NULL;
}

static inline enum err fake_groups(void *ctx, const char *user, struct wr *out)
{
    (void)ctx;
    if (strcmp(user, "bob") != 0) return ERR_NOT_FOUND;
    wr_raw(out, BYTES_LIT("staff\0wheel\0"));
    return wr_done(out);
}

static inline enum err fake_home(void *ctx, const char *user, struct wr *out)
{
    (void)ctx;
    if (user && strcmp(user, "bob") != 0) return ERR_NOT_FOUND;
    wr_text(out, user ? "/home/bob" : "/home/me");
    return wr_done(out);
}

static inline enum err fake_addresses(void *ctx, struct wr *out)
{
    (void)ctx;
    wr_raw(out, BYTES_LIT("127.0.0.1\0" "10.1.2.3\0" "fe80::1\0"));
    return wr_done(out);
}

static inline enum err fake_hash(void *ctx, struct bytes text, char hex[41])
{
    (void)ctx;
    snprintf(hex, 41, "hash-of-%zu-bytes", text.n);
    return ERR_NONE;
}

static inline struct conf_world *fake_world(struct fake *f)
{
    memset(f, 0, sizeof *f);
    f->w = (struct conf_world){
        .ctx = f, .read_file = fake_read, .glob = fake_glob, .exec = fake_exec, .env = fake_env, .user_groups = fake_groups,
        .user_home = fake_home, .local_addresses = fake_addresses, .hash = fake_hash, .say = fake_say, .local_user = "me", .local_uid = 1000,
        .local_host = "here.example.org", .home = "/home/me", .version = "OpenSSH_10.5", .cwd = "/cwd"};
    return &f->w;
}

static inline void fake_add(struct fake *f, const char *path, const char *text)
{
    f->file[f->files++] = (struct fake_file){.path = path, .text = text};
}

/* The lines of a dump that begin with a keyword, into buf. */
static inline const char *lines_of(const struct wr *dump, const char *keyword, char *buf, size_t cap)
{
    size_t k = strlen(keyword), used = 0;
    buf[0] = 0;
    for (size_t at = 0; at < dump->n;) {
        const uint8_t *nl = memchr(dump->p + at, '\n', dump->n - at);
        size_t n = nl ? (size_t)(nl - dump->p) - at : dump->n - at;
        if (n > k && strncasecmp((const char *)dump->p + at, keyword, k) == 0 && dump->p[at + k] == ' ' && used + n + 2 < cap) {
            memcpy(buf + used, dump->p + at, n);
            used += n;
            buf[used++] = '\n', buf[used] = 0;
        }
        at += n + 1;
    }
    if (used) buf[used - 1] = 0;
    return buf;
}

#endif
