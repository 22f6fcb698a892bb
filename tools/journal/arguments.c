/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/journal/arguments.h"

#include <getopt.h>
#include <stddef.h>

#include "tools/show/outcome.h"

int journal_directory_argument(int argc, char **argv, const char **out_directory)
{
    if (argc - optind != 1)
        return outcome_usage(argv[0], argc == optind ? "the journal's directory is missing"
                                                     : "one journal at a time");
    *out_directory = argv[optind];
    return OUTCOME_OK;
}

bool journal_plain_arguments(int argc, char **argv, const char *help, bool *out_json,
                             const char **out_directory, int *out_code)
{
    static const struct option both[] = {
        {"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, 'j'}, {0}};
    static const struct option help_alone[] = {{"help", no_argument, NULL, 'h'}, {0}};
    const struct option *options = out_json ? both : help_alone;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h' || option == '?') {
            *out_code = option == 'h' ? outcome_help(argv[0], help)
                                      : outcome_option(argv[0], argv[optind - 1], options);
            return false;
        }
        *out_json = true;
    }
    *out_code = journal_directory_argument(argc, argv, out_directory);
    return *out_code == OUTCOME_OK;
}
