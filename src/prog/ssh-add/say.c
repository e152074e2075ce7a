/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "add.h"
#include "base/text.h"

const char *shown(struct bytes text)
{
    static char rooms[4][4096];
    static unsigned turn;
    char *room = rooms[turn++ % 4];
    struct wr w = wr_span((struct span){(uint8_t *)room, sizeof rooms[0] - 1});
    escape_write(&w, text, "\\");
    room[w.n] = 0;
    return room;
}

void tell(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_line(stderr, "", "\\", "\n", fmt, ap);
    va_end(ap);
}

void debug(unsigned level, const char *fmt, ...)
{
    va_list ap;
    if (o.verbose < level) return;
    char before[32];
    snprintf(before, sizeof before, "debug%u: ", level);
    va_start(ap, fmt);
    say_line(stderr, before, "\\", "\r\n", fmt, ap);
    va_end(ap);
}

const char *reason(enum err e)
{
    static const struct {
        enum err err;
        const char *text;
    } rows[] = {
        {ERR_FORMAT, "invalid format"},       {ERR_TRUNCATED, "invalid format"},          {ERR_TRAILING, "invalid format"},
        {ERR_KEY_INVALID, "invalid format"},  {ERR_KEY_TOO_SMALL, "Invalid key length"},  {ERR_CRYPTO, "error in libcrypto"},
        {ERR_NOMEM, "memory allocation failed"}, {ERR_TOO_LONG, "file is too large"},     {ERR_SIGNATURE, "incorrect signature"},
        {ERR_UNSUPPORTED, "this key file format or cipher is not available in this version"},
    };
    if (e == ERR_SYSTEM) return strerror(errno);
    if (e == ERR_DENIED) return errno == EISDIR ? strerror(errno) : "not a regular file";
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].err == e) return rows[i].text;
    return err_text(e);
}

const char *agent_reason(enum err e)
{
    if (e == ERR_DENIED) return "agent refused operation";
    return e == ERR_PEER_GONE || e == ERR_LENGTH ? "communication with agent failed" : reason(e);
}
