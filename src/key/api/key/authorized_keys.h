/* SPDX-License-Identifier: ISC */
/* Lines of authorized_keys files (sshd(8), AUTHORIZED_KEYS FILE FORMAT) as pure functions over text, and their options in a
 * fixed-size form that can cross a privilege line as one message. */
#ifndef KEY_AUTHORIZED_KEYS_H
#define KEY_AUTHORIZED_KEYS_H

#include "base/wr.h"
#include "key/key.h"
#include "key/known_hosts.h"    /* line_next() */

/* A longer line is refused as a whole; its rest is never taken for a line of its own. */
#define AUTHORIZED_LINE_MAX 65536

/* One line in its parts; all views point into the line. */
struct authorized_line {
    struct bytes options;       /* the raw option list; empty: none */
    struct bytes type;          /* "ssh-ed25519" */
    struct bytes base64;
    struct bytes comment;
};

/* Take one line (without its newline; a CR at the end is dropped) apart.
 * ERR_NOT_FOUND: empty or a comment. ERR_FORMAT: no key in it, an open quote, a NUL. ERR_TOO_LONG. */
MUST_USE enum err authorized_line_parse(struct bytes line, struct authorized_line *out);

/* Is this line's key that blob? (Its type name must be the blob's, too.) No allocation grows with the line. */
bool authorized_line_has_blob(const struct authorized_line *l, struct bytes blob);

/* The line's key, parsed and checked; ERR_FORMAT when the type named in the line is not the blob's. */
MUST_USE enum err authorized_line_key(const struct authorized_line *l, struct pubkey **out);

/* ---- options ---- */

#define KEY_COMMAND_MAX      8192       /* command="", with its NUL; a longer one refuses the line */
#define KEY_ENVIRONMENT_MAX  8192       /* all environment="" together, each with its NUL */
#define KEY_FROM_MAX         4096       /* from="", with its NUL */
#define KEY_PRINCIPALS_MAX   4096       /* principals="", with its NUL */
#define KEY_PERMIT_MAX       64         /* permitopen="" and permitlisten="" entries, each */
#define KEY_PERMIT_HOST_MAX  256        /* with its NUL: RFC 1035 names end at 255 */
#define KEY_PORT_ANY         0          /* "*" */
#define KEY_TUNNEL_NONE      (-1)       /* no tunnel="" option */
#define KEY_TUNNEL_ANY       0x7fffffff /* tunnel="any" */

struct key_permit {
    char host[KEY_PERMIT_HOST_MAX];     /* without brackets; "*": any (permitlisten="port" gives "*") */
    uint32_t port;                      /* 1..65535 or KEY_PORT_ANY */
};

/* Plain data without pointers: may be sent as it is between processes of one build. Booleans are 0 or 1. What is not
 * restricted is permitted: key_options_init() gives the options of a line without any. Unused bytes are zero. */
struct key_options {
    uint8_t permit_port_forwarding, permit_agent_forwarding, permit_x11_forwarding, permit_pty, permit_user_rc;
    uint8_t restricted;                 /* "restrict" was there: later tightening must honour it for features of its own (tun) */
    uint8_t cert_authority;
    uint8_t no_touch_required, verify_required;         /* FIDO keys */
    uint8_t has_command, has_from, has_principals;      /* the texts below are set (command="" may be empty) */
    uint8_t has_source_address;         /* never from a line: a certificate's, see source_address */
    int32_t tunnel;                     /* KEY_TUNNEL_NONE, KEY_TUNNEL_ANY or a unit number */
    /* expiry-time: the earliest given. Seconds since 1970; 0: none. A time with Z is UTC; one without is local wall clock, kept
     * as if that clock were UTC, since this room knows no time zone. See key_options_expired(). */
    int64_t expiry_utc, expiry_local;
    uint32_t permit_open_n, permit_listen_n, environment_n;
    uint32_t environment_used;          /* bytes of environment[] */
    char command[KEY_COMMAND_MAX];
    char from[KEY_FROM_MAX];            /* the pattern list as written, for address and host name matching */
    /* A certificate's source-address: addresses and CIDR blocks, as cert_source_check() takes them. It holds beside from="", never instead. */
    char source_address[KEY_FROM_MAX];
    char principals[KEY_PRINCIPALS_MAX];
    char environment[KEY_ENVIRONMENT_MAX];      /* environment_n texts "NAME=value", each ended by NUL; names are unique */
    struct key_permit permit_open[KEY_PERMIT_MAX], permit_listen[KEY_PERMIT_MAX];
};

/* All permitted, nothing forced. */
void key_options_init(struct key_options *o);

/* Parse an option list: the 24 names of OpenSSH 10.5, without regard to letter case, values in double quotes with \" inside; applied in
 * order ("restrict,pty" permits a pty, "pty,restrict" does not). The first environment="" of a name wins, and commas too many are no options,
 * as in OpenSSH.
 * Any unknown option, doubled command/from/principals, open quote, or value over its limit refuses the whole list:
 * ERR_FORMAT or ERR_TOO_LONG, and *why (never NULL then; static text) says what for a log. `out` untouched on failure. */
MUST_USE enum err key_options_parse(struct bytes text, struct key_options *out, const char **why);

/* For the receiver across a privilege line: are all texts ended, counts and booleans in range, the used parts consistent? */
MUST_USE enum verdict key_options_check(const struct key_options *o);

/* Is the key past its time? now_utc: seconds since 1970; utc_offset: what to add to get the local wall clock now. */
bool key_options_expired(const struct key_options *o, int64_t now_utc, int32_t utc_offset);

/* The environment texts, one after the other: *pos starts at 0; NULL at the end. */
const char *key_options_environment(const struct key_options *o, size_t *pos);

/* YYYYMMDD[Z], YYYYMMDDHHMM[Z] or YYYYMMDDHHMMSS[Z] to seconds since 1970 (as if UTC); *utc: had it a Z? ERR_FORMAT. */
MUST_USE enum err key_time_parse(struct bytes text, bool *utc, int64_t *out);

#endif
