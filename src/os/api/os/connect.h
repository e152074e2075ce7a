/* SPDX-License-Identifier: ISC */
/* Reaching a host: name resolution and TCP connections as OpenSSH makes them, one address after another. */
#ifndef OS_CONNECT_H
#define OS_CONNECT_H

#include <sys/socket.h>

#include "base/bytes.h"

struct connect_plan {
    const char *host;           /* a name or an address; validated by the caller */
    uint16_t port;
    int family;                 /* AF_UNSPEC, AF_INET, AF_INET6 */
    const char *bind_address;   /* NULL: any */
    const char *bind_interface; /* NULL: none */
    unsigned timeout_s;         /* for all addresses of one attempt together; 0: the system's */
    unsigned attempts;          /* rounds over all addresses, a second apart; at least 1 */
    bool keepalive;             /* TCPKeepAlive */
    int tos;                    /* IPQoS: value of IP_TOS / IPV6_TCLASS, -1: leave it */
    /* Lines for -v: "Connecting to h [a] port p.", "connect to address a port p: why". NULL: none. */
    void (*note)(const char *line);
    /* Errors on the way that do not end it: "bind a: why". NULL: none. */
    void (*complain)(const char *line);
};

enum connect_stage { CONNECT_OK, CONNECT_RESOLVE, CONNECT_SOCKET };

struct connected {
    int fd;
    struct sockaddr_storage peer;
    socklen_t peer_len;
    char address[64];           /* numeric form of the peer, without brackets */
};

/* Connects. ERR_NONE fills out. Otherwise *stage tells what failed and `why` (cap bytes) holds the reason as OpenSSH words it
 * after "Could not resolve hostname H: " or "connect to host H port P: ". TCP_NODELAY is set on the socket. */
MUST_USE enum err connect_tcp(const struct connect_plan *plan, enum connect_stage *stage, char *why, size_t cap,
                              struct connected *out);
/* One of IPQoS's values on a connected socket; errors do not matter. */
void socket_set_tos(int fd, int tos);
/* A stream socket listening on bind:port (bind NULL: loopback, "*" or "": every address), each address of the host a descriptor.
 * Port 0 takes a free one (the same for all). *count in: room in fds, out: how many. ERR_SYSTEM with `why`. */
MUST_USE enum err listen_tcp(const char *bind_host, uint16_t port, int family, char *why, size_t cap, int *fds, size_t *count);
/* Connect to a UNIX socket. ERR_SYSTEM: errno tells. */
MUST_USE enum err connect_unix(const char *path, int *out);

#endif
