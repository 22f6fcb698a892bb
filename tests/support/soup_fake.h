/* SPDX-License-Identifier: Apache-2.0 */
/* soup_fake.h - a small SoupBinTCP server on loopback for tests of clients: it serves messages from
 * a table of the test's, in a thread of its own. It keeps to the protocol; put
 * tests/support/fault_proxy.h in front of it where the network is to misbehave.
 *
 * Start, change and stop it from one thread. */
#ifndef TICKBUS_TESTS_SOUP_FAKE_H
#define TICKBUS_TESTS_SOUP_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOUP_FAKE_MESSAGE_MAX 65534u

typedef struct soup_fake soup_fake_t;

typedef struct soup_fake_script {
    const char *session;  /* in the answer to a login; "": blank */
    const char *user;     /* NULL: any; a login with another one is rejected */
    const char *password; /* NULL: any */
    uint64_t first;       /* the oldest message that it still has; 0: the first */
    uint64_t messages;    /* so many there are, 1..messages; more by soup_fake_add */
    bool ends;            /* End of Session after the last; else heartbeats */
    bool offers;          /* digests (bus/wire/soup_proof.h) */
    uint64_t spoiled;   /* with offers: the block, counted from 1, whose digest is wrong; 0: none */
    uint64_t unoffered; /* likewise: the block that is not offered */
    const char *greeting; /* a debug packet after the Login Accepted; NULL: none */
    /* Write message `sequence`, at most SOUP_FAKE_MESSAGE_MAX bytes, and return its length. Called
     * in the server's thread. */
    size_t (*message)(uint64_t sequence, void *context, uint8_t *to);
    void *context;
} soup_fake_script_t;

/* `port`: 0: any. NULL: no socket, no thread. */
soup_fake_t *soup_fake_start(const soup_fake_script_t *script, uint16_t port, uint16_t *out_port);

/* There are `more` more messages; `ends`: and then the session ends. */
void soup_fake_add(soup_fake_t *fake, uint64_t more, bool ends);

/* Logins that were accepted so far, and logouts. */
unsigned soup_fake_logins(soup_fake_t *fake);
unsigned soup_fake_logouts(soup_fake_t *fake);

/* Closes everything at once, as when the process is killed. Accepts NULL. */
void soup_fake_stop(soup_fake_t *fake);

#endif
