/* SPDX-License-Identifier: ISC */
/* The lane that sftp and scp give us beside our pipes (sftp/lane.h): we only hand it on to the transport. NACRE_LANE names the descriptor. It counts only if
 * it is a socket whose other end our own parent made: nobody else has a say in which files are written, and a variable that was left over, or
 * came with somebody else's descriptors, means nothing. */
#include <stdlib.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ui.h"

static bool lane_good(int fd)
{
    int type = 0, domain = 0;
    struct ucred peer = {0};
    socklen_t type_n = sizeof type, domain_n = sizeof domain, peer_n = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_n) == 0 && type == SOCK_SEQPACKET
           && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_n) == 0 && domain == AF_UNIX
           && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_n) == 0 && peer.pid == getppid() && peer.uid == geteuid();
}

void lane_take(void)
{
    const char *text = getenv("NACRE_LANE");
    if (text && text[0] >= '3' && text[0] <= '9' && !text[1] && lane_good(text[0] - '0')) {
        ui.lane = text[0] - '0';
        (void)fcntl(ui.lane, F_SETFD, FD_CLOEXEC);      /* neither ProxyCommand nor any other child gets it, */
    }
    (void)unsetenv("NACRE_LANE");                       /* nor hears of it; nor does SendEnv */
}
