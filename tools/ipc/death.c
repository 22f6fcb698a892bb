/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ipc/death.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEATH_MESSAGE_BYTES 64u

static const char *code_name(int code)
{
    if (code == IPC_END_OF_FILE)
        return "end of file";
    const char *name = strerrorname_np(-code);
    return name ? name : "an error";
}

void ipc_death_describe(enum ipc_trial_kind kind, const ipc_trial_result_t *r, char *out_text,
                        size_t text_bytes)
{
    char sent[48] = "";
    if (kind == IPC_DEATH_SEND && r->death_accepted)
        snprintf(sent, sizeof sent, "takes %llu message%s, then ",
                 (unsigned long long)r->death_accepted, r->death_accepted == 1 ? "" : "s");
    if (!r->death_returned)
        snprintf(out_text, text_bytes, "%s%s for ever (watched for %d ms)", sent,
                 r->death_spun ? "spins" : "waits", (int)(IPC_DEATH_WATCH_NS / 1000000));
    else if (r->death_code == 0 && kind == IPC_DEATH_SEND)
        snprintf(out_text, text_bytes, "takes all %llu messages and says nothing",
                 (unsigned long long)r->death_accepted);
    else if (r->death_code == 0)
        snprintf(out_text, text_bytes, "a message that nobody sent");
    else if (kind == IPC_DEATH_SEND)
        snprintf(out_text, text_bytes, "%s%s", sent, code_name(r->death_code));
    else
        snprintf(out_text, text_bytes, "%s after %.0f us", code_name(r->death_code),
                 (double)r->death_ns / 1000);
}

int ipc_death_measure(ipc_row_t *row, ipc_leftovers_t *leftovers, ipc_trial_area_t *area,
                      tbus_error_t *err)
{
    static const enum ipc_trial_kind kinds[2] = {IPC_DEATH_RECEIVE, IPC_DEATH_SEND};
    char *const texts[2] = {row->death_receive, row->death_send};
    for (int i = 0; i < 2; i++) {
        ipc_trial_spec_t spec = {.mechanism = row->mechanism,
                                 .kind = kinds[i],
                                 .message_bytes = DEATH_MESSAGE_BYTES,
                                 .cpus = {row->cpus[0], row->cpus[1]}};
        ipc_trial_result_t result;
        tbus_error_t why = {0};
        int code = ipc_trial_run(&spec, leftovers, area, &result, &why);
        if (code == -EINTR)
            return tbus_fail(err, code, "%s", why.text);
        if (code < 0)
            snprintf(texts[i], sizeof row->death_receive, "not found out: %.100s", why.text);
        else
            ipc_death_describe(kinds[i], &result, texts[i], sizeof row->death_receive);
    }
    row->death_known = true;
    return 0;
}
