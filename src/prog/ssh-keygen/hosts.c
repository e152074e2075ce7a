/* SPDX-License-Identifier: ISC */
/* known_hosts: find (-F), remove (-R), hash (-H). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "key/known_hosts.h"
#include "keygen.h"

struct run {
    const struct options *o;
    struct wr out;              /* what stdout or the new file gets */
    bool found, bad, had_names;
};

static void put_line(struct run *r, struct bytes line)
{
    wr_raw(&r->out, line);
    wr_u8(&r->out, '\n');
}

/* Lines whose hosts cannot or need not be hashed stay; of the others each name gets a line of its own. */
static void hash_line(struct run *r, const struct known_hit *h)
{
    struct bytes hosts = h->line.hosts, one;
    bool wild = false;
    for (size_t i = 0; i < hosts.n; i++) wild |= strchr("*?!", hosts.p[i]) && hosts.p[i];
    if (h->line.hashed || wild || h->line.marker != KNOWN_PLAIN) {
        put_line(r, h->text);
        if (wild && !r->o->find_host)
            say("%s:%zu: ignoring host name with wildcard: %.*s", r->o->file, h->number, (int)(hosts.n < 64 ? hosts.n : 64),
                (const char *)hosts.p);
        return;
    }
    const uint8_t *end = h->text.p + h->text.n;
    for (size_t pos = 0; names_next(hosts, &pos, &one);) {
        enum err e = known_hash_write(&r->out, one, &random_libcrypto);
        if (e != ERR_NONE) fatal("hash_host failed: %s", reason(e));
        wr_u8(&r->out, ' ');
        put_line(r, bytes_of(h->line.type.p, (size_t)(end - h->line.type.p)));
        r->had_names = true;
    }
}

/* ---- -F ---- */

static void found_show_key(struct run *r, const struct known_hit *h)
{
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    struct wr w CLEANUP(wr_clear) = wr_heap(4096);
    enum err e = known_line_key(&h->line, &k);
    need_sound(e, r->o->file);
    if (e != ERR_NONE) return;
    wr_textf(&w, "%s %s ", r->o->host, pubkey_short_name(k));
    show_fingerprint(r->o, k, &w);
    if (h->line.comment.n) wr_u8(&w, ' ');
    wr_raw(&w, h->line.comment);
    if (wr_done(&w) != ERR_NONE) fatal("fingerprint: %s", reason(wr_done(&w)));
    text_print(wr_bytes(&w));
    printf("\n");
    if (r->o->verbose) print_randomart(r->o, k);
}

static void found_show(struct run *r, const struct known_hit *h)
{
    static const char *const marks[] = {[KNOWN_PLAIN] = "", [KNOWN_CA] = "CA", [KNOWN_REVOKED] = "REVOKED"};
    struct pubkey *k CLEANUP(pubkey_drop) = NULL;
    enum err e = r->o->fingerprint ? known_line_key(&h->line, &k) : ERR_NONE;
    need_sound(e, r->o->file);
    if (e != ERR_NONE) return;
    r->found = true;
    if (!r->o->quiet) printf("# Host %s found: line %zu %s\n", r->o->host, h->number, marks[h->line.marker]);
    r->out.n = 0;
    if (r->o->hash_hosts) hash_line(r, h);
    else if (r->o->fingerprint) found_show_key(r, h);
    else put_line(r, h->text);
    need_written(&r->out);
    if (r->out.n) fwrite(r->out.p, 1, r->out.n, stdout);
}

/* ---- each line ---- */

static void bad_line(struct run *r, const struct known_hit *h)
{
    r->bad = true;
    say("%s:%zu: invalid line", r->o->file, h->number);
    put_line(r, h->text);
}

static void one_line(struct run *r, const struct known_hit *h)
{
    bool blank = h->err == ERR_NOT_FOUND, bad = h->err != ERR_NONE && !blank;
    need_sound(h->err, r->o->file);
    if (r->o->find_host) {
        if (h->host) found_show(r, h);
    } else if (bad) {
        bad_line(r, h);
    } else if (blank) {
        put_line(r, h->text);
    } else if (!r->o->remove_host) {
        hash_line(r, h);
    } else if (h->host && h->line.marker == KNOWN_PLAIN) {
        r->found = true;
        if (!r->o->quiet) printf("# Host %s found: line %zu\n", r->o->host, h->number);
    } else {
        put_line(r, h->text);
    }
}

/* ---- the file ---- */

static int file_replace(struct run *r, mode_t mode)
{
    char backup[PATH_MAX + 4];
    const struct options *o = r->o;
    snprintf(backup, sizeof backup, "%s.old", o->file);
    enum err e = wr_done(&r->out);
    if (e == ERR_NONE) e = atomic_file_replace(o->file, backup, wr_bytes(&r->out), mode & 0644);
    if (e != ERR_NONE) fatal("%s: %s", o->file, reason(e));
    printf("%s updated.\n", o->file);
    printf("Original contents retained as %s\n", backup);
    if (r->had_names) {
        say("WARNING: %s contains unhashed entries", backup);
        say("Delete this file to ensure privacy of hostnames");
    }
    return 0;
}

static int finish(struct run *r, mode_t mode)
{
    const struct options *o = r->o;
    if (o->find_host) return r->found ? 0 : 1;
    if (r->bad) {
        say("%s is not a valid known_hosts file.", o->file);
        say("Not replacing existing known_hosts file because of errors");
        return 1;
    }
    if (o->remove_host && !r->found) {
        say("Host %s not found in %s", o->host, o->file);
        return 0;
    }
    return file_replace(r, mode);
}

int job_known_hosts(struct options *o)
{
    struct secret text CLEANUP(secret_clear) = {0};
    struct run r = {.o = o, .out = wr_heap(8 * (size_t)CONF_FILE_MAX)};
    struct line_walk walk = {0};
    struct known_hit h;
    struct known_query q = {.host = bytes_str(o->host)};
    struct stat st;
    if (!o->have_file && snprintf(o->file, sizeof o->file, "%s/.ssh/known_hosts", o->home) >= (int)sizeof o->file)
        fatal("known_hosts path too long");
    enum err e = file_read(o->file, CONF_FILE_MAX, false, &text, &st);
    if (e == ERR_SYSTEM) fatal("Cannot stat %s: %s", o->file, reason(e));
    if (e != ERR_NONE) fatal("%s: %s", o->file, reason(e));
    walk.rest = secret_bytes(&text);
    while (known_next(&walk, &q, &h)) one_line(&r, &h);
    int status = finish(&r, st.st_mode);
    wr_clear(&r.out);
    return status;
}
