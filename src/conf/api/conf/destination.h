/* SPDX-License-Identifier: ISC */
/* Where to log in: "host", "user@host", "ssh://user@host:port", as ssh(1) takes it. */
#ifndef CONF_DESTINATION_H
#define CONF_DESTINATION_H

#include "base/bytes.h"

#define DESTINATION_HOST_MAX 1024
#define DESTINATION_PATH_MAX 4096

struct destination {
    char user[1025];            /* "" : not given */
    char host[DESTINATION_HOST_MAX + 1];
    uint32_t port;              /* 0: not given */
    bool is_uri;
};

/* A destination argument. "ssh://[user@]host[:port][/]" with %XX in user and host (a %00 or control character is refused,
 * CVE-2025-61985); else "[user@]host", where the last @ divides. IPv6 in brackets in a URI. ERR_USAGE: bad form, leading dash in
 * user or host, forbidden characters (user_valid, host_valid). */
MUST_USE enum err destination_parse(const char *text, struct destination *out);

/* One hop of ProxyJump / -J: "[user@]host[:port]" or a URI; host may be [IPv6]. */
MUST_USE enum err destination_parse_hop(struct bytes text, struct destination *out);

/* What follows "scp://" or "sftp://": "[user@]host[:port][/path]", %XX in each part. path is relative to the home folder: it begins behind
 * that slash; "" where none is given. ERR_USAGE. */
MUST_USE enum err destination_parse_path(const char *text, struct destination *out, char path[DESTINATION_PATH_MAX]);
/* The colon before the path in "[user@]host:path", "[user@][::1]:path"; NULL: there is none, or a slash comes first. */
const char *destination_colon(const char *text);

/* May a user name from the command line be used (before any expansion)? No leading dash, no control or shell characters
 * (' ` " ; & < > | ( ) { }), no backslash at the end or before a blank, $ only as the last character, no blank before a dash.
 * OpenSSH 10.3's check, and a little more. */
bool user_valid(const char *user);
/* A host name: not empty, no leading dash, no control or shell characters (also \ $ and comma), no white space. */
bool host_valid(const char *host);

/* "host:port", "[host]:port", "host/port"; the port may be missing (0). For ListenAddress, PermitOpen, -W ... */
MUST_USE enum err host_port_parse(struct bytes text, struct bytes *host, struct bytes *port);

#endif
