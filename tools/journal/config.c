/* SPDX-License-Identifier: Apache-2.0 */
/* busctl journal config: the configuration with which a recording was made. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "tools/journal/arguments.h"
#include "tools/journal/verbs.h"
#include "tools/show/outcome.h"
#include "tools/show/session.h"

static const char help[] =
    "usage: busctl journal config DIR\n"
    "\n"
    "Print the configuration that the session in DIR was started with, as JSON that\n"
    "`busctl start -c FILE` reads. Later changes of limits are events: see info.\n"
    "\n"
    "example: busctl journal config ./session1 > session1.json\n";

/* All of it is read: of several configurations the last counts. False: damage, or no memory. */
static bool gather(tbus_journal_reader_t *reader, session_t *session, tbus_error_t *err)
{
    tbus_journal_record_t record;
    int code = session_begin(session) ? 1 : -ENOMEM;
    tbus_journal_reader_show_session(reader);
    while (code > 0 && (code = tbus_journal_reader_next(reader, &record, err)) > 0)
        if (record.topic == TBUS_JOURNAL_SESSION_TOPIC && !session_take(session, "", &record))
            code = tbus_fail(err, -ENOMEM, "no memory to tell of a journal");
    session_end(session);
    return code == 0;
}

static int print_configuration(const char *verb, const char *directory)
{
    tbus_journal_reader_t *reader;
    tbus_error_t why = {0};
    session_t session = {0};
    if (tbus_journal_reader_open(directory, &reader, &why) < 0)
        return outcome_failed(verb, "%s", why.text);
    bool read = gather(reader, &session, &why);
    tbus_journal_reader_close(reader);
    bool whole = session.configuration.whole;
    if (whole)
        fwrite(session.configuration.text, 1, session.configuration.bytes, stdout);
    session_clear(&session);
    if (!whole)
        return outcome_failed(verb, "the journal in %s says nothing of a configuration%s%s",
                              directory, read ? "" : ": ", read ? "" : why.text);
    return outcome_printed(verb);
}

int journal_verb_config(int argc, char **argv)
{
    const char *directory;
    int code;
    return journal_plain_arguments(argc, argv, help, NULL, &directory, &code)
               ? print_configuration(argv[0], directory)
               : code;
}
