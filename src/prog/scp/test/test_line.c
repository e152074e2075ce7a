/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../line.h"

static enum err parse(const char *text, struct scp_line *out, const char **why)
{
    return scp_line_parse(bytes_str(text), out, why);
}

static void entries_and_times_are_parsed(void **state)
{
    struct scp_line l;
    const char *why;
    (void)state;
    assert_int_equal(parse("C0644 123 a name", &l, &why), ERR_NONE);
    assert_true(l.kind == SCP_LINE_FILE && l.mode == 0644 && l.size == 123 && bytes_is(l.name, "a name"));
    assert_int_equal(parse("D4755 0 .ssh", &l, &why), ERR_NONE);
    assert_true(l.kind == SCP_LINE_FOLDER && l.mode == 04755 && bytes_is(l.name, ".ssh"));
    assert_int_equal(parse("C0644 9223372036854775807 x", &l, &why), ERR_NONE);
    assert_true(l.size == INT64_MAX);
    assert_int_equal(parse("T1183828267 0 1183828268 0", &l, &why), ERR_NONE);
    assert_true(l.kind == SCP_LINE_TIMES && l.mtime_s == 1183828267 && l.atime_s == 1183828268);
    assert_int_equal(parse("E", &l, &why), ERR_NONE);
    assert_int_equal(l.kind, SCP_LINE_END);
}

static void words_are_told_from_lines(void **state)
{
    struct scp_line l;
    const char *why;
    (void)state;
    assert_int_equal(parse("\001scp: nope", &l, &why), ERR_NONE);
    assert_true(l.kind == SCP_LINE_WARNING && bytes_is(l.name, "scp: nope"));
    assert_int_equal(parse("\002", &l, &why), ERR_NONE);
    assert_int_equal(l.kind, SCP_LINE_FATAL);
    assert_int_equal(parse("No match.", &l, &why), ERR_NONE);
    assert_true(l.kind == SCP_LINE_OTHER && bytes_is(l.name, "No match."));
}

static void broken_lines_are_refused_in_opensshs_words(void **state)
{
    static const char *const rows[][2] = {
        {"", "unexpected <newline>"},       {"C", "bad mode"},           {"C644 1 a", "bad mode"},      {"C0848 1 a", "bad mode"},
        {"C06441 1 a", "mode not delimited"}, {"C0644", "mode not delimited"}, {"C0644 ", "size not present"}, {"C0644 -1 a", "size not present"},
        {"C0644 9223372036854775808 a", "size out of range"}, {"C0644 1", "size not delimited"}, {"C0644 1\ta", "size not delimited"},
        {"T", "mtime.sec not present"},     {"T1", "mtime.sec not delimited"}, {"T1 x 1 0", "mtime.usec not delimited"},
        {"T1 1000000 1 0", "mtime.usec not delimited"}, {"T1 0 ", "atime.sec not delimited"}, {"T1 0 1", "atime.sec not delimited"},
        {"T1 0 1 0 ", "atime.usec not delimited"}, {"Ex", "expected control record"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct scp_line l = {.size = 77};
        const char *why = NULL;
        assert_int_not_equal(parse(rows[i][0], &l, &why), ERR_NONE);
        assert_string_equal(why, rows[i][1]);
        assert_int_equal(l.size, 77);
    }
}

static void names_that_lead_elsewhere_are_no_names(void **state)
{
    static const char *const bad[] = {"", ".", "..", "/", "a/b", "../x", "/etc/passwd", "a/"};
    static const char *const good[] = {"a", "...", "..a", ".ssh", "a b", "\\", "-", "\033[31m"};
    char longest[257];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) assert_false(scp_name_valid(bytes_str(bad[i])));
    for (size_t i = 0; i < COUNT_OF(good); i++) assert_true(scp_name_valid(bytes_str(good[i])));
    assert_false(scp_name_valid(BYTES_LIT("a\0b")));
    memset(longest, 'x', 256);
    assert_true(scp_name_valid(bytes_of(longest, 255)));
    assert_false(scp_name_valid(bytes_of(longest, 256)));
}

static void only_what_was_asked_for_is_taken(void **state)
{
    static const struct {
        const char *request, *name;
        bool asked;
    } rows[] = {
        {"file", "file", true},      {"file", "fill", false},     {"dir/file", "file", true},     {"dir/file", "dir", false},  {"*", "any", true},
        {"a*c", "abc", true},        {"a*c", "abd", false},       {"x/y?", "y1", true},           {"x/y?", "y", false},        {"[ab]", "b", true},
        {"[ab]", "c", false},        {"f[1]", "f[1]", true},      {"{a,b}", "a", true},           {"{a,b}", "b", true},        {"{a,b}", "c", false},
        {"x/{a,b*}c", "bxc", true},  {"{a,{b,c}}d", "cd", true},  {"{a,{b,c}}d", "d", false},     {"{a}", "{a}", true},        {"{a", "{a", true},
        {"{x/a,y/b}", "x/a", true},  {"\\*", "*", true},          {"\\*", "x", false},            {"dir/", "dir", true},       {"", "x", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool asked = !rows[i].asked;
        assert_int_equal(scp_name_asked(rows[i].name, rows[i].request, &asked), ERR_NONE);
        if (asked != rows[i].asked) print_message("# %s for %s\n", rows[i].name, rows[i].request);
        assert_int_equal(asked, rows[i].asked);
    }
}

static void braces_beyond_reason_are_refused(void **state)
{
    char request[512] = "";
    bool asked;
    (void)state;
    for (int i = 0; i < 30; i++) strcat(request, "{a,b,c}");
    assert_int_equal(scp_name_asked("x", request, &asked), ERR_BUDGET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_and_times_are_parsed),
        cmocka_unit_test(words_are_told_from_lines),
        cmocka_unit_test(broken_lines_are_refused_in_opensshs_words),
        cmocka_unit_test(names_that_lead_elsewhere_are_no_names),
        cmocka_unit_test(only_what_was_asked_for_is_taken),
        cmocka_unit_test(braces_beyond_reason_are_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
