/* SPDX-License-Identifier: Apache-2.0 */
/* The spec of a feed from NATS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "feedsim/source/nats_spec.h"

static nats_spec_t spec;
static tbus_error_t err;

static int parse(const char *text)
{
    memset(&err, 0, sizeof err);
    return nats_spec_parse(text, &spec, &err);
}

static void servers_and_stream_are_taken_apart_and_the_rest_has_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse("nats://one:4222,nats://[::1]:4223,tls://three:1/my%2Ebus-7"), 0);
    assert_string_equal(spec.servers, "nats://one:4222,nats://[::1]:4223,tls://three:1");
    assert_string_equal(spec.stream, "my%2Ebus-7");
    assert_int_equal(spec.from, NATS_TAIL_FIRST);
    assert_int_equal(spec.lost_ns, UINT64_C(30000000000));
    assert_int_equal(spec.keep_bytes, 4 << 20);
}

static void every_key_has_its_value(void **state)
{
    nats_tail_options_t options;
    (void)state;
    assert_int_equal(parse("nats://h/s?session=ABC&credentials=/c&ca=/a&certificate=/x&key=/k&"
                           "lost=never&keep_bytes=1048576"),
                     0);
    assert_string_equal(spec.session, "ABC");
    assert_int_equal(spec.lost_ns, UINT64_MAX);
    nats_spec_options(&spec, &options);
    assert_string_equal(options.way.url, "nats://h");
    assert_string_equal(options.way.credentials, "/c");
    assert_string_equal(options.way.ca, "/a");
    assert_string_equal(options.way.certificate, "/x");
    assert_string_equal(options.way.key, "/k");
    assert_int_equal(options.queue_bytes, 1048576);
    assert_string_equal(options.topic, "md");
}

static void a_place_is_a_sequence_now_or_a_time_and_the_last_one_holds(void **state)
{
    (void)state;
    assert_int_equal(parse("nats://h/s?from=17"), 0);
    assert_int_equal(spec.from, NATS_TAIL_SEQ);
    assert_int_equal(spec.from_seq, 17);
    assert_int_equal(parse("nats://h/s?from=0"), 0);
    assert_int_equal(spec.from, NATS_TAIL_NOW);
    /* date -u -d 2026-11-30T09:30:00 +%s */
    assert_int_equal(parse("nats://h/s?from=2026-11-30T09:30:00.25Z"), 0);
    assert_int_equal(spec.from, NATS_TAIL_TIME);
    assert_int_equal(spec.from_ns, UINT64_C(1796031000250000000));
    assert_int_equal(parse("nats://h/s?from=2026-11-30T09:30Z"), 0);
    assert_int_equal(spec.from_ns, UINT64_C(1796031000000000000));
    assert_int_equal(parse("nats://h/s?from=2026-11-30T09:30:00Z&from=5"), 0);
    assert_int_equal(spec.from, NATS_TAIL_SEQ);
    assert_int_equal(spec.from_seq, 5);
}

static void what_is_no_such_spec_is_refused_with_what_was_expected(void **state)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"nats:", "names no stream"},
        {"nats://", "names no stream"},
        {"nats://host", "names no stream"},
        {"nats://host:4222", "names no stream"},
        {"nats://host:4222/", "names no stream"},
        {"nats:///s", "names no stream"},
        {"nats://host:0/s", "1 to 65535"},
        {"nats://host:65536/s", "1 to 65535"},
        {"nats://me:secret@host/s", "without user and password"},
        {"nats://a,http://b/s", "no NATS server"},
        {"nats://host/a.b", "no name of a stream"},
        {"nats://host/a*", "no name of a stream"},
        {"nats://host/a b", "no name of a stream"},
        {"nats://h/s?form=1", "has no key 'form'"},
        {"nats://h/s?from=-1", "from=-1"},
        {"nats://h/s?from=09:30", "from=09:30"},
        {"nats://h/s?from=2026-11-31T09:30:00Z", "from=2026"},
        {"nats://h/s?from=2026-11-30T09:30:00", "from=2026"},
        {"nats://h/s?from=2026-11-30T24:30:00Z", "from=2026"},
        {"nats://h/s?from=2026-11-30T09:30:00ZZ", "from=2026"},
        {"nats://h/s?from=18446744073709551616", "from=1844"},
        {"nats://h/s?session=ABCDEFGHIJKLMNOPQ", "at most"},
        {"nats://h/s?certificate=/x", "belong together"},
        {"nats://h/s?key=/x", "belong together"},
        {"nats://h/s?keep_bytes=1000", "1048576"},
        {"nats://h/s?lost=soon", "soon"},
    };
    (void)state;
    memset(&spec, 0, sizeof spec);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (parse(wrong[i].text) != -TBUS_ECONFIG)
            fail_msg("%s is taken", wrong[i].text);
        if (!strstr(err.text, wrong[i].says))
            fail_msg("%s: \"%s\" does not say \"%s\"", wrong[i].text, err.text, wrong[i].says);
        assert_int_equal(spec.stream[0], 0);
    }
}

static void a_spec_that_is_too_long_is_refused(void **state)
{
    char text[4096];
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "nats://h/", 9);
    text[sizeof text - 1] = 0;
    assert_int_equal(parse(text), -TBUS_ECONFIG);
    memcpy(text + sizeof text - 3, "/s", 2);
    assert_int_equal(parse(text), -TBUS_ECONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_and_stream_are_taken_apart_and_the_rest_has_defaults),
        cmocka_unit_test(every_key_has_its_value),
        cmocka_unit_test(a_place_is_a_sequence_now_or_a_time_and_the_last_one_holds),
        cmocka_unit_test(what_is_no_such_spec_is_refused_with_what_was_expected),
        cmocka_unit_test(a_spec_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
