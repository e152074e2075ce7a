/* SPDX-License-Identifier: ISC */
#include "line.h"

#include <fnmatch.h>

#define PATTERNS_MAX 1024       /* of one request's braces */

bool scp_name_valid(struct bytes n)
{
    return n.n && n.n <= 255 && !memchr(n.p, '/', n.n) && !memchr(n.p, 0, n.n) && !bytes_is(n, ".") && !bytes_is(n, "..");
}

/* A decimal number and the blank behind it. */
static bool number_take(struct bytes *b, uint64_t max, uint64_t *out, bool *delimited)
{
    uint64_t v = 0;
    size_t n = 0;
    while (n < b->n && b->p[n] >= '0' && b->p[n] <= '9') {
        unsigned d = b->p[n] - '0';
        if (v > (max - d) / 10) return false;
        v = v * 10 + d;
        n++;
    }
    if (n == 0) return false;
    *delimited = n < b->n && b->p[n] == ' ';
    b->p += n + *delimited, b->n -= n + *delimited;
    *out = v;
    return true;
}

static enum err times_parse(struct bytes b, struct scp_line *out, const char **why)
{
    uint64_t us;
    bool blank = false;
    struct scp_line l = {.kind = SCP_LINE_TIMES};
    *why = "mtime.sec not present";
    if (b.n == 0 || b.p[0] < '0' || b.p[0] > '9') return ERR_FORMAT;
    *why = "mtime.sec not delimited";
    if (!number_take(&b, INT64_MAX, &l.mtime_s, &blank) || !blank) return ERR_FORMAT;
    *why = "mtime.usec not delimited";
    if (!number_take(&b, 999999, &us, &blank) || !blank) return ERR_FORMAT;
    *why = "atime.sec not delimited";
    if (!number_take(&b, INT64_MAX, &l.atime_s, &blank) || !blank) return ERR_FORMAT;
    *why = "atime.usec not delimited";
    if (!number_take(&b, 999999, &us, &blank) || blank || b.n) return ERR_FORMAT;
    *out = l;
    return ERR_NONE;
}

static enum err entry_parse(struct bytes b, enum scp_line_kind kind, struct scp_line *out, const char **why)
{
    struct scp_line l = {.kind = kind};
    bool blank = false;
    *why = "bad mode";
    if (b.n < 4) return ERR_FORMAT;
    for (size_t i = 0; i < 4; i++) {
        if (b.p[i] < '0' || b.p[i] > '7') return ERR_FORMAT;
        l.mode = l.mode << 3 | (b.p[i] - '0');
    }
    *why = "mode not delimited";
    if (b.n < 5 || b.p[4] != ' ') return ERR_FORMAT;
    b.p += 5, b.n -= 5;
    *why = "size not present";
    if (b.n == 0 || b.p[0] < '0' || b.p[0] > '9') return ERR_FORMAT;
    *why = "size out of range";
    if (!number_take(&b, INT64_MAX, &l.size, &blank)) return ERR_RANGE;
    *why = "size not delimited";
    if (!blank) return ERR_FORMAT;
    l.name = b;
    *out = l;
    return ERR_NONE;
}

enum err scp_line_parse(struct bytes line, struct scp_line *out, const char **why)
{
    *why = "unexpected <newline>";
    if (line.n == 0) return ERR_FORMAT;
    struct bytes rest = bytes_of(line.p + 1, line.n - 1);
    switch (line.p[0]) {
    case 'C': return entry_parse(rest, SCP_LINE_FILE, out, why);
    case 'D': return entry_parse(rest, SCP_LINE_FOLDER, out, why);
    case 'T': return times_parse(rest, out, why);
    case 'E':
        *why = "expected control record";
        if (rest.n) return ERR_FORMAT;
        *out = (struct scp_line){.kind = SCP_LINE_END};
        return ERR_NONE;
    case 1: *out = (struct scp_line){.kind = SCP_LINE_WARNING, .name = rest}; return ERR_NONE;
    case 2: *out = (struct scp_line){.kind = SCP_LINE_FATAL, .name = rest}; return ERR_NONE;
    default: *out = (struct scp_line){.kind = SCP_LINE_OTHER, .name = line}; return ERR_NONE;
    }
}

/* ---- is it what was asked for ---- */

/* The {...} that opens at p: its end, NULL if it is none that a shell would take apart (not closed, no comma). */
static const char *braces_end(const char *p)
{
    unsigned depth = 0;
    bool comma = false;
    for (; *p; p++) {
        if (*p == '\\' && p[1]) p++;
        else if (*p == '{') depth++;
        else if (*p == ',' && depth == 1) comma = true;
        else if (*p == '}' && --depth == 0) return comma ? p : NULL;
    }
    return NULL;
}

static enum err braces_match(const char *name, const char *pattern, unsigned *budget, bool *out);

/* Each alternative between the braces, put between what stands before and behind. */
static enum err alternatives_match(const char *name, const char *pattern, const char *open, const char *close, unsigned *budget, bool *out)
{
    unsigned depth = 0;
    const char *from = open + 1;
    for (const char *p = open + 1; p <= close && !*out; p++) {
        if (*p == '\\' && p < close) {
            p++;
            continue;
        }
        if (*p == '{') depth++;
        if (*p == '}' && p < close) depth--;
        if (p < close && (*p != ',' || depth)) continue;
        char one[SCP_LINE_MAX];
        size_t before = (size_t)(open - pattern), mid = (size_t)(p - from), behind = strlen(close + 1);
        if (before + mid + behind >= sizeof one) return ERR_BUDGET;
        memcpy(one, pattern, before);
        memcpy(one + before, from, mid);
        memcpy(one + before + mid, close + 1, behind + 1);
        TRY(braces_match(name, one, budget, out));
        from = p + 1;
    }
    return ERR_NONE;
}

static enum err braces_match(const char *name, const char *pattern, unsigned *budget, bool *out)
{
    if ((*budget)-- == 0) return *budget = 0, ERR_BUDGET;
    for (const char *p = pattern; *p; p++) {
        const char *end = *p == '{' ? braces_end(p) : NULL;
        if (*p == '\\' && p[1]) p++;
        else if (end) return alternatives_match(name, pattern, p, end, budget, out);
    }
    if (strlen(pattern) < SCP_LINE_MAX) *out = fnmatch(pattern, name, 0) == 0;
    return ERR_NONE;
}

enum err scp_name_asked(const char *name, const char *request, bool *out)
{
    const char *last = request;
    unsigned budget = PATTERNS_MAX, depth = 0;
    bool hit = false;
    for (const char *p = request; *p; p++) {    /* a slash inside braces divides nothing here */
        if (*p == '\\' && p[1]) p++;
        else if (*p == '{' && braces_end(p)) depth++;
        else if (*p == '}' && depth) depth--;
        else if (*p == '/' && depth == 0 && p[strspn(p, "/")]) last = p + strspn(p, "/");
    }
    char part[SCP_LINE_MAX];
    size_t n = strlen(last);
    while (n > 1 && last[n - 1] == '/') n--;
    if (n >= sizeof part) return ERR_BUDGET;
    memcpy(part, last, n);
    part[n] = 0;
    TRY(braces_match(name, part, &budget, &hit));
    *out = hit || strcmp(name, part) == 0;      /* a shell passes on what matches nothing */
    return ERR_NONE;
}
