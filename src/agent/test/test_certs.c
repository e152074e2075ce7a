/* SPDX-License-Identifier: ISC */
/* Certificates in the agent: a user's, with the end of its life, and a host's, which proves a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/server.h"
#include "crypto/sign.h"
#include "key/cert.h"

#define SECOND 1000000ull

static struct privkey *user, *host, *ecdsa, *rsa, *composite;

static int keys_make(void **state)
{
    static const struct {
        const char *type;
        struct privkey **out;
    } rows[] = {{"ssh-ed25519", &user}, {"ssh-ed25519", &host}, {"ecdsa-sha2-nistp256", &ecdsa}, {"ssh-rsa", &rsa},
                {"ssh-mldsa44-ed25519@openssh.com", &composite}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(privkey_generate(rows[i].type, rows[i].out == &rsa ? 2048 : 0, &random_libcrypto, rows[i].out), ERR_NONE);
    return 0;
}

static int keys_free(void **state)
{
    (void)state;
    privkey_free(user), privkey_free(host), privkey_free(ecdsa), privkey_free(rsa), privkey_free(composite);
    return 0;
}

/* The first byte of the answer at 1 s; the request is consumed. */
static int answer(struct agent *a, struct agent_conn *c, struct wr *request)
{
    struct wr reply CLEANUP(wr_clear) = wr_heap(10000);
    assert_int_equal(wr_done(request), ERR_NONE);
    assert_int_equal(agent_take(a, c, bytes_of(request->p + 4, request->n - 4), SECOND, &reply), AGENT_REPLIED);
    wr_clear(request);
    return reply.p[4];
}

static const struct sig_alg *alg_of(const struct privkey *k)
{
    const char *type = pubkey_type(privkey_public(k));
    return sig_alg_find(bytes_str(strcmp(type, "ssh-rsa") == 0 ? "rsa-sha2-512" : type));
}

/* The certificate of `subject` for anybody of time 1000 to 2000. */
static void cert_make(enum cert_kind kind, const struct privkey *subject, const struct privkey *ca, struct wr *out)
{
    struct wr body CLEANUP(wr_clear) = wr_heap(100000), sig CLEANUP(wr_clear) = wr_heap(10000);
    const struct bytes names[] = {BYTES_LIT("name")};
    const struct cert_plan plan = {.kind = kind, .valid_after = 1000, .valid_before = 2000, .key_id = BYTES_LIT("id"), .principals = names, .principals_n = 1};
    *out = wr_heap(100000);
    assert_int_equal(cert_body_write(&plan, privkey_public(subject), privkey_public(ca), &random_libcrypto, &body), ERR_NONE);
    assert_int_equal(privkey_sign(ca, alg_of(ca), wr_bytes(&body), &sig), ERR_NONE);
    assert_int_equal(cert_write(wr_bytes(&body), wr_bytes(&sig), out), ERR_NONE);
}

static void test_the_agents_own_life_counts_for_a_certificate_that_only_says_its_end(void **state)
{
    struct agent_setup s = {.random = &random_libcrypto};
    struct wr blob CLEANUP(wr_clear) = {0};
    struct pubkey *cert CLEANUP(pubkey_drop) = NULL;
    static const struct {
        uint32_t given_s;
        uint64_t default_s, want_s;
    } rows[] = {{800, 5, 5}, {500, 5, 5}, {499, 5, 499}, {500, 0, 500}, {800, 900, 800}};   /* 500 s before its end */
    (void)state;
    cert_make(CERT_USER, user, ecdsa, &blob);
    assert_int_equal(pubkey_parse_any(wr_bytes(&blob), &cert), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct wr w = wr_heap(100000);
        s.lifetime_us = rows[i].default_s * SECOND;
        struct agent *a = agent_new(&s);
        struct agent_conn *c = agent_conn_new();
        agent_wall_clock(a, 1500);
        agent_add_write(&w, cert, user, BYTES_LIT("a comment"), &(struct agent_limits){.lifetime_s = rows[i].given_s});
        assert_int_equal(answer(a, c, &w), 6);
        assert_int_equal(agent_deadline(a), (1 + rows[i].want_s) * SECOND);
        agent_conn_free(c), agent_free(a);
    }
}

static void test_a_host_proves_itself_by_a_certificate_of_any_sound_ca(void **state)
{
    struct agent *a = agent_new(&(struct agent_setup){.random = &random_libcrypto});
    struct agent_conn *c = agent_conn_new();
    (void)state;
    agent_wall_clock(a, 1500);
    const struct privkey *const cas[] = {ecdsa, rsa, composite};
    for (size_t i = 0; i < COUNT_OF(cas); i++) {
        struct wr blob CLEANUP(wr_clear) = {0}, w = wr_heap(100000), sig CLEANUP(wr_clear) = wr_heap(10000);
        const char *id = (const char *[]){"one", "two", "three"}[i];
        cert_make(CERT_HOST, host, cas[i], &blob);
        assert_int_equal(privkey_sign(host, alg_of(host), bytes_str(id), &sig), ERR_NONE);
        agent_bind_write(&w, wr_bytes(&blob), bytes_str(id), wr_bytes(&sig), true);
        assert_int_equal(answer(a, c, &w), 6);
    }
    agent_conn_free(c), agent_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_agents_own_life_counts_for_a_certificate_that_only_says_its_end),
        cmocka_unit_test(test_a_host_proves_itself_by_a_certificate_of_any_sound_ca),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("agent-certs", tests, keys_make, keys_free);
}
