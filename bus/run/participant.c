/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/bus.h>
#include <tickbus/publisher.h>
#include <tickbus/repair.h>

#include "bus/run/member.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

const char *tbus_participant_state_name(uint32_t state)
{
    static const char *const names[] = {"vacant", "boot", "ready", "run", "done", "halt", "fail"};
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

int tbus_participant_add(tbus_bus_t *bus, const char *name, tbus_error_t *err)
{
    if (!bus || !bus->directory || !bus->directory_segment.writable || !tbus_name_fits(name))
        return tbus_fail(err, -EINVAL,
                         "participant name '%.40s' is empty or longer than %u, or there is no bus "
                         "to write on",
                         name ? name : "", TBUS_NAME_MAX - 1);
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++) {
        tbus_participant_t *p = &bus->directory->participants[i];
        if (tbus_load_relaxed_u32(&p->state) != TBUS_VACANT) {
            if (!strncmp(p->name, name, TBUS_NAME_MAX))
                return tbus_fail(err, -TBUS_EEXISTS, "participant '%s' is there already", name);
            continue;
        }
        memcpy(p->name, name, strlen(name));
        p->cpu = -1;
        tbus_store_release_u32(&p->state, TBUS_BOOT); /* O1 pairs O2 (state_of): name and CPU */
        return (int)i + 1;
    }
    return tbus_fail(err, -TBUS_EFULL, "participant '%s': a bus has at most %u participants", name,
                     TBUS_PARTICIPANTS_MAX);
}

/* Two bytes of the directory file belong to each participant number. A participant locks its *life
 * byte* for writing for as long as it lives. The *passage byte* is locked for writing while a
 * process takes the number, and for reading while a process repairs what a dead holder left (a
 * burial): so nobody can take the number and claim under it before the repair is done. The
 * processes that the supervisor forked share its open file description, and OFD locks belong to the
 * description: each lock is taken through a description of its own. */
#define PASSAGE_AT 512

static struct flock life_lock(short type, uint32_t owner)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = owner, .l_len = 1};
}

static struct flock passage_lock(short type, uint32_t owner)
{
    return (struct flock){
        .l_type = type, .l_whence = SEEK_SET, .l_start = PASSAGE_AT + owner, .l_len = 1};
}

/* One second in all. A burial takes microseconds, unless its process is stopped in the middle. */
#define BURIAL_TURNS   10000
#define BURIAL_TURN_NS 100000

/* 0: it cannot be told. */
static uint32_t own_pid_namespace(void)
{
    struct stat st;
    return stat("/proc/self/ns/pid", &st) == 0 ? (uint32_t)st.st_ino : 0;
}

/* Proof that the process has ended, whoever has inherited its descriptors. False: it lives, or its
 * number was given to another one since, or nobody can tell from here. */
static bool has_ended(uint32_t pid, uint32_t pid_namespace)
{
    int fd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    bool ended = fd < 0 && pid && errno == ESRCH;
    if (fd >= 0) {
        struct pollfd end = {.fd = fd, .events = POLLIN};
        ended = poll(&end, 1, 0) == 1 && (end.revents & POLLIN);
        close(fd);
    }
    return ended && pid_namespace && pid_namespace == own_pid_namespace();
}

static int life_is_held(const tbus_bus_t *bus, uint32_t owner)
{
    struct flock question = life_lock(F_RDLCK, owner);
    if (fcntl(bus->directory_segment.fd, F_OFD_GETLK, &question) < 0)
        return -errno;
    return question.l_type != F_UNLCK;
}

/* With the passage byte locked. Who we are is written before the lock can be seen, so that nobody
 * takes us for the holder before us. */
static int take_life(tbus_bus_t *bus, int fd, uint32_t owner)
{
    int held = life_is_held(bus, owner);
    if (held != 0) /* by the living, or by what a dead holder left running */
        return held < 0 ? held : -TBUS_EEXISTS;
    if (owner != TBUS_KEEPER) {
        tbus_participant_t *p = tbus_participant(bus, owner);
        p->pid_namespace = own_pid_namespace();
        p->pid = (uint32_t)getpid();
    }
    struct flock life = life_lock(F_WRLCK, owner);
    return fcntl(fd, F_OFD_SETLK, &life) == 0 ? 0 : -errno;
}

static int take_life_lock(tbus_bus_t *bus, int fd, uint32_t owner)
{
    struct flock passage = passage_lock(F_WRLCK, owner);
    struct flock over = passage_lock(F_UNLCK, owner);
    for (unsigned turns = 0; turns < BURIAL_TURNS; turns++) {
        if (fcntl(fd, F_OFD_SETLK, &passage) == 0) {
            int code = take_life(bus, fd, owner);
            fcntl(fd, F_OFD_SETLK, &over);
            return code;
        }
        if (errno != EAGAIN && errno != EACCES)
            return -errno;
        int alive = tbus_participant_alive(bus, owner);
        if (alive != 0)
            return alive < 0 ? alive : -TBUS_EEXISTS;
        nanosleep(&(struct timespec){.tv_nsec = BURIAL_TURN_NS}, NULL);
    }
    return -EAGAIN;
}

/* A child inherits the description that holds its parent's lock. While it is open in the child,
 * nobody can take the number of a dead parent; so the child closes it before fork(2) returns there.
 * (A child of a bare clone(2) runs no such handler.) */
static struct life {
    int fd; /* 0: the entry is free; descriptor 0 never holds a lock */
    dev_t device;
    ino_t inode;
} lives[TBUS_PARTICIPANTS_MAX + 1]; /* one more for the keeper of the bus: tbus_bus_keep */
static pthread_mutex_t lives_mutex = PTHREAD_MUTEX_INITIALIZER;

/* The holder may have closed the descriptor, and its number may belong to another file now. */
static bool still_open(const struct life *life)
{
    struct stat now;
    return life->fd && fstat(life->fd, &now) == 0 && now.st_dev == life->device &&
           now.st_ino == life->inode;
}

static void give_up_lives_of_parent(void)
{
    for (unsigned i = 0; i < sizeof lives / sizeof *lives; i++) {
        if (still_open(&lives[i]))
            close(lives[i].fd);
        lives[i].fd = 0;
    }
    pthread_mutex_init(&lives_mutex, NULL); /* another thread may have held it */
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, give_up_lives_of_parent);
}

static int note_life(int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct stat now;
    struct life *entry = NULL;
    if (fstat(fd, &now) < 0)
        return -errno;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lives_mutex);
    for (unsigned i = 0; i < sizeof lives / sizeof *lives; i++)
        if (lives[i].fd == fd || (!entry && !still_open(&lives[i])))
            entry = &lives[i];
    if (entry)
        *entry = (struct life){.fd = fd, .device = now.st_dev, .inode = now.st_ino};
    pthread_mutex_unlock(&lives_mutex);
    return entry ? 0 : -TBUS_EFULL;
}

/* The descriptor that holds the lock, or a negative error. */
static int hold_life(tbus_bus_t *bus, uint32_t owner)
{
    int fd = tbus_segment_reopen(&bus->directory_segment, true);
    if (fd < 0)
        return fd;
    int code = take_life_lock(bus, fd, owner);
    if (code == 0)
        code = note_life(fd);
    if (code == 0)
        return fd;
    close(fd);
    return code;
}

int tbus_bus_keep(tbus_bus_t *bus, tbus_error_t *err)
{
    if (!bus || !bus->directory)
        return tbus_fail(err, -EINVAL, "keep: there is no bus");
    int fd = hold_life(bus, TBUS_KEEPER);
    return fd >= 0 ? fd
                   : tbus_fail(err, fd, "bus '" TBUS_NAME_TEXT "': its life lock cannot be had: %s",
                               bus->directory->name, tbus_segment_reopen_why(fd));
}

int tbus_participant_live(tbus_bus_t *bus, uint32_t owner, tbus_error_t *err)
{
    if (!bus || !bus->directory || owner < 1 || owner > TBUS_PARTICIPANTS_MAX)
        return tbus_fail(err, -EINVAL, "participant %u: there is no such number, or no bus", owner);
    int fd = hold_life(bus, owner);
    if (fd < 0)
        return tbus_fail(err, fd, "participant '%s': %s", tbus_participant(bus, owner)->name,
                         fd == -TBUS_EEXISTS ? "somebody alive has its place"
                         : fd == -EAGAIN ? "its predecessor is being buried by somebody who does "
                                           "not get on with it (stopped?); try again"
                                         : tbus_segment_reopen_why(fd));
    /* Only we hold the number now: what is claimed or taken under it was left by a dead holder. */
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (bus->rings[i].shared)
            tbus_ring_repair(&bus->rings[i], owner);
    return fd;
}

int tbus_participant_alive(const tbus_bus_t *bus, uint32_t owner)
{
    if (!bus || !bus->directory || owner > TBUS_PARTICIPANTS_MAX)
        return -EINVAL;
    int held = life_is_held(bus, owner);
    if (held != 1 || owner == TBUS_KEEPER)
        return held;
    const tbus_participant_t *p = &bus->directory->participants[owner - 1];
    return !has_ended(p->pid, p->pid_namespace);
}

typedef struct burial {
    const tbus_bus_t *bus;
    int fd; /* holds the locks of those that are being buried; -1: none yet */
} burial_t;

/* Is `owner` dead? If so, nobody can take its number while the burial's descriptor is open. */
static bool proven_dead(void *context, uint32_t owner)
{
    burial_t *b = (burial_t *)context;
    if (owner > TBUS_PARTICIPANTS_MAX || b->bus->directory->participants[owner - 1].pid == 0 ||
        tbus_participant_alive(b->bus, owner) != 0)
        return false;
    if (b->fd < 0)
        b->fd = tbus_segment_reopen(&b->bus->directory_segment, false);
    struct flock passage = passage_lock(F_RDLCK, owner);
    /* Nobody takes the number up from now on; somebody may have just before. */
    return b->fd >= 0 && fcntl(b->fd, F_OFD_SETLK, &passage) == 0 &&
           tbus_participant_alive(b->bus, owner) == 0;
}

/* Take the right to publish on a topic where one participant at a time has it. */
static bool take_right(tbus_bus_t *bus, uint32_t owner, uint32_t index, uint32_t *out_holder)
{
    tbus_atomic_u32_t *publisher = &bus->directory->topics[index].publisher;
    burial_t burial = {.bus = bus, .fd = -1};
    uint32_t holder = 0;
    bool ours = false;
    /* The holder is replaced during its burial: until that is over nobody can take its number and
     * publish. If two processes replace it at once, the CAS of one of them fails, and it looks at
     * the other one. */
    for (unsigned turns = 0; turns < TBUS_CAS_TURNS && !ours; turns++) {
        /* Y2 pairs Y1 (tbus_participant_clear): we see all that the publisher before us stored. */
        ours = tbus_cas_u32(publisher, &holder, owner) || holder == owner;
        if (!ours && !proven_dead(&burial, holder))
            break;
    }
    if (burial.fd >= 0)
        close(burial.fd);
    *out_holder = holder;
    return ours;
}

/* Does the holder of the right publish? One that does not is about to, or only repairs the end of
 * the topic (tbus_topic_mend_end) and gives the right back: in both cases it is worth waiting. */
static bool publishes(tbus_bus_t *bus, uint32_t holder, uint32_t index)
{
    return holder < 1 || holder > TBUS_PARTICIPANTS_MAX ||
           tbus_load_relaxed_u32(&tbus_participant(bus, holder)->publishes) >> index & 1;
}

static bool wait_for_right(tbus_bus_t *bus, uint32_t owner, uint32_t index, uint32_t *out_holder)
{
    for (unsigned turns = 0; !take_right(bus, owner, index, out_holder); turns++) {
        if (publishes(bus, *out_holder, index) || turns == BURIAL_TURNS)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = BURIAL_TURN_NS}, NULL);
    }
    return true;
}

int tbus_participant_take_topic(tbus_bus_t *bus, uint32_t owner, uint32_t index, tbus_error_t *err)
{
    if (!bus || !bus->directory || index >= bus->topics_count || owner < 1 ||
        owner > TBUS_PARTICIPANTS_MAX)
        return tbus_fail(err, -EINVAL, "participant %u, topic %u: no bus, or no such number", owner,
                         index);
    tbus_topic_t *topic = &bus->directory->topics[index];
    uint32_t holder = 0;
    if (!bus->rings[index].writable)
        return tbus_fail(err, -TBUS_EKIND,
                         "topic '" TBUS_NAME_TEXT
                         "' is mapped read-only: only observing is possible",
                         topic->name);
    if (!bus->rings[index].several_publishers && !wait_for_right(bus, owner, index, &holder)) {
        bool known = holder >= 1 && holder <= TBUS_PARTICIPANTS_MAX;
        return tbus_fail(err, -EBUSY,
                         "topic '" TBUS_NAME_TEXT
                         "' is %s and has its one publisher, participant '" TBUS_NAME_TEXT
                         "': nobody else can publish there before that has ended",
                         topic->name, tbus_ring_kind_name(bus->rings[index].kind),
                         known ? tbus_participant(bus, holder)->name : "?");
    }
    /* hint: the fence below orders this. */
    tbus_fetch_or_u32(&tbus_participant(bus, owner)->publishes, UINT32_C(1) << index);
    /* V1 pairs V2 (end_of in waiting.c): else a subscriber that sees the new count may miss the
     * bit and take a living publisher for one that has left. */
    tbus_fence_release();
    tbus_fetch_add_relaxed_u32(&topic->arrivals, 1);
    return 0;
}

bool tbus_topic_mend_end(tbus_bus_t *bus, uint32_t owner, uint32_t index)
{
    uint32_t holder;
    tbus_publisher_t mender;
    if (bus->rings[index].several_publishers || !take_right(bus, owner, index, &holder))
        return false;
    /* Joining finds the end by looking at the slots, and stores it. */
    bool mended = tbus_publisher_join(&bus->rings[index], owner, &mender, NULL) == 0;
    /* Y1 pairs Y2 (take_right), as in tbus_participant_clear. */
    tbus_cas_u32(&bus->directory->topics[index].publisher, &(uint32_t){owner}, 0);
    return mended;
}

int tbus_participant_clear(tbus_bus_t *bus, uint32_t owner)
{
    tbus_participant_t *p = tbus_participant(bus, owner);
    uint32_t published = tbus_load_relaxed_u32(&p->publishes);
    int repaired = 0;
    for (uint32_t i = 0; i < bus->topics_count; i++) {
        if (!bus->rings[i].shared || !bus->rings[i].writable)
            continue;
        repaired += tbus_ring_repair(&bus->rings[i], owner);
        /* Y1 pairs Y2 (take_right): else the next publisher does not see the end of what this one
         * published, and writes over it. */
        tbus_cas_u32(&bus->directory->topics[i].publisher, &(uint32_t){owner}, 0);
    }
    /* V3 pairs V4 (end_of in waiting.c): a process that sees the bit cleared also sees what was
     * published and repaired before; else it reports that nobody is left before it has read the
     * last messages. */
    tbus_store_release_u32(&p->publishes, 0);
    if (p->horizon_topics) /* the dead send nothing more, and nobody waits for them */
        tbus_horizon_end(&p->horizon, true);
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (published >> i & 1 && bus->rings[i].writable)
            tbus_ring_nudge(&bus->rings[i]); /* its waiters look whether a publisher is left */
    return repaired;
}

int tbus_bus_bury(tbus_bus_t *bus, uint32_t owner)
{
    if (!bus || !bus->directory || !bus->directory_segment.writable || owner < 1 ||
        owner > TBUS_PARTICIPANTS_MAX)
        return -EINVAL;
    burial_t burial = {.bus = bus, .fd = -1};
    tbus_participant_t *p = tbus_participant(bus, owner);
    int repaired = -EBUSY;
    if (proven_dead(&burial, owner)) {
        repaired = tbus_participant_clear(bus, owner);
        if (p->from_outside)
            tbus_store_release_u32(&p->state, TBUS_VACANT); /* O1 */
    }
    if (burial.fd >= 0)
        close(burial.fd);
    return repaired;
}

uint32_t tbus_bus_bury_dead(tbus_bus_t *bus)
{
    uint32_t buried = 0;
    for (uint32_t owner = 1; bus && bus->directory && owner <= TBUS_PARTICIPANTS_MAX; owner++) {
        const tbus_participant_t *p = tbus_participant(bus, owner);
        if (p->from_outside && tbus_load_relaxed_u32(&p->state) != TBUS_VACANT) /* hint */
            buried += tbus_bus_bury(bus, owner) >= 0;
    }
    return buried;
}

int tbus_bus_heal(tbus_bus_t *bus)
{
    if (!bus)
        return -EINVAL;
    burial_t burial = {.bus = bus, .fd = -1};
    int repaired = 0;
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (bus->rings[i].shared && bus->rings[i].writable)
            repaired += tbus_ring_heal(&bus->rings[i], proven_dead, &burial);
    if (burial.fd >= 0)
        close(burial.fd);
    return repaired;
}
