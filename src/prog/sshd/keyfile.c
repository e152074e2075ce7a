/* SPDX-License-Identifier: ISC */
/* authorized_keys, read by the user's own rights. Runs in the reader only. */
#include "sshd/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/sshd.h"
#include "key/cert.h"
#include "priv/helpers.h"

/* A log line of our words and the user's: made safe here, since what arrives at the warden is only looked at for its end. */
static void note_set(char *note, size_t size, const char *text)
{
    if (note[0] == 0) escape_str(bytes_str(text), note, size);     /* the first reason is the one worth reading */
}

enum err keyfile_path(const struct account *a, const char *text, struct span out)
{
    struct wr w = wr_span(out);
    const char *p = text;
    if (text[0] != '/' && !(text[0] == '%' && text[1] == 'h')) wr_text(&w, a->home), wr_u8(&w, '/');
    for (; *p; p++) {
        if (*p != '%') {
            wr_u8(&w, (uint8_t)*p);
            continue;
        }
        switch (*++p) {
        case '%': wr_u8(&w, '%'); break;
        case 'h': wr_text(&w, a->home); break;
        case 'u': wr_text(&w, a->name); break;
        case 'U': wr_textf(&w, "%lu", (unsigned long)a->uid); break;
        default: return ERR_USAGE;
        }
    }
    wr_u8(&w, 0);
    return wr_done(&w) == ERR_NONE ? ERR_NONE : ERR_TOO_LONG;
}

/* ---- StrictModes ---- */

static bool safe_owner(const struct account *a, const struct stat *st)
{
    return (st->st_uid == 0 || st->st_uid == a->uid) && (st->st_mode & 022) == 0;
}

/* The path of an open file as the kernel knows it: what was opened, not what its name says now. */
static bool true_path(int fd, const char *name, char out[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n > 0 && out[0] == '/') {
        out[n] = 0;
        return true;
    }
    return realpath(name, out) != NULL;
}

enum err program_check(const char *path, char *why, size_t why_cap)
{
    char real[PATH_MAX];
    struct stat st;
    if (stat(path, &st) != 0 || !realpath(path, real)) {
        snprintf(why, why_cap, "%s", strerror(errno));
        return ERR_DENIED;
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(why, why_cap, "%s is not a regular file", real);
        return ERR_DENIED;
    }
    for (bool file = true;; file = false) {
        if (stat(real, &st) != 0 || st.st_uid != 0 || (st.st_mode & 022) != 0) {
            snprintf(why, why_cap, "bad ownership or modes for %s %s", file ? "file" : "directory", real);
            return ERR_DENIED;
        }
        if (real[1] == 0) return ERR_NONE;
        char *slash = strrchr(real, '/');
        slash[slash == real] = 0;
    }
}

static enum err folders_check(const struct account *a, char *path, char *note, size_t note_size)
{
    char home[PATH_MAX], text[PATH_MAX + 64];
    bool have_home = realpath(a->home, home) != NULL;
    for (;;) {
        char *slash = strrchr(path, '/');
        if (!slash) return ERR_DENIED;
        slash[slash == path] = 0;       /* keeps the root's own slash */
        struct stat st;
        if (stat(path, &st) != 0 || !safe_owner(a, &st)) {
            snprintf(text, sizeof text, "Authentication refused: bad ownership or modes for directory %s", path);
            note_set(note, note_size, text);
            return ERR_DENIED;
        }
        if ((have_home && strcmp(path, home) == 0) || path[1] == 0) return ERR_NONE;
    }
}

static enum err modes_check(const struct account *a, int fd, const char *name, const struct stat *st, char *note, size_t note_size)
{
    char path[PATH_MAX], text[PATH_MAX + 64];
    if (!true_path(fd, name, path)) return ERR_SYSTEM;
    if (!safe_owner(a, st)) {
        snprintf(text, sizeof text, "Authentication refused: bad ownership or modes for file %s", path);
        note_set(note, note_size, text);
        return ERR_DENIED;
    }
    return folders_check(a, path, note, note_size);
}

/* Looks first and opens then, the very file that was looked at: opening a FIFO waits and opening a device may act. */
static enum err open_regular(const char *path, char *note, size_t note_size, struct stat *st, int *out)
{
    char link[64], text[PATH_MAX + 64];
    int look = open(path, O_PATH | O_CLOEXEC);
    if (look < 0) return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM;
    int fd = -1;
    enum err e = fstat(look, st) == 0 ? ERR_NONE : ERR_SYSTEM;
    if (e == ERR_NONE && !S_ISREG(st->st_mode)) {
        snprintf(text, sizeof text, "Authentication refused: %s is not a regular file", path);
        note_set(note, note_size, text);
        e = ERR_DENIED;
    }
    if (e == ERR_NONE) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", look);
        fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0) e = errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    close(look);
    if (e == ERR_NONE) *out = fd;
    return e;
}

enum err keyfile_open(const struct account *a, const char *path, bool strict, char *note, size_t note_size, int *out)
{
    struct stat st;
    int fd = -1;
    TRY(open_regular(path, note, note_size, &st, &fd));
    enum err e = strict ? modes_check(a, fd, path, &st, note, note_size) : ERR_NONE;
    if (e != ERR_NONE) {
        close(fd);
        return e;
    }
    *out = fd;
    return ERR_NONE;
}

/* ---- one line ---- */

/* from="": patterns and CIDR blocks against address and name; any negated hit refuses (sshd(8)). */
static bool from_holds(const char *from, const struct link_ends *link)
{
    enum match by_address = MATCH_NO;
    if (address_list_match(link->client_addr, bytes_str(from), &by_address) != ERR_NONE || by_address == MATCH_NEGATED) return false;
    enum match by_name = pattern_list_match(bytes_str(link->client_host), bytes_str(from), true);
    return by_name != MATCH_NEGATED && (by_address == MATCH_YES || by_name == MATCH_YES);
}

static bool conditions_hold(const struct key_options *o, const struct keys_question *q, struct keys_answer *out)
{
    char text[KEY_FROM_MAX + 512];
    const struct link_ends *l = q->link;
    if (o->has_from && !from_holds(o->from, l)) {
        snprintf(text, sizeof text,
            "Authentication tried for %.100s with correct key but not from a permitted host (host=%.200s, ip=%.200s, required=%.200s).",
                 q->account->name, l->client_host, l->client_addr, o->from);
        note_set(out->note, sizeof out->note, text);
        return false;
    }
    time_t now = time(NULL);
    struct tm local = {0};
    localtime_r(&now, &local);
    if (key_options_expired(o, now, (int32_t)local.tm_gmtoff)) {
        note_set(out->note, sizeof out->note, "Authentication key has expired");
        return false;
    }
    return true;
}

static bool cert_names(const struct judge_say *c, struct bytes name)
{
    struct bytes rest = bytes_of(c->principals, c->principals_n), one;
    while (cert_name_next(&rest, &one))
        if (one.n > 0 && bytes_equal(one, name)) return true;
    return false;
}

/* principals="a,b": one of them; without it, the user's own name. */
static bool principals_hold(const struct key_options *o, const struct keys_question *q, struct keys_answer *out)
{
    struct bytes name;
    size_t pos = 0;
    bool good = !o->has_principals && cert_names(q->cert, bytes_str(q->account->name));
    while (o->has_principals && !good && names_next(bytes_str(o->principals), &pos, &name)) good = cert_names(q->cert, name);
    if (good) return true;
    note_set(out->note, sizeof out->note, o->has_principals ? "Certificate does not contain an authorized principal"
                                                            : "Certificate invalid: name is not a listed principal");
    out->is_error = true;
    return false;
}

enum line_says {
    LINE_IS_OTHERS,             /* or nobody's: the next may let in */
    LINE_ADMITS,
    LINE_REFUSES                /* no other line counts any more */
};

/* Does this line let the key in, or the certificate whose CA it names? */
static bool line_admits(struct bytes text, const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    struct authorized_line l;
    const char *why = NULL;
    struct bytes blob = q->cert ? bytes_of(q->cert->ca, q->cert->ca_n) : q->blob;
    if (authorized_line_parse(text, &l) != ERR_NONE || !authorized_line_has_blob(&l, blob)) return false;
    out->plain = l.options.n == 0;
    if (out->plain) return q->cert == NULL;
    if (key_options_parse(l.options, options, &why) != ERR_NONE) {
        char note[256];
        snprintf(note, sizeof note, "%.180s: bad key options: %s", out->file, why ? why : "too long");
        note_set(out->note, sizeof out->note, note);
        return false;
    }
    if (options->cert_authority != (q->cert != NULL)) return false;    /* a CA's key is no login key, and the other way round */
    if (!q->cert && options->has_principals) {      /* meant for a CA, whose own key must not log in because a word was forgotten */
        note_set(out->note, sizeof out->note, "a key with principals= and without cert-authority is no login key");
        return false;
    }
    return conditions_hold(options, q, out) && (!q->cert || principals_hold(options, q, out));
}

static enum line_says key_line_says(struct bytes text, const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    return line_admits(text, q, options, out) ? LINE_ADMITS : LINE_IS_OTHERS;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* "[options] principal  # comment". The first line with a principal of the certificate decides, as with OpenSSH: its options bind. */
static enum line_says principal_says(struct bytes text, const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    const char *why = NULL;
    const uint8_t *comment = text.n ? memchr(text.p, '#', text.n) : NULL;
    if (comment) text.n = (size_t)(comment - text.p);
    while (text.n > 0 && is_blank(text.p[text.n - 1])) text.n--;
    while (text.n > 0 && is_blank(text.p[0])) text.p++, text.n--;
    size_t at = text.n;
    while (at > 0 && !is_blank(text.p[at - 1])) at--;
    if (text.n == at || !cert_names(q->cert, bytes_of(text.p + at, text.n - at))) return LINE_IS_OTHERS;
    while (at > 0 && is_blank(text.p[at - 1])) at--;
    out->plain = at == 0;
    if (out->plain) return LINE_ADMITS;
    if (key_options_parse(bytes_of(text.p, at), options, &why) != ERR_NONE) {
        note_set(out->note, sizeof out->note, why ? why : "bad principals options");
        return LINE_IS_OTHERS;
    }
    if (options->cert_authority || options->has_principals) {
        note_set(out->note, sizeof out->note, "cert-authority and principals= have no meaning beside a principal");
        return LINE_REFUSES;
    }
    return conditions_hold(options, q, out) ? LINE_ADMITS : LINE_REFUSES;
}

/* ---- the file ---- */

struct lines {
    int fd;
    size_t start, end;          /* unread part of buf */
    size_t total;
    bool skip;                  /* in the rest of a line that was too long */
    bool ended;
    uint32_t number;
    uint8_t *buf;               /* LINES_BUF */
};
#define LINES_BUF (2 * AUTHORIZED_LINE_MAX)

static void lines_fill(struct lines *l)
{
    if (l->start > 0) {
        memmove(l->buf, l->buf + l->start, l->end - l->start);
        l->end -= l->start;
        l->start = 0;
    }
    ssize_t n = 0;
    do {
        if (l->total < KEYS_FILE_MAX) n = read(l->fd, l->buf + l->end, LINES_BUF - l->end);
    } while (n < 0 && errno == EINTR);
    if (n < 0) l->end = 0;          /* a line that could not be read whole is none */
    if (n <= 0) {
        l->ended = true;
        return;
    }
    l->end += (size_t)n;
    l->total += (size_t)n;
}

/* The next line without its newline; false at the end. A line that is too long is never given out, whole or in part. */
static bool lines_next(struct lines *l, struct bytes *out)
{
    for (;;) {
        uint8_t *nl = memchr(l->buf + l->start, '\n', l->end - l->start);
        if (nl || (l->ended && l->end > l->start)) {
            size_t n = nl ? (size_t)(nl - (l->buf + l->start)) : l->end - l->start;
            *out = bytes_of(l->buf + l->start, n);
            l->start += n + (nl != NULL);
            l->number++;
            bool skipped = l->skip || n > AUTHORIZED_LINE_MAX;
            l->skip = false;
            if (!skipped) return true;
            continue;
        }
        if (l->ended) return false;
        if (l->end - l->start > AUTHORIZED_LINE_MAX) {
            l->skip = true;
            l->start = l->end;
        }
        lines_fill(l);
    }
}

typedef enum line_says says(struct bytes text, const struct keys_question *q, struct key_options *options, struct keys_answer *out);

static void search(int fd, says *line_says, const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    struct lines l = {.fd = fd, .buf = malloc(LINES_BUF)};
    struct bytes line;
    if (!l.buf) return;
    while (lines_next(&l, &line)) {
        enum line_says what = line_says(line, q, options, out);
        if (what == LINE_IS_OTHERS) continue;
        out->refuses = what == LINE_REFUSES;
        if (out->refuses) break;
        out->line = l.number;
        out->found = VERDICT_GOOD;
        break;
    }
    free(l.buf);
}

void keyfile_search(int fd, const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    search(fd, key_line_says, q, options, out);
}

void keyfile_principals(int fd, const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    search(fd, principal_says, q, options, out);
}

static void principals_answer(const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    char path[PATH_MAX];
    int fd = -1;
    if (!q->cert || keyfile_path(q->account, q->conf->authorized_principals_file, (struct span){(uint8_t *)path, sizeof path}) != ERR_NONE) return;
    if (keyfile_open(q->account, path, q->conf->strict_modes, out->note, sizeof out->note, &fd) != ERR_NONE) return;
    escape_str(bytes_str(path), out->file, sizeof out->file);
    keyfile_principals(fd, q, options, out);
    close(fd);
}

void keyfile_answer(const struct keys_question *q, struct key_options *options, struct keys_answer *out)
{
    const struct conf_texts *files = &q->conf->authorized_keys_file;
    char path[PATH_MAX];
    if (q->source == KEYS_PRINCIPALS_FILE) {
        principals_answer(q, options, out);
        return;
    }
    for (size_t i = 0; i < files->n && out->found != VERDICT_GOOD; i++) {
        int fd = -1;
        if (text_equal_fold(bytes_str(files->v[i]), BYTES_LIT("none"))) continue;       /* a word, and no file that a user may make */
        if (keyfile_path(q->account, files->v[i], (struct span){(uint8_t *)path, sizeof path}) != ERR_NONE) continue;
        if (keyfile_open(q->account, path, q->conf->strict_modes, out->note, sizeof out->note, &fd) != ERR_NONE) continue;
        escape_str(bytes_str(path), out->file, sizeof out->file);
        keyfile_search(fd, q, options, out);
        close(fd);
    }
}
