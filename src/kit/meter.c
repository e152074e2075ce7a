/* SPDX-License-Identifier: ISC */
#include "meter.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"

#define TICK_US  1000000
#define STALL_US 5000000

void meter_init(struct meter *m, bool wanted)
{
    *m = (struct meter){.on = wanted && isatty(1)};
}

/* 7 columns as OpenSSH's: a number of at most four digits, its unit, "B". */
static void size_format(char *out, size_t cap, double n)
{
    static const char units[] = " KMGTPE";
    size_t u = 0;
    while (n >= 10000 && u + 2 < sizeof units) n /= 1024, u++;
    snprintf(out, cap, "%4.0f%c%s", n, units[u], u ? "B" : " ");
}

static void rate_format(char *out, size_t cap, double n)
{
    static const char units[] = "KMGTPE";
    size_t u = 0;
    n /= 1024;
    while (n >= 1000 && u + 2 < sizeof units) n /= 1024, u++;
    snprintf(out, cap, "%5.1f%cB", n, units[u]);
}

static void time_format(char *out, size_t cap, uint64_t s)
{
    if (s >= 3600) snprintf(out, cap, "%u:%02u:%02u", (unsigned)(s / 3600 % 100000), (unsigned)(s / 60 % 60), (unsigned)(s % 60));
    else snprintf(out, cap, "  %02u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
}

size_t meter_format(char *out, size_t cap, const struct meter_facts *f, double rate, unsigned cols)
{
    char name[1024], count[64] = "", size[16], speed[16], left[24];
    escape_str(bytes_str(f->name), name, sizeof name);
    if (f->index) snprintf(count, sizeof count, "[%llu/%llu%s] ", (unsigned long long)f->index, (unsigned long long)f->count, f->more ? "+" : "");
    unsigned percent = f->size == 0 || f->bytes >= f->size ? (f->done || f->size ? 100 : 0) : (unsigned)((double)f->bytes * 100 / (double)f->size);
    size_format(size, sizeof size, (double)f->bytes);
    rate_format(speed, sizeof speed, rate);
    uint64_t seconds = (f->now_us - f->begun_us) / 1000000;
    if (!f->done) seconds = rate > 0 && f->size > f->bytes ? (uint64_t)((double)(f->size - f->bytes) / rate) : 0;
    time_format(left, sizeof left, seconds);
    if (!f->done && rate <= 0) snprintf(left, sizeof left, "  --:--");
    int room = (int)cols - 36 - (int)strlen(count);
    if (room < 0) room = 0;
    int n = snprintf(out, cap, "%s%-*.*s %3u%% %s %s/s %s%s", count, room, room, name, percent, size, speed, left, f->done ? "    " : " ETA");
    if (n < 0) return 0;
    size_t len = (size_t)n < cap ? (size_t)n : cap - 1;
    if (len > cols) len = cols;
    while (len && ((uint8_t)out[len] & 0xc0) == 0x80) len--;
    out[len] = 0;
    return len;
}

/* What came since the last drawing counts for a tenth, as OpenSSH smooths it. */
static double rate_next(struct meter *m, const struct meter_facts *f)
{
    uint64_t moved = f->bytes - f->start;
    if (f->done) return f->now_us > f->begun_us ? (double)moved * 1e6 / (double)(f->now_us - f->begun_us) : (double)moved;
    if (m->of != f->of) m->of = f->of, m->rate = 0, m->last_us = f->begun_us, m->last_bytes = f->start;
    double now = f->now_us > m->last_us ? (double)(f->bytes - m->last_bytes) * 1e6 / (double)(f->now_us - m->last_us) : 0;
    m->rate = m->rate > 0 ? 0.9 * m->rate + 0.1 * now : now;
    m->last_us = f->now_us, m->last_bytes = f->bytes;
    return m->rate;
}

void meter_draw(struct meter *m, const struct meter_facts *f)
{
    char line[2048];
    struct winsize w = {0};
    if (!m->on) return;
    m->tick_us = f->now_us + TICK_US;
    if (getpgrp() != tcgetpgrp(1)) return;      /* in the background */
    unsigned cols = ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;     /* asked each time: the window may have changed */
    if (cols > 512) cols = 512;
    line[0] = '\r';
    size_t n = 1 + meter_format(line + 1, sizeof line - 4, f, rate_next(m, f), cols - 1);
    memcpy(line + n, "\033[K", 3);              /* a longer line, or a wider window, may have been there */
    n += 3;
    if (f->done) line[n++] = '\n';
    m->shown = !f->done;
    (void)!write(1, line, n);
}

void meter_clear(struct meter *m)
{
    if (!m->shown) return;
    m->shown = false;
    (void)!write(1, "\r\033[K", 4);
}
