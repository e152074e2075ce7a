/* SPDX-License-Identifier: ISC */
/* Times of certificates: the intervals of -V, and how a validity is shown. */
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "certify.h"

#define INTERVAL_MAX (1ULL << 40)       /* seconds: more years than anybody means */

const char *time_text(uint64_t at_s, char room[64])
{
    struct tm tm;
    time_t at = at_s > INT64_MAX ? INT64_MAX : (time_t)at_s;
    return localtime_r(&at, &tm) && strftime(room, 64, "%Y-%m-%dT%H:%M:%S", &tm) > 0 ? room : "UNKNOWN-TIME";
}

void time_show(struct wr *w, uint64_t at_s)
{
    char room[64];
    wr_text(w, time_text(at_s, room));
}

static uint64_t relative(const char *text, uint64_t now_s)
{
    uint64_t n;
    if (text_to_seconds(bytes_str(text + 1), INTERVAL_MAX, &n) != ERR_NONE) fatal("Invalid relative certificate time %s", text);
    if (text[0] == '+') return now_s + n;
    if (n > now_s) fatal("Certificate time %s cannot be represented", text);
    return now_s - n;
}

static uint64_t hexadecimal(const char *text)
{
    uint64_t v = 0;
    size_t n = strspn(text + 2, "0123456789abcdefABCDEF");
    if (n == 0 || text[2 + n]) fatal("Invalid certificate time: not a number");
    for (const char *p = text + 2; *p; p++) {
        if (v >> 60) fatal("Invalid certificate time: number out of range");
        v = v << 4 | (uint64_t)(*p <= '9' ? *p - '0' : ascii_lower(*p) - 'a' + 10);
    }
    return v;
}

/* YYYYMMDD[HHMM[SS]], a wall clock's; with a Z UTC. */
static bool absolute(const char *text, uint64_t *out)
{
    bool utc;
    int64_t at;
    if (key_time_parse(bytes_str(text), &utc, &at) != ERR_NONE) return false;
    if (!utc) {
        time_t clock = (time_t)at;
        struct tm tm;
        if (!gmtime_r(&clock, &tm)) return false;
        tm.tm_isdst = -1; /* the zone knows whether summer time held then */
        at = mktime(&tm);
    }
    if (at < 0) return false;
    *out = (uint64_t)at;
    return true;
}

static uint64_t one_time(const char *text, const char *unlimited, uint64_t limit, const char *what, uint64_t now_s)
{
    uint64_t at;
    if (text[0] == '-' || text[0] == '+') return relative(text, now_s);
    if (strcmp(text, unlimited) == 0) return limit;
    if (strncmp(text, "0x", 2) == 0) return hexadecimal(text);
    if (!absolute(text, &at)) fatal("Invalid %s time \"%s\"", what, text);
    return at;
}

void certify_validity(const char *text, uint64_t now_s, struct certify *out)
{
    uint64_t n;
    out->valid_after = 0, out->valid_before = CERT_FOREVER;
    if (!text) return;
    const char *colon = strchr(text, ':');
    if (text[0] == '+' && !colon) {
        if (text_to_seconds(bytes_str(text + 1), INTERVAL_MAX, &n) != ERR_NONE) fatal("Invalid relative certificate life %s", text);
        out->valid_before = now_s + n;
        out->valid_after = (now_s - 59) / 60 * 60; /* a minute back: not every host's clock is right */
        return;
    }
    if (!colon || colon == text || !colon[1]) fatal("Invalid certificate life specification %s", text);
    char *from = strndup(text, (size_t)(colon - text));
    if (!from) fatal("memory allocation failed");
    out->valid_after = one_time(from, "always", 0, "from", now_s);
    out->valid_before = one_time(colon + 1, "forever", CERT_FOREVER, "to", now_s);
    free(from);
    if (out->valid_before <= out->valid_after) fatal("Empty certificate validity interval");
}
