/* SPDX-License-Identifier: ISC */
/* Two conns, a client and a server, joined by two wires in memory: the simulator, the man in the middle and the tests of old
 * defects stand on it. Everything that happens follows from the plan and its seed. The programs at both ends are scripts:
 * log in, open channels, run a command, send pattern bytes both ways, give an exit status, close, disconnect. */
#ifndef DUO_H
#define DUO_H

#include "core/conn.h"
#include "key/key.h"

#define DUO_CHANNELS 64
#define DUO_STATUS   7              /* what the command ends with */

/* ---- randomness and the clock ---- */

struct rng {
    uint64_t s;
};
uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n);      /* 0 for n == 0 */
/* A random record drawing from a struct rng. */
struct random rng_random(struct rng *r);

/* ---- algorithms ---- */

/* A key exchange that costs nothing and protects nothing: the secret is a hash of both public values. */
extern const struct kex_alg kex_cheap, kex_cheap_other;
/* Lists of one, ended by NULL; real algorithms by name. */
struct duo_algs {
    const struct kex_alg *kex[2];
    const struct cipher_alg *cipher[2];
    const struct mac_alg *mac[2];
};
/* kex NULL: the cheap one; mac NULL: hmac-sha2-256-etm. */
struct duo_algs duo_algs(const struct kex_alg *kex, const struct cipher_alg *cipher, const struct mac_alg *mac);

/* ---- a plan ---- */

struct duo_plan {
    uint64_t seed;
    struct duo_algs algs;
    const char *hostkey;            /* NULL: ssh-ed25519 */
    const char *login;              /* in this order: n none, q key query, s key, p password, k keyboard-interactive */
    const struct compress_alg *const *compress;
    bool guess_kex, guess_wrong;    /* the client guesses; wrong: its first kex method is one the server lacks */
    unsigned channels;              /* sessions, opened at once */
    uint64_t up, down;              /* bytes on each */
    uint32_t window;
    size_t wire_max;                /* a wire holds no more; 0: no limit */
    uint64_t rekey_bytes;
    unsigned rekey_every[2];        /* by role: ask for a key exchange each time so many packets went out; 0: never */
    unsigned rekey_once[2];         /* when that many packets went out; 0: never */
    unsigned open_delay;            /* the server answers an open that many turns later */
    bool slow;                      /* received bytes are consumed bit by bit */
    bool more_sessions;             /* the client does not say no-more-sessions */
    bool hold;                      /* the command runs and nobody says anything */
    bool chatty;                    /* pings, keepalives, env, window changes while data flows */
};

/* ---- what passed ---- */

struct note {                       /* a packet */
    uint8_t number;
    uint32_t len;                   /* payload */
    size_t size;                    /* on the wire */
    uint64_t at;                    /* where it begins in all that the side wrote */
    bool clear;                     /* not encrypted */
};
struct notes {
    struct note *p;
    size_t n, cap;
};

struct wire {
    uint8_t *p;
    size_t head, n, cap;
    uint64_t written, delivered;
    uint64_t cut_at;                /* bytes from there on are lost, and the end shows; UINT64_MAX: none */
    uint64_t split_at;              /* no delivery goes across this byte */
    uint64_t flip_at;               /* this byte is changed by flip_mask */
    uint8_t flip_mask;
    bool ended, end_delivered;
};

struct duo_chan {
    bool used, open, running, peer_eof, ending, closed;
    bool status_seen;
    uint64_t sent, got;
    size_t held;                    /* received, not consumed */
    uint32_t question;              /* server: an open to answer */
    unsigned wait;
};

struct duo_side {
    struct conn *c;
    enum role role;
    struct rng rng;
    struct wire out;
    struct notes sent, received;    /* received: number and len only */
    size_t sealed;                  /* bytes sealed since the wire was fed */
    size_t clear_seen;              /* notes whose `at` is set */
    struct duo_chan chan[DUO_CHANNELS];
    struct privkey *key;            /* server: host key; client: user key */
    _Alignas(16) uint8_t spies[2][128];     /* the cipher records it was given */
    const struct cipher_alg *ciphers[3];
    const struct kex_alg *kexes[3];
    struct conn_hostkey hostkey;
    char hostkey_algs[64];
    bool over;                      /* conn_next failed */
    enum err err;
    const char *wrong;              /* an invariant that broke */
    size_t login_at;
    bool logged_in, finished;
    unsigned opened, ended;
    unsigned events;
    unsigned rekeys_asked;
    uint64_t rekey_mark;
};

struct duo {
    struct duo_plan plan;
    struct duo_side side[2];        /* by role */
    struct rng rng;
    uint64_t now_us;
    bool without_chance;            /* this turn: who could move does */
};

struct duo *duo_new(const struct duo_plan *plan);
void duo_free(struct duo *d);

/* Turn one side until it stands still and put its output on its wire. True: something happened. */
bool duo_step(struct duo *d, enum role who);
/* Move at most n bytes (or the end) from this side's wire into the other conn. */
size_t duo_deliver(struct duo *d, enum role from, size_t n);
/* The wire ends after what it holds. */
void duo_end(struct duo *d, enum role from);
/* Random pieces in random order until both are over or nothing moves any more. True: not stuck. */
bool duo_run(struct duo *d);
/* The same without chance: all bytes as soon as possible. */
bool duo_run_plain(struct duo *d);
/* After a run that got stuck: both wires end, both sides see it. */
void duo_hang_up(struct duo *d);

/* Both sides finished the whole script: every byte, status and close. */
bool duo_complete(const struct duo *d);
/* NULL, or which invariant broke: wrong bytes, received packets that were not sent, unlike session ids ... */
const char *duo_wrong(struct duo *d);
/* Received is a beginning of sent, from the first encrypted packet on. */
bool duo_prefix(const struct duo *d, enum role from);

/* Bytes of the stream that `from` sends on a channel, from `at` on. */
void duo_pattern(enum role from, uint32_t chan, uint64_t at, struct span out);

/* Private to duo: the cipher records that note what is sealed. */
const struct cipher_alg *spy_cipher(struct duo_side *side, int which, const struct cipher_alg *real);
void notes_add(struct notes *l, struct note n);
bool script_event(struct duo *d, struct duo_side *s, const struct event *ev);
bool script_work(struct duo *d, struct duo_side *s);

#endif
