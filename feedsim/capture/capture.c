/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/capture/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pcap/pcap.h>
#include <zlib.h>

#define NS_PER_S    UINT64_C(1000000000)
#define BUFFER_SIZE (256u << 10)

struct capture {
    pcap_t *pcap; /* owns `file` */
    gzFile zip;   /* reads plain files as they are */
    char *path;
    enum frame_link link;
    uint64_t total_bytes;
    bool ended;
    capture_counts_t counts;
};

/* ---- the file, as stdio wants it for libpcap: decompressed on the way ---- */

static ssize_t read_zip(void *cookie, char *into, size_t bytes)
{
    int got = gzread(cookie, into, (unsigned)bytes);
    if (got < 0)
        errno = EIO;
    return got;
}

static int close_zip(void *cookie)
{
    return gzclose(cookie) == Z_OK ? 0 : -1;
}

/* A regular file: it is read twice. */
static int open_file(capture_t *c, tbus_error_t *err)
{
    struct stat is;
    int fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &is) < 0) {
        int code = -errno;
        if (fd >= 0)
            close(fd);
        return tbus_fail(err, code, "cannot open the capture %s: %s", c->path, tbus_strerror(code));
    }
    if (!S_ISREG(is.st_mode)) {
        close(fd);
        return tbus_fail(err, -TBUS_ECONFIG,
                         "%s is no regular file; a capture is looked at before it is fed, so it "
                         "cannot be a pipe",
                         c->path);
    }
    c->total_bytes = (uint64_t)is.st_size;
    c->zip = gzdopen(fd, "rb");
    if (!c->zip) {
        close(fd);
        return tbus_fail(err, -ENOMEM, "no memory to read the capture %s", c->path);
    }
    gzbuffer(c->zip, BUFFER_SIZE);
    return 0;
}

static int take_link(capture_t *c, tbus_error_t *err)
{
    static const struct {
        int dlt;
        enum frame_link link;
    } links[] = {{DLT_EN10MB, FRAME_LINK_ETHERNET},  {DLT_RAW, FRAME_LINK_RAW},
                 {DLT_IPV4, FRAME_LINK_RAW},         {DLT_IPV6, FRAME_LINK_RAW},
                 {DLT_LINUX_SLL, FRAME_LINK_COOKED}, {DLT_LINUX_SLL2, FRAME_LINK_COOKED_V2},
                 {DLT_NULL, FRAME_LINK_LOOPBACK},    {DLT_LOOP, FRAME_LINK_LOOPBACK}};
    int dlt = pcap_datalink(c->pcap);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (links[i].dlt == dlt) {
            c->link = links[i].link;
            return 0;
        }
    const char *name = pcap_datalink_val_to_name(dlt);
    return tbus_fail(err, -TBUS_EFORMAT,
                     "the capture %s is of the link type %s (%d), which is not read; there are "
                     "Ethernet, raw IP, Linux cooked and loopback",
                     c->path, name ? name : "unknown", dlt);
}

static int open_pcap(capture_t *c, tbus_error_t *err)
{
    static const cookie_io_functions_t calls = {.read = read_zip, .close = close_zip};
    char why[PCAP_ERRBUF_SIZE] = "";
    FILE *file = fopencookie(c->zip, "rb", calls);
    if (!file) {
        gzclose(c->zip);
        return tbus_fail(err, -ENOMEM, "no memory to read the capture %s", c->path);
    }
    setvbuf(file, NULL, _IOFBF, BUFFER_SIZE);
    c->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
    if (!c->pcap) {
        fclose(file);
        return tbus_fail(err, -TBUS_EFORMAT, "%s is no pcap or pcapng capture: %s", c->path, why);
    }
    return take_link(c, err);
}

int capture_open(const char *path, capture_t **out_capture, tbus_error_t *err)
{
    capture_t *c = calloc(1, sizeof *c);
    if (!c || !(c->path = strdup(path))) {
        free(c);
        return tbus_fail(err, -ENOMEM, "no memory to read the capture %s", path);
    }
    int code = open_file(c, err);
    if (code == 0)
        code = open_pcap(c, err);
    if (code < 0) {
        capture_close(c);
        return code;
    }
    *out_capture = c;
    return 0;
}

void capture_close(capture_t *c)
{
    if (!c)
        return;
    if (c->pcap)
        pcap_close(c->pcap);
    free(c->path);
    free(c);
}

int capture_next(capture_t *c, frame_datagram_t *out_datagram, uint64_t *out_time_ns,
                 tbus_error_t *err)
{
    struct pcap_pkthdr *header;
    const uint8_t *frame;
    int code;
    if (c->ended)
        return CAPTURE_END;
    while ((code = pcap_next_ex(c->pcap, &header, &frame)) == 1) {
        capture_counts_t *counts = &c->counts;
        enum frame_kind kind =
            frame_parse(c->link, frame, header->caplen, header->len, out_datagram);
        counts->frames++;
        if (counts->kinds[kind]++ == 0)
            counts->first[kind] = counts->frames;
        if (kind != FRAME_DATAGRAM)
            continue;
        /* at this precision what is called tv_usec holds nanoseconds */
        *out_time_ns = (uint64_t)header->ts.tv_sec * NS_PER_S + (uint64_t)header->ts.tv_usec;
        return CAPTURE_DATAGRAM;
    }
    c->ended = true;
    if (code == PCAP_ERROR_BREAK) /* its word for the end of a file */
        return CAPTURE_END;
    return tbus_fail(err, -TBUS_ETRUNCATED,
                     "the capture %s cannot be read behind frame %" PRIu64 ": %s; what came before "
                     "it was delivered",
                     c->path, c->counts.frames, pcap_geterr(c->pcap));
}

const char *capture_path(const capture_t *c)
{
    return c->path;
}

const capture_counts_t *capture_counts(const capture_t *c)
{
    return &c->counts;
}

void capture_progress(const capture_t *c, uint64_t *out_done, uint64_t *out_total)
{
    z_off_t at = gzoffset(c->zip);
    *out_done = at > 0 ? (uint64_t)at : 0;
    *out_total = c->total_bytes;
}
