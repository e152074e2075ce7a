/* SPDX-License-Identifier: ISC */
/* Showing what an agent holds, and trying it. */
#include <stdio.h>

#include "add.h"
#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"

/* ---- what our own agents say besides ---- */

struct facts {
    struct secret answer;
    bool there;
};

static void facts_ask(struct facts *f)
{
    uint8_t room[64];
    struct wr w = wr_span((struct span){room, sizeof room});
    struct rd r;
    agent_facts_write(&w);
    f->there = wr_done(&w) == ERR_NONE && agent_ask(o.agent, wr_bytes(&w), &f->answer) == ERR_NONE
               && agent_facts_begin(secret_bytes(&f->answer), &r) == ERR_NONE;
}

static void seconds_print(uint32_t s)
{
    static const struct {
        uint32_t n;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    bool any = false;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (s < units[i].n && !(i == 3 && !any)) continue;
        printf("%u%c", s / units[i].n, units[i].letter);
        s %= units[i].n;
        any = true;
    }
}

static void destinations_print(struct bytes packed)
{
    struct rd r = rd_init(packed);
    for (const char *before = "  only to "; r.n > 0; before = ", ") {
        struct bytes one = rd_string(&r);
        if (r.err != ERR_NONE) break;
        fputs(before, stdout);
        text_print(one);
    }
    if (packed.n) putchar('\n');
}

static void fact_print(const struct agent_facts *f)
{
    if (f->life_s != AGENT_NEVER) {
        fputs("  removed in ", stdout);
        seconds_print(f->life_s);
        putchar('\n');
    }
    if (f->confirm) puts("  each use is confirmed");
    destinations_print(f->destinations);
    if (f->provider.n) {
        fputs("  on a token, through ", stdout);
        text_print(f->provider);
        putchar('\n');
    }
    if (f->uses == 0) {
        puts("  not used yet");
        return;
    }
    printf("  used %u time%s, last ", f->uses, f->uses == 1 ? "" : "s");
    seconds_print(f->idle_s);
    fputs(" ago: ", stdout);
    text_print(f->used_for);
    putchar('\n');
}

static void facts_print(const struct facts *f, struct bytes blob)
{
    struct rd r;
    struct agent_facts one;
    if (!f->there || agent_facts_begin(secret_bytes(&f->answer), &r) != ERR_NONE) return;
    while (r.n > 0 && agent_facts_next(&r, &one) == ERR_NONE)
        if (bytes_equal(one.blob, blob)) {
            fact_print(&one);
            return;
        }
}

/* ---- -l, -L ---- */

static void line_print(const struct pubkey *key, struct bytes comment)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 16);
    pubkey_fingerprint_write(&w, key, o.hash);
    printf("%zu %.*s ", pubkey_bits(key), (int)w.n, (const char *)w.p);
    text_print(comment);
    printf(" (%s)\n", pubkey_short_name(key));
}

static void whole_print(const struct pubkey *key, struct bytes comment)
{
    struct wr w CLEANUP(wr_clear) = wr_heap(1 << 16);
    wr_text(&w, pubkey_type(key));
    wr_u8(&w, ' ');
    base64_write(&w, pubkey_blob(key));
    wr_u8(&w, ' ');
    fwrite(w.p, 1, w.n, stdout);
    text_print(comment);
    putchar('\n');
}

static void facts_drop(struct facts *f)
{
    secret_clear(&f->answer);
}

int job_list(bool whole)
{
    struct secret answer CLEANUP(secret_clear) = {0};
    struct facts facts CLEANUP(facts_drop) = {0};
    struct agent_key k;
    struct rd r;
    uint32_t count;
    enum err e = agent_list(o.agent, &answer, &r, &count);
    if (e != ERR_NONE) {
        tell("error fetching identities: %s", agent_reason(e));
        return 1;
    }
    if (count == 0) {
        puts("The agent has no identities.");
        return 1;
    }
    if (o.verbose && !whole) facts_ask(&facts);
    for (uint32_t i = 0; i < count && agent_list_next(&r, &k) == ERR_NONE; i++) {
        struct pubkey *key CLEANUP(pubkey_drop) = NULL;
        if (pubkey_parse_any(k.blob, &key) != ERR_NONE) {
            debug(1, "a key of a kind that is not known here: %s", shown(key_blob_type(k.blob)));
            continue;
        }
        (whole ? whole_print : line_print)(key, k.comment);
        facts_print(&facts, k.blob);
    }
    return 0;
}

/* ---- -Q ---- */

/* RFC 9987 3.8.1; before the RFC agents answered with SUCCESS and the names. */
int job_query(void)
{
    struct secret answer CLEANUP(secret_clear) = {0};
    struct wr w CLEANUP(wr_clear) = wr_heap(64);
    agent_query_write(&w);
    struct rd r;
    enum err e = wr_done(&w) == ERR_NONE ? agent_ask(o.agent, wr_bytes(&w), &answer) : w.err;
    if (e == ERR_NONE) e = agent_query_begin(secret_bytes(&answer), &r);
    if (e != ERR_NONE) {
        tell("Unable to query agent extensions: %s", agent_reason(e));
        return 1;
    }
    while (r.n > 0) {
        struct bytes name = rd_string(&r);
        if (r.err != ERR_NONE) break;
        text_print(name);
        putchar('\n');
    }
    return r.err != ERR_NONE;
}

/* ---- -T ---- */

static const struct sig_alg *alg_of(const struct pubkey *key)
{
    for (const struct sig_alg *a = sig_algs; a->name; a++)
        if (strcmp(a->key_type, pubkey_type(key)) == 0) return a;
    return NULL;
}

int job_test(const char *path)
{
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), sig CLEANUP(wr_clear) = wr_heap(SIGNATURE_MAX);
    uint8_t data[1024];
    enum err e = public_load(path, &key, &comment);
    if (e != ERR_NONE) {
        say("Couldn't read public key %s: %s", path, reason(e));
        return 1;
    }
    const struct sig_alg *alg = alg_of(key);
    e = alg ? random_fill(&random_libcrypto, data, sizeof data) : ERR_KEY_TYPE;
    if (e == ERR_NONE) e = agent_sign(o.agent, key, alg, bytes_of(data, sizeof data), &sig);
    if (e == ERR_NONE) return 0;
    say(e == ERR_SIGNATURE ? "Signature verification failed for %s: %s" : "Agent signature failed for %s: %s", path, agent_reason(e));
    return 1;
}
