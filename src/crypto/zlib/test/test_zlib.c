/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/compress.h"

static const struct compress_alg *const alg = &compress_zlib_openssh;

static void packets_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct compress *in = alg->new(alg, false), *out = alg->new(alg, true);
    static uint8_t text[40000], packed[50000], clear[40000];
    assert_true(in && out);
    for (size_t len = 1; len < sizeof text; len += 1 + len / 3) {
        size_t n = 0, m = 0;
        for (size_t i = 0; i < len; i++) text[i] = (uint8_t)(i * i * len >> 5);
        assert_int_equal(alg->run(out, bytes_of(text, len), (struct span){packed, sizeof packed}, &n), ERR_NONE);
        /* the room may be exactly as long as the packet */
        assert_int_equal(alg->run(in, bytes_of(packed, n), (struct span){clear, len}, &m), ERR_NONE);
        assert_int_equal(m, len);
        assert_memory_equal(text, clear, len);
    }
    alg->free(in), alg->free(out);
}

static void a_bomb_is_stopped_at_the_bound(void **state)
{
    (void)state;
    struct compress *in = alg->new(alg, false), *out = alg->new(alg, true);
    static uint8_t zeros[1 << 20], packed[1 << 16], clear[1 << 15];
    size_t n = 0, m = 77;
    assert_int_equal(alg->run(out, bytes_of(zeros, sizeof zeros), (struct span){packed, sizeof packed}, &n), ERR_NONE);
    assert_true(n < 2000);
    assert_int_equal(alg->run(in, bytes_of(packed, n), (struct span){clear, sizeof clear}, &m), ERR_TOO_LONG);
    assert_int_equal(m, 77);
    alg->free(in), alg->free(out);
}

static void room_too_small_or_rubbish_is_an_error(void **state)
{
    (void)state;
    struct compress *in = alg->new(alg, false), *out = alg->new(alg, true);
    uint8_t text[500], room[400];
    size_t n;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)(i * 7919 >> 3 ^ i * 31);
    assert_int_equal(alg->run(out, bytes_of(text, sizeof text), (struct span){room, 40}, &n), ERR_TOO_LONG);
    assert_int_equal(alg->run(in, bytes_of(text, sizeof text), (struct span){room, sizeof room}, &n), ERR_COMPRESS);
    alg->free(in), alg->free(out);
    in = alg->new(alg, false);      /* a stream that ends */
    assert_int_equal(alg->run(in, bytes_of("\x78\x9c\x03\x00\x00\x00\x00\x01", 8), (struct span){room, sizeof room}, &n), ERR_COMPRESS);
    alg->free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_come_out_as_they_went_in), cmocka_unit_test(a_bomb_is_stopped_at_the_bound),
        cmocka_unit_test(room_too_small_or_rubbish_is_an_error),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
