/* SPDX-License-Identifier: ISC */
/* Messages that cross a privilege line, said by a process that was taken over. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "priv/client.h"
#include "priv/face.h"
#include "priv/face_conf.h"
#include "targets.h"

/* { length u16, datagram }...: each to a warden's door, which must name it by the table or refuse it. First byte: stage. */
void fuzz_priv_warden(struct bytes in)
{
    static const unsigned stages[] = {AT_HELLO, AT_KEX, AT_AUTH, AT_SESSION, AT_END};
    int pair[2];
    if (in.n < 3 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return;
    struct ask_turns turns = {.stage = stages[in.p[0] % COUNT_OF(stages)]};
    static union ask buf;
    for (size_t at = 1; at + 2 <= in.n;) {
        size_t n = (size_t)in.p[at] << 8 | in.p[at + 1];
        at += 2;
        if (n > in.n - at) n = in.n - at;
        int fd = -1;
        if (n && send(pair[0], in.p + at, n, MSG_DONTWAIT) == (ssize_t)n) (void)!ask_recv(pair[1], &turns, &buf, false, &fd);
        if (fd >= 0) close(fd);
        at += n;
    }
    close(pair[0]), close(pair[1]);
}

/* first byte: whose messages, and the state */
void fuzz_priv_client(struct bytes in)
{
    static const unsigned states[] = {CM_AT_BOOT, CM_AT_KEX, CM_AT_AUTH, CM_AT_SESSION};
    static struct cm_message m;
    if (in.n < 1) return;
    (void)!cm_parse((struct bytes){in.p + 1, in.n - 1}, in.p[0] & 1, states[in.p[0] >> 1 & 3], &m);
}

void fuzz_face_conf(struct bytes in)
{
    static struct face_conf c;
    if (face_conf_parse(in, &c) != ERR_NONE) return;
    struct wr w CLEANUP(wr_clear) = wr_heap(FACE_CONF_MAX);
    face_conf_write(&w, &c);
}
