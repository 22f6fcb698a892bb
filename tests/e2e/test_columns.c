/* SPDX-License-Identifier: Apache-2.0 */
/* What people read fits a terminal of 80 columns: help and tables of every verb. */
#include "tests/e2e/running_bus.h"

#define COLUMNS 80u

/* A path may be as long as it likes; it stays whole, on a line of its own. */
static bool is_one_word(const char *line, size_t length)
{
    size_t begin = strspn(line, " ");
    return begin < length && strcspn(line + begin, " \n") == length - begin;
}

static void check_lines(const char *what, const char *text)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        if (length > COLUMNS && !is_one_word(line, length))
            fail_msg("%s: %zu columns: %.*s", what, length, (int)length, line);
        line += length + (line[length] == '\n');
    }
}

static const char *program = TICKBUS_BUSCTL;

/* What `busctl ARGUMENTS` prints on stdout; it ends with exit code 0. The caller frees. */
static char *printed(const char *const *arguments)
{
    const char *argv[ARGS_MAX] = {program};
    char what[300] = "busctl";
    for (unsigned i = 0; arguments[i]; i++) {
        argv[i + 1] = arguments[i];
        snprintf(what + strlen(what), sizeof what - strlen(what), " %s", arguments[i]);
    }
    program_t p = {.argv = argv};
    if (program_run(&p) != 0)
        fail_msg("%s: exit code %d: %s", what, p.exit_code, p.err);
    char *text = strdup(p.out);
    check_lines(what, text);
    check_lines(what, p.err);
    program_clear(&p);
    return text;
}

static void check(const char *const *arguments)
{
    free(printed(arguments));
}

/* Verbs are those that the help lists, so that a new one is held to it as well. */
static void check_help(void)
{
    char *list = printed((const char *const[]){"--help", NULL});
    unsigned verbs = 0;
    for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n")) {
        char verb[32];
        if (line[0] != ' ' || line[1] != ' ' || line[2] < 'a' || line[2] > 'z' ||
            sscanf(line, "%31s", verb) != 1 || strcmp(verb, "busctl") == 0 ||
            strcmp(verb, "tickbus") == 0)
            continue;
        char *help = printed((const char *const[]){verb, "--help", NULL});
        assert_text_holds(help, "usage: ");
        assert_text_holds(help, "example: ");
        free(help);
        verbs++;
    }
    assert_true(verbs >= 11);
    static const char *const of_journals[] = {"ls",    "info",  "config", "verify", "repair",
                                              "index", "prune", "dump",   "export"};
    for (size_t i = 0; i < sizeof of_journals / sizeof of_journals[0]; i++)
        check((const char *const[]){"journal", of_journals[i], "--help", NULL});
    check((const char *const[]){"config", "show", "--help", NULL});
    check((const char *const[]){"config", "check", "--help", NULL});
    free(list);
}

/* It is installed under a name that is a letter longer, and calls itself by it. */
static void the_help_of_every_verb_fits_under_either_name(void **state)
{
    fixture_t *f = *state;
    char installed[SCRATCH_PATH_MAX + 16];
    check_help();
    snprintf(installed, sizeof installed, "%s/tickbus", f->runtime);
    assert_int_equal(symlink(TICKBUS_BUSCTL, installed), 0);
    program = installed;
    check_help();
    program = TICKBUS_BUSCTL;
    assert_int_equal(unlink(installed), 0);
}

static void summary_status_and_journal_fit(void **state)
{
    fixture_t *f = *state;
    char journal[SCRATCH_PATH_MAX + 16];
    snprintf(journal, sizeof journal, "%s/journal", f->runtime);
    json_t *summary = begin(f, 2000, ENDLESS_FEED, "--journal", journal, NULL);
    json_decref(summary);
    check((const char *const[]){"status", "--name", f->bus, NULL});
    check((const char *const[]){"halt", "--reason", "columns", "--name", f->bus, NULL});
    check((const char *const[]){"resume", "--reason", "columns", "--name", f->bus, NULL});
    check((const char *const[]){"stop", "--name", f->bus, NULL});
    assert_ended_with(f, 0);
    check_lines("the summary", f->start.out);
    check((const char *const[]){"journal", "info", journal, NULL});
    check((const char *const[]){"journal", "verify", journal, NULL});
    check((const char *const[]){"journal", "ls", f->runtime, NULL});
}

static void the_table_of_mechanisms_fits(void **state)
{
    (void)state;
    check((const char *const[]){"ipc", "--only", "list", NULL});
    /* the longest name, the longest limits, and one without data */
    char *table = printed((const char *const[]){"ipc", "--only",
                                                "tickbus_broadcast_mp,tcp_nodelay,sysv_sem,eventfd",
                                                "--for", "200ms", NULL});
    static const char *const parts[] = {"-- round trip -",         "-- one way, messages/s -",
                                        "-- a message costs -",    "\ntickbus_broadcast_mp ",
                                        "WHEN THE PEER IS KILLED", "LIMITS OF THIS HOST",
                                        "THE CLASSIC COMPARISON",  "WHAT TO TAKE"};
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_text_holds(table, parts[i]);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_help_of_every_verb_fits_under_either_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(summary_status_and_journal_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_table_of_mechanisms_fits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
