/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/run/cgroup.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_LIMIT (UINT64_C(1) << 60) /* version 1 writes "none" as a number near 2^63 */

typedef struct file_pair {
    const char *limit, *usage;
} file_pair_t;

typedef struct controller {
    const char *name;
    bool counts_caches;      /* usage includes what the kernel gives back when it must */
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
    char root[PATH_MAX];  /* the group that is mounted */
    char point[PATH_MAX]; /* where */
} place_t;

static FILE *open_in(const char *directory, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    return length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
}

/* False: there is no such file, or no number in it ("max"). */
static bool read_number(const char *directory, const char *name, uint64_t *out_value)
{
    FILE *f = open_in(directory, name);
    bool is = f && fscanf(f, "%" SCNu64, out_value) == 1;
    if (f)
        fclose(f);
    return is;
}

/* Files in the page cache that nobody needs to have in memory, with those of the groups below. */
static uint64_t read_caches(const char *directory)
{
    FILE *f = open_in(directory, "memory.stat");
    char key[64];
    uint64_t value, own = 0, total = 0;
    while (f && fscanf(f, "%63s %" SCNu64, key, &value) == 2) {
        if (!strcmp(key, "inactive_file") || !strcmp(key, "active_file"))
            own += value;
        if (!strcmp(key, "total_inactive_file") || !strcmp(key, "total_active_file"))
            total += value; /* version 1 has both */
    }
    if (f)
        fclose(f);
    return total ? total : own;
}

/* Of a path that is too long, the end says more. */
static void keep_path(tbus_cgroup_room_t *room, const char *directory, const char *name)
{
    char path[2 * PATH_MAX + 64];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    size_t over = (size_t)length < sizeof room->limit ? 0 : (size_t)length - sizeof room->limit + 1;
    memcpy(room->limit, path + over, (size_t)length - over + 1);
    if (over)
        memcpy(room->limit, "...", 3);
}

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
    keep_path(room, directory, files->limit);
}

/* The group and all that it is in, up to the one that is mounted. */
static void look_up_from(const place_t *place, const char *group, const controller_t *c,
                         const file_pair_t *files, tbus_cgroup_room_t *room)
{
    char directory[2 * PATH_MAX];
    size_t root = strcmp(place->root, "/") ? strlen(place->root) : 0;
    bool below = !strncmp(group, place->root, root) && (!group[root] || group[root] == '/') &&
                 !strstr(group, "/..");
    /* A group from beside what is mounted here: its own files are out of sight, those around it are
     * not. */
    snprintf(directory, sizeof directory, "%s%s", place->point, below ? group + root : "");
    size_t top = strlen(place->point);
    for (size_t end = strlen(directory); end >= top; end--) {
        if (directory[end] && directory[end] != '/')
            continue;
        directory[end] = 0;
        if (end == 0 || directory[end - 1] != '/')
            for (unsigned i = 0; i < 2; i++)
                look_at(directory, c, &files[i], room);
        if (end == 0)
            return;
    }
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

/* Where a hierarchy is mounted; `controller` "": the unified one. */
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

static tbus_cgroup_room_t ask(const char *proc_self, const controller_t *c)
{
    tbus_cgroup_room_t room = {.bytes = TBUS_CGROUP_ANY};
    FILE *f = open_in(proc_self, "cgroup");
    char *line = NULL;
    size_t line_bytes = 0;
    place_t place;
    while (f &&
           getline(&line, &line_bytes, f) > 0) { /* NUMBER:CONTROLLERS:GROUP, unified: 0::GROUP */
        char *list = strchr(line, ':');
        char *group = list ? strchr(list + 1, ':') : NULL;
        if (!group || strlen(group) >= PATH_MAX)
            continue;
        *group++ = 0;
        group[strcspn(group, "\n")] = 0;
        bool unified = !*++list;
        if ((unified || has_word(list, c->name)) &&
            find_mount(proc_self, unified ? "" : c->name, &place))
            look_up_from(&place, group, c, c->files[unified], &room);
    }
    free(line);
    if (f)
        fclose(f);
    return room;
}

tbus_cgroup_room_t tbus_cgroup_memory(const char *proc_self)
{
    return ask(proc_self, &memory);
}

tbus_cgroup_room_t tbus_cgroup_huge_pages(const char *proc_self)
{
    return ask(proc_self, &huge_pages);
}
