/* SPDX-License-Identifier: ISC */
/* The small parsers options are made of, and the option tables seen from outside (completion, -Q, man page). */
#ifndef CONF_PARSE_H
#define CONF_PARSE_H

#include "base/text.h"
#include "conf/value.h"

/* Words of a line as OpenSSH divides them: blanks part, quotes '...' and "..." keep, backslash before quote, backslash or (outside quotes)
 * space is taken away; with `comments` an unquoted # at a word's start ends the line. Words are written one after the other, each
 * followed by NUL; their number is *count. ERR_FORMAT: unterminated quote, or a NUL in the text. ERR_RANGE: too many. */
#define CONF_WORDS_MAX 4096
MUST_USE enum err conf_split(struct bytes line, bool comments, struct wr *out, size_t *count);

/* "90", "1h30m", "2w": seconds. ERR_FORMAT, ERR_RANGE (above 2^31-1). */
MUST_USE enum err conf_time_s(struct bytes text, int64_t *out);

/* A value of RekeyLimit: "1G", "default". Bytes. */
MUST_USE enum err conf_size_bytes(struct bytes text, uint64_t *out);

/* "[listen_host:]port:host:hostport", paths, [v6]: the argument of -L, -R (remote) and -D (dynamic), and the joined words of
 * LocalForward. Texts are views cut into `storage` (same length as text + 1). ERR_FORMAT. */
MUST_USE enum err conf_forward_parse(const char *text, bool dynamic, bool remote, char *storage, struct conf_forward *out);

/* Seconds of silence after which a channel of this type ends, by ChannelTimeout: the first pattern that fits the type, or `also` (a
 * wider name of it; may be NULL). 0: never. "global" is no channel's type, and no wildcard stands for it. */
uint32_t conf_channel_timeout_s(const struct conf_channel_timeouts *t, const char *type, const char *also);

/* An AllowUsers/DenyUsers pattern: USER or USER@HOST, HOST a pattern or CIDR list. ERR_FORMAT: bad CIDR. */
MUST_USE enum err conf_user_match(const char *user, const char *host, const char *address, struct bytes pattern, bool *out);

/* Log levels and facilities by name, any letter case. ERR_FORMAT. */
MUST_USE enum err conf_log_level(const char *name, int *out);
MUST_USE enum err conf_syslog_facility(const char *name, int *out);
const char *conf_log_level_name(int level);

/* Every keyword of a configuration with its default and one line of help, a row a call, for completion and the man page: "Keyword\tdefault\thelp". */
void conf_list_ssh(struct wr *out);
void conf_list_sshd(struct wr *out);

#endif
