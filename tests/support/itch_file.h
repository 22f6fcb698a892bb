/* SPDX-License-Identifier: Apache-2.0 */
/* itch_file.h - market data by hand (ticks.h) as a BinaryFILE of ITCH 5.0, which `--feed itch:FILE`
 * reads. For tests, whose asserts it uses. */
#ifndef TICKBUS_TESTS_SUPPORT_ITCH_FILE_H
#define TICKBUS_TESTS_SUPPORT_ITCH_FILE_H

#include "feedsim/itch/binaryfile_writer.h"
#include "feedsim/itch/itch.h"
#include "tests/support/ticks.h"

typedef struct itch_file {
    binaryfile_writer_t *writer;
    uint32_t count; /* of messages */
} itch_file_t;

static inline itch_file_t itch_file_open(const char *path)
{
    itch_file_t file = {0};
    assert_int_equal(binaryfile_writer_open(path, &file.writer, NULL), 0);
    return file;
}

/* The next message; stamped with the market's time `event_ns`. */
static inline void itch_file_put(itch_file_t *file, uint64_t event_ns, tick_t tick)
{
    uint8_t message[ITCH_MESSAGE_MAX];
    size_t bytes = sizeof tick;
    if (tick.type == TICK_GAP || tick.type == TICK_RESTORE)
        bytes = TICK_BODY_OFFSET + (tick.type == TICK_GAP ? TICK_GAP_BODY : TICK_RESTORE_BODY);
    tick.event = tick_pack(event_ns, 0);
    assert_int_equal(itch_encode(&tick, bytes, message, &bytes), 0);
    assert_int_equal(binaryfile_writer_append(file->writer, message, bytes, NULL), 0);
    file->count++;
}

static inline void itch_file_close(itch_file_t *file)
{
    assert_int_equal(binaryfile_writer_close(file->writer, NULL), 0);
}

#endif
