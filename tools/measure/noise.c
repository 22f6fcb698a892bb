/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/noise.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STEAL_SHARE_MAX  0.01
#define SWITCHES_A_S_MAX 100u

/* proc(5), /proc/stat: "cpu user nice system idle iowait irq softirq steal guest guest_nice", of
 * which the last two are in user and nice already. */
bool noise_parse(const char *text, noise_mark_t *out_mark)
{
    unsigned long long fields[8];
    if (strncmp(text, "cpu ", 4) != 0 ||
        sscanf(text + 4, "%llu %llu %llu %llu %llu %llu %llu %llu", &fields[0], &fields[1],
               &fields[2], &fields[3], &fields[4], &fields[5], &fields[6], &fields[7]) != 8)
        return false;
    noise_mark_t mark = {.ticks_stolen = fields[7]};
    for (unsigned i = 0; i < 8; i++)
        mark.ticks_all += fields[i];
    *out_mark = mark;
    return true;
}

noise_mark_t noise_mark(void)
{
    char text[256] = "";
    noise_mark_t mark = {0};
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (bytes > 0)
        (void)noise_parse(text, &mark);
    return mark;
}

noise_t noise_since(const noise_mark_t *begin)
{
    noise_mark_t end = noise_mark();
    noise_t noise = {.known = begin->ticks_all && end.ticks_all > begin->ticks_all, .load = -1};
    struct rusage usage;
    if (noise.known)
        noise.steal_share = (double)(end.ticks_stolen - begin->ticks_stolen) /
                            (double)(end.ticks_all - begin->ticks_all);
    if (getrusage(RUSAGE_CHILDREN, &usage) == 0)
        noise.involuntary_switches = (uint64_t)usage.ru_nivcsw;
    (void)getloadavg(&noise.load, 1);
    return noise;
}

bool noise_is_loud(const noise_t *noise, uint64_t duration_ns)
{
    return noise->steal_share > STEAL_SHARE_MAX ||
           noise->involuntary_switches * UINT64_C(1000000000) > SWITCHES_A_S_MAX * duration_ns;
}
