/* SPDX-License-Identifier: ISC */
/* TCP sockets and their names. */
#ifndef OS_SOCKET_H
#define OS_SOCKET_H

#include <sys/socket.h>
#include <sys/types.h>

#include "base/bytes.h"

#define ADDRESS_MAX 64          /* numeric, with a scope: INET6_ADDRSTRLEN and IFNAMSIZ */

struct address {
    char text[ADDRESS_MAX];     /* "127.0.0.1"; an IPv4-mapped one in its IPv4 form; "UNKNOWN" for what is no TCP socket */
    uint16_t port;              /* 65535 for UNKNOWN, as OpenSSH has it */
    int family;                 /* AF_INET, AF_INET6; AF_UNSPEC */
};

void address_from(const struct sockaddr *sa, socklen_t len, struct address *out);
void address_peer(int sock, struct address *out);
void address_local(int sock, struct address *out);

/* One listening TCP socket a resolved address: host NULL is any. family AF_UNSPEC, AF_INET, AF_INET6. Sockets are close-on-exec,
 * non-blocking, IPv6 ones IPv6 only. `each` is called for each with its name or with what failed (err_text, sock -1).
 * Returns how many were opened. */
size_t listen_open(const char *host, const char *port, int family, int *socks, size_t cap,
                   void (*each)(const struct address *where, int sock, const char *failed));

/* TCP_NODELAY; no effect on other sockets. */
void socket_nodelay(int sock);
void socket_keepalive(int sock);

#endif
