/* SPDX-License-Identifier: Apache-2.0 */
#include <tickbus/bus.h>
#include <tickbus/repair.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *tbus_participant_state_name(uint32_t state)
{
    static const char *const names[] = {"vacant", "boot", "ready", "run", "done", "halt", "fail"};
    return state < sizeof names / sizeof *names ? names[state] : "?";
}

int tbus_participant_add(tbus_bus_t *bus, const char *name, tbus_error_t *err)
{
    if (!tbus_name_fits(name))
        return tbus_fail(err, -EINVAL, "participant name '%s' is empty or longer than %u", name,
                         TBUS_NAME_MAX - 1);
    for (uint32_t i = 0; i < TBUS_PARTICIPANTS_MAX; i++) {
        tbus_participant_t *p = &bus->directory->participants[i];
        if (tbus_load_relaxed_u32(&p->state) != TBUS_VACANT) {
            if (!strncmp(p->name, name, TBUS_NAME_MAX))
                return tbus_fail(err, -TBUS_EEXISTS, "participant '%s' is there already", name);
            continue;
        }
        memcpy(p->name, name, strlen(name));
        p->cpu = -1;
        tbus_store_release_u32(&p->state, TBUS_BOOT);
        return (int)i + 1;
    }
    return tbus_fail(err, -TBUS_EFULL, "participant '%s': a bus has at most %u participants", name,
                     TBUS_PARTICIPANTS_MAX);
}

/* On byte `owner` of the directory file a lock for writing is a life, and a lock for reading a
 * burial: whoever repairs what the dead left holds it, so that nobody can take up the number, and
 * claim under it, before that is over. Every process that the supervisor forked shares its open
 * file description; a lock of one's own needs a description of one's own. */
static struct flock owner_lock(short type, uint32_t owner)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = owner, .l_len = 1};
}

#define BURIAL_TURNS 10000
/* in all a second: who buries is done in microseconds, unless it is stopped in the middle */
#define BURIAL_TURN_NS 100000

static int take_life_lock(const tbus_bus_t *bus, int fd, uint32_t owner)
{
    struct flock life = owner_lock(F_WRLCK, owner);
    for (unsigned turns = 0; turns < BURIAL_TURNS; turns++) {
        if (fcntl(fd, F_OFD_SETLK, &life) == 0)
            return 0;
        if (errno != EAGAIN && errno != EACCES)
            return -errno;
        int alive = tbus_participant_alive(bus, owner);
        if (alive != 0)
            return alive < 0 ? alive : -TBUS_EEXISTS;
        nanosleep(&(struct timespec){.tv_nsec = BURIAL_TURN_NS}, NULL);
    }
    return -EAGAIN;
}

/* fork(2) gives the child the description that holds the lock: it would keep a dead parent alive.
 * So the child closes it first of all. */
static struct life {
    int fd; /* 0: none; what is on descriptor 0 is nobody's life */
    dev_t device;
    ino_t inode;
} lives[TBUS_PARTICIPANTS_MAX];
static pthread_mutex_t lives_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Its holder may have closed it long ago, and the number may be another file's by now. */
static bool still_open(const struct life *life)
{
    struct stat now;
    return life->fd && fstat(life->fd, &now) == 0 && now.st_dev == life->device &&
           now.st_ino == life->inode;
}

static void give_up_lives_of_parent(void)
{
    for (unsigned i = 0; i < TBUS_PARTICIPANTS_MAX; i++) {
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
    for (unsigned i = 0; i < TBUS_PARTICIPANTS_MAX; i++)
        if (lives[i].fd == fd || (!entry && !still_open(&lives[i])))
            entry = &lives[i];
    if (entry)
        *entry = (struct life){.fd = fd, .device = now.st_dev, .inode = now.st_ino};
    pthread_mutex_unlock(&lives_mutex);
    return entry ? 0 : -TBUS_EFULL;
}

int tbus_participant_live(tbus_bus_t *bus, uint32_t owner, tbus_error_t *err)
{
    int fd = tbus_segment_reopen(&bus->directory_segment, true);
    if (fd < 0)
        return tbus_fail(
            err, fd, "participant %u: the directory cannot be opened again (is /proc mounted?): %s",
            owner, tbus_strerror(fd));
    int code = take_life_lock(bus, fd, owner);
    if (code == 0)
        code = note_life(fd);
    if (code < 0) {
        close(fd);
        return tbus_fail(err, code, "participant '%s': %s", tbus_participant(bus, owner)->name,
                         code == -TBUS_EEXISTS ? "somebody alive has its place"
                         : code == -EAGAIN
                             ? "its predecessor is being buried by somebody who does not get "
                               "on with it (stopped?); try again"
                             : tbus_strerror(code));
    }
    /* Nobody else holds the number: whatever a holder before us left claimed or taken belongs to
     * the dead. */
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (bus->rings[i].shared)
            tbus_ring_repair(&bus->rings[i], owner);
    tbus_participant(bus, owner)->pid = (uint32_t)getpid();
    return fd;
}

int tbus_participant_alive(const tbus_bus_t *bus, uint32_t owner)
{
    struct flock question = owner_lock(F_RDLCK, owner); /* burials are in nobody's way, a life is */
    if (fcntl(bus->directory_segment.fd, F_OFD_GETLK, &question) < 0)
        return -errno;
    return question.l_type != F_UNLCK;
}

typedef struct burial {
    const tbus_bus_t *bus;
    int fd; /* holds the locks of those that are being buried; -1: nobody yet */
} burial_t;

/* Dead, and so it stays while the burial's descriptor is open. */
static bool proven_dead(void *context, uint32_t owner)
{
    burial_t *b = (burial_t *)context;
    if (owner > TBUS_PARTICIPANTS_MAX || b->bus->directory->participants[owner - 1].pid == 0 ||
        tbus_participant_alive(b->bus, owner) != 0)
        return false;
    if (b->fd < 0)
        b->fd = tbus_segment_reopen(&b->bus->directory_segment, false);
    struct flock burial = owner_lock(F_RDLCK, owner);
    return b->fd >= 0 && fcntl(b->fd, F_OFD_SETLK, &burial) == 0;
}

int tbus_participant_take_topic(tbus_bus_t *bus, uint32_t owner, uint32_t index, tbus_error_t *err)
{
    tbus_atomic_u32_t *publisher = &bus->directory->topics[index].publisher;
    burial_t burial = {.bus = bus, .fd = -1};
    uint32_t holder = 0;
    bool ours = bus->rings[index].several_publishers;
    if (!bus->rings[index].writable)
        return tbus_fail(err, -TBUS_EKIND,
                         "topic '" TBUS_NAME_TEXT
                         "' is mapped read-only: only observing is possible",
                         bus->directory->topics[index].name);
    /* The holder is replaced while its burial goes on: nobody can come back to life under its
     * number, and publish, in between. Of two that replace it one finds the other. */
    for (unsigned turns = 0; turns < TBUS_CAS_TURNS && !ours; turns++) {
        ours = tbus_cas_u32(publisher, &holder, owner) || holder == owner;
        if (!ours && !proven_dead(&burial, holder))
            break;
    }
    if (burial.fd >= 0)
        close(burial.fd);
    if (ours)
        return 0;
    bool known = holder >= 1 && holder <= TBUS_PARTICIPANTS_MAX;
    return tbus_fail(
        err, -EBUSY,
        "topic '" TBUS_NAME_TEXT "' is %s and has its one publisher, participant '" TBUS_NAME_TEXT
        "': nobody else can publish there before that has ended",
        bus->directory->topics[index].name, tbus_ring_kind_name(bus->rings[index].kind),
        known ? tbus_participant(bus, holder)->name : "?");
}

int tbus_bus_heal(tbus_bus_t *bus)
{
    burial_t burial = {.bus = bus, .fd = -1};
    int repaired = 0;
    for (uint32_t i = 0; i < bus->topics_count; i++)
        if (bus->rings[i].shared && bus->rings[i].writable)
            repaired += tbus_ring_heal(&bus->rings[i], proven_dead, &burial);
    if (burial.fd >= 0)
        close(burial.fd);
    return repaired;
}
