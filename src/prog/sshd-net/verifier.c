/* SPDX-License-Identifier: ISC */
/* The verifier: one signature in, one of two numbers out. It parses a stranger's key and signature, so it lives for that one question
 * only, in the nursery's jail, with no descriptor but the one its answer goes to. */
#include <unistd.h>

#include "key/cert.h"
#include "key/sk.h"
#include "net.h"
#include "os/jail.h"
#include "os/message.h"

struct question {
    struct bytes text, key, sig;
};

MUST_USE static enum err question_read(const struct verify_head *h, size_t n, struct question *out)
{
    union { const struct verify_head *head; const struct verify_ask *small; const struct verify_ask_big *big; } ask = {.head = h};
    bool small = n == sizeof *ask.small;
    struct bounded text = bounded(small ? ask.small->text : ask.big->text, h->text_n, small ? VERIFY_TEXT_SMALL : VERIFY_TEXT_BIG);
    struct bounded key = bounded(small ? ask.small->key : ask.big->key, h->key_n, small ? ASK_KEY_SMALL : PUBKEY_BLOB_MAX);
    struct bounded sig = bounded(small ? ask.small->sig : ask.big->sig, h->sig_n, small ? ASK_SIG_SMALL : SIGNATURE_MAX);
    TRY(text.err);
    TRY(key.err);
    TRY(sig.err);
    *out = (struct question){text.b, key.b, sig.b};
    return ERR_NONE;
}

bool pubkey_rsa_small(const struct pubkey *k, uint32_t bits_min)
{
    const struct pubkey *plain = pubkey_plain(k);
    return strcmp(pubkey_type(plain), "ssh-rsa") == 0 && pubkey_bits(plain) < bits_min;
}

enum verdict verifier_answer(const struct verify_head *h, size_t n)
{
    struct question q;
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct bounded name = FIELD(h, alg);
    if (name.err != ERR_NONE || question_read(h, n, &q) != ERR_NONE) return VERDICT_BAD;
    const struct sig_alg *alg = sig_alg_find(name.b);
    struct sig_facts facts = {0};
    if (!alg || pubkey_parse_any(q.key, &key) != ERR_NONE) return VERDICT_BAD;
    if (strcmp(alg->key_type, pubkey_type(key)) != 0 || pubkey_rsa_small(key, h->rsa_bits_min)) return VERDICT_BAD;
    if (pubkey_verify_facts(key, alg, q.text, q.sig, &facts) != VERDICT_GOOD) return VERDICT_BAD;
    /* PROTOCOL.u2f: what the authenticator states of the person before it */
    return !facts.sk || (h->sk_flags & ~facts.flags) == 0 ? VERDICT_GOOD : VERDICT_BAD;
}

NORETURN void verifier_run(const struct verify_head *ask, size_t n, int to)
{
    struct verify_say say = {.verdict = VERIFY_BAD};
    if (jail_filter(JAIL_FILTER_VERIFIER) != ERR_NONE) _exit(2);
    if (verifier_answer(ask, n) == VERDICT_GOOD) say.verdict = VERIFY_GOOD;
    _exit(message_send(to, &say, sizeof say, NULL, 0, true) == ERR_NONE ? 0 : 1);
}
