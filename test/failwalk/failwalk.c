/* SPDX-License-Identifier: ISC */
/* Allocations fail one by one through a whole session (TRUST T06): the n-th inside the core, libcrypto's included, for each n; once,
 * and from then on. The outcome is a clean error or equal streams, never a login that was not granted. Leaks show in the asan
 * build. The linker's --wrap puts us around the core's doors and around the allocator. */
#include "crypto/algs.h"
#include "crypto/sign.h"
#include "duo.h"
#include "tap.h"

/* libcrypto's own door, declared here because its headers and the core's do not go together. */
int CRYPTO_set_mem_functions(void *(*m)(size_t, const char *, int), void *(*r)(void *, size_t, const char *, int),
                             void (*f)(void *, const char *, int));

static unsigned depth;                  /* inside the core */
static unsigned long count, fail_at;    /* allocations seen; the one that fails, 0: none */
static bool for_good, hit;

static bool fails(void)
{
    if (depth == 0) return false;
    count++;
    bool now = fail_at && (count == fail_at || (for_good && count > fail_at));
    hit |= now;
    return now;
}

/* ---- the allocator ---- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
void *__wrap_aligned_alloc(size_t align, size_t n) { return fails() ? NULL : __real_aligned_alloc(align, n); }

static void *crypto_malloc(size_t n, const char *file, int line) { return (void)file, (void)line, fails() ? NULL : __real_malloc(n); }
static void *crypto_realloc(void *p, size_t n, const char *file, int line)
{
    return (void)file, (void)line, fails() ? NULL : __real_realloc(p, n);
}
static void crypto_free(void *p, const char *file, int line) { (void)file, (void)line, free(p); }

/* ---- the core's doors ---- */

#define DOOR(type, name, params, args) \
    type __real_##name params; \
    type __wrap_##name params; \
    type __wrap_##name params \
    { \
        depth++; \
        type r = __real_##name args; \
        depth--; \
        return r; \
    }
DOOR(struct conn *, conn_new, (const struct conn_setup *s), (s))
DOOR(enum err, conn_next, (struct conn *c, uint64_t now, struct event *out), (c, now, out))
DOOR(enum err, conn_answer, (struct conn *c, uint32_t q, const struct answer *a), (c, q, a))
DOOR(enum err, conn_auth_try, (struct conn *c, const struct auth_attempt *a), (c, a))
DOOR(enum err, chan_open, (struct conn *c, const struct channel_open *o, uint32_t *n), (c, o, n))
DOOR(enum err, chan_request, (struct conn *c, uint32_t n, const struct channel_request *q, uint32_t tag), (c, n, q, tag))
DOOR(enum err, conn_global, (struct conn *c, const struct global_request *g, uint32_t tag), (c, g, tag))

/* ---- the walk ---- */

static const char *one(const struct duo_plan *plan, bool *completed)
{
    count = 0, hit = false, *completed = false;
    struct duo *d = duo_new(plan);
    if (!d) return NULL;
    bool ran = duo_run_plain(d);
    fail_at = 0;
    const char *w = duo_wrong(d);
    *completed = ran && duo_complete(d);
    if (!ran) duo_hang_up(d);
    if (!w && (!d->side[0].over || !d->side[1].over)) w = "no end";
    if (!w) w = duo_wrong(d);
    duo_free(d);
    return w;
}

static void walk(const char *name, const struct duo_plan *plan, bool good)
{
    bool completed = false;
    unsigned long n, last, runs = 0, bad = 0, survived = 0;
    for_good = good, fail_at = 0;
    const char *w = one(plan, &completed);
    last = count;
    if (w || !completed) bad++, printf("# without failures: %s\n", w ? w : "did not complete");
    unsigned long step = tap_long() ? 1 : tap_quick() ? 1 + last / 100 : 1 + last / 1000;
    for (n = 1; n <= last; n += n < 200 ? 1 : step) {
        fail_at = n;
        w = one(plan, &completed);
        runs++, survived += completed;
        if (w) bad++, printf("# allocation %lu of %lu: %s\n", n, last, w);
    }
    fail_at = 0;
    tap_ok(bad == 0 && last > 100, "%s: %lu of %lu allocations fail%s, %lu sessions complete all the same", name, runs, last,
           good ? " for good" : "", survived);
}

int main(void)
{
    if (!CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) || crypto_warm() != ERR_NONE) return 1;
    static const struct {
        const char *name;
        const struct kex_alg *kex;
        const struct cipher_alg *cipher;
        const char *login;
    } plans[] = {
        {"curve25519, chacha20-poly1305, key", &kex_curve25519_sha256, &cipher_chacha20_poly1305, "nqs"},
        {"mlkem768x25519, aes128-gcm, password", &kex_mlkem768x25519_sha256, &cipher_aes128_gcm, "p"},
        {"nistp256, aes128-ctr, keyboard-interactive", &kex_ecdh_nistp256, &cipher_aes128_ctr, "nk"},
    };
    for (size_t i = 0; i < COUNT_OF(plans); i++)
        for (int good = 0; good < 2; good++) {
            struct duo_plan plan = {.seed = 11, .algs = duo_algs(plans[i].kex, plans[i].cipher, NULL), .login = plans[i].login, .channels = 2,
                                    .up = 1000, .down = 1000};
            plan.rekey_once[ROLE_CLIENT] = 14;
            walk(plans[i].name, &plan, good);
        }
    return tap_end();
}
