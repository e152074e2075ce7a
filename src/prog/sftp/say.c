/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdlib.h>

#include "os/say.h"
#include "shell.h"

void fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_line(stderr, "", "", "\r\n", fmt, ap);
    va_end(ap);
}

void tell(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_line(stdout, "", "\\", "\n", fmt, ap);
    va_end(ap);
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_line(stderr, "", "", "\r\n", fmt, ap);
    va_end(ap);
    exit(255);
}

void *must(void *p)
{
    if (!p) die("out of memory");
    return p;
}
