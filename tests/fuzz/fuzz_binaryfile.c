/* SPDX-License-Identifier: Apache-2.0 */
/* Input: one byte (bit 0: only the framing is checked), then a feed file. Whatever decodes must
 * encode to the very same bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "feedsim/itch/binaryfile.h"
#include "feedsim/itch/itch.h"
#include "tests/fuzz/fuzz.h"

#define FILE_MAX 4096u

static void there_and_back(const uint8_t *message, size_t bytes)
{
    static _Alignas(8) uint8_t tick[TICK_LEN_MAX];
    static uint8_t again[ITCH_MESSAGE_MAX];
    size_t tick_bytes, again_bytes;
    if (itch_decode(message, bytes, (tick_t *)(void *)tick, &tick_bytes) < 0)
        return;
    if (!itch_tick_valid((tick_t *)(void *)tick, tick_bytes) ||
        itch_encode((tick_t *)(void *)tick, tick_bytes, again, &again_bytes) < 0 ||
        again_bytes != bytes || memcmp(message, again, bytes)) {
        fprintf(stderr, "a message of type '%c' and %zu bytes is not what it was\n", message[0],
                bytes);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
    static int fd = -1;
    char path[40];
    if (!bytes)
        return 0;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 0) < 0 ||
        pwrite(fd, input + 1, bytes - 1, 0) != (ssize_t)(bytes - 1))
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    binaryfile_t *file;
    tbus_error_t err;
    if (binaryfile_open(path, input[0] & 1 ? BINARYFILE_ANY : BINARYFILE_ITCH, &file, &err) < 0)
        return 0;
    const uint8_t *message;
    size_t count;
    int code;
    while ((code = binaryfile_next(file, &message, &count, &err)) == BINARYFILE_MESSAGE)
        there_and_back(message, count);
    const uint8_t *more;
    if (binaryfile_next(file, &more, &count, &err) != code) /* the end is final */
        abort();
    binaryfile_close(file);
    return 0;
}

static size_t add_message(uint8_t *to, char type, size_t bytes, unsigned fill)
{
    to[0] = (uint8_t)(bytes >> 8);
    to[1] = (uint8_t)bytes;
    memset(to + 2, (int)fill, bytes);
    to[2] = (uint8_t)type;
    return 2 + bytes;
}

void fuzz_seeds(fuzz_take_t take)
{
    static const struct {
        char type;
        size_t bytes;
    } types[] = {
#define X(type, letter, bytes, what, name) {letter, bytes},
        ITCH_TYPES(X)
#undef X
    };
    uint8_t file[1 + FILE_MAX] = {0};
    size_t used = 1;
    for (size_t i = 0; i < ITCH_TYPES_COUNT; i++)
        used += add_message(file + used, types[i].type, types[i].bytes, '0' + (unsigned)i);
    take(file, used);
    take(file, used + 2); /* with an end mark */
    take(file, used - 5); /* cut */
    file[0] = 1;
    used += add_message(file + used, '?', 300, 7);
    used += add_message(file + used, '!', 3, 7);
    take(file, used);
    uint8_t packed[FILE_MAX];
    z_stream z = {.next_in = file + 1,
                  .avail_in = (uInt)used - 1,
                  .next_out = packed + 1,
                  .avail_out = FILE_MAX - 1};
    if (deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    deflateEnd(&z);
    packed[0] = 1;
    take(packed, 1 + z.total_out);
    take(packed, z.total_out - 10);
}
