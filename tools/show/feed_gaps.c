/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/show/feed_gaps.h"

#include "feedsim/gap_board.h"
#include "tools/show/json_text.h"

json_t *feed_gaps_json(const tbus_bus_t *bus)
{
    json_t *list = json_array();
    void *block;
    if (tbus_bus_find_block(bus, "feed." FEED_GAP_BLOCK, sizeof(feed_gap_board_t), &block, NULL))
        return list;
    const feed_gap_board_t *board = block;
    uint32_t count = feed_gap_board_count(board);
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("{s:o, s:o}", "from",
                            json_unsigned(tbus_load_relaxed_u64(&board->gaps[i].from)), "to",
                            json_unsigned(tbus_load_relaxed_u64(&board->gaps[i].to))));
    return list;
}
