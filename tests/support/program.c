/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/program.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void become(const program_t *p, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    int empty = open("/dev/null", O_RDONLY);
    dup2(empty, 0);
    dup2(p->out_fd, 1);
    dup2(p->err_fd, 2);
    if (p->in_child)
        p->in_child();
    execvp(p->argv[0], (char *const *)(size_t)p->argv);
    dprintf(2, "%s: %s\n", p->argv[0], strerror(errno));
    _exit(127);
}

bool program_start(program_t *p)
{
    pid_t parent = getpid();
    p->out_fd = memfd_create("stdout", MFD_CLOEXEC);
    p->err_fd = memfd_create("stderr", MFD_CLOEXEC);
    fflush(NULL);
    p->pid = fork();
    if (p->pid == 0)
        become(p, parent);
    return p->pid > 0;
}

static char *read_fd(int fd, size_t *out_bytes)
{
    struct stat is;
    char *text = fstat(fd, &is) == 0 ? malloc((size_t)is.st_size + 1) : NULL;
    if (!text)
        return NULL;
    size_t got = 0;
    ssize_t n;
    while (got < (size_t)is.st_size &&
           (n = pread(fd, text + got, (size_t)is.st_size - got, (off_t)got)) > 0)
        got += (size_t)n;
    text[got] = 0;
    if (out_bytes)
        *out_bytes = got;
    return text;
}

static void collect(program_t *p, int status)
{
    p->pid = 0;
    p->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    p->out = read_fd(p->out_fd, &p->out_bytes);
    p->err = read_fd(p->err_fd, NULL);
    close(p->out_fd);
    close(p->err_fd);
}

bool program_ended(program_t *p)
{
    int status;
    if (p->pid && waitpid(p->pid, &status, WNOHANG) == p->pid)
        collect(p, status);
    return p->pid == 0;
}

void program_wait(program_t *p)
{
    int status;
    while (p->pid)
        if (waitpid(p->pid, &status, 0) == p->pid)
            collect(p, status);
}

int program_run(program_t *p)
{
    if (!program_start(p))
        return -1;
    program_wait(p);
    return p->exit_code;
}

void program_clear(program_t *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        program_wait(p);
    }
    free(p->out);
    free(p->err);
    p->out = p->err = NULL;
}

void scratch_create(char out_path[SCRATCH_PATH_MAX])
{
    snprintf(out_path, SCRATCH_PATH_MAX, "/tmp/tickbus-test-XXXXXX");
    if (!mkdtemp(out_path)) {
        perror(out_path);
        abort();
    }
}

static int remove_one(const char *path, const struct stat *is, int kind, struct FTW *at)
{
    (void)is, (void)kind, (void)at;
    return remove(path);
}

void scratch_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_create_runtime(char out_path[SCRATCH_PATH_MAX])
{
    scratch_create(out_path);
    setenv("XDG_RUNTIME_DIR", out_path, 1);
}

unsigned scratch_remove_runtime(const char *path)
{
    char run_directory[SCRATCH_PATH_MAX + 16];
    unsigned count = 0;
    snprintf(run_directory, sizeof run_directory, "%s/tickbus", path);
    DIR *list = opendir(run_directory);
    for (struct dirent *entry; list && (entry = readdir(list)) != NULL;)
        count += entry->d_name[0] != '.';
    if (list)
        closedir(list);
    scratch_remove(path);
    unsetenv("XDG_RUNTIME_DIR");
    return count;
}

char *file_read(const char *path, size_t *out_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *text = read_fd(fd, out_bytes);
    close(fd);
    return text;
}

bool file_write(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    bool written = fwrite(bytes, 1, count, file) == count;
    return fclose(file) == 0 && written;
}

void file_sha256(const char *path, char out_hex[SHA256_TEXT])
{
    const char *const argv[] = {"sha256sum", "--", path, NULL};
    program_t p = {.argv = argv};
    out_hex[0] = 0;
    if (program_run(&p) == 0 && p.out_bytes > 64)
        snprintf(out_hex, SHA256_TEXT, "%.64s", p.out);
    program_clear(&p);
}

void directories_make(const char *path)
{
    char part[PATH_MAX];
    for (const char *end = path + 1; *end; end++)
        if (*end == '/' && snprintf(part, sizeof part, "%.*s", (int)(end - path), path) > 0)
            mkdir(part, 0700);
}
