/* SPDX-License-Identifier: Apache-2.0 */
#include "risk/gate.h"
#include "risk/stage.h"
#include "tools/run/supervisor_parts.h"

#include <stdio.h>
#include <string.h>

#include "tools/control/handout.h"
#include "tools/show/outcome.h"

static void fail_reply(control_reply_t *reply, int code, const char *text)
{
    reply->error = code;
    snprintf(reply->error_text, sizeof reply->error_text, "%s", text);
}

static void answer_attach(supervisor_t *s, control_reply_t *reply)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    if (!handout(bus, HANDOUT_ONLOOKER, reply))
        return;
    json_t *topics = json_array();
    for (uint32_t i = 0; i < bus->topics_count; i++)
        json_array_append_new(topics,
                              json_pack("{s:s, s:s}", "name", bus->directory->topics[i].name,
                                        "type", bus->directory->topics[i].type));
    reply->result = json_pack("{s:s, s:o}", "name", bus->directory->name, "topics", topics);
}

static void answer_join(supervisor_t *s, control_reply_t *reply)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    if (s->stop_asked || s->broken) {
        fail_reply(reply, CONTROL_FAILED, "it is about to end, and nobody joins any more");
        return;
    }
    if (!handout(bus, HANDOUT_PARTICIPANT, reply))
        return;
    if (handout_admits(bus))
        guests_expect(&s->guests, reply->peer);
    reply->result = json_pack("{s:s}", "name", bus->directory->name);
}

/* NULL, with the reply filled in: there is none, or none that fits. */
static const char *reason_of(const json_t *params, control_reply_t *reply)
{
    const char *reason = json_string_value(json_object_get(params, "reason"));
    if (reason && control_reason_fits(reason))
        return reason;
    fail_reply(reply, CONTROL_INVALID_PARAMS,
               "params must be {\"reason\": TEXT of 1 to 200 bytes on one line}");
    return NULL;
}

static kill_switch_actor_t asker(const control_reply_t *reply)
{
    return (kill_switch_actor_t){.uid = (uint32_t)reply->peer_uid, .pid = (uint32_t)reply->peer};
}

/* Nothing is held up for what the reason looks like. */
static const char *any_reason(const json_t *params)
{
    const char *reason = json_string_value(json_object_get(params, "reason"));
    return reason && *reason ? reason : KILL_SWITCH_NO_REASON;
}

static void answer_halt(supervisor_t *s, const json_t *params, control_reply_t *reply)
{
    if (!supervisor_stages(s)) {
        fail_reply(reply, CONTROL_FAILED, "this bus has no stages, and so no orders to halt");
        return;
    }
    supervisor_halt(s, asker(reply), any_reason(params));
    reply->result = json_pack("{s:b}", "halted", 1);
}

/* Never loosens a halt. */
static void answer_reduce(supervisor_t *s, const json_t *params, control_reply_t *reply)
{
    if (!supervisor_stages(s)) {
        fail_reply(reply, CONTROL_FAILED, "this bus has no stages, and so no orders");
        return;
    }
    supervisor_reduce(s, asker(reply), any_reason(params));
    reply->result = json_pack("{s:b, s:b}", "reducing", 1, "halted",
                              kill_switch_thrown(s->pipeline.kill_switch));
}

/* Is there anything that `resume` would change? */
static bool is_held(const supervisor_t *s, bool reduced)
{
    const tbus_bus_t *bus = &s->pipeline.bus;
    if (kill_switch_thrown(s->pipeline.kill_switch))
        return true;
    return !reduced && (kill_switch_reduces(s->pipeline.kill_switch) ||
                        tbus_counter_value(bus, RISK_STATE_COUNTER) != GATE_ACTIVE ||
                        tbus_counter_value(bus, RISK_STRATEGIES_COUNTER) != 0);
}

/* Not once it has begun to end: what halted it then was no operator. */
static void answer_resume(supervisor_t *s, const json_t *params, control_reply_t *reply)
{
    const char *reason = reason_of(params, reply);
    bool reduced = json_is_true(json_object_get(params, "reduced"));
    if (!reason)
        return;
    if (s->broken || s->stop_asked || strcmp(s->run.state, "running") != 0) {
        fail_reply(reply, CONTROL_FAILED, "the run is about to end; nothing is resumed");
        return;
    }
    if (!is_held(s, reduced)) {
        fail_reply(reply, CONTROL_FAILED,
                   reduced ? "risk is not halted"
                           : "risk is not halted, and lets not only closing orders pass");
        return;
    }
    tbus_error_t why = {0};
    if (supervisor_resume(s, reduced, asker(reply), reason, &why) < 0) {
        fail_reply(reply, CONTROL_FAILED, why.text);
        return;
    }
    reply->result = json_pack("{s:b, s:b}", "halted", 0, "reducing", reduced);
}

void supervisor_answer(void *context, const char *method, const json_t *params,
                       control_reply_t *reply)
{
    supervisor_t *s = context;
    if (strcmp(method, "status") == 0) {
        reply->result = supervisor_summary(s);
    } else if (strcmp(method, "stop") == 0) {
        if (!s->stop_asked)
            supervisor_say(s, "%s, as `%s stop` asked",
                           supervisor_stages(s) ? "draining" : "ending", outcome_program());
        supervisor_tell(s, EVENT_STOP, 0, asker(reply), "busctl stop");
        s->stop_asked = true;
        reply->result = json_pack("{s:b}", "stopping", 1);
    } else if (strcmp(method, "attach") == 0) {
        answer_attach(s, reply);
    } else if (strcmp(method, "join") == 0) {
        answer_join(s, reply);
    } else if (strcmp(method, "risk.halt") == 0) {
        answer_halt(s, params, reply);
    } else if (strcmp(method, "risk.reduce") == 0) {
        answer_reduce(s, params, reply);
    } else if (strcmp(method, "risk.resume") == 0) {
        answer_resume(s, params, reply);
    } else {
        fail_reply(reply, CONTROL_UNKNOWN_METHOD,
                   "there is no such method; there are status, stop, attach, join, risk.halt, "
                   "risk.reduce, risk.resume");
    }
}
