/* SPDX-License-Identifier: Apache-2.0 */
/* A recorder that has no room and goes on (journal.when_full): no order passes meanwhile. */
#include "tools/run/supervisor_parts.h"

#include <inttypes.h>

#include "tools/show/outcome.h"

#define LOOK_NS UINT64_C(50000000)

void supervisor_watch_journal(supervisor_t *s)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    uint64_t now_ns = tbus_clock_ns();
    if (!s->run.journal || !*s->run.journal || now_ns - s->journal_looked_ns < LOOK_NS)
        return;
    s->journal_looked_ns = now_ns;
    uint64_t missed = tbus_counter_value(bus, "journal.missed");
    /* There may have been none for less time than between two looks. */
    bool no_room = tbus_counter_value(bus, "journal.no_room") != 0 || missed != s->journal_missed;
    s->journal_missed = missed;
    /* Also when somebody has resumed while there is still no room. */
    if (no_room && !kill_switch_thrown(s->pipeline.kill_switch)) {
        kill_switch_throw_once(s->pipeline.kill_switch, KILL_BY_SUPERVISOR,
                               "the journal has no room: what is ordered would not be recorded");
        supervisor_nudge(s);
    }
    if (no_room && !s->journal_full)
        supervisor_complain(s,
                            "there is no room for the journal in %s: nothing is recorded until "
                            "there is, and no order passes; make room on that file system",
                            s->run.journal);
    else if (!no_room && s->journal_full)
        supervisor_note(s,
                        "there is room for the journal again; %" PRIu64
                        " messages were not recorded; `%s resume` when orders are to pass",
                        missed, outcome_program());
    s->journal_full = no_room;
}
