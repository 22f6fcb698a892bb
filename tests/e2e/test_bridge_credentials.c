/* SPDX-License-Identifier: Apache-2.0 */
/* How a bridge says who it is to a NATS server, with real ones: a user and a password, a token, an
 * operator's accounts with a creds file, certificates of both sides. With them the run ends with
 * all acknowledged; without, or with wrong ones, it does not begin, and no secret is said. */
#if __has_include(<nats/nats.h>)

#include "tests/e2e/bridge_run.h"

#include <sys/stat.h>

static void write_secret(const char *path, const char *text)
{
    assert_true(file_write(path, text, strlen(text)));
    assert_int_equal(chmod(path, 0600), 0);
}

static void in_directory(const char *name, char out_path[SCRATCH_PATH_MAX + 32])
{
    snprintf(out_path, SCRATCH_PATH_MAX + 32, "%s/%s", server.directory, name);
}

/* "bridge.KEY=PATH" of a file beside the server's own. */
static const char *setting(const char *key, const char *name)
{
    static char texts[4][SCRATCH_PATH_MAX + 48];
    static unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "bridge.%s=%s/%s", key, server.directory, name);
    return text;
}

static void assert_all_arrived(fixture_t *f)
{
    json_t *summary = final_object(f);
    /* Nothing is recorded, so that some may be lost: the stream says so, and has the end. */
    assert_true(total(summary, "acknowledged") > 0);
    assert_int_equal(total(summary, "disconnects"), 0);
    assert_int_equal(number(summary, "bridge", "lag_messages"), 0);
    json_decref(summary);
}

/* With the text in a file of credentials. */
static int run_with(fixture_t *f, const char *credentials)
{
    char path[SCRATCH_PATH_MAX + 32];
    in_directory("credentials", path);
    write_secret(path, credentials);
    return run(f, "start", SHORT_FEED, "--bridge", server.url, "--json", "--set",
               setting("credentials", "credentials"), NULL);
}

static void assert_refused(fixture_t *f, const char *why)
{
    assert_text_holds(f->start.err, why);
    assert_null(strstr(f->start.err, "secret"));
}

static void a_user_with_a_password_is_let_in_and_with_another_is_not(void **state)
{
    fixture_t *f = *state;
    assert_true(
        nats_server_start(&server, "authorization { user: bridge, password: \"se cret=1\" }"));
    assert_int_equal(run_with(f, "user=bridge\npassword=se cret=1\n"), 0);
    assert_all_arrived(f);
    assert_int_equal(run_with(f, "user=bridge\npassword=secret\n"), 1);
    assert_refused(f, "Authorization Violation");
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", server.url, "--json", NULL), 1);
    assert_refused(f, "Authorization Violation");
}

static void a_token_is_let_in_and_another_is_not(void **state)
{
    fixture_t *f = *state;
    assert_true(nats_server_start(&server, "authorization { token: secret17 }"));
    assert_int_equal(run_with(f, "token=secret17\n"), 0);
    assert_all_arrived(f);
    assert_int_equal(run_with(f, "token=secret18\n"), 1);
    assert_refused(f, "Authorization Violation");
}

/* An operator, its system account, an account with JetStream, a user of that, and the user's seed:
 * of keys that are of no use but here. Each text is a JWT, signed by the one before. */
#define OPERATOR                                                                                   \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJUIiwiaWF0IjoxNzAwMDAwMDAwL"         \
    "CJpc3MiOiJPQkNVUTZTVEZXNUhBRFRWS1hOMlJNR1JKSEEyN1o3UzRVWVZDNlBETFVJQkE2WkJTQ1BEQkdDQ"         \
    "iIsIm5hbWUiOiJUIiwic3ViIjoiT0JDVVE2U1RGVzVIQURUVktYTjJSTUdSSkhBMjdaN1M0VVlWQzZQRExVS"         \
    "UJBNlpCU0NQREJHQ0IiLCJuYXRzIjp7InR5cGUiOiJvcGVyYXRvciIsInZlcnNpb24iOjIsInN5c3RlbV9hY"         \
    "2NvdW50IjoiQURTM1RINkVNTkNUWFY2UFhKV0wzNVhZMkw3RlpZTURHWDVIQVg0U0c2WlJKM1laU09SUlJIT"         \
    "U8ifX0.yDzN6oAjB5OXyEDJ3OBUzM5T41qQPgampl6QIY-"                                               \
    "juxThQdZBD_UhAy68pyv9969D4O420XphlTjgu6a4oDtKBw"
#define SYSTEM_KEY "ADS3TH6EMNCTXV6PXJWL35XY2L7FZYMDGX5HAX4SG6ZRJ3YZSORRRHMO"
#define SYSTEM                                                                                     \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJUIiwiaWF0IjoxNzAwMDAwMDAwL"         \
    "CJpc3MiOiJPQkNVUTZTVEZXNUhBRFRWS1hOMlJNR1JKSEEyN1o3UzRVWVZDNlBETFVJQkE2WkJTQ1BEQkdDQ"         \
    "iIsIm5hbWUiOiJTIiwic3ViIjoiQURTM1RINkVNTkNUWFY2UFhKV0wzNVhZMkw3RlpZTURHWDVIQVg0U0c2W"         \
    "lJKM1laU09SUlJITU8iLCJuYXRzIjp7ImxpbWl0cyI6eyJzdWJzIjotMSwiZGF0YSI6LTEsInBheWxvYWQiO"         \
    "i0xLCJpbXBvcnRzIjotMSwiZXhwb3J0cyI6LTEsIndpbGRjYXJkcyI6dHJ1ZSwiY29ubiI6LTEsImxlYWYiO"         \
    "i0xfSwidHlwZSI6ImFjY291bnQiLCJ2ZXJzaW9uIjoyfX0.sejV-qLQ_y_tP1v3fsPAgnzYK0-O8XA-"              \
    "fHadgARBOfuFFzJpZqFkhzK1MmW0k1ie9rFzwi5LvkP9Ui7am6j6Aw"
#define ACCOUNT_KEY "ABLIS5YZSGMU4TMAC5BYEVDSHKWPQYM4QOO6BY735FA32Q5UV6HXGBOQ"
#define ACCOUNT                                                                                    \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJUIiwiaWF0IjoxNzAwMDAwMDAwL"         \
    "CJpc3MiOiJPQkNVUTZTVEZXNUhBRFRWS1hOMlJNR1JKSEEyN1o3UzRVWVZDNlBETFVJQkE2WkJTQ1BEQkdDQ"         \
    "iIsIm5hbWUiOiJBIiwic3ViIjoiQUJMSVM1WVpTR01VNFRNQUM1QllFVkRTSEtXUFFZTTRRT082Qlk3MzVGQ"         \
    "TMyUTVVVjZIWEdCT1EiLCJuYXRzIjp7ImxpbWl0cyI6eyJzdWJzIjotMSwiZGF0YSI6LTEsInBheWxvYWQiO"         \
    "i0xLCJpbXBvcnRzIjotMSwiZXhwb3J0cyI6LTEsIndpbGRjYXJkcyI6dHJ1ZSwiY29ubiI6LTEsImxlYWYiO"         \
    "i0xLCJtZW1fc3RvcmFnZSI6LTEsImRpc2tfc3RvcmFnZSI6LTEsInN0cmVhbXMiOi0xLCJjb25zdW1lciI6L"         \
    "TF9LCJ0eXBlIjoiYWNjb3VudCIsInZlcnNpb24iOjJ9fQ.f-vbPeatMid-"                                   \
    "BH502V39X7RxMY2AckZajPoWHyQfmpeNpawXb6wxq9bqFPq48FHJ4XSh3Oxl4CCA30dm9gD-Cg"
#define USER                                                                                       \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJUIiwiaWF0IjoxNzAwMDAwMDAwL"         \
    "CJpc3MiOiJBQkxJUzVZWlNHTVU0VE1BQzVCWUVWRFNIS1dQUVlNNFFPTzZCWTczNUZBMzJRNVVWNkhYR0JPU"         \
    "SIsIm5hbWUiOiJVIiwic3ViIjoiVUNOUTJJWFVNTzZESlhMRlY1R1ZYTkhPU1NQWUpYNVlMREZZVlk0MjJQM"         \
    "jdVVVVESjNEV0hWVVkiLCJuYXRzIjp7InN1YnMiOi0xLCJkYXRhIjotMSwicGF5bG9hZCI6LTEsInR5cGUiO"         \
    "iJ1c2VyIiwidmVyc2lvbiI6Mn19.U6P0_HsV4ZEAI4IxMBIM7BZerlIbhi8F4GBDEEvpclwYVFhPnUnnAG5B"         \
    "tEbyHo-8x7A2qyNk0anD3lgK-yLiDQ"
#define USER_SEED "SUAL5YE5WTZ3ACCDH7XNGTIDXFB5H4LJVJNKSTGYZMMCAT7427HYNZW2IU"
#define CREDS(seed)                                                                                \
    "-----BEGIN NATS USER JWT-----\n" USER "\n------END NATS USER JWT------\n\n"                   \
    "-----BEGIN USER NKEY SEED-----\n" seed "\n------END USER NKEY SEED------\n"

static void a_user_of_an_operators_account_is_let_in_by_a_creds_file(void **state)
{
    fixture_t *f = *state;
    assert_true(nats_server_start(&server, "operator: " OPERATOR "\nsystem_account: " SYSTEM_KEY
                                           "\nresolver: MEMORY\nresolver_preload: {\n" ACCOUNT_KEY
                                           ": " ACCOUNT "\n" SYSTEM_KEY ": " SYSTEM "\n}\n"));
    assert_int_equal(run_with(f, CREDS(USER_SEED)), 0);
    assert_all_arrived(f);
    /* The user's words without the user's key. */
    assert_int_equal(
        run_with(f, CREDS("SUAOAXZWADZQUUDAEXDPKMCL7IFNSJ7ATEW66TUMOONPUOVBTZZPCJC22Q")), 1);
    assert_true(f->start.err && *f->start.err);
    assert_null(strstr(f->start.err, USER_SEED));
}

/* --- certificates --- */

/* A key and a certificate that is its own authority, NAME.key and NAME.cert. */
static bool make_certificate(const char *name)
{
    char key[SCRATCH_PATH_MAX + 32], cert[SCRATCH_PATH_MAX + 32], file[24], subject[24];
    snprintf(file, sizeof file, "%s.key", name);
    in_directory(file, key);
    snprintf(file, sizeof file, "%s.cert", name);
    in_directory(file, cert);
    snprintf(subject, sizeof subject, "/CN=%s", name);
    const char *argv[] = {
        "openssl", "req",   "-x509", "-newkey", "ec",    "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes",  "-days", "2",     "-subj",   subject, "-addext",  "subjectAltName=IP:127.0.0.1",
        "-keyout", key,     "-out",  cert,      NULL};
    program_t openssl = {.argv = argv};
    int code = program_run(&openssl);
    program_clear(&openssl);
    return code == 0;
}

static void a_server_and_a_bridge_know_each_other_by_their_certificates(void **state)
{
    fixture_t *f = *state;
    char lines[512], url[48];
    assert_true(nats_server_start(&server, NULL)); /* for its directory */
    if (!make_certificate("server") || !make_certificate("bridge")) {
        print_message("skipped: there is no openssl(1), or it makes no certificate\n");
        skip();
    }
    nats_server_stop(&server);
    snprintf(lines, sizeof lines,
             "tls { cert_file: \"%s/server.cert\", key_file: \"%s/server.key\", ca_file: "
             "\"%s/bridge.cert\", verify: true }\n",
             server.directory, server.directory, server.directory);
    free(change_config("tls {", lines));
    assert_true(nats_server_again(&server));
    snprintf(url, sizeof url, "tls://127.0.0.1:%u", server.port);
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", url, "--json", "--set",
                         setting("ca", "server.cert"), "--set",
                         setting("certificate", "bridge.cert"), "--set",
                         setting("key", "bridge.key"), NULL),
                     0);
    assert_all_arrived(f);
    /* The bridge has none of its own. */
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", url, "--json", "--set",
                         setting("ca", "server.cert"), NULL),
                     1);
    assert_text_holds(f->start.err, "cannot connect to NATS");
    /* The server is not the one that the bridge believes. */
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", url, "--json", "--set",
                         setting("ca", "bridge.cert"), "--set",
                         setting("certificate", "bridge.cert"), "--set",
                         setting("key", "bridge.key"), NULL),
                     1);
    assert_text_holds(f->start.err, "cannot connect to NATS");
    assert_int_equal(run(f, "start", SHORT_FEED, "--bridge", url, "--json", "--set",
                         setting("certificate", "bridge.cert"), NULL),
                     1);
    assert_text_holds(f->start.err, "given together, or neither");
}

static int end(void **state)
{
    nats_server_clear(&server);
    return tear_down(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_with_a_password_is_let_in_and_with_another_is_not),
        TEST(a_token_is_let_in_and_another_is_not),
        TEST(a_user_of_an_operators_account_is_let_in_by_a_creds_file),
        TEST(a_server_and_a_bridge_know_each_other_by_their_certificates),
    };
    if (has_no_server())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

#include <stdio.h>

int main(void)
{
    fprintf(stderr, "skipped: built without the NATS client library, of the package libnats-dev\n");
    return 77;
}

#endif
