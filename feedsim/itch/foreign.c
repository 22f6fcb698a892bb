/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/itch/foreign.h"

#include <stdbool.h>
#include <string.h>

typedef struct magic {
    const char *bytes;
    size_t count;
    const char *name;
} magic_t;

#define MAGIC(text) text, sizeof(text) - 1

#define AS_FEED "; what it holds of MoldUDP64 is fed as pcap:FILE"

static const magic_t magics[] = {
    {MAGIC("\xd4\xc3\xb2\xa1"), "a pcap capture" AS_FEED},
    {MAGIC("\xa1\xb2\xc3\xd4"), "a pcap capture" AS_FEED},
    {MAGIC("\x4d\x3c\xb2\xa1"), "a pcap capture (nanosecond)" AS_FEED},
    {MAGIC("\xa1\xb2\x3c\x4d"), "a pcap capture (nanosecond)" AS_FEED},
    {MAGIC("\x0a\x0d\x0d\x0a"), "a pcapng capture" AS_FEED},
    {MAGIC("\x1f\x8b"), "gzip data inside gzip data; unpack it once"},
    {MAGIC("\x28\xb5\x2f\xfd"), "Zstandard data, perhaps Databento's .dbn.zst"},
    {MAGIC("DBN"), "a Databento DBN file"},
    {MAGIC("PK\x03\x04"), "a zip archive"},
    {MAGIC("\xfd"
           "7zXZ"),
     "xz data"},
    {MAGIC("BZh"), "bzip2 data"},
    {MAGIC("\x04\x22\x4d\x18"), "LZ4 data"},
    {MAGIC("TBJRNL1"), "a segment of a tickbus journal; name its directory as journal:DIR"},
};

static bool is_text(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((bytes[i] < ' ' && bytes[i] != '\t' && bytes[i] != '\n' && bytes[i] != '\r') ||
            bytes[i] == 0x7f)
            return false;
    return count > 0;
}

const char *foreign_format(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
        if (count >= magics[i].count && memcmp(bytes, magics[i].bytes, magics[i].count) == 0)
            return magics[i].name;
    return is_text(bytes, count) ? "text, perhaps CSV" : NULL;
}
