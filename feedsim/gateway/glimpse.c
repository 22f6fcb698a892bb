/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/glimpse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tickbus/history.h>
#include <tickbus/msg/tick.h>

#include "bus/market/snapshot.h"
#include "bus/market/standing.h"
#include "feedsim/gateway/stream.h"
#include "feedsim/itch/itch.h"

/* Who logs in so soon after another gets the same shot. */
#define FRESH_NS UINT64_C(5000000)

struct glimpse {
    gateway_source_t source;
    tbus_history_t *history; /* owned, as all below */
    market_t *market;
    standing_t *standing;
    snapshot_t *snapshot;
    unsigned char *tick;
    size_t tick_room;
    uint64_t next_seq; /* on the wire: of the next tick */
    bool behind;
    char why[160]; /* "": the books are right */
    glimpse_shot_t shots[GLIMPSE_SHOTS];
};

/* --- following the topic --- */

static int open_books(glimpse_t *g, const market_limits_t *limits, tbus_error_t *err)
{
    int code = market_create(limits, &g->market, err);
    if (code == 0)
        code = standing_create(&g->standing, err);
    if (code == 0)
        code = snapshot_create(limits->orders_max, &g->snapshot, err);
    return code;
}

static int open_topic(glimpse_t *g, tbus_error_t *err)
{
    const gateway_source_t *source = &g->source;
    if (strcmp(source->wire->type, "tick") != 0)
        return tbus_fail(err, -TBUS_EKIND,
                         "books are made of ticks, and topic '%s' has messages of type '%s'",
                         source->topic, source->wire->type);
    g->tick_room = (source->message_bytes_max + 63) / 64 * 64;
    g->tick = aligned_alloc(64, g->tick_room);
    if (!g->tick)
        return tbus_fail(err, -ENOMEM, "no memory for a tick");
    tbus_history_from_t from = {TBUS_HISTORY_SEQ, source->first_seq};
    return tbus_history_open(source->bus, source->journal, source->topic, &from, &g->history, err);
}

int glimpse_follow(glimpse_t *g, tbus_bus_t *bus, const char *journal, const char *topic,
                   tbus_error_t *err)
{
    int code = gateway_source_find(bus, journal, topic, &g->source, err);
    return code < 0 ? code : open_topic(g, err);
}

int glimpse_create(const market_limits_t *limits, glimpse_t **out_glimpse, tbus_error_t *err)
{
    glimpse_t *g = calloc(1, sizeof *g);
    if (!g)
        return tbus_fail(err, -ENOMEM, "no memory for books");
    g->next_seq = 1;
    g->behind = true;
    int code = open_books(g, limits, err);
    if (code < 0) {
        glimpse_destroy(g);
        return code;
    }
    *out_glimpse = g;
    return 0;
}

static void free_shot(glimpse_shot_t *shot)
{
    for (uint32_t i = 0; i < shot->blocks_made; i++)
        free(shot->blocks[i]);
    free(shot->blocks);
}

void glimpse_destroy(glimpse_t *g)
{
    if (!g)
        return;
    for (uint32_t i = 0; i < GLIMPSE_SHOTS; i++)
        free_shot(&g->shots[i]);
    tbus_history_close(g->history);
    snapshot_destroy(g->snapshot);
    standing_destroy(g->standing);
    market_destroy(g->market);
    free(g->tick);
    free(g);
}

static void apply(glimpse_t *g, uint64_t seq, size_t bytes)
{
    const market_event_t *event;
    const tick_t *tick = (const tick_t *)(const void *)g->tick;
    g->next_seq = seq - g->source.first_seq + 2;
    if (g->why[0])
        return;
    if (market_apply(g->market, seq, tick, bytes, &event) < 0)
        snprintf(g->why, sizeof g->why, "%.*s", (int)sizeof g->why - 1,
                 market_limit_text(g->market));
    else
        standing_keep(g->standing, event, tick, bytes);
}

int glimpse_turn(glimpse_t *g, uint32_t messages, tbus_error_t *err)
{
    for (uint32_t taken = 0; taken < messages; taken++) {
        size_t bytes;
        uint64_t seq, lost = 0;
        int got = tbus_history_next(g->history, g->tick, g->tick_room, &bytes, &seq, &lost, err);
        if (lost && !g->why[0])
            snprintf(g->why, sizeof g->why,
                     "%" PRIu64 " messages before message %" PRIu64 " are lost for the books%s",
                     lost, g->next_seq + lost,
                     g->source.journal ? "" : ", and nothing is recorded");
        if (got < 0)
            return got;
        g->behind = got == TBUS_HISTORY_MESSAGE || got == TBUS_HISTORY_BUSY;
        if (got == TBUS_HISTORY_MESSAGE)
            apply(g, seq, bytes);
        else if (got != TBUS_HISTORY_BUSY)
            return (int)taken;
    }
    return (int)messages;
}

/* --- shots --- */

/* One more block. NULL: no memory. */
static gateway_block_t *add_block(glimpse_shot_t *shot, uint64_t now_ns)
{
    if (shot->blocks_count == shot->blocks_made) {
        gateway_block_t **more =
            realloc(shot->blocks, (shot->blocks_made + 1) * sizeof *shot->blocks);
        if (!more)
            return NULL;
        shot->blocks = more;
        shot->blocks[shot->blocks_made] = malloc(sizeof(gateway_block_t));
        if (!shot->blocks[shot->blocks_made])
            return NULL;
        shot->blocks_made++;
    }
    gateway_block_t *block = shot->blocks[shot->blocks_count++];
    gateway_block_begin(block, shot->count + 1, now_ns);
    return block;
}

static bool append(glimpse_shot_t *shot, const uint8_t *message, size_t bytes)
{
    gateway_block_t *block = shot->blocks_count ? shot->blocks[shot->blocks_count - 1] : NULL;
    if (!block || !gateway_block_append(block, message, bytes)) {
        block = add_block(shot, shot->taken_ns);
        if (!block || !gateway_block_append(block, message, bytes))
            return false;
    }
    shot->count++;
    return true;
}

static bool append_ticks(glimpse_shot_t *shot, const snapshot_t *snapshot)
{
    uint8_t message[TICK_BODY_MAX + TICK_ITCH_HEADER];
    uint32_t count = snapshot_count(snapshot);
    for (uint32_t i = 0; i < count; i++) {
        tick_t tick;
        size_t bytes;
        snapshot_tick(snapshot, i, &tick);
        if (snapshot_is_for_books(&tick))
            continue;
        if (itch_encode(&tick, sizeof tick, message, &bytes) < 0 || !append(shot, message, bytes))
            return false;
    }
    return true;
}

static bool append_end(glimpse_shot_t *shot)
{
    char message[GLIMPSE_END_BYTES + 1];
    snprintf(message, sizeof message, "G%20" PRIu64, shot->seq);
    return append(shot, (const uint8_t *)message, GLIMPSE_END_BYTES);
}

/* False: no memory. */
static bool fill(glimpse_t *g, glimpse_shot_t *shot, uint64_t now_ns)
{
    shot->seq = g->next_seq;
    shot->count = 0;
    shot->blocks_count = 0;
    shot->taken_ns = now_ns;
    return snapshot_take(g->snapshot, g->market, g->standing) == 0 &&
           append_ticks(shot, g->snapshot) && append_end(shot);
}

static glimpse_shot_t *newest(glimpse_t *g)
{
    glimpse_shot_t *found = NULL;
    for (uint32_t i = 0; i < GLIMPSE_SHOTS; i++)
        if (g->shots[i].count && (!found || g->shots[i].seq > found->seq))
            found = &g->shots[i];
    return found;
}

static glimpse_shot_t *unused(glimpse_t *g)
{
    for (uint32_t i = 0; i < GLIMPSE_SHOTS; i++)
        if (g->shots[i].users == 0)
            return &g->shots[i];
    return NULL;
}

glimpse_shot_t *glimpse_take(glimpse_t *g, uint64_t now_ns)
{
    if (g->why[0])
        return NULL;
    glimpse_shot_t *last = newest(g);
    glimpse_shot_t *shot = last;
    if (!last || (last->seq != g->next_seq && now_ns - last->taken_ns >= FRESH_NS)) {
        shot = unused(g);
        if (shot && !fill(g, shot, now_ns)) {
            shot->count = 0;
            shot = NULL;
        }
        if (!shot)
            shot = newest(g);
    }
    if (shot)
        shot->users++;
    return shot;
}

void glimpse_release(glimpse_shot_t *shot)
{
    shot->users--;
}

const gateway_block_t *glimpse_block(const glimpse_shot_t *shot, uint64_t seq)
{
    uint32_t low = 0, high = shot->blocks_count;
    if (seq < 1 || seq > shot->count)
        return NULL;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (shot->blocks[middle]->first_seq <= seq)
            low = middle;
        else
            high = middle;
    }
    return shot->blocks[low];
}

const char *glimpse_why(const glimpse_t *g)
{
    return g->why;
}

bool glimpse_is_behind(const glimpse_t *g)
{
    return g->behind;
}
