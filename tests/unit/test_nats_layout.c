/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "feedsim/nats/answer.h"
#include "feedsim/nats/credentials.h"
#include "feedsim/nats/layout.h"
#include "feedsim/nats/url.h"

static void
subjects_have_every_byte_that_is_no_letter_digit_dash_or_underscore_escaped(void **state)
{
    char subject[NATS_SUBJECT_MAX];
    (void)state;
    assert_true(nats_subject("lab_1-x", "md", NULL, subject));
    assert_string_equal(subject, "tickbus.lab_1-x.md");
    assert_true(nats_subject("my%2Ebus", "md", "BRK.B   ", subject));
    assert_string_equal(subject, "tickbus.my%2Ebus.md.BRK%2EB");
    assert_true(nats_subject("lab", "a b", "\xff*>%    ", subject));
    assert_string_equal(subject, "tickbus.lab.a%20b.%FF%2A%3E%25");
    assert_true(nats_subject("lab", "md", "        ", subject));
    assert_string_equal(subject, "tickbus.lab.md");
    assert_true(nats_subject_all("my%2Ebus", subject));
    assert_string_equal(subject, "tickbus.my%2Ebus.>");
    assert_true(nats_subject_symbols("lab", "md", subject));
    assert_string_equal(subject, "tickbus.lab.md.>");
}

static void what_was_escaped_comes_back_whatever_bytes_it_has(void **state)
{
    (void)state;
    for (unsigned first = 1; first < 256; first++)
        for (unsigned second = 1; second < 256; second++) {
            char text[3] = {(char)first, (char)second, 0}, token[16], back[8];
            size_t used = 0;
            assert_true(nats_escape(text, 2, token, sizeof token, &used));
            assert_int_equal(strlen(token), used);
            assert_null(strpbrk(token, ".*> \t\r\n"));
            assert_true(nats_unescape(token, used, back, sizeof back));
            assert_string_equal(back, text);
        }
}

static void tokens_that_nobody_escaped_so_are_refused(void **state)
{
    static const char *const wrong[] = {"%",   "%4",  "a%4", "%GG", "%2e", "%00",
                                        "%41", "a b", "a.b", "*",   ">"};
    char back[16];
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(nats_unescape(wrong[i], strlen(wrong[i]), back, sizeof back));
    assert_false(nats_unescape("abc", 3, back, 3)); /* no room for the zero */
    assert_true(nats_unescape("abc", 3, back, 4));
    assert_false(nats_unescape("", 0, back, 0));
}

static void a_subject_tells_its_topic_and_its_symbol_and_foreign_ones_are_refused(void **state)
{
    char topic[NATS_TOPIC_MAX], symbol[NATS_TOPIC_MAX];
    (void)state;
    assert_true(nats_subject_read("my%2Ebus", "tickbus.my%2Ebus.md.BRK%2EB", topic, symbol));
    assert_string_equal(topic, "md");
    assert_string_equal(symbol, "BRK.B");
    assert_true(nats_subject_read("lab", "tickbus.lab.a%20b", topic, symbol));
    assert_string_equal(topic, "a b");
    assert_string_equal(symbol, "");
    static const char *const wrong[] = {"tickbus.other.md",
                                        "tickbus.lab",
                                        "tickbus.lab.",
                                        "tickbus.lab.md.",
                                        "tickbus.lab.md.A.B",
                                        "md",
                                        "",
                                        "tickbus.lab.%zz"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(nats_subject_read("lab", wrong[i], topic, symbol));
}

static void what_is_too_long_is_refused_and_never_cut(void **state)
{
    char name[2 * NATS_SUBJECT_MAX], subject[NATS_SUBJECT_MAX], stream[NATS_STREAM_MAX];
    char id[NATS_ID_MAX];
    (void)state;
    for (size_t bytes = 1; bytes < sizeof name; bytes++) {
        memset(name, '.', bytes);
        name[bytes] = 0;
        bool fits = 8 + 3 + 1 + 3 * bytes < NATS_SUBJECT_MAX;
        assert_int_equal(nats_subject("lab", name, NULL, subject), fits);
        if (fits)
            assert_int_equal(strlen(subject), 8 + 3 + 1 + 3 * bytes);
        assert_int_equal(nats_stream_name(name, NULL, stream), 3 * bytes < NATS_STREAM_MAX);
        assert_int_equal(nats_id("S", name, 7, false, id), 2 + 3 * bytes + 2 < NATS_ID_MAX);
    }
}

static void a_stream_is_named_like_its_bus_and_a_later_one_has_its_session_too(void **state)
{
    char name[NATS_STREAM_MAX], subject[NATS_SUBJECT_MAX];
    (void)state;
    assert_true(nats_stream_name("my.bus", NULL, name));
    assert_string_equal(name, "my%2Ebus");
    assert_true(nats_stream_check(name));
    assert_true(nats_stream_name("lab", "ABCDEF0123", name));
    assert_string_equal(name, "lab-ABCDEF0123");
    static const char *const wrong[] = {"", "a.b", "a b", "a*", ">", "a%", "a%2e", "a/b"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(nats_stream_check(wrong[i]));
        assert_false(nats_subject(wrong[i], "md", NULL, subject));
    }
}

static void ids_name_session_topic_and_sequence_and_come_back(void **state)
{
    char id[NATS_ID_MAX];
    nats_id_parts_t parts;
    (void)state;
    assert_true(nats_id("ABCDEF0123", "md", UINT64_MAX, false, id));
    assert_string_equal(id, "ABCDEF0123.md.18446744073709551615");
    assert_true(nats_id_read(id, &parts));
    assert_string_equal(parts.session, "ABCDEF0123");
    assert_string_equal(parts.topic, "md");
    assert_true(parts.seq == UINT64_MAX && !parts.end);
    assert_true(nats_id("ABCDEF0123", "a.b", 0, true, id));
    assert_string_equal(id, "ABCDEF0123.a%2Eb.end");
    assert_true(nats_id_read(id, &parts) && parts.end);
    assert_string_equal(parts.topic, "a.b");
    static const char *const wrong[] = {"",
                                        "A",
                                        "A.b",
                                        "A.b.",
                                        "A..1",
                                        ".b.1",
                                        "A.b.1x",
                                        "A.b.-1",
                                        "A.b.18446744073709551616",
                                        "A.b.c.1",
                                        "AAAAAAAAAAAAAAAAAAAAAA.b.1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(nats_id_read(wrong[i], &parts));
}

static void a_stream_says_whose_it_is_in_its_description(void **state)
{
    nats_description_t d = {NATS_LAYOUT, "ABCDEF0123", "my bus"}, back;
    char text[NATS_DESCRIPTION_MAX];
    (void)state;
    nats_description_text(&d, text);
    assert_string_equal(text, "tickbus layout=1 session=ABCDEF0123 bus=my%20bus");
    assert_true(nats_description_read(text, &back));
    assert_int_equal(back.layout, 1);
    assert_string_equal(back.session, d.session);
    assert_string_equal(back.bus, d.bus);
    assert_true(nats_description_read("tickbus layout=2 session=A bus=b more=x", &back));
    assert_int_equal(back.layout, 2);
    static const char *const wrong[] = {"",
                                        "orders of shop 7",
                                        "tickbus layout=1 session=A",
                                        "tickbus layout=x session=A bus=b",
                                        "tickbus session=A bus=b",
                                        "tickbus layout=1 session=AAAAAAAAAAAAAAAAAA bus=b"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(nats_description_read(wrong[i], &back));
    assert_false(nats_description_read(NULL, &back));
}

static void servers_are_named_with_a_host_and_without_a_password(void **state)
{
    static const char *const right[] = {"nats://h", "nats://127.0.0.1:4222", "tls://a.b-c:1",
                                        "nats://[::1]:4222", "nats://a:1,nats://b:2,tls://c"};
    static const char *const wrong[] = {"",
                                        "h:4222",
                                        "nats:",
                                        "nats://",
                                        "nats://:4222",
                                        "nats://h:",
                                        "nats://h:0",
                                        "nats://h:65536",
                                        "nats://h:4x",
                                        "nats://u:p@h:4222",
                                        "nats://a,",
                                        "nats://a,,nats://b",
                                        "nats://h/x",
                                        "nats://[::1",
                                        "http://h",
                                        "nats://a b"};
    (void)state;
    tbus_error_t why;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        assert_int_equal(nats_url_check(right[i], &why), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(nats_url_check(wrong[i], &why), -TBUS_ECONFIG);
    /* The password is not said again. */
    assert_int_equal(nats_url_check("nats://u:secret@h:4222", &why), -TBUS_ECONFIG);
    assert_null(strstr(why.text, "secret"));
    char servers[NATS_SERVERS_MAX][NATS_URL_MAX];
    assert_int_equal(nats_url_split("nats://a:1,nats://b:2,tls://c", servers, NULL), 3);
    assert_string_equal(servers[1], "nats://b:2");
}

/* --- answers --- */

static bool read_made(const char *json, nats_made_t *out)
{
    return nats_made_read(json, strlen(json), out);
}

static void an_answer_names_the_consumer_that_was_made_or_says_why_it_was_not(void **state)
{
    static const char whole[] = "{\"type\":\"io.nats.jetstream.api.v1.consumer_create_response\","
                                "\"stream_name\":\"lab\",\"name\":\"kZ3xSgVd\",\"num_pending\":0}";
    static const char *const wrong[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"name\":7}",
        "{\"name\":\"\"}",
        "{\"name\":\"a.b\"}",
        "{\"name\":\"*\"}",
        "{\"name\":\"a b\"}",
        "{\"stream_name\":\"lab\"}",
        "{\"error\":{\"code\":400,\"description\":\"no code of its own\"}}",
        "{\"error\":{\"err_code\":99999999999}}",
        "{\"name\":\"kZ3xSgVd\""};
    nats_made_t made;
    (void)state;
    assert_true(read_made(whole, &made));
    assert_string_equal(made.name, "kZ3xSgVd");
    assert_int_equal(made.error_code, 0);
    assert_true(read_made("{\"error\":{\"code\":400,\"err_code\":10026,\"description\":"
                          "\"maximum consumers limit reached\"}}",
                          &made));
    assert_int_equal(made.error_code, 10026);
    assert_string_equal(made.text, "maximum consumers limit reached");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(read_made(wrong[i], &made));
    for (size_t bytes = 0; bytes < sizeof whole - 1; bytes++) {
        char *cut = malloc(bytes + 1); /* read beyond it: a sanitizer sees that */
        memcpy(cut, whole, bytes);
        assert_false(nats_made_read(cut, bytes, &made));
        free(cut);
    }
}

static void words_of_a_server_do_nothing_to_a_terminal(void **state)
{
    char words[] = "'Permissions\x1b[2J \xc2\x9b\r\n\x7f~'", none[] = "";
    (void)state;
    nats_words_clean(words);
    assert_string_equal(words, "'Permissions?[2J ?????~'");
    nats_words_clean(none);
    assert_string_equal(none, "");
    nats_words_clean(NULL);
}

static void subjects_that_a_stream_has_are_told_from_those_that_it_may_have(void **state)
{
    static const struct {
        const char *json;
        bool has;
    } cases[] = {
        {"{\"config\":{\"subjects\":[\"tickbus.lab.\\u003e\"]},\"state\":{\"messages\":2,"
         "\"subjects\":{\"tickbus.lab.md.AAPL\":1}}}",
         true},
        {"{\"config\":{\"subjects\":[\"tickbus.lab.\\u003e\"]},\"state\":{\"messages\":2}}", false},
        {"{\"config\":{\"subjects\":[\"a\"]},\"state\":{\"subjects\": {}}}", false},
        {"{\"error\":{\"code\":404,\"err_code\":10059,\"description\":\"stream not found\"}}",
         false},
        {"{\"subjects\":{", false},
        {"{\"subjects\"", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(nats_info_has_subjects(cases[i].json, strlen(cases[i].json)),
                         cases[i].has);
}

static enum nats_answer_kind read_answer(const char *json, nats_answer_t *out)
{
    nats_answer_read(0, json, strlen(json), out);
    return out->kind;
}

static void an_answer_says_where_a_message_is_or_why_it_is_not_there(void **state)
{
    nats_answer_t a;
    (void)state;
    assert_int_equal(read_answer("{\"stream\":\"lab\", \"seq\":12}", &a), NATS_ANSWER_STORED);
    assert_true(a.sequence == 12 && a.error_code == 0);
    assert_int_equal(read_answer("{\"stream\":\"lab\",\"seq\":7,\"duplicate\": true}", &a),
                     NATS_ANSWER_DUPLICATE);
    assert_int_equal(a.sequence, 7);
    assert_int_equal(read_answer("{\"error\":{\"code\":400,\"err_code\":10071,\"description\":"
                                 "\"wrong last sequence: 11\"},\"stream\":\"lab\",\"seq\":0}",
                                 &a),
                     NATS_ANSWER_OTHER_LAST);
    assert_int_equal(a.error_code, NATS_ERROR_LAST_SEQUENCE);
    assert_string_equal(a.text, "wrong last sequence: 11");
    /* Code 503 is the server's disk as well. */
    assert_int_equal(read_answer("{\"error\":{\"code\":503,\"err_code\":10077,\"description\":"
                                 "\"maximum messages exceeded\"}}",
                                 &a),
                     NATS_ANSWER_FULL);
    assert_int_equal(read_answer("{\"error\":{\"code\":400,\"err_code\":10054}}", &a),
                     NATS_ANSWER_WRONG);
    assert_int_equal(a.error_code, 10054);
}

static void nobody_keeps_the_stream_is_said_in_four_ways(void **state)
{
    static const char *const said[] = {
        "{\"error\":{\"code\":503,\"description\":\"raft: not leader\"},\"seq\":0}",
        "{\"error\":{\"code\":503,\"err_code\":10008}}",
        "{\"error\":{\"code\":500,\"err_code\":10009}}"};
    nats_answer_t a;
    (void)state;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        assert_int_equal(read_answer(said[i], &a), NATS_ANSWER_UNSERVED);
    nats_answer_read(503, "", 0, &a);
    assert_int_equal(a.kind, NATS_ANSWER_UNSERVED);
}

static void what_is_no_answer_stores_nothing_however_it_is_cut(void **state)
{
    static const char whole[] = "{\"stream\":\"lab\",\"seq\":123}";
    static const char *const wrong[] = {"",
                                        "{",
                                        "[]",
                                        "{}",
                                        "{\"seq\":0}",
                                        "{\"seq\":-1}",
                                        "{\"seq\":18446744073709551616}",
                                        "{\"error\":{}}",
                                        "{\"error\":{\"err_code\":4294967296}}"};
    nats_answer_t a;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(read_answer(wrong[i], &a), NATS_ANSWER_WRONG);
        assert_true(a.sequence == 0 && a.text[0] != 0);
    }
    for (size_t bytes = 0; bytes < strlen(whole); bytes++) {
        char *cut = malloc(bytes + 1); /* exactly as long: a sanitizer sees what reads on */
        memcpy(cut, whole, bytes);
        nats_answer_read(0, cut, bytes, &a);
        assert_true(a.kind == NATS_ANSWER_WRONG || a.sequence <= 123);
        free(cut);
    }
    /* Statuses of requests, which are none. */
    static const unsigned statuses[] = {100, 404, 408, 409};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        nats_answer_read(statuses[i], NULL, 0, &a);
        assert_int_equal(a.kind, NATS_ANSWER_WRONG);
        nats_answer_read(statuses[i], whole, strlen(whole), &a);
        assert_int_equal(a.kind, NATS_ANSWER_WRONG);
    }
}

/* --- credentials --- */

static int read_file(const char *content, mode_t mode, nats_credentials_t *out)
{
    char path[] = "/tmp/tickbus-nats-XXXXXX";
    int fd = mkstemp(path);
    tbus_error_t why = {0};
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    int code = nats_credentials_read(path, out, &why);
    unlink(path);
    if (code < 0)
        assert_null(strstr(why.text, "secret"));
    return code;
}

static void credentials_come_from_a_file_in_three_forms(void **state)
{
    nats_credentials_t c;
    (void)state;
    assert_int_equal(read_file("# who\nuser=u\n\npassword=se=cret\r\n", 0600, &c), 0);
    assert_int_equal(c.kind, NATS_CREDENTIALS_USER);
    assert_string_equal(c.user, "u");
    assert_string_equal(c.secret, "se=cret");
    assert_int_equal(read_file("token=secret\n", 0640, &c), 0);
    assert_int_equal(c.kind, NATS_CREDENTIALS_TOKEN);
    assert_string_equal(c.secret, "secret");
    assert_int_equal(read_file("-----BEGIN NATS USER JWT-----\neyJ\n", 0400, &c), 0);
    assert_int_equal(c.kind, NATS_CREDENTIALS_CREDS);
    assert_int_equal(nats_credentials_read("", &c, NULL), 0);
    assert_int_equal(c.kind, NATS_CREDENTIALS_NONE);
}

static void credentials_that_everybody_may_read_or_nobody_understands_are_refused(void **state)
{
    nats_credentials_t c;
    (void)state;
    assert_int_equal(read_file("token=secret\n", 0604, &c), -TBUS_ECONFIG);
    static const char *const wrong[] = {"",         "# nothing\n",
                                        "secret\n", "password=secret\n",
                                        "user=u\n", "user=u\ntoken=secret\n",
                                        "token=\n", "token=secret\npassword=secret\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(read_file(wrong[i], 0600, &c), -TBUS_ECONFIG);
    assert_true(nats_credentials_read("/nonexistent/file", &c, NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            subjects_have_every_byte_that_is_no_letter_digit_dash_or_underscore_escaped),
        cmocka_unit_test(what_was_escaped_comes_back_whatever_bytes_it_has),
        cmocka_unit_test(tokens_that_nobody_escaped_so_are_refused),
        cmocka_unit_test(a_subject_tells_its_topic_and_its_symbol_and_foreign_ones_are_refused),
        cmocka_unit_test(what_is_too_long_is_refused_and_never_cut),
        cmocka_unit_test(a_stream_is_named_like_its_bus_and_a_later_one_has_its_session_too),
        cmocka_unit_test(ids_name_session_topic_and_sequence_and_come_back),
        cmocka_unit_test(a_stream_says_whose_it_is_in_its_description),
        cmocka_unit_test(servers_are_named_with_a_host_and_without_a_password),
        cmocka_unit_test(an_answer_names_the_consumer_that_was_made_or_says_why_it_was_not),
        cmocka_unit_test(an_answer_says_where_a_message_is_or_why_it_is_not_there),
        cmocka_unit_test(subjects_that_a_stream_has_are_told_from_those_that_it_may_have),
        cmocka_unit_test(words_of_a_server_do_nothing_to_a_terminal),
        cmocka_unit_test(nobody_keeps_the_stream_is_said_in_four_ways),
        cmocka_unit_test(what_is_no_answer_stores_nothing_however_it_is_cut),
        cmocka_unit_test(credentials_come_from_a_file_in_three_forms),
        cmocka_unit_test(credentials_that_everybody_may_read_or_nobody_understands_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
