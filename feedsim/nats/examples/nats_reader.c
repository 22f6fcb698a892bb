/* SPDX-License-Identifier: Apache-2.0 */
/* nats_reader URL STREAM TOPIC - reads a topic of a bus from its stream on NATS JetStream, from the
 * first message to the end of the session, with the NATS client library and nothing of tickbus. A
 * line a message: its sequence on the bus, its type, how many bytes it has, and the first of them
 * (of ITCH, the type of the message). What headers and subjects mean: feedsim/nats/layout.h. */
#include <inttypes.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SILENCE_MS 30000

static const char *header(natsMsg *message, const char *name)
{
    const char *value = NULL;
    return natsMsgHeader_Get(message, name, &value) == NATS_OK ? value : "";
}

/* 1: the topic has ended; 0: it goes on; -1: this is not what layout.h says. */
static int show(natsMsg *message, uint64_t *expected)
{
    const char *type = header(message, "Tickbus-Type");
    uint64_t sequence = strtoull(header(message, "Tickbus-Sequence"), NULL, 10);
    if (!*type)
        return -1;
    if (strcmp(type, "end") == 0)
        return sequence + 1 == *expected ? 1 : -1;
    if (strcmp(type, "lost") == 0)
        *expected = sequence; /* all up to this one */
    if (*expected != 0 && sequence != *expected)
        return -1; /* every message has the sequence behind the one before it */
    *expected = sequence + 1;
    int bytes = natsMsg_GetDataLength(message);
    printf("%" PRIu64 " %s %d %c\n", sequence, type, bytes,
           bytes ? natsMsg_GetData(message)[0] : '-');
    return 0;
}

int main(int argc, char **argv)
{
    natsConnection *connection = NULL;
    jsCtx *jetstream = NULL;
    natsSubscription *subscription = NULL;
    natsStatus status;
    jsSubOptions options;
    char subject[512];
    uint64_t expected = 0;
    int outcome = 0;
    if (argc != 4)
        return fprintf(stderr, "usage: nats_reader URL STREAM TOPIC\n"), 2;
    snprintf(subject, sizeof subject, "tickbus.%s.%s", argv[2], argv[3]);
    jsSubOptions_Init(&options);
    options.Ordered = true; /* in order, from the first message on, none left out */
    options.Stream = argv[2];
    status = natsConnection_ConnectTo(&connection, argv[1]);
    if (status == NATS_OK)
        status = natsConnection_JetStream(&jetstream, connection, NULL);
    if (status == NATS_OK)
        status = js_SubscribeSync(&subscription, jetstream, subject, NULL, &options, NULL);
    while (status == NATS_OK && outcome == 0) {
        natsMsg *message = NULL;
        status = natsSubscription_NextMsg(&message, subscription, SILENCE_MS);
        if (status != NATS_OK)
            break;
        outcome = show(message, &expected);
        natsMsg_Destroy(message);
    }
    if (status != NATS_OK)
        fprintf(stderr, "nats_reader: %s of %s: %s\n", subject, argv[1],
                natsStatus_GetText(status));
    else if (outcome < 0)
        fprintf(stderr, "nats_reader: %s: a message that no bridge writes, behind %" PRIu64 "\n",
                subject, expected - 1);
    (void)natsSubscription_Unsubscribe(subscription); /* removes its consumer */
    /* Before the subscription is destroyed: the thread that reads may be about to put a message
     * into it (mended in libnats 3.6). */
    natsConnection_Close(connection);
    natsSubscription_Destroy(subscription);
    jsCtx_Destroy(jetstream);
    natsConnection_Destroy(connection);
    nats_Close();
    return outcome == 1 ? 0 : 1;
}
