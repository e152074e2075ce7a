/* SPDX-License-Identifier: ISC */
/* ssh-keyscan on one page: what it knows, and which file does what.
 *   main.c     the command line, start, exit status
 *   source.c   hosts from arguments and files: lists, address ranges
 *   resolve.c  names to addresses, in threads, so that a slow name delays no other
 *   dial.c     connecting, as many at once as descriptors allow; the loop of the outer process
 *   scanner.c  the jailed process, the only one that reads what a peer sent
 *   show.c     lines of known_hosts, SSHFP records, comments
 * Two processes: the outer one resolves, connects and prints; connected sockets go to the scanner, whose answers are results. */
#ifndef SSH_KEYSCAN_H
#define SSH_KEYSCAN_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/text.h"
#include "key/sshfp.h"
#include "os/say.h"

#define KINDS_MAX   8           /* rows of `kinds` in show.c; a set of them is a mask */
#define SLOTS_MAX   8192        /* connections at once, where descriptors allow so many */
#define IDENT_SHOWN 256
#define SHOWN_MAX   (8U << 20)  /* one key's lines, of all the names in a list */
#define RESULT_MAX  24576       /* a message from the scanner: ident, key, words */

/* One kind of key that -t names. */
struct kind {
    const char *name;           /* "ed25519" */
    bool by_default;
    const char *algs;           /* what to offer as host key algorithms */
};
extern const struct kind kinds[];
extern const size_t kind_count;

struct settings {
    int family;                 /* -4, -6 */
    uint16_t port;
    unsigned timeout_s;
    unsigned kinds;             /* mask */
    unsigned verbose;
    bool certs, hashed, dns, quiet;
    unsigned dns_hashes;        /* mask of 1 << enum sshfp_hash */
};
extern struct settings settings;

/* ---- main.c ---- */
void debug(const char *fmt, ...) PRINTF_LIKE(1, 2);     /* -v */

/* ---- source.c ---- */
void source_argument(const char *host);
/* Stops where it cannot be read. */
void source_file(const char *path);
/* The next host to scan: names to try one after the other, comma separated, and what to print for it (NULL: the same). Both the
 * caller's to free. False at the end. */
bool source_next(char **names, char **output);

/* ---- resolve.c ---- */
#define ADDRESSES_MAX 16
struct host {                   /* one name, or address, that is scanned */
    struct host *next;
    char *names, *output;       /* whole list */
    char *name;                 /* which of the list this is about */
    size_t rest;                /* where the names after it begin in `names` */
    unsigned kinds;             /* those to start yet */
    unsigned users;             /* attempts that refer to it */
    struct sockaddr_storage address[ADDRESSES_MAX];
    socklen_t address_n[ADDRESSES_MAX];
    size_t addresses;
    int error;                  /* getaddrinfo's */
    int system_error;
};
/* Looked up at once if it is an address, else by a thread: false, and it comes back by resolve_done(). */
bool resolve(struct host *h);
/* Readable when resolve_done() has something. */
int resolve_fd(void);
struct host *resolve_done(void);
size_t resolve_pending(void);

/* ---- dial.c ---- */
/* All of source.c's hosts; true if a key was found. */
bool dial_all(int scanner);

/* ---- scanner.c: messages over SOCK_SEQPACKET ----
 * to it: u32 tag, u32 kind, with the connected non-blocking socket
 * from it: first READY, then for each tag one RESULT; LINEs with -v */
enum scan_type { SCAN_READY = 1, SCAN_FAILED, SCAN_LINE, SCAN_RESULT };
enum scan_end {
    END_KEY,                    /* a key, which the host proved to have */
    END_NO_KEY,                 /* it has none of this kind, or the exchange failed */
    END_SILENT,                 /* said nothing for too long */
    END_CLOSED,                 /* ended before it proved a key */
    END_ERROR                   /* reading or writing failed: errno */
};
struct scan_result {
    uint32_t tag, end, code;    /* code: errno */
    struct bytes ident, blob;
    bool greeted;
};
/* Starts it, waits until it is in its jail; its socket. Stops where there is no jail. */
int scanner_start(void);

/* ---- show.c ---- */
void show_ident(const struct host *h, struct bytes ident);
MUST_USE enum err scan_result_parse(struct bytes message, struct scan_result *out);
/* The lines for a key. False: it is no key of that kind. */
bool key_write(const struct host *h, unsigned kind, struct bytes blob, struct wr *out);
/* Prints them. */
bool show_key(const struct host *h, unsigned kind, struct bytes blob);

#endif
