/* SPDX-License-Identifier: ISC */
/* What a revocation list holds, and the question whether it holds a key. */
#include "key/krl.h"

#include <stdlib.h>

#include "krl_list.h"

struct chunk {
    struct chunk *next;
    uint8_t data[];
};

struct krl *krl_new(void)
{
    return calloc(1, sizeof(struct krl));
}

void krl_free(struct krl *k)
{
    if (!k) return;
    for (size_t i = 0; i < k->cas_n; i++) {
        pubkey_free(k->cas[i].key);
        free(k->cas[i].serials.v);
        free(k->cas[i].key_ids.v);
    }
    while (k->chunks) {
        struct chunk *next = k->chunks->next;
        free(k->chunks);
        k->chunks = next;
    }
    free(k->cas);
    free(k->keys.v);
    for (size_t i = 0; i < COUNT_OF(k->hashes); i++) free(k->hashes[i].v);
    free(k);
}

void krl_drop(struct krl **k)
{
    krl_free(*k);
    *k = NULL;
}

enum err krl_keep(struct krl *k, struct bytes b, struct bytes *out)
{
    struct chunk *c = malloc(sizeof *c + b.n);
    if (!c) return ERR_NOMEM;
    if (b.n) memcpy(c->data, b.p, b.n);
    c->next = k->chunks;
    k->chunks = c;
    *out = bytes_of(c->data, b.n);
    return ERR_NONE;
}

/* ---- sets ---- */

/* By their bytes, a beginning before what it begins. */
static int blob_order(const void *x, const void *y)
{
    const struct bytes *a = x, *b = y;
    size_t n = a->n < b->n ? a->n : b->n;
    int d = n ? memcmp(a->p, b->p, n) : 0;
    return d ? d : (a->n > b->n) - (a->n < b->n);
}

static int run_order(const void *x, const void *y)
{
    const struct run *a = x, *b = y;
    return (a->lo > b->lo) - (a->lo < b->lo);
}

/* Room for one element more. */
static enum err grow(void **v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return ERR_NONE;
    size_t more = *cap ? 2 * *cap : 16;
    void *p = realloc(*v, more * size);
    if (!p) return ERR_NOMEM;
    *v = p, *cap = more;
    return ERR_NONE;
}

enum err blobs_add(struct blobs *s, struct bytes b)
{
    TRY(grow((void **)&s->v, s->n, &s->cap, sizeof *s->v));
    s->sorted = s->n == 0 || (s->sorted && blob_order(&s->v[s->n - 1], &b) < 0);
    s->v[s->n++] = b;
    return ERR_NONE;
}

static void blobs_settle(struct blobs *s)
{
    size_t kept = 0;
    if (s->sorted || s->n == 0) return;
    qsort(s->v, s->n, sizeof *s->v, blob_order);
    for (size_t i = 0; i < s->n; i++)
        if (kept == 0 || blob_order(&s->v[kept - 1], &s->v[i]) != 0) s->v[kept++] = s->v[i];
    s->n = kept;
    s->sorted = true;
}

static bool blobs_have(const struct blobs *s, struct bytes b)
{
    if (s->sorted) return bsearch(&b, s->v, s->n, sizeof *s->v, blob_order) != NULL;
    for (size_t i = 0; i < s->n; i++)
        if (bytes_equal(s->v[i], b)) return true;
    return false;
}

static void runs_settle(struct runs *r)
{
    size_t kept = 0;
    if (r->sorted || r->n == 0) return;
    qsort(r->v, r->n, sizeof *r->v, run_order);
    for (size_t i = 0; i < r->n; i++) {
        struct run *last = kept ? &r->v[kept - 1] : NULL;
        if (!last || (last->hi != UINT64_MAX && r->v[i].lo > last->hi + 1)) r->v[kept++] = r->v[i];
        else if (r->v[i].hi > last->hi) last->hi = r->v[i].hi;
    }
    r->n = kept;
    r->sorted = true;
}

static bool runs_have(const struct runs *r, uint64_t serial)
{
    size_t lo = 0, hi = r->n;
    if (!r->sorted) {
        for (size_t i = 0; i < r->n; i++)
            if (serial >= r->v[i].lo && serial <= r->v[i].hi) return true;
        return false;
    }
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (serial > r->v[mid].hi) lo = mid + 1;
        else if (serial < r->v[mid].lo) hi = mid;
        else return true;
    }
    return false;
}

void krl_settle(struct krl *k)
{
    blobs_settle(&k->keys);
    for (size_t i = 0; i < COUNT_OF(k->hashes); i++) blobs_settle(&k->hashes[i]);
    for (size_t i = 0; i < k->cas_n; i++) {
        k->runs_n -= k->cas[i].serials.n;
        runs_settle(&k->cas[i].serials);
        k->runs_n += k->cas[i].serials.n;
        blobs_settle(&k->cas[i].key_ids);
    }
}

/* ---- adding ---- */

static struct bytes ca_blob(const struct krl_ca *ca)
{
    return ca->key ? pubkey_blob(ca->key) : bytes_of(NULL, 0);
}

enum err krl_ca_entry(struct krl *k, struct bytes blob, struct krl_ca **out)
{
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    for (size_t i = 0; i < k->cas_n; i++)
        if (bytes_equal(ca_blob(&k->cas[i]), blob)) {
            *out = &k->cas[i];
            return ERR_NONE;
        }
    if (k->cas_n == KRL_CAS_MAX) return ERR_TOO_LONG;
    if (blob.n) TRY(pubkey_parse(blob, &key));
    TRY(grow((void **)&k->cas, k->cas_n, &k->cas_cap, sizeof *k->cas));
    *out = &k->cas[k->cas_n++];
    **out = (struct krl_ca){.key = key};
    key = NULL;
    return ERR_NONE;
}

enum err krl_add_serials(struct krl *k, struct krl_ca *ca, uint64_t lo, uint64_t hi)
{
    struct runs *r = &ca->serials;
    struct run *last = r->n ? &r->v[r->n - 1] : NULL;
    if (lo == 0 || hi < lo) return ERR_RANGE;
    if (last && lo != 1 && last->hi == lo - 1) { /* the usual case: numbers in order */
        last->hi = hi;
        return ERR_NONE;
    }
    if (k->runs_n == KRL_RUNS_MAX) return ERR_TOO_LONG;
    TRY(grow((void **)&r->v, r->n, &r->cap, sizeof *r->v));
    r->sorted = r->n == 0 || (r->sorted && r->v[r->n - 1].hi < lo);
    r->v[r->n++] = (struct run){lo, hi};
    k->runs_n++;
    return ERR_NONE;
}

enum err krl_add_key_id(struct krl_ca *ca, struct bytes id)
{
    if (id.n > KRL_KEY_ID_MAX) return ERR_TOO_LONG;
    if (id.n && memchr(id.p, 0, id.n)) return ERR_FORMAT;
    return blobs_add(&ca->key_ids, id);
}

static struct bytes blob_of(const struct pubkey *key)
{
    return key ? pubkey_blob(pubkey_plain(key)) : bytes_of(NULL, 0);
}

enum err krl_revoke_serials(struct krl *k, const struct pubkey *ca, uint64_t lo, uint64_t hi)
{
    struct krl_ca *entry;
    if (lo == 0 || hi < lo) return ERR_RANGE;
    TRY(krl_ca_entry(k, blob_of(ca), &entry));
    return krl_add_serials(k, entry, lo, hi);
}

enum err krl_revoke_key_id(struct krl *k, const struct pubkey *ca, struct bytes key_id)
{
    struct krl_ca *entry;
    struct bytes kept;
    TRY(krl_keep(k, key_id, &kept));
    TRY(krl_ca_entry(k, blob_of(ca), &entry));
    return krl_add_key_id(entry, kept);
}

enum err krl_revoke_key(struct krl *k, const struct pubkey *key)
{
    struct bytes kept;
    TRY(krl_keep(k, blob_of(key), &kept));
    return blobs_add(&k->keys, kept);
}

enum err krl_revoke_cert(struct krl *k, const struct pubkey *key)
{
    const struct cert *c = pubkey_cert(key);
    if (!c) return krl_revoke_key(k, key);
    return c->serial ? krl_revoke_serials(k, c->ca, c->serial, c->serial) : krl_revoke_key_id(k, c->ca, c->key_id);
}

static const struct hash_alg *const hashes[] = {[KRL_SHA1] = &hash_sha1, [KRL_SHA256] = &hash_sha256};

enum err krl_revoke_hash(struct krl *k, enum krl_hash hash, struct bytes digest)
{
    struct bytes kept;
    if (digest.n != hashes[hash]->len) return ERR_FORMAT;
    TRY(krl_keep(k, digest, &kept));
    return blobs_add(&k->hashes[hash], kept);
}

/* ---- what stands at its head ---- */

struct krl_facts krl_facts(const struct krl *k)
{
    return (struct krl_facts){k->version, k->made_s, k->comment};
}

void krl_set_version(struct krl *k, uint64_t version)
{
    k->version = version;
}

enum err krl_set_comment(struct krl *k, struct bytes comment)
{
    if (comment.n && memchr(comment.p, 0, comment.n)) return ERR_FORMAT;
    return krl_keep(k, comment, &k->comment);
}

/* ---- asking ---- */

/* By hash or as it is. A hash that cannot be made counts as found. */
static bool has_key(const struct krl *k, struct bytes blob)
{
    uint8_t digest[HASH_MAX];
    for (size_t i = 0; i < COUNT_OF(hashes); i++) {
        if (k->hashes[i].n == 0) continue;
        if (hash_digest(hashes[i], blob, digest) != ERR_NONE || blobs_have(&k->hashes[i], bytes_of(digest, hashes[i]->len))) return true;
    }
    return blobs_have(&k->keys, blob);
}

/* A serial of 0 is none: such a certificate is revoked by its key id only. */
static bool has_cert(const struct krl *k, const struct cert *c)
{
    for (size_t i = 0; i < k->cas_n; i++) {
        const struct krl_ca *ca = &k->cas[i];
        if (ca->key && !bytes_equal(pubkey_blob(ca->key), blob_of(c->ca))) continue;
        if (blobs_have(&ca->key_ids, c->key_id) || (c->serial && runs_have(&ca->serials, c->serial))) return true;
    }
    return false;
}

enum verdict krl_check(const struct krl *k, const struct pubkey *key)
{
    const struct cert *c = pubkey_cert(key);
    if (has_key(k, blob_of(key))) return VERDICT_BAD;
    if (c && (has_key(k, blob_of(c->ca)) || has_cert(k, c))) return VERDICT_BAD;
    return VERDICT_GOOD;
}
