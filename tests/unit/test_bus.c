/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/prctl.h>

#include <tickbus/bus.h>
#include <tickbus/observer.h>
#include <tickbus/open.h>
#include <tickbus/publisher.h>
#include <tickbus/stage.h>
#include <tickbus/subscriber.h>

static const tbus_ring_spec_t md_spec = {
    .name = "md", .kind = TBUS_BROADCAST, .slot_bytes = 64, .slot_count = 1024, .first_seq = 1};

static void a_segment_is_populated_private_and_sealed(void **state)
{
    (void)state;
    tbus_segment_t s;
    tbus_error_t err = {0};
    assert_int_equal(tbus_segment_create("test", 100000, TBUS_PAGES_AUTO, -1, &s, &err), 0);
    assert_true(s.bytes >= 100000);
    assert_true(s.pages == TBUS_PAGES_HUGETLB || s.pages == TBUS_PAGES_THP ||
                s.pages == TBUS_PAGES_SMALL);
    /* not the best kind: it says why */
    assert_true(s.pages == TBUS_PAGES_HUGETLB || s.pages_why[0] != 0);
    struct stat st;
    assert_int_equal(fstat(s.fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(ftruncate(s.fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(s.fd, (off_t)s.bytes * 2), -1);
    memset(s.base, 0x5a, s.bytes);
    tbus_segment_close(&s);
    assert_null(s.base);
}

static void a_read_only_descriptor_cannot_be_mapped_for_writing(void **state)
{
    (void)state;
    tbus_segment_t s, ro;
    tbus_error_t err = {0};
    assert_int_equal(tbus_segment_create("test", 4096, TBUS_PAGES_SMALL, -1, &s, &err), 0);
    int fd = tbus_segment_reopen(&s, false);
    assert_true(fd >= 0);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(tbus_segment_map(fd, false, &ro, &err), 0);
    assert_int_equal(mprotect(ro.base, ro.bytes, PROT_READ | PROT_WRITE), -1);
    ((unsigned char *)s.base)[7] = 42;
    assert_int_equal(((unsigned char *)ro.base)[7], 42);
    tbus_segment_close(&ro);
    tbus_segment_close(&s);
}

/* Truncating would kill all others with SIGBUS. Who may write can also punch holes: they read as
 * zeros, which is no ring. */
static void nobody_can_take_the_memory_away_from_under_the_others(void **state)
{
    (void)state;
    enum { PAGES = 16, PAGE = 4096 };
    tbus_segment_t s;
    tbus_ring_t ring;
    assert_int_equal(tbus_segment_create("test", PAGES * PAGE, TBUS_PAGES_SMALL, -1, &s, NULL), 0);
    tbus_ring_spec_t spec = {
        .name = "r", .kind = TBUS_SPSC, .slot_bytes = 64, .slot_count = 64, .first_seq = 1};
    assert_int_equal(tbus_ring_format(s.base, s.bytes, &spec, NULL), 0);
    for (int writable = 0; writable < 2; writable++) {
        int fd = tbus_segment_reopen(&s, writable);
        assert_true(fd >= 0);
        for (off_t bytes = 0; bytes <= 2 * PAGES * PAGE; bytes += PAGES * PAGE)
            assert_true(ftruncate(fd, bytes) < 0 || bytes == PAGES * PAGE);
        assert_int_equal(fallocate(fd, 0, 0, 2 * PAGES * PAGE), -1);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
        assert_int_equal(tbus_ring_join(s.base, s.bytes, true, &ring, NULL), 0);
        int holes = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGES * PAGE);
        assert_int_equal(holes, writable ? 0 : -1);
        close(fd);
    }
    for (size_t i = 0; i < s.bytes; i++)
        assert_int_equal(((unsigned char *)s.base)[i], 0);
    assert_int_equal(tbus_ring_join(s.base, s.bytes, true, &ring, NULL), -TBUS_EMAGIC);
    tbus_segment_close(&s);
}

static void an_unsealed_file_is_refused(void **state)
{
    (void)state;
    int fd = memfd_create("unsealed", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 8192), 0);
    tbus_segment_t s;
    tbus_error_t err = {0};
    assert_int_equal(tbus_segment_map(fd, false, &s, &err), -TBUS_EGEOMETRY);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* map took it and closed it */
}

static void huge_pages_that_are_not_there_are_named_in_the_error(void **state)
{
    (void)state;
    tbus_segment_t s;
    tbus_error_t err = {0};
    /* More than any pool of a test machine has. */
    int code = tbus_segment_create("test", (size_t)1 << 45, TBUS_PAGES_HUGETLB, -1, &s, &err);
    assert_true(code < 0);
    assert_non_null(strstr(err.text, "huge pages"));
    code = tbus_segment_create("test", (size_t)1 << 45, TBUS_PAGES_SMALL, -1, &s, &err);
    assert_true(code < 0);
    assert_non_null(strstr(err.text, "cannot be had"));
}

static void a_numa_node_that_is_not_there_is_refused(void **state)
{
    (void)state;
    tbus_segment_t s;
    tbus_error_t err = {0};
    assert_int_equal(tbus_segment_create("test", 4096, TBUS_PAGES_SMALL, 1023, &s, &err), -EINVAL);
    assert_non_null(strstr(err.text, "no NUMA node 1023"));
    assert_int_equal(tbus_segment_create("test", 4096, TBUS_PAGES_SMALL, 0, &s, &err), 0);
    tbus_segment_close(&s);
}

static void attach(tbus_bus_t *bus, tbus_bus_t *out)
{
    tbus_error_t err = {0};
    int fds[2] = {tbus_segment_reopen(&bus->directory_segment, false),
                  tbus_segment_reopen(&bus->topic_segments[0], false)};
    assert_int_equal(tbus_bus_attach(fds, 2, out, &err), 0);
}

static void an_attached_observer_reads_but_can_neither_write_nor_subscribe(void **state)
{
    (void)state;
    tbus_bus_t bus, seen;
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_create("t", &bus, &err), 0);
    assert_int_equal(tbus_bus_add_topic(&bus, &md_spec, "tick", TBUS_PAGES_SMALL, -1, &err), 0);
    attach(&bus, &seen);
    tbus_publisher_t p, q;
    assert_int_equal(tbus_publisher_join(tbus_bus_ring(&bus, "md"), 1, &p, &err), 0);
    assert_int_equal(tbus_publish_try(&p, "hello", 5), TBUS_PUBLISHED);
    tbus_observer_t o;
    assert_int_equal(tbus_observer_join(tbus_bus_ring(&seen, "md"), TBUS_FROM_OLDEST, &o, &err), 0);
    uint64_t copy[8], seq, lost;
    size_t bytes;
    assert_int_equal(tbus_observe(&o, copy, &bytes, &seq, &lost), 1);
    assert_int_equal(seq, 1);
    assert_memory_equal(copy, "hello", 5);
    assert_int_equal(tbus_publisher_join(tbus_bus_ring(&seen, "md"), 1, &q, &err), -TBUS_EKIND);
    tbus_stage_t stage = {.owner = 1, .bus = &seen, .name = "s"};
    assert_int_equal(tbus_stage_join_publisher(&stage, "md", &q, &err), -TBUS_EKIND);
    tbus_subscriber_t s;
    assert_int_equal(tbus_subscriber_join(tbus_bus_ring(&seen, "md"), "x", 1, &s, &err),
                     -TBUS_EKIND);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* also under a sanitizer */
        *(volatile uint64_t *)seen.topic_segments[0].base = 0;
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    tbus_bus_close(&seen);
    tbus_bus_close(&bus);
}

static void attach_refuses_wrong_descriptors_and_closes_them(void **state)
{
    (void)state;
    tbus_bus_t bus, seen;
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_create("t", &bus, &err), 0);
    assert_int_equal(tbus_bus_add_topic(&bus, &md_spec, "tick", TBUS_PAGES_SMALL, -1, &err), 0);
    int swapped[2] = {tbus_segment_reopen(&bus.topic_segments[0], false),
                      tbus_segment_reopen(&bus.directory_segment, false)};
    assert_int_equal(tbus_bus_attach(swapped, 2, &seen, &err), -TBUS_EMAGIC);
    assert_int_equal(fcntl(swapped[0], F_GETFD), -1);
    assert_int_equal(fcntl(swapped[1], F_GETFD), -1);
    int few[1] = {tbus_segment_reopen(&bus.directory_segment, false)};
    assert_int_equal(tbus_bus_attach(few, 1, &seen, &err), -TBUS_EGEOMETRY);
    bus.directory->protocol++;
    int fds[2] = {tbus_segment_reopen(&bus.directory_segment, false),
                  tbus_segment_reopen(&bus.topic_segments[0], false)};
    assert_int_equal(tbus_bus_attach(fds, 2, &seen, &err), -TBUS_EABI);
    tbus_bus_close(&bus);
}

/* magic, protocol, topics_count, bytes and layout stand at the very beginning. */
static void attach_refuses_every_wrong_byte_of_the_directorys_header(void **state)
{
    (void)state;
    tbus_bus_t bus, seen;
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_create("t", &bus, &err), 0);
    assert_int_equal(tbus_bus_add_topic(&bus, &md_spec, "tick", TBUS_PAGES_SMALL, -1, &err), 0);
    unsigned char *header = bus.directory_segment.base;
    for (size_t at = 0; at < offsetof(tbus_directory_t, epoch_ns); at++) {
        unsigned char good = header[at];
        static const unsigned char changes[] = {1, 0x80, 0xff, 0x5a};
        for (size_t i = 0; i < sizeof changes; i++) {
            header[at] = good ^ changes[i];
            int fds[2] = {tbus_segment_reopen(&bus.directory_segment, false),
                          tbus_segment_reopen(&bus.topic_segments[0], false)};
            int refusal = at < offsetof(tbus_directory_t, protocol)  ? -TBUS_EMAGIC
                          : at >= offsetof(tbus_directory_t, layout) ? -TBUS_EBUILD
                          : at >= 12 && at < 16                      ? -TBUS_EGEOMETRY
                                                                     : -TBUS_EABI;
            assert_int_equal(tbus_bus_attach(fds, 2, &seen, &err), refusal);
            assert_int_equal(fcntl(fds[1], F_GETFD), -1);
        }
        header[at] = good;
    }
    attach(&bus, &seen);
    tbus_bus_close(&seen);
    tbus_bus_close(&bus);
}

/* Numbers of processes are used again. What counts is the lock, and that nobody inherits. */
static void a_living_process_with_the_pid_of_the_dead_is_not_taken_for_it(void **state)
{
    (void)state;
    tbus_bus_t bus;
    tbus_publisher_t p;
    tbus_error_t err = {0};
    tbus_ring_spec_t spec = md_spec;
    spec.kind = TBUS_MPMC;
    assert_int_equal(tbus_bus_create("t", &bus, &err), 0);
    assert_int_equal(tbus_bus_add_topic(&bus, &spec, "tick", TBUS_PAGES_SMALL, -1, &err), 0);
    assert_int_equal(tbus_participant_add(&bus, "victim", &err), 1);
    pid_t child = fork();
    if (child == 0)
        _exit(tbus_participant_live(&bus, 1, NULL) < 0 ||
              tbus_publisher_join(&bus.rings[0], 1, &p, NULL) < 0 || !tbus_claim_try(&p));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    tbus_participant(&bus, 1)->pid = (uint32_t)getpid(); /* as if we had been given its number */
    assert_int_equal(tbus_participant_alive(&bus, 1), 0);
    assert_int_equal(tbus_bus_heal(&bus), 1);
    assert_int_equal(tbus_load_relaxed_u64(&bus.rings[0].shared->tombs), 1);
    tbus_bus_close(&bus);
}

static void a_killed_participant_is_proven_dead_and_a_stopped_one_is_not(void **state)
{
    (void)state;
    tbus_bus_t bus;
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_create("t", &bus, &err), 0);
    int owner = tbus_participant_add(&bus, "victim", &err);
    assert_int_equal(owner, 1);
    assert_int_equal(tbus_participant_add(&bus, "victim", &err), -TBUS_EEXISTS);
    assert_int_equal(tbus_participant_alive(&bus, 1), 0);
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int lock = tbus_participant_live(&bus, 1, NULL);
        char ok = lock >= 0;
        if (write(ready[1], &ok, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char ok = 0;
    assert_int_equal(read(ready[0], &ok, 1), 1);
    assert_int_equal(ok, 1);
    assert_int_equal(tbus_participant_alive(&bus, 1), 1);
    assert_int_equal(tbus_participant(&bus, 1)->pid, child);
    assert_int_equal(tbus_participant_live(&bus, 1, &err), -TBUS_EEXISTS);
    kill(child, SIGSTOP);
    assert_int_equal(waitpid(child, NULL, WUNTRACED), child);
    assert_int_equal(tbus_participant_alive(&bus, 1), 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(tbus_participant_alive(&bus, 1), 0);
    close(ready[0]);
    close(ready[1]);
    tbus_bus_close(&bus);
}

static void a_name_fills_its_field_to_the_last_byte_and_no_further(void **state)
{
    (void)state;
    static const char longest[] = "abcdefghijklmnopqrstuvw", longer[] = "abcdefghijklmnopqrstuvwx";
    assert_int_equal(sizeof longest, TBUS_NAME_MAX);
    tbus_bus_t bus;
    tbus_error_t err = {0};
    assert_int_equal(tbus_bus_create(longer, &bus, &err), -EINVAL);
    assert_int_equal(tbus_bus_create("", &bus, &err), -EINVAL);
    assert_int_equal(tbus_bus_create(longest, &bus, &err), 0);
    assert_memory_equal(bus.directory->name, longest, sizeof longest);

    tbus_ring_spec_t spec = md_spec;
    memset(spec.name, 'n', sizeof spec.name); /* without a zero */
    assert_int_equal(tbus_bus_add_topic(&bus, &spec, "t", TBUS_PAGES_SMALL, -1, &err), -EINVAL);
    memcpy(spec.name, longest, sizeof longest);
    assert_int_equal(tbus_bus_add_topic(&bus, &spec, longer, TBUS_PAGES_SMALL, -1, &err), -EINVAL);
    assert_int_equal(tbus_bus_add_topic(&bus, &spec, longest, TBUS_PAGES_SMALL, -1, &err), 0);
    const tbus_topic_t *topic = &bus.directory->topics[0];
    assert_memory_equal(topic->name, longest, sizeof longest);
    assert_memory_equal(topic->type, longest, sizeof longest);
    assert_int_equal(topic->kind, spec.kind);
    assert_int_equal(tbus_bus_topic_index(&bus, longest), 0);
    assert_int_equal(tbus_bus_topic_index(&bus, "abcdefghijklmnopqrstuv"), -TBUS_ENOTFOUND);
    assert_int_equal(tbus_bus_topic_index(&bus, longer), -TBUS_ENOTFOUND);

    assert_int_equal(tbus_participant_add(&bus, longer, &err), -EINVAL);
    assert_int_equal(tbus_participant_add(&bus, longest, &err), 1);
    assert_memory_equal(tbus_participant(&bus, 1)->name, longest, sizeof longest);
    assert_int_equal(tbus_participant_add(&bus, longest, &err), -TBUS_EEXISTS);
    assert_int_equal(tbus_participant_add(&bus, longest + 1, &err), 2); /* a byte shorter */

    assert_int_equal(tbus_bus_join(&bus, longer, &err), -EINVAL);
    assert_int_equal(tbus_bus_join(&bus, longest, &err), 1);
    assert_memory_equal(tbus_participant(&bus, bus.owner)->name, longest, sizeof longest);
    tbus_bus_close(&bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_populated_private_and_sealed),
        cmocka_unit_test(a_read_only_descriptor_cannot_be_mapped_for_writing),
        cmocka_unit_test(nobody_can_take_the_memory_away_from_under_the_others),
        cmocka_unit_test(an_unsealed_file_is_refused),
        cmocka_unit_test(huge_pages_that_are_not_there_are_named_in_the_error),
        cmocka_unit_test(a_numa_node_that_is_not_there_is_refused),
        cmocka_unit_test(an_attached_observer_reads_but_can_neither_write_nor_subscribe),
        cmocka_unit_test(attach_refuses_wrong_descriptors_and_closes_them),
        cmocka_unit_test(attach_refuses_every_wrong_byte_of_the_directorys_header),
        cmocka_unit_test(a_living_process_with_the_pid_of_the_dead_is_not_taken_for_it),
        cmocka_unit_test(a_name_fills_its_field_to_the_last_byte_and_no_further),
        cmocka_unit_test(a_killed_participant_is_proven_dead_and_a_stopped_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
