/* SPDX-License-Identifier: ISC */
/* What the other end of scp -O says, and patterns over names that a server sends. */
#include <fnmatch.h>
#include <stdlib.h>

#include "line.h"
#include "link_io.h"
#include "targets.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

static void line_check(struct bytes line)
{
    struct scp_line l;
    const char *why = NULL;
    if (scp_line_parse(line, &l, &why) != ERR_NONE) {
        MUST(why && *why);
        return;
    }
    MUST(l.mode <= 07777);
    MUST(l.name.n == 0 || (l.name.p >= line.p && l.name.p + l.name.n <= line.p + line.n));
    if (!scp_name_valid(l.name)) return;
    MUST(l.name.n > 0 && l.name.n <= 255 && !memchr(l.name.p, '/', l.name.n) && !memchr(l.name.p, 0, l.name.n));
    char name[256];
    bool hit = false;
    MUST(bytes_to_str(l.name, name, sizeof name) == ERR_NONE && strcmp(name, "..") != 0 && strcmp(name, ".") != 0);
    MUST(scp_name_asked(name, name, &hit) != ERR_NONE || hit);          /* what was asked for by its name is what was asked for */
}

/* The line, and then what was asked for with a name that came. */
void fuzz_scp_line(struct bytes in)
{
    const uint8_t *end = in.n ? memchr(in.p, '\n', in.n) : NULL;
    size_t n = end ? (size_t)(end - in.p) : in.n;
    line_check(bytes_of(in.p, n));
    if (!end) return;
    char *request = strndup((const char *)end + 1, in.n - n - 1), *name = strndup((const char *)in.p, n);
    bool hit = false;
    if (request && name && scp_name_asked(name, request, &hit) == ERR_NONE && hit && !strpbrk(request, "*?[\\{")) {
        size_t most = strlen(request);
        while (most > 1 && request[most - 1] == '/') most--;
        MUST(strlen(name) <= most && strncmp(request + most - strlen(name), name, strlen(name)) == 0);
    }
    free(request);
    free(name);
}

bool seed_scp_line(unsigned i, struct wr *out)
{
    static const char *const lines[] = {
        "C0644 123 name\nna*", "D0755 0 folder\n/a/{folder,b}", "E", "T1700000000 0 1700000001 0", "\1scp: x: No such file", "\2", "C06444 1 x",
        "C0644 18446744073709551616 x", "C0644 1 ..", "Cabc", "sh: scp: not found", "a\n{{a,b},{c,d}}\\*[a-z]", "x\n{,}{,}{,}{,}{,}{,}{,}{,}{,}{,}",
    };
    if (i >= COUNT_OF(lines)) return false;
    wr_text(out, lines[i]);
    return true;
}

/* A pattern, a line's end, a name. Where it has no brackets and every backslash escapes something, libc's opinion counts. */
void fuzz_glob(struct bytes in)
{
    const uint8_t *end = in.n ? memchr(in.p, '\n', in.n) : NULL;
    if (!end || in.n > 4096) return;
    size_t before = (size_t)(end - in.p);
    char *pattern = strndup((const char *)in.p, before), *name = strndup((const char *)end + 1, in.n - before - 1);
    if (pattern && name && !strchr(pattern, '/') && !strchr(name, '/')) {
        size_t n = strlen(pattern), slashes = 0;
        bool hit = glob_part_match(bytes_str(name), pattern, n);
        while (slashes < n && pattern[n - 1 - slashes] == '\\') slashes++;
        if (n < 40 && strlen(name) < 200 && !strchr(pattern, '[') && slashes % 2 == 0)     /* fnmatch() may take exponential time */
            MUST(hit == (fnmatch(pattern, name, FNM_PERIOD) == 0));
    }
    free(pattern);
    free(name);
}

bool seed_glob(unsigned i, struct wr *out)
{
    static const char *const lines[] = {"*\n.a", "a*b*c\naxxbxxc", "[!a-c]?\ndx", "[]a]\n]", "\\*\n*", "[\n[", "[a-\\z]*\nm", ".*\n.x", "***a\naaab",
                                        "?\n\xc3\xa4"};
    if (i >= COUNT_OF(lines)) return false;
    wr_text(out, lines[i]);
    return true;
}
