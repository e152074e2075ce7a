/* SPDX-License-Identifier: ISC */
/* sftp-server(8)'s flags, from a command line or from a Subsystem or ForceCommand line. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <syslog.h>

#include "base/text.h"
#include "files_impl.h"

#define WORDS_MAX 100

struct word {
    const char *name;
    int value;
};

static const struct word facilities[] = {
    {"DAEMON", LOG_DAEMON}, {"USER", LOG_USER},     {"AUTH", LOG_AUTH},     {"AUTHPRIV", LOG_AUTHPRIV}, {"LOCAL0", LOG_LOCAL0}, {"LOCAL1", LOG_LOCAL1},
    {"LOCAL2", LOG_LOCAL2}, {"LOCAL3", LOG_LOCAL3}, {"LOCAL4", LOG_LOCAL4}, {"LOCAL5", LOG_LOCAL5},     {"LOCAL6", LOG_LOCAL6}, {"LOCAL7", LOG_LOCAL7}};
static const struct word levels[] = {
    {"QUIET", LOG_LEVEL_QUIET},     {"SILENT", LOG_LEVEL_QUIET}, {"FATAL", LOG_LEVEL_FATAL},   {"ERROR", LOG_LEVEL_ERROR},   {"INFO", LOG_LEVEL_INFO},
    {"VERBOSE", LOG_LEVEL_VERBOSE}, {"DEBUG", LOG_LEVEL_DEBUG1}, {"DEBUG1", LOG_LEVEL_DEBUG1}, {"DEBUG2", LOG_LEVEL_DEBUG2}, {"DEBUG3", LOG_LEVEL_DEBUG3}};

static bool word_find(const struct word *rows, size_t n, const char *name, int *out)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(rows[i].name, name) != 0) continue;
        *out = rows[i].value;
        return true;
    }
    return false;
}

/* "open,readdir" as a bit a verb; false: *bad names no request. */
static bool verbs_find(const char *list, uint64_t *out, struct bytes *bad)
{
    struct bytes name;
    uint64_t bits = 0;
    for (size_t pos = 0; names_next(bytes_str(list), &pos, &name);) {
        enum sftp_verb v = sftp_verb_find(name);
        *bad = name;
        if (v == SFTP_VERB_COUNT) return false;
        bits |= 1ULL << v;
    }
    *out = bits;
    return true;
}

static bool umask_find(const char *text, mode_t *out)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 8);
    if (errno || end == text || *end || v < 0 || v > 0777) return false;
    *out = (mode_t)v;
    return true;
}

/* What the flags collect before it is put together. */
struct lists {
    const char *denied, *allowed;
};

static bool flag_take(int flag, struct files_options *o, struct lists *l, char *why, size_t cap)
{
    switch (flag) {
    case 'R': o->read_only = true; return true;
    case 'e': o->to_stderr = true; return true;
    case 'h': o->help = true; return true;
    case 'c': return true;                              /* what a shell would get: ignored, as OpenSSH does */
    case 'Q': o->query = optarg; return true;
    case 'd': o->start = optarg; return true;
    case 'P': case 'p': {
        const char **list = flag == 'P' ? &l->denied : &l->allowed;
        if (*list) snprintf(why, cap, "%s requests already set", flag == 'P' ? "Refused" : "Permitted");
        bool first = !*list;
        *list = optarg;
        return first;
    }
    case 'l':
        if (word_find(levels, COUNT_OF(levels), optarg, &o->level)) return true;
        snprintf(why, cap, "Invalid log level \"%s\"", optarg);
        return false;
    case 'f':
        if (word_find(facilities, COUNT_OF(facilities), optarg, &o->facility)) return true;
        snprintf(why, cap, "Invalid log facility \"%s\"", optarg);
        return false;
    case 'u':
        o->has_umask = true;
        if (umask_find(optarg, &o->umask)) return true;
        snprintf(why, cap, "Invalid umask \"%s\"", optarg);
        return false;
    default: snprintf(why, cap, "unknown or incomplete option"); return false;
    }
}

/* Lists that were written for OpenSSH's requests keep their meaning: what does the same by another name goes with it. */
static uint64_t refused_too(uint64_t refused)
{
    static const struct {
        enum sftp_verb refused, too;
    } rows[] = {{SFTP_VERB_OPEN, SFTP_VERB_CHECK_FILE_NAME}, {SFTP_VERB_READ, SFTP_VERB_CHECK_FILE_NAME},
                {SFTP_VERB_READ, SFTP_VERB_CHECK_FILE_HANDLE}, {SFTP_VERB_READ, SFTP_VERB_COPY_DATA},
                {SFTP_VERB_WRITE, SFTP_VERB_COPY_DATA}, {SFTP_VERB_STATVFS, SFTP_VERB_SPACE}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (refused >> rows[i].refused & 1) refused |= 1ULL << rows[i].too;
    return refused;
}

static bool lists_join(const struct lists *l, struct files_options *o, char *why, size_t cap)
{
    uint64_t allowed = 0;
    struct bytes bad = {0};
    if ((l->denied && !verbs_find(l->denied, &o->denied, &bad)) || (l->allowed && !verbs_find(l->allowed, &allowed, &bad))) {
        snprintf(why, cap, "No such request \"%.*s\"", (int)(bad.n < 64 ? bad.n : 64), (const char *)bad.p);
        return false;
    }
    o->denied = refused_too(o->denied);
    o->refused = refused_too(o->denied | (l->allowed ? ~allowed : 0));
    return true;
}

enum err files_options_parse(int argc, char **argv, struct files_options *out, char *why, size_t why_cap)
{
    struct files_options o = {.level = LOG_LEVEL_ERROR, .facility = LOG_AUTH};
    struct lists l = {0};
    int flag;
    why[0] = 0;
    optind = 0, opterr = 0;             /* from the beginning: this process may have parsed its own command line */
    while ((flag = getopt(argc, argv, "+d:f:l:P:p:Q:u:cehR")) != -1)
        if (!flag_take(flag, &o, &l, why, why_cap)) return ERR_USAGE;
    if (!lists_join(&l, &o, why, why_cap)) return ERR_USAGE;
    *out = o;
    return ERR_NONE;
}

enum err files_options_split(const char *command, char *room, size_t room_cap, struct files_options *out, char *why, size_t why_cap)
{
    char *argv[WORDS_MAX + 1] = {NULL}, *rest = room;
    int argc = 0;
    snprintf(why, why_cap, "command too long");
    if (bytes_to_str(bytes_str(command), room, room_cap) != ERR_NONE) return ERR_USAGE;
    for (char *word; (word = strsep(&rest, " \t")) != NULL;) {
        if (!*word) continue;
        if (argc == WORDS_MAX) return ERR_USAGE;
        argv[argc++] = word;
    }
    return argc > 0 ? files_options_parse(argc, argv, out, why, why_cap) : ERR_USAGE;
}

void files_usage_write(struct wr *w, const char *program)
{
    wr_textf(w, "usage: %s [-ehR] [-d start_directory] [-f log_facility] [-l log_level]\n", program);
    wr_textf(w, "\t[-P denied_requests] [-p allowed_requests] [-u umask]\n");
    wr_textf(w, "       %s -Q protocol_feature\n", program);
}

void files_requests_write(struct wr *w)
{
    for (size_t i = 0; i < SFTP_VERB_COUNT; i++) wr_textf(w, "%s\n", sftp_rows[i].policy);
}
