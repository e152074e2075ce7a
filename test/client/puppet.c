/* SPDX-License-Identifier: ISC */
/* A transport that does what a test tells it: stands as `ssh-transport` beside ssh. It reads the file `puppet.do` of its own folder:
 *   send HEX     a datagram to the UI
 *   wait         for a datagram from the UI; it is added to `puppet.log` as hex
 *   quit         end at once
 * and then notes all else until the UI is gone. The last line of the log is `end`. */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UI 3

static uint8_t data[200000];
static char line[500000];
static FILE *notes;

static int note(int flags)
{
    ssize_t n = recv(UI, data, sizeof data, flags);
    if (n < 0 && errno == ECONNRESET)       /* it ended without reading all of ours; what it said is still there */
        n = recv(UI, data, sizeof data, flags);
    if (n <= 0)
        return 0;
    for (ssize_t i = 0; i < n; i++)
        fprintf(notes, "%02x", data[i]);
    fputc('\n', notes);
    fflush(notes);
    return 1;
}

static void say(const char *hex)
{
    size_t n = 0;
    unsigned byte;
    while (n < sizeof data && sscanf(hex + 2 * n, "%2x", &byte) == 1)
        data[n++] = (uint8_t)byte;
    send(UI, data, n, MSG_NOSIGNAL);
}

static FILE *beside(const char *name, const char *how)
{
    char path[PATH_MAX + 20];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    while (n > 0 && path[n - 1] != '/')
        n--;
    snprintf(path + n, 20, "%s", name);
    return fopen(path, how);
}

static int end(void)
{
    return fputs("end\n", notes) < 0 || fclose(notes) != 0;
}

int main(void)
{
    FILE *script = beside("puppet.do", "r");
    notes = beside("puppet.log", "w");
    if (!script || !notes)
        return 1;
    while (fgets(line, sizeof line, script)) {
        if (strncmp(line, "wait", 4) == 0)
            note(0);
        else if (strncmp(line, "quit", 4) == 0)
            return end();
        else if (strncmp(line, "send ", 5) == 0)
            say(line + 5);
    }
    while (note(0))
        ;
    return end();
}
