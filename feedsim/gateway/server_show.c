/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "feedsim/gateway/server_parts.h"

void server_note(gateway_server_t *s, const char *format, ...)
{
    va_list arguments;
    if (!s->board)
        return;
    va_start(arguments, format);
    gateway_board_put_note(&s->board->note_version, s->board->note, format, arguments);
    va_end(arguments);
}

void server_show_start(gateway_server_t *s)
{
    static const char *const names[] = {
#define X(name, text) "gateway." #name,
        GATEWAY_TOTALS(X)
#undef X
    };
    gateway_board_t *b = s->board;
    s->totals[GATEWAY_TOTAL_starts] = 1;
    gateway_board_take_totals(s->bus, names, b ? b->totals : NULL, s->counters, s->base,
                              GATEWAY_TOTALS_COUNT);
    if (s->bus)
        s->sessions_counter = tbus_counter(s->bus, 0, "gateway.sessions", "sessions");
    if (!b)
        return;
    /* The sessions of those before us are gone. */
    uint64_t none[GATEWAY_ROW_WORDS] = {0};
    for (uint32_t i = 0; i < tbus_load_relaxed_u32(&b->rows_count); i++)
        gateway_board_put(&b->rows[i].version, b->rows[i].words, none, GATEWAY_ROW_WORDS);
    for (uint32_t i = 0; i < s->options.channels_count; i++) {
        gateway_board_put_text(b->channels[i].topic, GATEWAY_TEXT_WORDS,
                               s->options.channels[i].topic);
        tbus_store_relaxed_u64(&b->channels[i].port, s->ports[i]);
    }
    gateway_board_put_text(b->session_name, 2, s->session_name);
    tbus_store_relaxed_u32(&b->uring, strcmp(gateway_net_name(s->net), "io_uring") == 0);
    tbus_store_relaxed_u32(&b->channels_count, s->options.channels_count);
    tbus_store_relaxed_u32(&b->pid, (uint32_t)getpid());
}

static uint32_t state_of(const client_t *c)
{
    if (!c->connected)
        return GATEWAY_SESSION_FREE;
    switch (soup_server_state(&c->session.soup)) {
    case SOUP_SERVER_WAITING:
    case SOUP_SERVER_DECIDING:
        return GATEWAY_SESSION_LOGIN;
    case SOUP_SERVER_OPEN:
        return c->was_behind ? GATEWAY_SESSION_BEHIND : GATEWAY_SESSION_LIVE;
    case SOUP_SERVER_ENDING:
        break;
    }
    return GATEWAY_SESSION_ENDING;
}

static void show_row(gateway_server_t *s, uint32_t slot)
{
    const client_t *c = client_of(s, slot);
    gateway_board_row_t *to = &s->board->rows[slot];
    uint64_t words[GATEWAY_ROW_WORDS];
    gateway_row_t row = {.state = state_of(c)};
    if (c->connected) {
        uint64_t next = next_seq_of(s, c);
        uint64_t lag_ns = s->glimpse
                              ? UINT64_MAX
                              : gateway_channel_lag_ns(channel_of(s, c), c->session.seq, s->now_ns);
        bool behind = c->session.seq && c->session.seq < next;
        row.channel = c->channel;
        row.port = c->port;
        row.login = c->login;
        row.sequence = c->session.seq;
        row.lag_messages = behind ? next - c->session.seq : 0;
        row.lag_ns = !behind ? 0 : lag_ns == UINT64_MAX ? s->now_ns - c->connected_ns : lag_ns;
        row.bytes = c->bytes;
        row.connected_ns = c->connected_ns;
        row.behind_count = c->behind_count;
        row.idle_ns = c->blocked ? s->now_ns - c->blocked_ns : 0;
        snprintf(row.user, sizeof row.user, "%s", c->name);
        memcpy(row.address, c->address, sizeof row.address);
    }
    memcpy(words, &row, sizeof words);
    gateway_board_put(&to->version, to->words, words, GATEWAY_ROW_WORDS);
}

void server_show(gateway_server_t *s)
{
    gateway_board_t *b = s->board;
    gateway_backfill_counts_t past;
    gateway_backfill_counts(s->backfill, &past);
    s->totals[GATEWAY_TOTAL_backfill_blocks] = past.blocks;
    s->totals[GATEWAY_TOTAL_backfill_messages] = past.messages;
    s->totals[GATEWAY_TOTAL_backfill_seeks] = past.seeks;
    s->totals[GATEWAY_TOTAL_backfill_errors] = past.errors;
    s->totals[GATEWAY_TOTAL_messages] = 0;
    for (uint32_t i = 0; i < s->channels_count; i++)
        s->totals[GATEWAY_TOTAL_messages] += s->channels[i].messages;
    gateway_board_put_totals(s->counters, b ? b->totals : NULL, s->base, s->totals,
                             GATEWAY_TOTALS_COUNT);
    if (s->sessions_counter)
        tbus_store_relaxed_u64(s->sessions_counter, s->sessions);
    if (!b)
        return;
    for (uint32_t i = 0; i < s->channels_count; i++) {
        tbus_store_relaxed_u64(&b->channels[i].next_seq, gateway_channel_next_seq(&s->channels[i]));
        tbus_store_relaxed_u64(&b->channels[i].oldest_seq,
                               gateway_window_oldest_seq(&s->channels[i].window));
    }
    uint32_t rows = tbus_load_relaxed_u32(&b->rows_count);
    rows = s->slots_used > rows ? s->slots_used : rows;
    for (uint32_t i = 0; i < rows; i++)
        show_row(s, i);
    tbus_store_relaxed_u32(&b->rows_count, rows);
    tbus_store_relaxed_u32(&b->sessions, s->sessions);
    tbus_store_relaxed_u64(&b->updated_ns, s->now_ns);
}
