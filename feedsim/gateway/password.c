/* SPDX-License-Identifier: Apache-2.0 */
#include "feedsim/gateway/password.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feedsim/gateway/users.h"

typedef struct check {
    uint64_t ticket;
    char password[SOUP_PASSWORD_BYTES + 1];
    char hash[GATEWAY_HASH_MAX];
    bool known;
    bool right;
} check_t;

/* Places are taken round and round: begun <= checked <= submitted. */
struct gateway_passwords {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t work;
    bool stop;
    uint64_t submitted;
    uint64_t checked;
    uint64_t taken;
    check_t checks[GATEWAY_PASSWORDS_MAX];
};

static check_t *place(gateway_passwords_t *p, uint64_t number)
{
    return &p->checks[number % GATEWAY_PASSWORDS_MAX];
}

static void *run(void *context)
{
    gateway_passwords_t *p = context;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->stop && p->checked == p->submitted)
            pthread_cond_wait(&p->work, &p->lock);
        if (p->stop)
            break;
        check_t *check = place(p, p->checked); /* nobody else touches it now */
        pthread_mutex_unlock(&p->lock);
        bool fits = gateway_password_fits(check->password, check->hash);
        explicit_bzero(check->password, sizeof check->password);
        pthread_mutex_lock(&p->lock);
        check->right = fits && check->known;
        p->checked++;
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int gateway_passwords_create(gateway_passwords_t **out_passwords, tbus_error_t *err)
{
    sigset_t all, before;
    gateway_passwords_t *p = calloc(1, sizeof *p);
    if (!p)
        return tbus_fail(err, -ENOMEM, "no memory to check passwords");
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the thread that serves */
    int code = pthread_create(&p->thread, NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        free(p);
        return tbus_fail(err, -code, "cannot start the thread that checks passwords: %s",
                         tbus_strerror(-code));
    }
    *out_passwords = p;
    return 0;
}

void gateway_passwords_destroy(gateway_passwords_t *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    explicit_bzero(p->checks, sizeof p->checks);
    free(p);
}

bool gateway_passwords_submit(gateway_passwords_t *p, uint64_t ticket, const char *password,
                              const char *hash, bool known)
{
    pthread_mutex_lock(&p->lock);
    bool room = p->submitted - p->taken < GATEWAY_PASSWORDS_MAX;
    if (room) {
        check_t *check = place(p, p->submitted++);
        *check = (check_t){.ticket = ticket, .known = known};
        snprintf(check->hash, sizeof check->hash, "%s", hash);
        snprintf(check->password, sizeof check->password, "%s", password);
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    return room;
}

bool gateway_passwords_take(gateway_passwords_t *p, uint64_t *out_ticket, bool *out_right)
{
    pthread_mutex_lock(&p->lock);
    bool there = p->taken < p->checked;
    if (there) {
        const check_t *check = place(p, p->taken++);
        *out_ticket = check->ticket;
        *out_right = check->right;
    }
    pthread_mutex_unlock(&p->lock);
    return there;
}
