/* SPDX-License-Identifier: ISC */
/* What option values are made of, for both configurations. All texts are NUL-terminated and belong to the configuration they
 * stand in; NULL is "none" or "not given". Keyword semantics: ssh_config(5), sshd_config(5) of OpenSSH 10.5. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <syslog.h>

#include "base/bytes.h"

struct conf_texts {
    const char **v;
    size_t n;
};

/* LocalForward, RemoteForward, DynamicForward: a listener and where its connections go. Each end is either a socket path or host
 * and port. listen_host NULL: by GatewayPorts; "" or "*": every address. connect_host NULL and connect_path NULL: SOCKS decides. */
struct conf_forward {
    const char *listen_host, *listen_path;
    const char *connect_host, *connect_path;
    uint16_t listen_port, connect_port;
};

struct conf_forwards {
    struct conf_forward *v;
    size_t n;
};

/* RekeyLimit. 0: the cipher's own limit ("default"), never by time ("none"). */
struct conf_rekey {
    uint64_t bytes;
    int64_t time_s;
};

/* IPQoS: IP_TOS bytes; CONF_TOS_NONE: leave the system's default. */
#define CONF_TOS_NONE 0x7fffffff
struct conf_ipqos {
    int interactive, bulk;
};

/* ChannelTimeout: channel type pattern and seconds of silence (0: never). The first pattern that fits counts. */
struct conf_channel_timeout {
    const char *pattern;
    int64_t time_s;
    const char *text;           /* "pattern=interval" as written */
};
struct conf_channel_timeouts {
    struct conf_channel_timeout *v;
    size_t n;
};

/* TunnelDevice, -w */
#define CONF_TUN_ANY 0x7fffffff
struct conf_tunnel_device {
    int local, remote;
};

enum conf_log_level {   /* order matters: a line is shown when its level <= the configured one */
    CONF_LOG_QUIET, CONF_LOG_FATAL, CONF_LOG_ERROR, CONF_LOG_INFO, CONF_LOG_VERBOSE, CONF_LOG_DEBUG1, CONF_LOG_DEBUG2, CONF_LOG_DEBUG3
};
enum conf_address_family { CONF_AF_ANY, CONF_AF_INET, CONF_AF_INET6 };
enum conf_fingerprint_hash { CONF_FP_MD5, CONF_FP_SHA256 };
enum conf_tunnel { CONF_TUNNEL_NO = 0, CONF_TUNNEL_POINT_TO_POINT = 1, CONF_TUNNEL_ETHERNET = 2, CONF_TUNNEL_YES = 3 };
enum conf_forwarding { CONF_FORWARDING_NO = 0, CONF_FORWARDING_REMOTE = 1, CONF_FORWARDING_LOCAL = 2, CONF_FORWARDING_YES = 3 };
enum conf_ask { CONF_NO = 0, CONF_YES = 1, CONF_ASK = 2 };

#endif
