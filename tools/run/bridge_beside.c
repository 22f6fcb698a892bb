/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/run/bridge_beside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/show/bridge.h"

#define SUFFIX   ".bridge"
#define FILE_MAX (TBUS_NAME_MAX + sizeof SUFFIX)
#define LOOK_NS  UINT64_C(50000000) /* between two looks at whether the supervisor is there */

static void file_name(const char *name, char out_file[FILE_MAX])
{
    snprintf(out_file, FILE_MAX, "%.*s%s", (int)TBUS_NAME_MAX - 1, name, SUFFIX);
}

/* The file is ours alone: the directory is (tbus_rundir_open). */
static int open_file(const tbus_rundir_t *dir, const char *name, int flags)
{
    char file[FILE_MAX];
    struct stat st;
    file_name(name, file);
    int fd = openat(dir->fd, file, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    return -EINVAL;
}

static bool is_of_session(const bridge_board_t *board, const char *session)
{
    char text[16];
    gateway_board_text(board->session_name, 2, text);
    return strncmp(text, session, sizeof text) == 0;
}

const bridge_board_t *bridge_beside_look(const tbus_rundir_t *dir, const char *name,
                                         const char *session)
{
    struct stat st;
    int fd = open_file(dir, name, O_RDONLY);
    if (fd < 0)
        return NULL;
    bool whole = fstat(fd, &st) == 0 && st.st_size == sizeof(bridge_board_t);
    void *map =
        whole ? mmap(NULL, sizeof(bridge_board_t), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return NULL;
    if (is_of_session(map, session))
        return map;
    bridge_beside_forget(map);
    return NULL;
}

void bridge_beside_forget(const bridge_board_t *board)
{
    if (board)
        munmap((void *)board, sizeof *board);
}

/* The board, ours as long as *out_fd is open; that of an earlier session begins anew. */
static int claim(const client_t *client, const char *session, bridge_board_t **out_board,
                 int *out_fd, tbus_error_t *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open_file(&client->dir, client->name, O_RDWR | O_CREAT);
    if (fd < 0)
        return tbus_fail(err, fd, "%s/%s%s: %s", client->dir.path, client->name, SUFFIX,
                         tbus_strerror(fd));
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        close(fd);
        return tbus_fail(err, -TBUS_EEXISTS, "there is a bridge beside bus '%s' already",
                         client->name);
    }
    int code = ftruncate(fd, sizeof(bridge_board_t)) < 0 ? -errno : 0;
    /* Allocated now: a page that cannot be had later would be a SIGBUS. */
    if (code == 0)
        code = -posix_fallocate(fd, 0, sizeof(bridge_board_t));
    void *map = code == 0
                    ? mmap(NULL, sizeof(bridge_board_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                    : MAP_FAILED;
    if (map == MAP_FAILED) {
        code = code < 0 ? code : -errno;
        close(fd);
        return tbus_fail(err, code, "%s/%s%s: %s", client->dir.path, client->name, SUFFIX,
                         tbus_strerror(code));
    }
    if (!is_of_session(map, session))
        memset(map, 0, sizeof(bridge_board_t));
    *out_board = map;
    *out_fd = fd;
    return 0;
}

/* Until the bus has ended, and then what is left. */
static int follow(bridge_t *b, const client_t *client, const tbus_bus_t *bus, uint64_t drain_ns,
                  tbus_error_t *err)
{
    uint64_t look_ns = 0;
    while (!bridge_is_complete(b)) {
        uint64_t now_ns = tbus_clock_ns();
        if (now_ns >= look_ns) {
            struct pollfd fd = {.fd = client->fd, .events = POLLIN};
            if (poll(&fd, 1, 0) > 0) { /* nothing is asked, so nothing comes but its end */
                int code = bridge_finish(b, drain_ns, err);
                /* O4 pairs O3 (run_pipeline in supervisor.c): it said that it was all. */
                if (code == 0 && tbus_load_acquire_u32(&bus->directory->ended) == 0)
                    code = tbus_fail(err, -TBUS_ESTOPPED,
                                     "the supervisor of the bus is gone; what there was is "
                                     "acknowledged");
                return code;
            }
            look_ns = now_ns + LOOK_NS;
        }
        int done = bridge_turn(b, err);
        if (done < 0)
            return done;
        if (done == 0)
            bridge_sleep(b, look_ns);
    }
    return 0;
}

int bridge_beside_run(client_t *client, tbus_bus_t *bus, const bridge_values_t *values,
                      uint64_t drain_ns, bridge_board_t *out_board, tbus_error_t *err)
{
    char journal[PATH_MAX + 32], file[FILE_MAX];
    const bridge_options_t options = bridge_options_of(values);
    bridge_board_t *board = NULL;
    bridge_t *b = NULL;
    int fd = -1;
    const bridge_board_t *own = bridge_board_of(bus);
    if (own && tbus_load_relaxed_u32(&own->pid))
        return tbus_fail(err, -TBUS_EEXISTS, "bus '%s' has a bridge of its own (--bridge)",
                         client->name);
    int code = claim(client, bus->directory->session_name, &board, &fd, err);
    if (code < 0)
        return code;
    client_journal(client->name, journal, sizeof journal);
    code = bridge_create(bus, journal[0] ? journal : NULL, &options, board, &b, err);
    if (code == 0)
        code = bridge_start(b, err);
    if (code == 0)
        code = follow(b, client, bus, drain_ns, err);
    bridge_destroy(b);
    *out_board = *board;
    munmap(board, sizeof *board);
    if (code == 0) { /* the bus is over, and nobody goes on here */
        file_name(client->name, file);
        (void)unlinkat(client->dir.fd, file, 0);
    }
    close(fd);
    return code;
}
