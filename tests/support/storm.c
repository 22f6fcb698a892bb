/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/storm.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/storm_actor.h"

#include <tickbus/publisher.h>
#include <tickbus/subscriber.h>

#define ACTORS_MAX     16u
#define MS             UINT64_C(1000000)
#define PAUSE_NS_MAX   (5 * MS)     /* between two blows */
#define STOP_NS_MAX    (20 * MS)    /* for how long one stands still */
#define ABSENT_NS_MAX  (25 * MS)    /* until a successor comes */
#define PATIENCE_NS    (60000 * MS) /* nobody alive may stand still that long: it is stuck */
#define DEAD_MAX       4u
#define RECORDS_MARGIN 4096u

typedef struct member {
    pid_t pid; /* 0: dead */
    uint32_t life;
    uint64_t stopped_until_ns; /* 0: not stopped */
    uint64_t doomed_at_ns;     /* stopped, and to be killed then; 0: not */
    uint64_t returns_at_ns;    /* dead: when its successor comes */
    uint64_t beat;             /* as last seen, */
    uint64_t beat_at_ns;       /* and when */
} member_t;

typedef struct world {
    const storm_options_t *options;
    storm_result_t *result;
    uint32_t index;
    uint32_t kills; /* to be made */
    uint64_t random;
    tbus_bus_t bus;
    storm_ledger_t *ledger;
    member_t members[ACTORS_MAX];
} world_t;

static uint64_t below(world_t *w, uint64_t bound)
{
    return storm_random(&w->random) % bound;
}

static uint64_t now_ns(void)
{
    return tbus_clock_ns();
}

static bool faulty(const world_t *w)
{
    return tbus_load_acquire_u32(&w->ledger->faulty) != 0;
}

/* ---- the bus ---- */

static const struct {
    const char *name;
    enum tbus_ring_kind kind;
} topics[STORM_TOPICS] = {[STORM_ORDERS] = {"orders", TBUS_MPMC},
                          [STORM_REPORTS] = {"reports", TBUS_BROADCAST_MP},
                          [STORM_MD] = {"md", TBUS_BROADCAST},
                          [STORM_LANE] = {"lane", TBUS_SPSC},
                          [STORM_INBOX] = {"inbox", TBUS_MPSC}};

/* Mostly just below a wrap of something. */
static uint64_t first_seq(world_t *w)
{
    static const uint64_t wraps[] = {UINT64_C(1) << 32, UINT64_C(1) << 45, UINT64_C(1) << 48,
                                     UINT64_C(1) << 63, 0};
    uint64_t choice = below(w, 7);
    if (choice < sizeof wraps / sizeof *wraps)
        return wraps[choice] - 1 - below(w, 20000);
    return choice == 5 ? 1 : storm_random(&w->random);
}

static bool make_bus(world_t *w)
{
    tbus_error_t err = {0};
    int code = tbus_bus_create("storm", &w->bus, &err);
    for (unsigned t = 0; t < STORM_TOPICS && code >= 0; t++) {
        tbus_ring_spec_t spec = {.kind = topics[t].kind,
                                 .slot_bytes = 64u << below(w, 2),
                                 .slot_count = (t == STORM_MD ? 64u : 16u) << below(w, 6),
                                 .msg_bytes_max = t == STORM_MD ? STORM_MESSAGE_MAX : 0,
                                 .first_seq = first_seq(w)};
        if (t == STORM_ORDERS && w->index % 2)
            spec.promise = TBUS_AT_LEAST_ONCE;
        snprintf(spec.name, sizeof spec.name, "%s", topics[t].name);
        w->ledger->first_seq[t] = spec.first_seq;
        code = tbus_bus_add_topic(&w->bus, &spec, "storm", w->options->pages, -1, &err);
    }
    for (unsigned i = 0; i < storm_roles_count && code >= 0; i++)
        code = tbus_participant_add(&w->bus, storm_roles[i].name, &err);
    if (code >= 0)
        code = tbus_participant_add(&w->bus, "last", &err);
    if (code < 0)
        storm_fault(w->ledger, "%s", err.text);
    return code >= 0;
}

/* ---- births and deaths ---- */

static void give_birth(world_t *w, unsigned i)
{
    member_t *m = &w->members[i];
    uint64_t seed = storm_random(&w->random);
    m->life = tbus_load_relaxed_u32(&w->ledger->lives_count);
    w->ledger->lives[m->life].actor = i;
    tbus_store_release_u32(&w->ledger->lives_count, m->life + 1);
    m->stopped_until_ns = m->doomed_at_ns = m->returns_at_ns = 0;
    m->beat = 0;
    m->beat_at_ns = now_ns();
    m->pid = fork();
    if (m->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        storm_live(&w->bus, w->ledger, m->life, i + 1, seed);
    }
    if (m->pid < 0) {
        m->pid = 0;
        storm_fault(w->ledger, "fork: %s", strerror(errno));
    }
}

static void bring_to_death(world_t *w, unsigned i)
{
    member_t *m = &w->members[i];
    int status;
    kill(m->pid, SIGKILL);
    while (waitpid(m->pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        storm_fault(w->ledger, "%s: ended by itself before it was killed, status 0x%x",
                    storm_roles[i].name, (unsigned)status);
    w->ledger->lives[m->life].killed = 1;
    m->pid = 0;
    m->stopped_until_ns = m->doomed_at_ns = 0;
    m->returns_at_ns = now_ns() + (below(w, 3) ? 0 : below(w, ABSENT_NS_MAX));
    w->result->kills++;
}

static unsigned dead_count(const world_t *w)
{
    unsigned dead = 0;
    for (unsigned i = 0; i < storm_roles_count; i++)
        dead += !w->members[i].pid;
    return dead;
}

/* Somebody alive; seldom one that has not joined everything yet. */
static int pick_victim(world_t *w)
{
    unsigned i = (unsigned)below(w, storm_roles_count);
    const member_t *m = &w->members[i];
    if (!m->pid || m->doomed_at_ns)
        return -1;
    if (!tbus_load_acquire_u32(&w->ledger->lives[m->life].running) && below(w, 10))
        return -1;
    return (int)i;
}

static void strike(world_t *w)
{
    uint64_t what = below(w, 100);
    uint64_t blows = what < 10 ? 1 + below(w, 3) : 1;
    for (uint64_t b = 0; b < blows && dead_count(w) < DEAD_MAX; b++) {
        int i = pick_victim(w);
        if (i < 0)
            continue;
        member_t *m = &w->members[i];
        if (what < 80) {
            bring_to_death(w, (unsigned)i);
        } else if (!m->stopped_until_ns) {
            uint64_t until_ns = now_ns() + below(w, STOP_NS_MAX);
            kill(m->pid, SIGSTOP);
            w->result->stops++;
            m->stopped_until_ns = until_ns;
            m->doomed_at_ns = what < 88 ? until_ns : 0;
        }
    }
}

/* What is due: the stopped go on or are killed, successors come. */
static void keep_time(world_t *w)
{
    for (unsigned i = 0; i < storm_roles_count; i++) {
        member_t *m = &w->members[i];
        uint64_t now = now_ns();
        if (m->doomed_at_ns && now >= m->doomed_at_ns)
            bring_to_death(w, i);
        if (m->pid && m->stopped_until_ns && now >= m->stopped_until_ns) {
            kill(m->pid, SIGCONT);
            m->stopped_until_ns = 0;
            m->beat_at_ns = now;
        }
        if (!m->pid && now >= m->returns_at_ns)
            give_birth(w, i);
    }
}

static bool holds_another(const world_t *w)
{
    for (unsigned i = 0; i < storm_roles_count; i++)
        if (w->members[i].pid && w->members[i].stopped_until_ns)
            return true;
    return false;
}

/* Nobody ends by itself, and whoever is not stopped turns; while one is stopped with a claim in
 * hand, others may wait for it, but they turn. */
static bool all_well(world_t *w)
{
    for (unsigned i = 0; i < storm_roles_count; i++) {
        member_t *m = &w->members[i];
        int status;
        if (!m->pid)
            continue;
        if (waitpid(m->pid, &status, WNOHANG) == m->pid) {
            m->pid = 0;
            storm_fault(w->ledger, "%s: ended by itself, status 0x%x", storm_roles[i].name,
                        (unsigned)status);
            return false;
        }
        uint64_t beat = tbus_load_relaxed_u64(&w->ledger->lives[m->life].heartbeat);
        uint64_t now = now_ns();
        if (beat != m->beat || m->stopped_until_ns || (!beat && holds_another(w))) {
            m->beat = beat;
            m->beat_at_ns = now;
        } else if (now - m->beat_at_ns > PATIENCE_NS) {
            storm_fault(w->ledger, "%s is stuck", storm_roles[i].name);
            return false;
        }
    }
    return !faulty(w);
}

static void nap_ns(uint64_t ns)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static bool rage(world_t *w)
{
    uint32_t until = w->result->kills + w->kills, from = w->result->kills;
    while (w->result->kills < until && all_well(w)) {
        uint64_t done = w->result->kills - from + 1;
        for (unsigned t = 0; t < STORM_TOPICS; t++)
            tbus_store_relaxed_u64(&w->ledger->allowed[t],
                                   (STORM_RECORDS_MAX - RECORDS_MARGIN) * done / w->kills);
        if (below(w, 4))
            nap_ns(below(w, PAUSE_NS_MAX));
        strike(w);
        keep_time(w);
    }
    return !faulty(w);
}

/* ---- the end of a world ---- */

static bool wait_for_all(world_t *w, tbus_atomic_u32_t *(*flag)(storm_life_t *), const char *what)
{
    for (uint64_t from_ns = now_ns(); all_well(w); nap_ns(MS / 5)) {
        unsigned there = 0;
        for (unsigned i = 0; i < storm_roles_count; i++)
            there += w->members[i].pid &&
                     tbus_load_acquire_u32(flag(&w->ledger->lives[w->members[i].life]));
        if (there == storm_roles_count)
            return true;
        if (now_ns() - from_ns > PATIENCE_NS)
            storm_fault(w->ledger, "not all are %s, though nobody is dead or stopped any more",
                        what);
        keep_time(w);
    }
    return false;
}

static tbus_atomic_u32_t *running(storm_life_t *life)
{
    return &life->running;
}
static tbus_atomic_u32_t *silent(storm_life_t *life)
{
    return &life->silent;
}

/* Who is still there, and where the rings stand. */
static void tell_who_is_stuck(world_t *w)
{
    char text[300] = "";
    size_t used = 0;
    for (unsigned i = 0; i < storm_roles_count; i++)
        if (w->members[i].pid)
            used += (size_t)snprintf(text + used, sizeof text - used, " %s", storm_roles[i].name);
    for (unsigned t = 0; t < STORM_TOPICS && used < sizeof text; t++) {
        const tbus_ring_t *ring = &w->bus.rings[t];
        uint64_t first = ring->first_seq;
        used += (size_t)snprintf(
            text + used, sizeof text - used, "; %s: tail %llu, head %llu, end %llu", topics[t].name,
            (unsigned long long)((ring->several_publishers
                                      ? tbus_ring_claimed(ring)
                                      : tbus_load_relaxed_u64(&ring->shared->tail)) -
                                 first),
            (unsigned long long)(tbus_ring_taken(ring) - first),
            (unsigned long long)(tbus_load_relaxed_u64(&w->ledger->end[t]) - first));
    }
    storm_fault(w->ledger, "never drained, stuck:%s", text);
}

static bool drain(world_t *w)
{
    tbus_store_release_u32(&w->ledger->closing, 1);
    if (!wait_for_all(w, silent, "silent"))
        return false;
    for (unsigned t = 0; t < STORM_TOPICS; t++) {
        uint64_t position, seq;
        if (!tbus_ring_end(&w->bus.rings[t], &position, &seq))
            storm_fault(w->ledger, "%s: its end is not known though its publisher lives",
                        topics[t].name);
        tbus_store_relaxed_u64(&w->ledger->end[t], seq);
    }
    tbus_store_release_u32(&w->ledger->draining, 1);
    unsigned left = storm_roles_count;
    for (uint64_t from_ns = now_ns(); left && !faulty(w); nap_ns(MS / 5))
        for (unsigned i = 0; i < storm_roles_count; i++) {
            member_t *m = &w->members[i];
            int status;
            if (m->pid && waitpid(m->pid, &status, WNOHANG) == m->pid) {
                m->pid = 0;
                left--;
                if (status)
                    storm_fault(w->ledger, "%s: ended with status 0x%x", storm_roles[i].name,
                                (unsigned)status);
            } else if (now_ns() - from_ns > PATIENCE_NS) {
                tell_who_is_stuck(w);
                break;
            }
        }
    return !faulty(w);
}

static bool nothing_is_held(world_t *w)
{
    tbus_bus_heal(&w->bus);
    if (tbus_bus_heal(&w->bus) != 0)
        storm_fault(w->ledger, "a second repair found something left to do");
    for (unsigned t = 0; t < STORM_TOPICS; t++)
        for (uint64_t i = 0; i < w->bus.rings[t].slot_count; i++) {
            uint64_t word = tbus_load_acquire_u64(tbus_ring_slot(&w->bus.rings[t], i));
            enum tbus_slot_state state = tbus_slot_state(word);
            if (state == TBUS_SLOT_CLAIMED || state == TBUS_SLOT_TAKEN || state == TBUS_SLOT_AGAIN)
                storm_fault(w->ledger, "%s: a slot is still %s by %u, though all are gone",
                            topics[t].name,
                            state == TBUS_SLOT_CLAIMED ? "claimed"
                            : state == TBUS_SLOT_TAKEN ? "taken"
                                                       : "to be taken again",
                            tbus_slot_owner(word));
        }
    return !faulty(w);
}

/* Every ring takes and gives a whole lap from newcomers. */
static bool one_more_lap(world_t *w)
{
    tbus_error_t err = {0};
    uint32_t owner = storm_roles_count + 1;
    int life = tbus_participant_live(&w->bus, owner, &err);
    for (unsigned t = 0; t < STORM_TOPICS && life >= 0 && !faulty(w); t++) {
        tbus_publisher_t p;
        tbus_subscriber_t s;
        enum tbus_sub_role role = topics[t].kind == TBUS_MPMC ? TBUS_CONSUMER : TBUS_SUBSCRIBER;
        if (tbus_publisher_join(&w->bus.rings[t], owner, &p, &err) < 0 ||
            tbus_subscriber_join_late(&w->bus.rings[t], "last", role, owner, &s, &err) < 0)
            break;
        uint64_t sent = 0, got = 0;
        size_t bytes;
        while (tbus_publish_try(&p, &sent, sizeof sent) == TBUS_PUBLISHED)
            sent++;
        for (const void *m; (m = tbus_peek(&s, &bytes)) != NULL && !memcmp(m, &got, sizeof got);
             got++)
            tbus_advance(&s);
        if (sent != p.ring.slot_count || got != sent || s.error)
            storm_fault(w->ledger, "%s: after all it takes %llu and gives %llu messages of %u",
                        topics[t].name, (unsigned long long)sent, (unsigned long long)got,
                        p.ring.slot_count);
        tbus_subscriber_leave(&s);
        tbus_publisher_leave(&p);
    }
    if (life < 0 || err.code)
        storm_fault(w->ledger, "after all: %s", err.text);
    close(life);
    return !faulty(w);
}

static void make_up_the_books(world_t *w)
{
    storm_sums_t sums = {0};
    for (unsigned t = 0; t < STORM_TOPICS; t++)
        if (!storm_account(w->ledger, t, &w->bus.rings[t], &sums))
            return;
    w->result->published += sums.published;
    w->result->delivered += sums.delivered;
    w->result->tombs += sums.tombs;
    w->result->in_doubt += sums.in_doubt;
    w->result->redelivered += sums.redelivered;
    w->result->open += sums.open;
    for (uint32_t i = 0; i < tbus_load_relaxed_u32(&w->ledger->lives_count); i++) {
        w->result->in_the_act += storm_killed_in_the_act(&w->ledger->lives[i]);
        w->result->heals += tbus_load_relaxed_u64(&w->ledger->lives[i].heals);
        w->result->lost_by_observers += tbus_load_relaxed_u64(&w->ledger->lives[i].lost);
    }
}

static void kill_the_rest(world_t *w)
{
    for (unsigned i = 0; i < storm_roles_count; i++)
        if (w->members[i].pid) {
            kill(w->members[i].pid, SIGKILL);
            waitpid(w->members[i].pid, NULL, 0);
        }
}

static void run_world(world_t *w)
{
    if (make_bus(w)) {
        for (unsigned i = 0; i < storm_roles_count; i++)
            give_birth(w, i);
        if (rage(w) && wait_for_all(w, running, "running") && drain(w)) {
            make_up_the_books(w);
            if (!faulty(w) && nothing_is_held(w))
                one_more_lap(w);
        }
    }
    kill_the_rest(w);
    tbus_bus_close(&w->bus);
}

/* ---- what must be as before ---- */

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        count++;
    if (d)
        closedir(d);
    return count;
}

static unsigned long value_of(const char *path, const char *format, bool count_lines)
{
    char line[512];
    unsigned long value = 0, lines = 0;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (count_lines)
            lines += strstr(line, format) != NULL;
        else if (sscanf(line, format, &value) == 1)
            break;
    if (f)
        fclose(f);
    return count_lines ? lines : value;
}

typedef struct belongings {
    unsigned descriptors;
    unsigned long mappings;
    unsigned long huge_pages_free;
} belongings_t;

static belongings_t take_stock(enum tbus_pages pages)
{
    return (belongings_t){
        .descriptors = open_descriptors(),
        .mappings = value_of("/proc/self/maps", "memfd:", true),
        /* The pool is everybody's: only where the storm takes from it is it looked at, and it must
         * have the machine to itself. */
        .huge_pages_free = pages == TBUS_PAGES_HUGETLB
                               ? value_of("/proc/meminfo", "HugePages_Free: %lu", false)
                               : 0};
}

static void compare(storm_ledger_t *l, belongings_t before, belongings_t now)
{
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
        storm_fault(l, "there are children left");
    if (before.descriptors != now.descriptors || before.mappings != now.mappings ||
        before.huge_pages_free != now.huge_pages_free)
        storm_fault(
            l, "left behind: descriptors %u -> %u, mappings %lu -> %lu, free huge pages %lu -> %lu",
            before.descriptors, now.descriptors, before.mappings, now.mappings,
            before.huge_pages_free, now.huge_pages_free);
}

bool storm_run(const storm_options_t *options, storm_result_t *out_result)
{
    memset(out_result, 0, sizeof *out_result);
    for (uint32_t index = options->first_world; out_result->kills < options->kills; index++) {
        uint32_t kills = options->kills - out_result->kills;
        if (kills > options->kills_per_world)
            kills = options->kills_per_world;
        belongings_t before = take_stock(options->pages);
        world_t world = {.options = options,
                         .result = out_result,
                         .index = index,
                         .kills = kills,
                         .random = options->seed ^ (uint64_t)index << 32,
                         .ledger = storm_ledger_create()};
        run_world(&world);
        compare(world.ledger, before, take_stock(options->pages));
        bool fault = faulty(&world);
        if (fault)
            snprintf(out_result->fault, sizeof out_result->fault, "world %u of seed %llu: %s",
                     index, (unsigned long long)options->seed, world.ledger->fault);
        storm_ledger_destroy(world.ledger);
        if (fault)
            return false;
        out_result->worlds++;
        if (options->progress)
            fprintf(stderr, "\r%u worlds, %u kills, %llu messages ", out_result->worlds,
                    out_result->kills, (unsigned long long)out_result->published);
    }
    return true;
}
