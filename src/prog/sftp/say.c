/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdlib.h>

#include "base/text.h"
#include "shell.h"

/* The whole line is escaped, so that no name can begin a line of its own. */
static void line_out(FILE *f, const char *keep, const char *end, const char *fmt, va_list ap)
{
    char *text = NULL;
    int n = vasprintf(&text, fmt, ap);
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 22);
    if (n >= 0) escape_write(&w, bytes_of(text, (size_t)n), keep);
    free(text);
    wr_text(&w, end);
    if (wr_done(&w) == ERR_NONE) (void)!fwrite(w.p, 1, w.n, f);
    fflush(f);
}

void fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line_out(stderr, "", "\r\n", fmt, ap);
    va_end(ap);
}

void tell(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line_out(stdout, "\\", "\n", fmt, ap);
    va_end(ap);
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line_out(stderr, "", "\r\n", fmt, ap);
    va_end(ap);
    exit(255);
}

void *must(void *p)
{
    if (!p) die("out of memory");
    return p;
}
