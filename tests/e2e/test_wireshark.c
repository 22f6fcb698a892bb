/* SPDX-License-Identifier: Apache-2.0 */
/* What Wireshark makes of our bytes: tools/wireshark/itch50.lua against the tables of ITCH 5.0, and
 * tshark(1) with it on captures of our own traffic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <tickbus/msg/itch_types.h>

#include "bus/wire/soup.h"
#include "bus/wire/soup_proof.h"
#include "tests/market_data.h"
#include "tests/support/program.h"

#define LUA       TICKBUS_SOURCE_DIR "/tools/wireshark/itch50.lua"
#define SOUP_PORT 9001u
#define OUR_PORT  40000u
#define MOLD_PORT 26477u

typedef struct fixture {
    char root[SCRATCH_PATH_MAX], runtime[SCRATCH_PATH_MAX];
    char capture[128], journal[128];
    program_t run;
} fixture_t;

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    scratch_create(f->root);
    scratch_create_runtime(f->runtime);
    snprintf(f->capture, sizeof f->capture, "%s/capture", f->root);
    snprintf(f->journal, sizeof f->journal, "%s/journal", f->root);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    program_clear(&f->run);
    scratch_remove_runtime(f->runtime);
    scratch_remove(f->root);
    free(f);
    return 0;
}

static int run(fixture_t *f, const char *const *argv)
{
    program_clear(&f->run);
    f->run = (program_t){.argv = argv};
    int code = program_run(&f->run);
    f->run.argv = NULL;
    return code;
}

static void need_tshark(fixture_t *f)
{
    if (run(f, (const char *const[]){"sh", "-c", "command -v tshark", NULL}) == 0)
        return;
    printf("tshark is not here (apt-get install tshark)\n");
    skip();
}

/* ---- the table ---- */

static const char *const kinds[] = {"CHARS",     "CHAR",    "NUMBER", "SYMBOL", "SIDE",
                                    "ORDER_REF", "NEW_REF", "QTY",    "PX",     "MATCH"};

/* All lines of a text that begin with "message(" or "field(", one behind the other. */
static char *table_lines(char *text)
{
    char *to = text;
    for (char *line = text; line;) {
        char *end = strchr(line, '\n');
        size_t bytes = end ? (size_t)(end + 1 - line) : strlen(line);
        if (strncmp(line, "message(", 8) == 0 || strncmp(line, "field(", 6) == 0) {
            memmove(to, line, bytes);
            to += bytes;
        }
        line = end ? end + 1 : NULL;
    }
    *to = 0;
    return text;
}

static void the_dissector_has_the_table_of_the_codec(void **state)
{
    (void)state;
    char expected[16384];
    size_t used = 0, bytes;
#define LETTER(type, letter, length, what, name) letter,
    static const char letters[] = {ITCH_TYPES(LETTER)};
#undef LETTER
    assert_int_equal(sizeof letters, ITCH_TYPES_COUNT);
    for (size_t i = 0; i < sizeof letters; i++) {
        const itch_type_t *type = itch_type((uint8_t)letters[i]);
        unsigned count;
        const itch_field_t *fields = itch_fields(type->letter, &count);
        used += (size_t)snprintf(expected + used, sizeof expected - used,
                                 "message(\"%c\", %u, \"%s\")\n", type->letter, type->bytes,
                                 type->name);
        for (unsigned n = 0; n < count; n++)
            used += (size_t)snprintf(
                expected + used, sizeof expected - used, "field(\"%c\", \"%s\", %u, %u, \"%s\")\n",
                type->letter, fields[n].name, fields[n].at, fields[n].bytes, kinds[fields[n].kind]);
    }
    assert_true(used < sizeof expected);
    char *lua = file_read(LUA, &bytes);
    assert_non_null(lua);
    assert_string_equal(table_lines(lua), expected);
    free(lua);
}

/* ---- tshark ---- */

/* The values of one field, of all packets: what tshark prints with a comma or a new line behind. */
static void fields_of(fixture_t *f, const char *decode_as, const char *filter, const char *field)
{
    const char *const argv[] = {
        "tshark", "-X", "lua_script:" LUA, "-r", f->capture, "-d", decode_as, "-Y",
        filter,   "-T", "fields",          "-e", field,      NULL};
    if (run(f, argv) != 0)
        fail_msg("tshark: %s", f->run.err);
}

static unsigned count_value(const char *text, const char *value)
{
    unsigned count = 0;
    size_t bytes = strlen(value);
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",\n");
        count += length == bytes && memcmp(at, value, bytes) == 0;
        at += length + (at[length] != 0);
    }
    return count;
}

#define SEVERITY_ERROR "8388608" /* PI_ERROR (Wireshark, epan/proto.h) */

/* One run of tshark for all that is asked of a capture: in each line the types of its messages,
 * their names, and what is wrong with it. Types are put one behind the other into `out_types`,
 * which ends with a comma. */
static unsigned decode(fixture_t *f, const char *decode_as, char *out_types)
{
    const char *const argv[] = {"tshark",
                                "-X",
                                "lua_script:" LUA,
                                "-r",
                                f->capture,
                                "-d",
                                decode_as,
                                "-T",
                                "fields",
                                "-e",
                                "itch50.type",
                                "-e",
                                "itch50.message",
                                "-e",
                                "_ws.malformed",
                                "-e",
                                "_ws.lua.error",
                                "-e",
                                "_ws.expert.severity",
                                NULL};
    unsigned named = 0;
    char *rest, *line;
    *out_types = 0;
    assert_int_equal(run(f, argv), 0);
    for (line = strtok_r(f->run.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *types = strsep(&line, "\t"), *names = strsep(&line, "\t");
        char *malformed = strsep(&line, "\t"), *lua = strsep(&line, "\t");
        assert_non_null(line);
        assert_string_equal(malformed, "");
        assert_string_equal(lua, "");
        assert_int_equal(count_value(line, SEVERITY_ERROR), 0);
        for (const char *p = names; *p; p++)
            named += p == names || *p == ',';
        out_types = stpcpy(stpcpy(out_types, types), *types ? "," : "");
    }
    return named;
}

/* As many messages of each type as the key says, and nothing that tshark finds wrong. */
static void assert_decodes(fixture_t *f, const char *decode_as, const char *key_name)
{
    char path[MARKET_DATA_PATH_MAX];
    static char types[65536];
    assert_true(market_data_path(key_name, path));
    json_t *key = json_load_file(path, 0, NULL), *wanted;
    const char *letter;
    unsigned total = 0, different = 0;
    assert_non_null(key);
    unsigned named = decode(f, decode_as, types);
    json_object_foreach(json_object_get(key, "by_type"), letter, wanted)
    {
        assert_int_equal(count_value(types, letter), json_integer_value(wanted));
        total += (unsigned)json_integer_value(wanted);
        different++;
    }
    assert_true(different >= 4);
    assert_int_equal(total, json_integer_value(json_object_get(key, "messages")));
    assert_int_equal(named, total); /* each with the name of its type: none is unknown */
    json_decref(key);
}

static void an_export_decodes_to_the_messages_that_were_fed(void **state)
{
    fixture_t *f = *state;
    static const char *const names[] = {"itch_aapl_20200130_5k/aapl_5k",
                                        "itch_day_start_1k/day_start_1k"};
    need_tshark(f);
    for (size_t i = 0; i < 2; i++) {
        char file[64], key[96], feed[MARKET_DATA_PATH_MAX + 8] = "itch:", journal[160];
        snprintf(file, sizeof file, "%s.itch", names[i]);
        snprintf(key, sizeof key, "%s.key.json", file);
        snprintf(journal, sizeof journal, "%s-%zu", f->journal, i);
        if (!market_data_path(file, feed + 5))
            skip();
        assert_int_equal(run(f, (const char *const[]){TICKBUS_BUSCTL, "start", "--feed", feed,
                                                      "--journal", journal, NULL}),
                         0);
        assert_int_equal(
            run(f, (const char *const[]){TICKBUS_BUSCTL, "journal", "export", journal, "--topic",
                                         "md", "--format", "pcapng", "-o", f->capture, NULL}),
            0);
        assert_decodes(f, "udp.port==26477,moldudp64", key);
    }
    fields_of(f, "udp.port==26477,moldudp64", "itch50.symbol == \"ADMS\"", "frame.number");
    assert_true(f->run.out_bytes > 0); /* found without the padding of the field */
}

/* ---- a capture of a SoupBinTCP session, made of the bytes of our own codec ---- */

typedef struct capture {
    FILE *file;
    uint32_t records;
    uint32_t seq[2]; /* of the client, of the server */
} capture_t;

static void put16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, value >> 16);
    put16(to + 2, value & 0xffff);
}

/* An IPv4 packet (RFC 791) with a TCP segment (RFC 9293) and no checksums, as a record of a pcap
 * file with the bytes of this host's order. `from`: 0 the client, 1 the server. */
static void put_segment(capture_t *c, int from, uint8_t flags, const void *data, size_t bytes)
{
    uint8_t packet[40] = {0x45, [8] = 64, [9] = 6, [12] = 127, [15] = 1, [16] = 127, [19] = 1};
    uint32_t total = (uint32_t)(sizeof packet + bytes);
    uint32_t record[4] = {1, c->records++, total, total};
    put16(packet + 2, total);
    put16(packet + 20, from ? SOUP_PORT : OUR_PORT);
    put16(packet + 22, from ? OUR_PORT : SOUP_PORT);
    put32(packet + 24, c->seq[from]);
    put32(packet + 28, c->seq[!from]);
    packet[32] = 0x50;
    packet[33] = flags;
    put16(packet + 34, 65535);
    fwrite(record, sizeof record, 1, c->file);
    fwrite(packet, sizeof packet, 1, c->file);
    fwrite(data, 1, bytes, c->file);
    c->seq[from] += (uint32_t)bytes + (flags & 2 ? 1 : 0);
}

static void begin_file(fixture_t *f, capture_t *c)
{
    const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 101};
    *c = (capture_t){.file = fopen(f->capture, "we"), .seq = {1000, 2000}};
    assert_non_null(c->file);
    fwrite(header, sizeof header, 1, c->file);
}

static void begin_capture(fixture_t *f, capture_t *c)
{
    begin_file(f, c);
    put_segment(c, 0, 0x02, "", 0); /* SYN */
    put_segment(c, 1, 0x12, "", 0);
    put_segment(c, 0, 0x10, "", 0);
}

/* What a server sends after its answer: greeting, messages, a digest, heartbeat, the end. */
static size_t put_stream(uint8_t *to, const uint8_t *file, size_t file_bytes)
{
    soup_proof_offer_t offer = {.block = 0, .count = 5000};
    size_t used = soup_put_debug(to, 100, "tickbus gateway");
    for (size_t at = 0; at < file_bytes;) {
        size_t bytes = (size_t)file[at] << 8 | file[at + 1];
        memcpy(to + used + SOUP_HEADER_BYTES, file + at + 2, bytes);
        used += soup_put_header(to + used, SOUP_SEQUENCED, bytes);
        at += 2 + bytes;
    }
    used += soup_put_header(to + used, SOUP_SERVER_HEARTBEAT, 0);
    used += soup_proof_put_offer(to + used, &offer);
    return used + soup_put_header(to + used, SOUP_END_OF_SESSION, 0);
}

static void write_session(fixture_t *f, const uint8_t *stream, size_t count)
{
    static const size_t cuts[] = {1400, 1, 2, 3, 700, 33, 1448, 5, 30000};
    capture_t c;
    uint8_t packet[SOUP_LOGIN_410_BYTES];
    soup_login_t login = {.user = "trader", .password = "secret", .sequence = 1};
    begin_capture(f, &c);
    put_segment(&c, 0, 0x18, packet, soup_put_login(packet, &login));
    /* On its own: Wireshark 4.0 loses what it had of a packet that begins in the same segment. */
    put_segment(&c, 1, 0x18, packet,
                soup_put_accepted(packet, &(soup_accepted_t){"DAY0000001", 1}));
    for (size_t at = 0, turn = 0; at < count; turn++) {
        size_t some = cuts[turn % 9] < count - at ? cuts[turn % 9] : count - at;
        put_segment(&c, 1, 0x18, stream + at, some);
        at += some;
        if (turn % 7 == 0)
            put_segment(&c, 0, 0x18, packet, soup_put_header(packet, SOUP_CLIENT_HEARTBEAT, 0));
    }
    put_segment(&c, 0, 0x18, packet, soup_put_header(packet, SOUP_LOGOUT, 0));
    assert_int_equal(fclose(c.file), 0);
}

static void our_soupbintcp_decodes_to_the_messages_that_were_fed(void **state)
{
    fixture_t *f = *state;
    char path[MARKET_DATA_PATH_MAX];
    size_t bytes;
    need_tshark(f);
    if (!market_data_path("itch_aapl_20200130_5k/aapl_5k.itch", path))
        skip();
    char *file = file_read(path, &bytes);
    uint8_t *stream = malloc(2 * bytes + 1000);
    assert_true(file && stream);
    write_session(f, stream, put_stream(stream, (uint8_t *)file, bytes));
    free(stream);
    free(file);
    assert_decodes(f, "tcp.port==9001,soupbintcp", "itch_aapl_20200130_5k/aapl_5k.itch.key.json");
    static const struct {
        const char *type;
        unsigned count; /* 0: some */
    } types[] = {{"'L'", 1}, {"'A'", 1}, {"'S'", 5000}, {"'+'", 2},
                 {"'H'", 1}, {"'Z'", 1}, {"'O'", 1},    {"'R'", 0}};
    unsigned all = 0;
    fields_of(f, "tcp.port==9001,soupbintcp", "soupbintcp", "soupbintcp.packet_type");
    for (size_t i = 0; i < 8; i++) {
        unsigned count = count_value(f->run.out, types[i].type);
        assert_true(types[i].count ? count == types[i].count : count > 0);
        all += count;
    }
    for (const char *p = f->run.out; *p; p++)
        all -= *p == ',' || *p == '\n';
    assert_int_equal(all, 0); /* no other type */
}

/* An IPv4 packet with a UDP datagram (RFC 768) and no checksums, likewise. */
static void put_datagram(capture_t *c, const void *data, size_t bytes)
{
    uint8_t packet[28] = {0x45, [8] = 64, [9] = 17, [12] = 127, [15] = 1, [16] = 127, [19] = 1};
    uint32_t total = (uint32_t)(sizeof packet + bytes);
    uint32_t record[4] = {1, c->records++, total, total};
    put16(packet + 2, total);
    put16(packet + 20, OUR_PORT);
    put16(packet + 22, MOLD_PORT);
    put16(packet + 24, total - 20);
    fwrite(record, sizeof record, 1, c->file);
    fwrite(packet, sizeof packet, 1, c->file);
    fwrite(data, 1, bytes, c->file);
}

/* `busctl start --mold` of that file, and every datagram that it sends into the capture. */
static void capture_mold(fixture_t *f, const char *feed)
{
    capture_t c;
    char to[32];
    static uint8_t datagram[65536];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    snprintf(to, sizeof to, "127.0.0.1:%d", ntohs(at.sin_port));
    const char *argv[] = {TICKBUS_BUSCTL,
                          "start",
                          "--feed",
                          feed,
                          "--pace",
                          "20000/s",
                          "--wait",
                          "park",
                          "--mold",
                          to,
                          "--set",
                          "mold.end_ms=600",
                          "--set",
                          "mold.payload_max=512",
                          NULL};
    program_t start = {.argv = argv};
    bool ended;
    begin_file(f, &c);
    assert_true(program_start(&start));
    do {
        ended = program_ended(&start);
        ssize_t bytes;
        while ((bytes = recv(fd, datagram, sizeof datagram, MSG_DONTWAIT)) >= 0)
            put_datagram(&c, datagram, (size_t)bytes);
        usleep(1000);
    } while (!ended);
    if (start.exit_code != 0)
        fail_msg("%s", start.err);
    program_clear(&start);
    close(fd);
    assert_int_equal(fclose(c.file), 0);
}

static void our_moldudp64_decodes_to_the_messages_that_were_fed(void **state)
{
    fixture_t *f = *state;
    char feed[MARKET_DATA_PATH_MAX + 8] = "itch:";
    need_tshark(f);
    if (!market_data_path("itch_aapl_20200130_5k/aapl_5k.itch", feed + 5))
        skip();
    capture_mold(f, feed);
    assert_decodes(f, "udp.port==26477,moldudp64", "itch_aapl_20200130_5k/aapl_5k.itch.key.json");
    fields_of(f, "udp.port==26477,moldudp64", "moldudp64.count == 0", "moldudp64.sequence");
    assert_true(count_value(f->run.out, "1") >= 1); /* the heartbeat at the start */
    fields_of(f, "udp.port==26477,moldudp64", "moldudp64.count == 65535", "moldudp64.sequence");
    assert_true(f->run.out_bytes > 0);
    fields_of(f, "udp.port==26477,moldudp64", "!moldudp64", "frame.number");
    assert_string_equal(f->run.out, "");
}

/* ---- a gateway that runs ---- */

/* A connection to that port of this host, as soon as somebody listens there. */
static int connect_when_up(program_t *start, uint16_t port)
{
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
            return fd;
        close(fd);
        if (program_ended(start))
            fail_msg("it ended before anybody could connect: %s", start->err);
        usleep(1000);
    }
}

/* Log in for everything; what the gateway then sends goes into the capture as it comes, up to the
 * end of the connection. */
static void capture_session(capture_t *c, int fd)
{
    static uint8_t bytes[1448];
    soup_login_t login = {.user = "tshark", .password = "", .sequence = 1};
    size_t count = soup_put_login(bytes, &login);
    put_segment(c, 0, 0x18, bytes, count);
    assert_int_equal(send(fd, bytes, count, MSG_NOSIGNAL), count);
    /* The answer on its own, as in write_session. */
    count = soup_put_accepted(bytes, &(soup_accepted_t){"", 1});
    ssize_t got = recv(fd, bytes, count, MSG_WAITALL);
    assert_int_equal(got, count);
    do
        put_segment(c, 1, 0x18, bytes, (size_t)got);
    while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0);
    assert_int_equal(got, 0);
}

/* `busctl start --gateway` of that file, and every byte that it sends to a client. */
static void capture_gateway(fixture_t *f, const char *feed)
{
    capture_t c;
    char at_text[32];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    close(fd); /* a port that is free */
    snprintf(at_text, sizeof at_text, "127.0.0.1:%d", ntohs(at.sin_port));
    const char *argv[] = {TICKBUS_BUSCTL, "start",  "--feed", feed,        "--pace",
                          "20000/s",      "--wait", "park",   "--journal", f->journal,
                          "--gateway",    at_text,  NULL};
    program_t start = {.argv = argv};
    assert_true(program_start(&start));
    fd = connect_when_up(&start, ntohs(at.sin_port));
    begin_capture(f, &c);
    capture_session(&c, fd);
    close(fd);
    while (!program_ended(&start))
        usleep(1000);
    if (start.exit_code != 0)
        fail_msg("%s", start.err);
    program_clear(&start);
    assert_int_equal(fclose(c.file), 0);
}

static void what_a_gateway_sends_decodes_to_the_messages_that_were_fed(void **state)
{
    fixture_t *f = *state;
    char feed[MARKET_DATA_PATH_MAX + 8] = "itch:";
    need_tshark(f);
    if (!market_data_path("itch_aapl_20200130_5k/aapl_5k.itch", feed + 5))
        skip();
    capture_gateway(f, feed);
    assert_decodes(f, "tcp.port==9001,soupbintcp", "itch_aapl_20200130_5k/aapl_5k.itch.key.json");
    fields_of(f, "tcp.port==9001,soupbintcp", "soupbintcp", "soupbintcp.packet_type");
    assert_int_equal(count_value(f->run.out, "'L'"), 1);
    assert_int_equal(count_value(f->run.out, "'A'"), 1);
    assert_in_range(count_value(f->run.out, "'S'"), 5000, 5001); /* and the mark at its end */
    assert_int_equal(count_value(f->run.out, "'Z'"), 1);
}

static void a_message_of_a_wrong_length_is_shown_as_malformed(void **state)
{
    fixture_t *f = *state;
    uint8_t stream[100] = {0};
    need_tshark(f);
    size_t used = soup_put_header(stream, SOUP_SEQUENCED, 18);
    stream[3] = 'D';
    used += soup_put_header(stream + used, SOUP_SEQUENCED, 12);
    stream[used - 12] = '?';
    write_session(f, stream, used);
    fields_of(f, "tcp.port==9001,soupbintcp", "itch50.wrong_length", "itch50.type");
    assert_string_equal(f->run.out, "D,?\n");
    fields_of(f, "tcp.port==9001,soupbintcp", "itch50", "itch50.unknown");
    assert_string_equal(f->run.out, "3f0000000000000000000000\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dissector_has_the_table_of_the_codec),
        TEST(an_export_decodes_to_the_messages_that_were_fed),
        TEST(our_soupbintcp_decodes_to_the_messages_that_were_fed),
        TEST(our_moldudp64_decodes_to_the_messages_that_were_fed),
        TEST(what_a_gateway_sends_decodes_to_the_messages_that_were_fed),
        TEST(a_message_of_a_wrong_length_is_shown_as_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
