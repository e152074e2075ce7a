/* SPDX-License-Identifier: ISC */
#include "legacy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/fd.h"
#include "scp.h"

/* ---- the wire ---- */

NORETURN static void wire_lost(const struct wire *w)
{
    if (!w->far) (void)!write(2, "lost connection\r\n", 17);
    exit(1);
}

void wire_write(struct wire *w, const void *p, size_t n)
{
    if (fd_write(w->out, bytes_of(p, n)) != ERR_NONE) wire_lost(w);
}

size_t wire_read(struct wire *w, void *p, size_t n)
{
    size_t ahead = w->tail - w->head;
    if (ahead) {
        if (n > ahead) n = ahead;
        memcpy(p, w->ahead + w->head, n);
        w->head += n;
        return n;
    }
    for (;;) {
        ssize_t k = read(w->in, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) wire_lost(w);
        return (size_t)k;
    }
}

bool wire_byte(struct wire *w, uint8_t *out)
{
    if (w->head == w->tail) {
        w->head = w->tail = 0;
        w->tail = wire_read(w, w->ahead, sizeof w->ahead);
        if (w->tail == 0) return false;
    }
    *out = w->ahead[w->head++];
    return true;
}

void wire_show(const struct wire *w, struct bytes text)
{
    if (w->far) return;
    struct wr out = wr_heap(65536);
    escape_write(&out, text, "");
    wr_text(&out, "\r\n");
    if (wr_done(&out) == ERR_NONE) (void)!write(2, out.p, out.n);
    wr_clear(&out);
}

bool wire_answer(struct wire *w)
{
    uint8_t first, text[2048], c;
    size_t n = 0;
    if (!wire_byte(w, &first)) wire_lost(w);
    if (first == 0) return true;
    if (first != 1 && first != 2) text[n++] = first;    /* a shell's words */
    do {
        if (!wire_byte(w, &c)) wire_lost(w);
        if (c != '\n' && n < sizeof text) text[n++] = c;
    } while (c != '\n' && n < sizeof text);
    wire_show(w, bytes_of(text, n));
    if (!opt.status) opt.status = 1;
    if (first != 1) exit(1);
    return false;
}

void wire_error(struct wire *w, const char *fmt, ...)
{
    char line[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (!opt.status) opt.status = 1;
    if (w->out >= 0) {
        for (char *p = line; *p; p++)
            if (*p == '\n') *p = '?';
        wire_write(w, "\1scp: ", 6);
        wire_write(w, line, strlen(line));
        wire_write(w, "\n", 1);
    }
    wire_show(w, bytes_str(line));
}

void wire_limit(struct wire *w, size_t n)
{
    if (!opt.limit_kbit) return;
    uint64_t now = clock_us();
    if (!w->begun_us) w->begun_us = now;
    w->moved += n;
    uint64_t due = w->begun_us + w->moved * 8000 / opt.limit_kbit;
    if (due <= now) return;
    struct timespec t = clock_span(due - now);
    nanosleep(&t, NULL);
}

static struct wire wire_new(int in, int out, bool far)
{
    struct wire w = {.in = in, .out = out, .far = far, .buffer = malloc(LEGACY_BUFFER)};
    if (!w.buffer) scp_fatal("out of memory");
    return w;
}

/* ---- ours ---- */

/* The far scp and its wire, which blocks. */
static bool far_start(const struct place *p, const char *verb, const char *path, struct remote *r, struct wire *w)
{
    char command[8192];
    int n = snprintf(command, sizeof command, "scp%s%s%s%s %s %s%s", opt.verbose ? " -v" : "", opt.recursive ? " -r" : "",
                     opt.preserve ? " -p" : "", opt.to_folder ? " -d" : "", verb, *path == '-' ? "-- " : "", path);
    if (n < 0 || (size_t)n >= sizeof command) {
        scp_error("%s: name too long", path);
        return false;
    }
    if (!scp_connect(p, command, false, r)) return false;
    fcntl(r->fd_in, F_SETFL, 0);
    fcntl(r->fd_out, F_SETFL, 0);
    *w = wire_new(r->fd_in, r->fd_out, false);
    return true;
}

static void far_end(struct remote *r, struct wire *w)
{
    free(w->buffer);
    if (remote_end(r) != 0 && !opt.status) opt.status = 1;
}

void legacy_upload(const struct place *sources, size_t n, const struct place *target)
{
    struct remote r;
    struct wire w;
    char **names = calloc(n, sizeof *names);
    if (!names) scp_fatal("out of memory");
    for (size_t i = 0; i < n; i++) names[i] = sources[i].path;
    if (far_start(target, "-t", target->path, &r, &w)) {
        if (wire_answer(&w)) source_send(&w, names, n);
        else opt.status = 1;
        far_end(&r, &w);
    }
    free(names);
}

void legacy_download(const struct place *sources, size_t n, const char *target)
{
    for (size_t i = 0; i < n; i++) {
        struct remote r;
        struct wire w;
        bool to_folder = opt.to_folder;
        opt.to_folder = false;          /* ours to judge, not the source's */
        bool started = far_start(&sources[i], "-f", sources[i].path, &r, &w);
        opt.to_folder = to_folder;
        if (!started) continue;
        sink_receive(&w, target, sources[i].path);
        far_end(&r, &w);
    }
}

/* Bytes from one to the other, both ways, until each has ended. */
static void relay(struct remote *a, struct remote *b)
{
    struct {
        int *in, *out;
        uint8_t data[65536];
        size_t at, n;
    } *ways = calloc(2, sizeof *ways);
    if (!ways) scp_fatal("out of memory");
    ways[0].in = &a->fd_in, ways[0].out = &b->fd_out, ways[1].in = &b->fd_in, ways[1].out = &a->fd_out;
    while (a->fd_in >= 0 || b->fd_in >= 0) {
        struct pollfd p[2];
        for (int i = 0; i < 2; i++) {
            p[i] = (struct pollfd){.fd = ways[i].n ? *ways[i].out : *ways[i].in, .events = ways[i].n ? POLLOUT : POLLIN};
        }
        if (poll(p, 2, -1) < 0 && errno != EINTR) break;
        for (int i = 0; i < 2; i++) {
            if (p[i].fd < 0 || !p[i].revents) continue;
            ssize_t k = ways[i].n ? write(*ways[i].out, ways[i].data + ways[i].at, ways[i].n) : read(*ways[i].in, ways[i].data, sizeof ways[i].data);
            if (k < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            bool over = k < 0 || (k == 0 && !ways[i].n);
            if (ways[i].n && k > 0) ways[i].at += (size_t)k, ways[i].n -= (size_t)k;
            else if (k > 0) ways[i].at = 0, ways[i].n = (size_t)k;
            if (!over) continue;
            ways[i].n = 0;
            if (*ways[i].in >= 0) close(*ways[i].in);
            if (*ways[i].out >= 0) close(*ways[i].out);
            *ways[i].in = *ways[i].out = -1;
        }
    }
    free(ways);
}

void legacy_cross(const struct place *sources, size_t n, const struct place *target)
{
    for (size_t i = 0; i < n; i++) {
        struct remote from, to;
        struct wire w;
        if (!far_start(&sources[i], "-f", sources[i].path, &from, &w)) continue;
        free(w.buffer);
        size_t count = opt.ssh_arg_count;
        if (!opt.server && count + 1 < ARGS_MAX) {  /* two that ask at once would be a muddle: as OpenSSH */
            opt.ssh_args[count] = (char *)(uintptr_t)"-oBatchMode=yes";
            opt.ssh_args[count + 1] = NULL;
        }
        bool both = far_start(target, "-t", target->path, &to, &w);
        opt.ssh_args[count] = NULL;
        if (!both) {
            (void)remote_kill(&from);
            continue;
        }
        free(w.buffer);
        int fds[] = {from.fd_in, from.fd_out, to.fd_in, to.fd_out};
        for (size_t k = 0; k < COUNT_OF(fds); k++) fcntl(fds[k], F_SETFL, O_NONBLOCK);
        relay(&from, &to);
        if (remote_end(&from) != 0 && !opt.status) opt.status = 1;
        if (remote_end(&to) != 0 && !opt.status) opt.status = 1;
    }
}

/* ---- the far end's ---- */

void legacy_serve_source(char *const *names, size_t n)
{
    signal(SIGPIPE, SIG_IGN);
    struct wire w = wire_new(0, 1, true);
    if (wire_answer(&w)) source_send(&w, names, n);
    free(w.buffer);
}

void legacy_serve_sink(const char *target)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    struct wire w = wire_new(0, 1, true);
    sink_receive(&w, target, NULL);
    free(w.buffer);
}
