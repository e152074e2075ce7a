/* SPDX-License-Identifier: ISC */
/* What a batch file may hold, and how names are shown. */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "listing.h"
#include "targets.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

/* A name, escaped as a pattern and back, is that name; as a word in quotes too. */
static void names_check(const char *line)
{
    struct words w;
    char *pattern = words_escape(line), *quoted = NULL;
    if (!pattern) return;
    words_unescape(pattern);
    MUST(strcmp(pattern, line) == 0);
    free(pattern);
    if (strchr(line, '"') || strchr(line, '\\') || asprintf(&quoted, "\"%s\"", line) < 0) return;
    enum err e = words_split(quoted, false, &w);
    MUST(e == ERR_NONE || (e == ERR_TOO_LONG && strlen(quoted) > WORDS_LINE_MAX));
    if (e == ERR_NONE) {
        MUST(w.count == 1);
        words_unescape(w.v[0]);
        MUST(strcmp(w.v[0], line) == 0);
        words_clear(&w);
    }
    free(quoted);
}

static void line_check(const char *line)
{
    struct command c;
    struct words w;
    struct patterns p;
    char why[200];
    if (command_parse(line, &c, why, sizeof why) == ERR_NONE) {
        MUST(c.verb < VERB_COUNT && c.line >= line && c.line <= line + strlen(line));
        MUST(!c.rest || (c.rest >= line && c.rest <= line + strlen(line)));
        MUST(!c.path2 || c.path);
    }
    command_clear(&c);
    if (words_split(line, true, &w) == ERR_NONE) {
        for (size_t i = 0; i < w.count; i++) MUST(w.at[i] <= strlen(line) && strlen(w.v[i]) <= 2 * strlen(line));
        words_clear(&w);
    }
    if (braces_expand(line, 200, &p) == ERR_NONE) {
        MUST(p.count >= 1);
        patterns_clear(&p);
    }
    names_check(line);
}

/* Names as a server sends them never steer a terminal. */
static void listing_check(struct bytes in)
{
    struct entries list = {0};
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 22);
    for (size_t at = 0; at < in.n && list.count < 50;) {
        size_t n = 1 + in.p[at] % 40;
        if (n > in.n - at) n = in.n - at;
        struct sftp_attrs a = {.flags = 15, .mode = get_u32((uint8_t[]){0, 0, in.p[at], in.p[at + n - 1]}), .size = (uint64_t)in.p[at] << (in.p[at] % 56)};
        struct bytes name = bytes_of(in.p + at, strnlen((const char *)in.p + at, n));
        MUST(entries_add(&list, name, (struct bytes){0}, &a) == ERR_NONE);
        at += n;
    }
    entries_sort(&list, ORDER_SIZE, true);
    columns_write(&w, &list, in.n % 200, in.n % 2);
    for (size_t i = 0; i < list.count; i++) {
        long_line_write(&w, &list.v[i], i % 2, i % 3 ? NULL : list.v[i].name, NULL, 1000000);
        wr_u8(&w, '\n');
    }
    for (size_t i = 0; i < w.n; i++) MUST(w.p[i] == '\n' || (w.p[i] >= 0x20 && w.p[i] != 0x7f));
    entries_clear(&list);
}

void fuzz_sftp_batch(struct bytes in)
{
    char *line = strndup(in.n ? (const char *)in.p : "", in.n);
    if (!line) return;
    for (char *p = line, *end; p; p = end) {
        end = strchr(p, '\n');
        if (end) *end++ = 0;
        line_check(p);
    }
    free(line);
    listing_check(in);
}

bool seed_sftp_batch(unsigned i, struct wr *out)
{
    static const char *const lines[] = {
        "-@get -afpR 'a b'*.{c,h} \"d e\"\n", "put a\\*b\\ c /tmp # why\n", "ls -1lahtrS {a,b{c,d}}*\n@rename \"a\\\"b\" c\n", "!echo \"x\nlls -l 'y\n",
        "chmod -h 0644 [a-z]?\nchown 0 x\nlumask 022\n", "ln -s a b\nsymlink a \\\n", "'unterminated", "df -hi\nprogress\n?\nbye\n",
    };
    if (i >= COUNT_OF(lines)) return false;
    wr_text(out, lines[i]);
    return true;
}
