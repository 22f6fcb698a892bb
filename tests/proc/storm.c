/* SPDX-License-Identifier: Apache-2.0 */
/* storm - run a storm (tests/support/storm.h) for as long as one likes.
 *
 *    storm --rounds 100000 --seed 7          a round is a kill
 *    storm --rounds 100 --seed 7 --world 42  run again the world of that storm that failed
 *
 * stdout: what was counted. Exit code 0: everything added up; 1: it did not; 2: usage. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/storm.h"

static int usage(FILE *out, int code)
{
    fprintf(out,
            "usage: storm [--rounds KILLS] [--seed N] [--per-world KILLS] [--world FIRST] [--pages "
            "small|thp|hugetlb]\n"
            "example: storm --rounds 100000 --seed 7\n");
    return code;
}

static bool parse_pages(const char *text, enum tbus_pages *out_pages)
{
    static const struct {
        const char *name;
        enum tbus_pages pages;
    } known[] = {
        {"small", TBUS_PAGES_SMALL}, {"thp", TBUS_PAGES_THP}, {"hugetlb", TBUS_PAGES_HUGETLB}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(text, known[i].name)) {
            *out_pages = known[i].pages;
            return true;
        }
    return false;
}

static bool parse(int argc, char **argv, storm_options_t *options, bool *out_help)
{
    static const struct option known[] = {{"rounds", required_argument, NULL, 'r'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"per-world", required_argument, NULL, 'p'},
                                          {"world", required_argument, NULL, 'w'},
                                          {"pages", required_argument, NULL, 'g'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        char *end = "";
        unsigned long long value = optarg && option != 'g' ? strtoull(optarg, &end, 0) : 1;
        if (*end)
            return false;
        switch (option) {
        case 'r':
            options->kills = (uint32_t)value;
            break;
        case 's':
            options->seed = value;
            break;
        case 'p':
            options->kills_per_world = (uint32_t)value;
            break;
        case 'w':
            options->first_world = (uint32_t)value;
            break;
        case 'g':
            if (!parse_pages(optarg, &options->pages))
                return false;
            break;
        case 'h':
            *out_help = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && options->kills_per_world >= 1 &&
           options->kills_per_world <= STORM_KILLS_MAX;
}

int main(int argc, char **argv)
{
    storm_options_t options = {.seed = (uint64_t)time(NULL),
                               .kills = 1000,
                               .kills_per_world = 100,
                               .pages = TBUS_PAGES_SMALL,
                               .progress = isatty(STDERR_FILENO)};
    bool help = false;
    if (!parse(argc, argv, &options, &help))
        return usage(stderr, 2);
    if (help)
        return usage(stdout, 0);
    storm_result_t r;
    bool fine = storm_run(&options, &r);
    if (options.progress)
        fputc('\n', stderr);
    printf("seed %llu: %u kills (%u in the act) and %llu stops in %u worlds; %llu messages "
           "published, %llu "
           "received, %llu tombs, %llu in doubt, %llu delivered again, %llu open, %llu lost by "
           "observers and "
           "told, %llu repairs by "
           "participants\n",
           (unsigned long long)options.seed, r.kills, r.in_the_act, (unsigned long long)r.stops,
           r.worlds, (unsigned long long)r.published, (unsigned long long)r.delivered,
           (unsigned long long)r.tombs, (unsigned long long)r.in_doubt,
           (unsigned long long)r.redelivered, (unsigned long long)r.open,
           (unsigned long long)r.lost_by_observers, (unsigned long long)r.heals);
    if (!fine)
        printf("FAILED: %s\n", r.fault);
    return fine ? 0 : 1;
}
