/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/damage_failed.h"

#include "bus/journal/reader.h"
#include "tools/show/outcome.h"

int damage_failed(const char *verb, int code, const tbus_error_t *why, bool skips)
{
    int outcome = outcome_failed(verb, "%s", why->text);
    if (!skips && tbus_journal_code_is_damage(code))
        outcome_note(verb, "--skip-damage goes on behind what is damaged, and names it");
    return outcome;
}
