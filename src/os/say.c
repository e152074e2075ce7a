/* SPDX-License-Identifier: ISC */
#include "os/say.h"

#include <errno.h>
#include <stdlib.h>

#include "base/text.h"

#define TEXT_MAX (1 << 22)
#define PIECE    512

/* Most lines fit into the two rooms, so that also a line about memory being out is seen. */
void say_line(FILE *f, const char *before, const char *keep, const char *end, const char *fmt, va_list ap)
{
    int saved = errno;
    char room[4096], *longer = NULL;
    uint8_t safe[4 * sizeof room + 2048];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(room, sizeof room, fmt, ap);
    if (n < 0) room[0] = 0;
    if (n >= (int)sizeof room && vasprintf(&longer, fmt, again) < 0) longer = NULL;
    va_end(again);
    struct wr w CLEANUP(wr_clear) = longer ? wr_heap(TEXT_MAX) : wr_span((struct span){safe, sizeof safe});
    wr_text(&w, before);
    escape_write(&w, bytes_str(longer ? longer : room), keep);
    free(longer);
    wr_text(&w, end);
    fflush(stdout);
    if (wr_done(&w) == ERR_NONE) (void)!fwrite(w.p, 1, w.n, f);
    fflush(f);
    errno = saved;
}

void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_line(stderr, "", "\\", "\r\n", fmt, ap);
    va_end(ap);
}

void fatal(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_line(stderr, "", "\\", "\r\n", fmt, ap);
    va_end(ap);
    exit(255);
}

void text_print(struct bytes text)
{
    uint8_t room[4 * PIECE];
    while (text.n) {
        struct wr w = wr_span((struct span){room, sizeof room});
        size_t n = text.n < PIECE ? text.n : PIECE;
        while (n < text.n && n + 3 > PIECE && (text.p[n] & 0xc0) == 0x80) n--;      /* not within a character of UTF-8 */
        escape_write(&w, bytes_of(text.p, n), "\\");
        fwrite(w.p, 1, w.n, stdout);
        text.p += n, text.n -= n;
    }
}
