/* SPDX-License-Identifier: Apache-2.0 */
/* synth_admin.h - the messages of a session that touch no order, made as ticks: system events,
 * directory, states, crosses, imbalances.
 *
 * Layouts: ITCH 5.0, sections 1.1 (S), 1.2 (V R H J Y L), 1.5 (Q B), 1.6 (I), 1.7 (N). Used by
 * feedsim/synth/synth_plain.c and the files of
 * feedsim/synth/synth_market.h.
 */
#ifndef TICKBUS_FEEDSIM_SYNTH_SYNTH_ADMIN_H
#define TICKBUS_FEEDSIM_SYNTH_SYNTH_ADMIN_H

#include <stdint.h>

#include <tickbus/msg/tick.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What every message says: when, and about which stock. */
typedef struct synth_stamp {
    uint64_t event_ns;
    uint16_t locate; /* 0: no stock */
    uint16_t tracking;
    char symbol[8];
} synth_stamp_t;

/* An empty tick of this type; unused bytes zero. */
void synth_tick(const synth_stamp_t *stamp, uint8_t type, tick_t *out);

/* S V R H J Y L N I Q B, in this order. `paired`, `imbalance`: shares; `cross`: 'O' opening, 'C'
 * closing, 'H' after a halt. */
void synth_system_event(const synth_stamp_t *stamp, char code, tick_t *out);
void synth_decline_levels(const synth_stamp_t *stamp, tick_t *out);
/* authenticity: 'P' live, 'T' test issue */
void synth_directory(const synth_stamp_t *stamp, char authenticity, tick_t *out);
/* reason: four characters, appendix B of the specification */
void synth_trading_action(const synth_stamp_t *stamp, char trading_state, const char *reason,
                          tick_t *out);
/* The collar of an auction after a pause: prices 5 % around the reference. */
void synth_collar(const synth_stamp_t *stamp, uint32_t reference_px_e4, tick_t *out);
void synth_reg_sho(const synth_stamp_t *stamp, char action, tick_t *out);
void synth_participant(const synth_stamp_t *stamp, tick_t *out);
void synth_retail_interest(const synth_stamp_t *stamp, char flag, tick_t *out);
void synth_imbalance(const synth_stamp_t *stamp, uint32_t px_e4, uint64_t paired,
                     uint64_t imbalance, char cross, tick_t *out);
void synth_cross(const synth_stamp_t *stamp, uint32_t px_e4, uint64_t shares, uint64_t match,
                 char cross, tick_t *out);
void synth_broken(const synth_stamp_t *stamp, uint64_t match, tick_t *out);

#ifdef __cplusplus
}
#endif
#endif
