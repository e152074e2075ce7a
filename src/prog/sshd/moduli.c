/* SPDX-License-Identifier: ISC */
/* The moduli file (moduli(5)): groups for diffie-hellman-group-exchange, which the server offers only where it was asked to. The file is
 * root's; the face gets one group. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sshd/moduli_file.h"
#include "sshd/warden.h"

#define MODULI_MAX (8 * 1024 * 1024)

void warden_group(struct warden *w, const struct ask_group *ask)
{
    struct say_group *say = &warden_scratch.group;
    struct stat st;
    struct wr text CLEANUP(wr_clear) = wr_heap(MODULI_MAX);
    *say = (struct say_group){.type = SAY_GROUP, .question = ask->question};
    int fd = open(w->server->conf->moduli_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= MODULI_MAX) {
        uint8_t *room = wr_room(&text, (size_t)st.st_size);
        ssize_t n = room ? pread(fd, room, (size_t)st.st_size, 0) : -1;
        if (n > 0) say->ok = moduli_choose(bytes_of(room, (size_t)n), ask, say);
    }
    if (fd >= 0) close(fd);
    if (!say->ok) log_line(LOG_LEVEL_INFO, "no group of %u to %u bits in %s", ask->min, ask->max, w->server->conf->moduli_file);
    warden_say(w, say, NULL, 0);
}
