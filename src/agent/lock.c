/* SPDX-License-Identifier: ISC */
/* The lock (RFC 9987 3.7): while it is on, nothing is listed, signed, added or removed. Each wrong password makes the next try wait longer,
 * however many connections try. */
#include "crypto/sign.h"
#include "impl.h"

#define ROUNDS        1
#define DELAY_US      100000ull         /* for each wrong password so far, as OpenSSH */
#define FAILURES_MAX  100

static enum err passphrase_hash(const struct lock *l, struct bytes passphrase, uint8_t out[32])
{
    if (passphrase.n == 0 || passphrase.n > PASSWORD_MAX) return ERR_RANGE;
    return bcrypt_pbkdf(passphrase, bytes_of(l->salt, sizeof l->salt), ROUNDS, (struct span){out, 32});
}

enum err do_lock(struct call *k)
{
    struct bytes passphrase = rd_string(&k->r);
    TRY(rd_done(&k->r));
    struct lock fresh = {.on = true};
    if (k->a->lock.on) return ERR_STATE;
    TRY(random_fill(k->a->setup.random, fresh.salt, sizeof fresh.salt));
    TRY(passphrase_hash(&fresh, passphrase, fresh.hash));
    k->a->lock = fresh;
    wipe(&fresh, sizeof fresh);
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}

enum err do_unlock(struct call *k)
{
    struct lock *l = &k->a->lock;
    struct bytes passphrase = rd_string(&k->r);
    TRY(rd_done(&k->r));
    if (!l->on) return ERR_STATE;
    if (!k->c->answers.waited) {        /* a turn of one's own, one after the other */
        uint64_t turn = l->next_try_us > k->now_us ? l->next_try_us : k->now_us;
        l->next_try_us = turn + DELAY_US * l->failures;
        if (turn > k->now_us) {
            question_open(k, AGENT_WAIT)->until_us = turn;
            return ERR_AGAIN;
        }
    }
    uint8_t hash[32];
    TRY(passphrase_hash(l, passphrase, hash));
    enum verdict same = bytes_verify(hash, l->hash, sizeof hash);
    wipe(hash, sizeof hash);
    if (same != VERDICT_GOOD) {
        if (l->failures < FAILURES_MAX) l->failures++;
        uint64_t next = k->now_us + DELAY_US * l->failures;
        if (next > l->next_try_us) l->next_try_us = next;
        return ERR_DENIED;
    }
    wipe(l, sizeof *l);
    wr_u8(k->reply, MSG_SUCCESS);
    return ERR_NONE;
}
