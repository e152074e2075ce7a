/* SPDX-License-Identifier: ISC */
/* The messages between the warden and the hand, and the hand's own side. */
#ifndef SSHD_HAND_H
#define SSHD_HAND_H

#include "sshd/login.h"

enum hand_ask { HAND_ASK_CONNECT = 1, HAND_ASK_LISTEN, HAND_ASK_CANCEL, HAND_ASK_AGENT };

struct hand_question {
    uint32_t ask, tag;
    uint16_t port;
    uint8_t gateway;            /* enum sshd_gateway */
    uint8_t family;             /* enum conf_address_family */
    char host[HAND_HOST_MAX];   /* AGENT: the home folder */
};

struct hand_answer {
    uint32_t what, tag;         /* enum hand_what */
    uint16_t port, origin_port;
    char host[HAND_HOST_MAX], origin_host[64], text[128];      /* host: of LISTENING at a socket, its path */
};

#define HAND_LISTENERS_MAX 64   /* sockets; one forward may take two (IPv4, IPv6) */
#define HAND_CONNECTS_MAX  64   /* at once, each a process of its own while it waits */
#define HAND_IDLE_MS       10000

/* The hand's life; descriptor 3 leads to the warden. Never returns. */
NORETURN void hand_run(void);

#endif
