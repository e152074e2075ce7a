/* SPDX-License-Identifier: ISC */
/* Lines of known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) as pure functions over text: parse one, match it against a
 * host, write one, search a whole file. Reading and replacing files is the caller's. */
#ifndef KEY_KNOWN_HOSTS_H
#define KEY_KNOWN_HOSTS_H

#include "base/random.h"
#include "base/wr.h"
#include "key/key.h"

/* The longest line that is looked at; a longer one counts as bad as a whole, its rest is never taken for a line of its own. */
#define KNOWN_LINE_MAX 65536
/* "[" name "]:65535" of the longest DNS name with room; longer names match nothing. */
#define KNOWN_HOST_MAX 1100

enum known_marker { KNOWN_PLAIN, KNOWN_CA, KNOWN_REVOKED };     /* none, @cert-authority, @revoked */

/* One line in its parts; all views point into the line. */
struct known_line {
    enum known_marker marker;
    bool hashed;                /* hosts is "|1|salt|hash": one name, unknown */
    struct bytes hosts;         /* comma separated patterns, each may begin with '!'; or the hashed form */
    struct bytes type;          /* "ssh-ed25519": as written in the line */
    struct bytes base64;        /* the key blob */
    struct bytes comment;       /* the rest from its first character that is no blank; may be empty */
};

/* Take one line (without its newline; a CR at the end is dropped) apart.
 * ERR_NOT_FOUND: empty or a comment. ERR_FORMAT: unknown marker, or a field is missing. ERR_TOO_LONG. The key itself is not
 * looked at: see known_line_key(). */
MUST_USE enum err known_line_parse(struct bytes line, struct known_line *out);

/* The key of a line, checked as pubkey_parse() does, and its type equal to the name in the line (ERR_FORMAT if not). */
MUST_USE enum err known_line_key(const struct known_line *l, struct pubkey **out);

/* Is this line's key that blob? Compares decoded bytes; a line whose base64 is bad has no key. */
bool known_line_has_blob(const struct known_line *l, struct bytes blob);

/* Does the line speak of this host? `host` is the form a lookup uses: "name", "address" or "[name]:port" where the port is not
 * 22; letter case does not matter. MATCH_NEGATED: a "!pattern" hit, the line is not for this host. Hashed lines compare
 * HMAC-SHA1(salt, lower-cased name). */
enum match known_line_match(const struct known_line *l, struct bytes host);

/* The lookup form: "name" for port 22 (or 0), else "[name]:port"; name lower-cased. */
void known_host_write(struct wr *w, struct bytes name, unsigned port);

/* "|1|salt|hash" with a fresh 20 byte salt; name is lower-cased first. */
MUST_USE enum err known_hash_write(struct wr *w, struct bytes host, const struct random *random);

/* A whole line, newline included: marker, hosts (as they are: a list, a pattern or a hash), type, base64, comment if there is one. A
 * comment or host with control characters is refused (ERR_FORMAT): it could begin a line of its own. */
MUST_USE enum err known_line_write(struct wr *w, enum known_marker marker, struct bytes hosts, const struct pubkey *key,
                                   struct bytes comment);

/* ---- a walk over all lines of a text (known_hosts, authorized_keys and others) ---- */

struct line_walk {
    struct bytes rest;          /* set it to the whole text, the others to 0 */
    size_t number;              /* of the line last returned, from 1 */
};
/* The next line without its "\n"; `out` may be longer than any limit, never a part of a line. False at the end. */
bool line_next(struct line_walk *w, struct bytes *out);

/* ---- what a file says of a host and a key ---- */

struct known_query {
    struct bytes host;          /* lookup form, see known_line_match(); may be empty: matches nothing */
    struct bytes address;       /* a second name that counts as the host too (CheckHostIP); empty: none */
    struct bytes blob;          /* the key that the host showed; empty: every key counts as an other one */
};

enum known_relation { KNOWN_SAME_KEY, KNOWN_SAME_TYPE, KNOWN_OTHER_TYPE };

/* One line as it concerns the query. */
struct known_hit {
    size_t number;              /* line, from 1 */
    enum err err;               /* ERR_NONE; ERR_NOT_FOUND: blank or comment; else a bad line, and the rest below is empty */
    struct bytes text;          /* the whole line */
    struct known_line line;
    bool host;                  /* the line is for query.host */
    bool address;               /* the line is for query.address */
    enum known_relation key;
};
/* Walk: every line of the text gives one hit. False at the end. */
bool known_next(struct line_walk *w, const struct known_query *q, struct known_hit *out);

#define KNOWN_REFS_MAX 16
struct known_ref {              /* where something was seen */
    unsigned file;              /* the number given to known_search() */
    size_t line;
    struct bytes hosts, type;   /* views into that text */
    bool hashed;
};
/* The sum over all files. Zero it, then call known_search() for each file in order of precedence. Judge in this order:
 *   revoked_n > 0      the key is marked @revoked for this host: never go on
 *   same_n > 0         known: go on
 *   changed_n > 0      another key of the same type is known: the loud warning, with file:line
 *   other_type_n > 0   only keys of other types are known (OpenSSH treats this as changed, too)
 *   else               a new host; same_key_elsewhere names lines where this key stands under other names
 * Counts go on past KNOWN_REFS_MAX; the arrays hold the first of each. Lines with @cert-authority are counted in ca_n only. */
struct known_found {
    struct known_ref revoked[1], same[1], changed[KNOWN_REFS_MAX], other_type[KNOWN_REFS_MAX], elsewhere[KNOWN_REFS_MAX];
    size_t revoked_n, same_n, changed_n, other_type_n, elsewhere_n, ca_n, bad_n;
    bool address_same, address_other;   /* a plain line for query.address has this key, has another one */
};
void known_search(struct bytes text, unsigned file, const struct known_query *q, struct known_found *out);

#endif
