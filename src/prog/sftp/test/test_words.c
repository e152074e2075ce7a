/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "command.h"
#include "listing.h"

/* ---- words ---- */

static void test_words_are_split_as_ever(void **state)
{
    static const struct { const char *line; size_t count; const char *v[4]; } rows[] = {
        {"get a b", 3, {"get", "a", "b"}},
        {"  get\ta   ", 2, {"get", "a"}},
        {"get 'a b' \"c d\"", 3, {"get", "a b", "c d"}},
        {"a\\ b", 1, {"a b"}},
        {"a\\*b \\? \\[ \\\\", 4, {"a\\*b", "\\?", "\\[", "\\\\"}},   /* a glob takes these away */
        {"'a*b?c[d'", 1, {"a\\*b\\?c\\[d"}},
        {"'a\\'b' \"c\\\"d\" 'x\\y'", 3, {"a'b", "c\"d", "x\\y"}},
        {"'a\\\\' \"\\\\b\" '\\['", 3, {"a\\\\", "\\\\b", "\\\\\\["}},
        {"a'b c'd", 1, {"ab cd"}},
        {"''", 1, {""}},
        {"'' \"\" x", 3, {"", "", "x"}},
        {"ls # more", 1, {"ls"}},
        {"ls a#b", 2, {"ls", "a"}},
        {"ls '#'", 2, {"ls", "#"}},
        {"ls \\#", 2, {"ls", "#"}},
        {"", 0, {0}},
        {"ls \\", 2, {"ls", ""}},          /* at the end it escapes nothing */
        {"ls a\\", 2, {"ls", "a"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct words w = {0};
        assert_int_equal(words_split(rows[i].line, false, &w), ERR_NONE);
        assert_int_equal(w.count, rows[i].count);
        for (size_t k = 0; k < w.count; k++) assert_string_equal(w.v[k], rows[i].v[k]);
        words_clear(&w);
    }
}

static void test_an_open_quote_is_an_error_but_while_typing(void **state)
{
    struct words w;
    (void)state;
    assert_int_equal(words_split("get 'a b", false, &w), ERR_FORMAT);
    assert_int_equal(words_split("get \"", false, &w), ERR_FORMAT);
    assert_int_equal(words_split("get 'a b", true, &w), ERR_NONE);
    assert_int_equal(w.count, 2);
    assert_int_equal(w.quote, '\'');
    assert_int_equal(w.at[1], 4);
    assert_false(w.ended);
    words_clear(&w);
    assert_int_equal(words_split("get a ", true, &w), ERR_NONE);
    assert_true(w.ended);
    words_clear(&w);
}

static void test_lines_of_every_length_end_in_a_backslash(void **state)
{
    (void)state;
    for (size_t n = 1; n < 4200; n++) {     /* OpenSSH read behind its 2,048 byte buffer */
        char *line = malloc(n + 1);
        struct words w = {0};
        assert_non_null(line);
        memset(line, 'a', n);
        line[n - 1] = '\\', line[n] = 0;
        assert_int_equal(words_split(line, false, &w), ERR_NONE);
        assert_int_equal(strlen(w.v[0]), n - 1);
        words_clear(&w);
        free(line);
    }
}

static void test_too_much_is_refused(void **state)
{
    char line[3 * WORDS_MAX + 8] = "";
    char *big = malloc(WORDS_LINE_MAX + 2);
    struct words w;
    (void)state;
    for (unsigned i = 0; i <= WORDS_MAX; i++) strcat(line, "a ");
    assert_int_equal(words_split(line, false, &w), ERR_TOO_LONG);
    assert_non_null(big);
    memset(big, '*', WORDS_LINE_MAX + 1), big[WORDS_LINE_MAX + 1] = 0;
    assert_int_equal(words_split(big, false, &w), ERR_TOO_LONG);
    free(big);
}

static void test_escapes_go_and_come(void **state)
{
    char s[] = "\\*a\\?\\[\\\\\\b\\";
    (void)state;
    words_unescape(s);
    assert_string_equal(s, "*a?[\\\\b\\");
    char *e = words_escape("a*?[\\b]");
    assert_string_equal(e, "a\\*\\?\\[\\\\b]");
    words_unescape(e);
    assert_string_equal(e, "a*?[\\b]");
    free(e);
}

static void test_braces_stand_for_all_their_parts(void **state)
{
    static const struct { const char *pattern; size_t count; const char *v[6]; } rows[] = {
        {"abc", 1, {"abc"}},
        {"a{b,c}d", 2, {"abd", "acd"}},
        {"{a,b}{c,d}", 4, {"ac", "ad", "bc", "bd"}},
        {"a{b,{c,d}}e", 3, {"abe", "ace", "ade"}},
        {"a{,b}", 2, {"a", "ab"}},
        {"{}", 1, {"{}"}},
        {"a{b", 1, {"a{b"}},
        {"a}b", 1, {"a}b"}},
        {"\\{a,b}", 1, {"\\{a,b}"}},
        {"{a}", 1, {"a"}},
    };
    struct patterns p;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(braces_expand(rows[i].pattern, 100, &p), ERR_NONE);
        assert_int_equal(p.count, rows[i].count);
        for (size_t k = 0; k < p.count; k++) assert_string_equal(p.v[k], rows[i].v[k]);
        patterns_clear(&p);
    }
    assert_int_equal(braces_expand("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", 1000, &p), ERR_BUDGET);
}

/* ---- commands ---- */

static void test_every_command_is_found_in_any_case(void **state)
{
    (void)state;
    for (const struct command_row *r = command_rows; r->word; r++) {
        struct command c;
        char line[64], why[100];
        static const char *const arguments[] = {
            [SHAPE_PATH] = " p", [SHAPE_GLOB] = " p", [SHAPE_FROM_TO] = " p", [SHAPE_TWO] = " p q", [SHAPE_NUMBER] = " 22",
            [SHAPE_OCTAL_GLOB] = " 644 p", [SHAPE_DECIMAL_GLOB] = " 0 p", [SHAPE_LINE] = " -l  x",
        };
        const char *more = r->shape < COUNT_OF(arguments) && arguments[r->shape] ? arguments[r->shape] : "";
        snprintf(line, sizeof line, "%s%s", r->word, more);
        line[0] = (char)(line[0] >= 'a' ? line[0] - 32 : line[0]);
        assert_int_equal(command_parse(line, &c, why, sizeof why), ERR_NONE);
        assert_int_equal(c.verb, r->verb);
        if (r->shape == SHAPE_LINE) assert_string_equal(c.rest, "-l  x");
        command_clear(&c);
    }
}

static void test_prefixes_flags_and_arguments(void **state)
{
    struct command c;
    char why[100];
    (void)state;
    assert_int_equal(command_parse(" -@ GET -pR 'a b' c\\*d", &c, why, sizeof why), ERR_NONE);
    assert_true(c.verb == VERB_GET && c.ignore_failure && c.silent && c.flags['p'] && c.flags['R'] && !c.flags['a']);
    assert_string_equal(c.path, "a b");
    assert_string_equal(c.path2, "c*d");        /* a target is a name */
    assert_string_equal(c.line, "GET -pR 'a b' c\\*d");
    command_clear(&c);
    assert_int_equal(command_parse("put -- -x", &c, why, sizeof why), ERR_NONE);
    assert_string_equal(c.path, "-x");
    command_clear(&c);
    assert_int_equal(command_parse("chmod 0644 a*", &c, why, sizeof why), ERR_NONE);
    assert_true(c.number == 0644);
    assert_string_equal(c.path, "a*");
    command_clear(&c);
    assert_int_equal(command_parse("!ls 'a", &c, why, sizeof why), ERR_NONE);
    assert_string_equal(c.rest, "ls 'a");
    assert_int_equal(command_parse("lls \"x", &c, why, sizeof why), ERR_NONE);
    assert_string_equal(c.rest, "\"x");
}

static void test_lines_without_a_command_are_nothing(void **state)
{
    static const char *const lines[] = {"", "   ", "# get x", "-", "@-", "  #"};
    struct command c;
    char why[100];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        assert_int_equal(command_parse(lines[i], &c, why, sizeof why), ERR_NONE);
        assert_int_equal(c.verb, VERB_NOTHING);
        command_clear(&c);
    }
}

static void test_wrong_lines_say_what_is_wrong(void **state)
{
    static const struct { const char *line, *why; } rows[] = {
        {"frob", "Invalid command."},
        {"get", "You must specify at least one path after a get command."},
        {"rename a", "You must specify two paths after a rename command."},
        {"rm", "You must specify a path after a rm command."},
        {"chmod 644", "You must specify a path after a chmod command."},
        {"chmod", "You must supply a numeric argument to the chmod command."},
        {"chmod 9 a", "You must supply a numeric argument to the chmod command."},
        {"chown -1 a", "chown: Invalid flag -1"},
        {"chown 99999999999999999999 a", "You must supply a numeric argument to the chown command."},
        {"lumask 8", "You must supply a numeric argument to the lumask command."},
        {"ls -Z", "ls: Invalid flag -Z"},
        {"get -\xff x", "get: Invalid flag -\xff"},
        {"get 'a", "Unterminated quoted argument"},
        {"'", "Unterminated quoted argument"},
    };
    struct command c;
    char why[100];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(command_parse(rows[i].line, &c, why, sizeof why), ERR_USAGE);
        assert_string_equal(why, rows[i].why);
        assert_int_equal(c.verb, VERB_NOTHING);
        command_clear(&c);
    }
}

/* ---- listings ---- */

static void check_text(struct wr *w, const char *want)
{
    wr_u8(w, 0);
    assert_string_equal((const char *)w->p, want);
    w->n = 0;
}

static void test_sizes_have_four_figures_at_most(void **state)
{
    static const struct { uint64_t n; const char *text; } rows[] = {
        {0, "0B"}, {3, "3B"}, {1023, "1023B"}, {1024, "1.0K"}, {1536, "1.5K"}, {10188, "9.9K"}, {10230, "10.0K"}, {102400, "100K"}, {102912, "101K"},
        {1048576, "1.0M"}, {1ULL << 40, "1.0T"}, {UINT64_MAX, "16.0E"},
    };
    struct wr w = wr_heap(1000);
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_write(&w, rows[i].n);
        check_text(&w, rows[i].text);
    }
    wr_clear(&w);
}

static void test_long_lines_look_like_ls(void **state)
{
    struct entry e = {.name = (char *)(uintptr_t)"a\033b\\c",
                      .attrs = {.flags = 15, .size = 12345, .uid = 5, .gid = 1234567890, .mode = 0104755, .mtime_s = 86400 * 200}};
    struct wr w = wr_heap(10000);
    (void)state;
    setenv("TZ", "UTC", 1);
    long_line_write(&w, &e, false, NULL, NULL, 86400 * 201);
    check_text(&w, "-rwsr-xr-x    ? 5        1234567890    12345 Jul 20 00:00 a\\033b\\c");
    e.attrs.mode = 0041777;
    long_line_write(&w, &e, true, "root", "a long name", 86400 * 1000);
    check_text(&w, "drwxrwxrwt    ? root     a long name    12.1K Jul 20  1970 a\\033b\\c");
    wr_clear(&w);
}

static void test_columns_fill_the_line(void **state)
{
    struct entries list = {0};
    struct wr w = wr_heap(10000);
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        char name[] = {(char)('e' - i), 'x', 0};
        assert_int_equal(entries_add(&list, bytes_str(name), (struct bytes){0}, &(struct sftp_attrs){.size = i, .mtime_s = 9 - i}), ERR_NONE);
    }
    entries_sort(&list, ORDER_NAME, false);
    columns_write(&w, &list, 12, 0);
    check_text(&w, "ax  bx  cx  \ndx  ex  \n");
    entries_sort(&list, ORDER_SIZE, false);
    columns_write(&w, &list, 0, 0);
    check_text(&w, "ax\nbx\ncx\ndx\nex\n");
    entries_sort(&list, ORDER_TIME, true);
    columns_write(&w, &list, 0, 0);
    check_text(&w, "ax\nbx\ncx\ndx\nex\n");
    entries_clear(&list);
    wr_clear(&w);
}

static void test_df_of_any_numbers(void **state)
{
    struct sftp_vfs v = {.frsize = 1024, .blocks = 100, .bfree = 25, .bavail = 20, .files = 0};
    struct wr w = wr_heap(10000);
    (void)state;
    df_write(&w, &v, DF_KB);
    check_text(&w, "        Size         Used        Avail       (root)    %Capacity\n         100           75           20           25          75%\n");
    df_write(&w, &v, DF_INODES);
    check_text(&w, "     Inodes        Used       Avail      (root)    %Capacity\n          0           0           0           0         ERR\n");
    df_write(&w, &v, DF_HUMAN);
    check_text(&w, "    Size     Used    Avail   (root)    %Capacity\n   100KB   75.0KB   20.0KB   25.0KB          75%\n");
    memset(&v, 0xff, sizeof v);
    df_write(&w, &v, DF_KB);
    wr_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_split_as_ever),
        cmocka_unit_test(test_an_open_quote_is_an_error_but_while_typing),
        cmocka_unit_test(test_lines_of_every_length_end_in_a_backslash),
        cmocka_unit_test(test_too_much_is_refused),
        cmocka_unit_test(test_escapes_go_and_come),
        cmocka_unit_test(test_braces_stand_for_all_their_parts),
        cmocka_unit_test(test_every_command_is_found_in_any_case),
        cmocka_unit_test(test_prefixes_flags_and_arguments),
        cmocka_unit_test(test_lines_without_a_command_are_nothing),
        cmocka_unit_test(test_wrong_lines_say_what_is_wrong),
        cmocka_unit_test(test_sizes_have_four_figures_at_most),
        cmocka_unit_test(test_long_lines_look_like_ls),
        cmocka_unit_test(test_columns_fill_the_line),
        cmocka_unit_test(test_df_of_any_numbers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sftp-words", tests, NULL, NULL);
}
