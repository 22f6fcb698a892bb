/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/run/cgroup.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT (UINT64_C(1) << 60) /* version 1 shows no limit as a number near 2^63 */

typedef struct file_pair {
    const char *limit, *usage;
} file_pair_t;

typedef struct controller {
    const char *name;
    bool counts_caches;      /* usage includes page cache, which the kernel can drop */
    file_pair_t files[2][2]; /* of version 1 and 2 */
} controller_t;

static const controller_t memory = {
    "memory",
    true,
    {{{"memory.limit_in_bytes", "memory.usage_in_bytes"}}, {{"memory.max", "memory.current"}}}};
static const controller_t huge_pages = {
    "hugetlb",
    false,
    {{{"hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.usage_in_bytes"},
      {"hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.2MB.rsvd.usage_in_bytes"}},
     {{"hugetlb.2MB.max", "hugetlb.2MB.current"},
      {"hugetlb.2MB.rsvd.max", "hugetlb.2MB.rsvd.current"}}}};

typedef struct place {
    char root[PATH_MAX];  /* the group at the top of what is mounted */
    char point[PATH_MAX]; /* the directory where it is mounted */
} place_t;

static FILE *open_in(const char *directory, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    return length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
}

/* Read a number. False: there is no such file, or it holds no number ("max"). */
static bool read_number(const char *directory, const char *name, uint64_t *out_value)
{
    FILE *f = open_in(directory, name);
    bool is = f && fscanf(f, "%" SCNu64, out_value) == 1;
    if (f)
        fclose(f);
    return is;
}

/* Bytes of files in the page cache, which the kernel can drop; of the groups below as well. */
static uint64_t read_caches(const char *directory)
{
    FILE *f = open_in(directory, "memory.stat");
    char key[64];
    uint64_t value, own = 0, total = 0;
    while (f && fscanf(f, "%63s %" SCNu64, key, &value) == 2) {
        if (!strcmp(key, "inactive_file") || !strcmp(key, "active_file"))
            own += value;
        if (!strcmp(key, "total_inactive_file") || !strcmp(key, "total_active_file"))
            total += value; /* version 1 has both keys, and only these include groups below */
    }
    if (f)
        fclose(f);
    return total ? total : own;
}

/* Keep the path, or the end of it where it is too long: the end names the file. */
static void keep_path(char out_path[TBUS_CGROUP_PATH_MAX], const char *directory, const char *name)
{
    char path[2 * PATH_MAX + 64];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    size_t over =
        (size_t)length < TBUS_CGROUP_PATH_MAX ? 0 : (size_t)length - TBUS_CGROUP_PATH_MAX + 1;
    memcpy(out_path, path + over, (size_t)length - over + 1);
    if (over)
        memcpy(out_path, "...", 3);
}

/* Called for each group from the process's own upwards. False: stop. */
typedef bool visit_t(const char *directory, bool unified, void *context);

/* --- memory that a group still allows --- */

typedef struct room_query {
    const controller_t *controller;
    tbus_cgroup_room_t room;
} room_query_t;

static void look_at(const char *directory, const controller_t *c, const file_pair_t *files,
                    tbus_cgroup_room_t *room)
{
    uint64_t limit, usage = 0;
    if (!files->limit || !read_number(directory, files->limit, &limit) || limit >= NO_LIMIT)
        return;
    read_number(directory, files->usage, &usage);
    uint64_t caches = c->counts_caches ? read_caches(directory) : 0;
    uint64_t needed = usage > caches ? usage - caches : 0;
    uint64_t left = limit > needed ? limit - needed : 0;
    if (left >= room->bytes)
        return;
    room->bytes = left;
    keep_path(room->limit, directory, files->limit);
}

static bool visit_room(const char *directory, bool unified, void *context)
{
    room_query_t *query = context;
    for (unsigned i = 0; i < 2; i++)
        look_at(directory, query->controller, &query->controller->files[unified][i], &query->room);
    return true;
}

/* --- CPU time --- */

static void keep_quota(const char *directory, const char *name, double quota, double period,
                       tbus_cgroup_cpu_t *cpu)
{
    if (quota <= 0 || period <= 0 || quota / period * 1000 >= (double)cpu->milli)
        return;
    cpu->milli = quota / period * 1000 < 1 ? 1 : (uint32_t)(quota / period * 1000);
    keep_path(cpu->limit, directory, name);
}

/* Version 2 has one file: "20000 100000", or "max 100000" for no limit. Version 1 has two files,
 * and -1 for no limit. */
static bool visit_cpu(const char *directory, bool unified, void *context)
{
    double quota = 0, period = 0;
    const char *name = unified ? "cpu.max" : "cpu.cfs_quota_us";
    FILE *f = open_in(directory, name);
    int got = f ? fscanf(f, "%lf %lf", &quota, &period) : 0;
    if (f)
        fclose(f);
    if (!unified && got == 1 && (f = open_in(directory, "cpu.cfs_period_us")) != NULL) {
        got += fscanf(f, "%lf", &period) == 1;
        fclose(f);
    }
    if (got == 2)
        keep_quota(directory, name, quota, period, context);
    return true;
}

/* --- processes killed because memory ran out --- */

static bool visit_kills(const char *directory, bool unified, void *context)
{
    tbus_cgroup_kills_t *kills = context;
    const char *name = unified ? "memory.events" : "memory.oom_control";
    FILE *f = open_in(directory, name);
    char key[64];
    uint64_t value;
    while (f && fscanf(f, "%63s %" SCNu64, key, &value) == 2)
        if (!strcmp(key, "oom_kill")) {
            kills->count = value;
            keep_path(kills->limit, directory, unified ? "memory.max" : "memory.limit_in_bytes");
            fclose(f);
            return false; /* the groups above count processes that are not ours */
        }
    if (f)
        fclose(f);
    return true;
}

/* --- where the groups are --- */

/* Visit the group and the groups above it, up to the one that is mounted. */
static bool look_up_from(const place_t *place, const char *group, bool unified, visit_t *visit,
                         void *context)
{
    char directory[2 * PATH_MAX];
    size_t root = strcmp(place->root, "/") ? strlen(place->root) : 0;
    bool below = !strncmp(group, place->root, root) && (!group[root] || group[root] == '/') &&
                 !strstr(group, "/..");
    /* When the group is not below the mounted one, its own files cannot be read here, and only the
     * mounted one is visited. */
    snprintf(directory, sizeof directory, "%s%s", place->point, below ? group + root : "");
    size_t top = strlen(place->point);
    for (size_t end = strlen(directory); end >= top; end--) {
        if (directory[end] && directory[end] != '/')
            continue;
        directory[end] = 0;
        if ((end == 0 || directory[end - 1] != '/') && !visit(directory, unified, context))
            return false;
        if (end == 0)
            break;
    }
    return true;
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ',') &&
            (!at[length] || at[length] == ',' || at[length] == '\n'))
            return true;
    return false;
}

/* Find where the hierarchy of a controller is mounted; "": the unified hierarchy. */
static bool find_mount(const char *proc_self, const char *controller, place_t *out_place)
{
    FILE *f = open_in(proc_self, "mountinfo");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (f && !found && getline(&line, &room, f) > 0) {
        /* 36 35 98:0 ROOT POINT options [tags] - TYPE source SUPER-OPTIONS */
        const char *rest = strstr(line, " - ");
        char type[32], super[512];
        if (!rest || strlen(line) >= PATH_MAX ||
            sscanf(rest, " - %31s %*s %511s", type, super) != 2 ||
            sscanf(line, "%*s %*s %*s %s %s", out_place->root, out_place->point) != 2)
            continue;
        found = *controller ? !strcmp(type, "cgroup") && has_word(super, controller)
                            : !strcmp(type, "cgroup2");
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

/* Visit the groups of a controller that this process is in, from its own group upwards. */
static void ask(const char *proc_self, const char *controller, visit_t *visit, void *context)
{
    FILE *f = open_in(proc_self, "cgroup");
    char *line = NULL;
    size_t line_bytes = 0;
    place_t place;
    bool more = true;
    while (f && more && getline(&line, &line_bytes, f) > 0) {
        /* NUMBER:CONTROLLERS:GROUP; the unified hierarchy: 0::GROUP */
        char *list = strchr(line, ':');
        char *group = list ? strchr(list + 1, ':') : NULL;
        if (!group || strlen(group) >= PATH_MAX)
            continue;
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        bool unified = !*++list;
        if ((unified || has_word(list, controller)) &&
            find_mount(proc_self, unified ? "" : controller, &place))
            more = look_up_from(&place, group, unified, visit, context);
    }
    free(line);
    if (f)
        fclose(f);
}

static tbus_cgroup_room_t ask_room(const char *proc_self, const controller_t *c)
{
    room_query_t query = {.controller = c, .room = {.bytes = TBUS_CGROUP_ANY}};
    ask(proc_self, c->name, visit_room, &query);
    return query.room;
}

tbus_cgroup_room_t tbus_cgroup_memory(const char *proc_self)
{
    return ask_room(proc_self, &memory);
}

tbus_cgroup_room_t tbus_cgroup_huge_pages(const char *proc_self)
{
    return ask_room(proc_self, &huge_pages);
}

tbus_cgroup_cpu_t tbus_cgroup_cpu(const char *proc_self)
{
    tbus_cgroup_cpu_t cpu = {.milli = TBUS_CGROUP_CPU_ANY};
    ask(proc_self, "cpu", visit_cpu, &cpu);
    return cpu;
}

tbus_cgroup_kills_t tbus_cgroup_kills(const char *proc_self)
{
    tbus_cgroup_kills_t kills = {0};
    ask(proc_self, "memory", visit_kills, &kills);
    return kills;
}
