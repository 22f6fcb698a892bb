/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/start_options.h"
#include "tools/run/feed_start.h"
#include "tools/run/supervisor.h"
#include "tools/show/outcome.h"
#include "tools/verbs.h"

static const char help[] =
    "usage: busctl start [OPTION...]\n"
    "\n"
    "Run the whole pipeline: feed -> strategy -> risk -> executor, and a recorder\n"
    "beside them. It ends when the feed does, after --for, on Ctrl-C, or with\n"
    "`busctl stop`; then a summary is printed. SIGHUP reads the file of -c and the\n"
    "users of a gateway again and puts limits in force; SIGUSR1 prints the summary so\n"
    "far; SIGUSR2 halts as `busctl halt` does.\n"
    "\n"
    "  --feed SOURCE    synth[:seed=N,symbols=N,messages=N,days=N,flow=market|plain]\n"
    "                   (default), itch:FILE (ITCH 5.0, plain or .gz; a FIFO or -\n"
    "                   for stdin too), journal:DIR, pcap:FILE[,FILE] (captures of\n"
    "                   MoldUDP64; two are lines A and B),\n"
    "                   mold:GROUP:PORT[,GROUP:PORT][?KEY=VALUE&...] (received by\n"
    "                   MoldUDP64, over one line or two),\n"
    "                   soup:HOST:PORT[?user=U&password_file=F&session=S&from=SEQ]\n"
    "                   (received by SoupBinTCP),\n"
    "                   nats://HOST:PORT/STREAM[?from=SEQ|TIME&...] (what the\n"
    "                   bridge of another bus has put on NATS JetStream)\n"
    "  --pace PACE      max, realtime, Nx (N times real time), RATE/s (messages a\n"
    "                   second); default: 250k/s for synth, else max\n" PACE_OPTIONS_HELP
        START_OPTIONS_HELP
    "  --continue DIR   begin halted, or with closing orders only, if the session in\n"
    "                   DIR ended so; none: if no session did. Default: as the last\n"
    "                   session of this bus beside that of --journal\n"
    "\n"
    "example: busctl start --feed itch:01302020.NASDAQ_ITCH50.gz \\\n"
    "         --journal /tmp/session --pace 10x\n";

int verb_start(int argc, char **argv)
{
    static start_options_t options; /* large, and one is enough */
    int code = start_options_parse(argc, argv, true, &options);
    if (code != OUTCOME_OK)
        return code;
    if (options.help)
        return outcome_help(argv[0], help);
    if (options.rest)
        return outcome_usage(argv[0], "'%s': no argument was expected", options.rest);
    supervisor_request_t request = {.verb = argv[0], .options = &options};
    tbus_error_t why = {0};
    if (feed_start_prepare(&options, &request.md_first_seq, &why) < 0)
        return outcome_refused(argv[0], options.json, why.text);
    return supervisor_run(&request);
}
