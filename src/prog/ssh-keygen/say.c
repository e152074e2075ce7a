/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "keygen.h"

const char *reason(enum err e)
{
    static const struct {
        enum err err;
        const char *text;
    } rows[] = {
        {ERR_FORMAT, "invalid format"},       {ERR_TRUNCATED, "invalid format"},
        {ERR_NOSPACE, "invalid format"},
        {ERR_TRAILING, "invalid format"},     {ERR_KEY_INVALID, "invalid format"},
        {ERR_KEY_TOO_SMALL, "Invalid key length"}, {ERR_CRYPTO, "error in libcrypto"},
        {ERR_NOMEM, "memory allocation failed"},   {ERR_TOO_LONG, "file is too large"},
        {ERR_UNSUPPORTED, "this key file format or cipher is not available in this version"},
        {ERR_RANGE, "KDF rounds out of range"},
    };
    if (e == ERR_SYSTEM) return strerror(errno);
    if (e == ERR_DENIED) return errno == EISDIR ? strerror(errno) : errno == EINVAL ? "not a regular file" : "bad permissions";
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].err == e) return rows[i].text;
    return err_text(e);
}

void need_sound(enum err e, const char *what)
{
    if (e == ERR_NOMEM || e == ERR_CRYPTO || e == ERR_RANDOM) fatal("%s: %s", what, reason(e));
}

void need_written(const struct wr *w)
{
    if (w->err != ERR_NONE) fatal("%s", reason(w->err));
}

const char *agent_reason(enum err e)
{
    if (e == ERR_DENIED) return "agent refused operation";
    return e == ERR_PEER_GONE || e == ERR_LENGTH ? "communication with agent failed" : reason(e);
}

bool read_answer(char *buf, size_t cap)
{
    size_t n = 0;
    bool any = false;
    fflush(stdout);
    for (;;) { /* a byte at a time: the next line may be a passphrase that another reader takes */
        char c;
        ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) say("read from standard input: %s", strerror(errno));
        if (got <= 0) break;
        any = true;
        if (c == '\n') break;
        if (n + 1 < cap) buf[n++] = c;
    }
    buf[n] = 0;
    return any;
}

bool confirm(void)
{
    char answer[16];
    printf(" (y/n)? ");
    return read_answer(answer, sizeof answer) && (answer[0] == 'y' || answer[0] == 'Y');
}
