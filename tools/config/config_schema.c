/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/config.h"

#include <string.h>

#include <tickbus/journal.h>

#include "feedsim/pace.h"
#include "feedsim/source/source.h"

#define FIELD(member) .offset = offsetof(config_t, member), .bytes = sizeof(((config_t *)0)->member)
#define LIST(member, count)                                                                        \
    .offset = offsetof(config_t, member), .bytes = sizeof(((config_t *)0)->member[0]),             \
    .items_max = sizeof(((config_t *)0)->member) / sizeof(((config_t *)0)->member[0]),             \
    .count_offset = offsetof(config_t, count)
#define RANGE(low, high) .min = (low), .max = (high)

static int check_name(const char *text, tbus_error_t *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    if (text[strspn(text, allowed)] || text[0] == '.' || text[0] == '-')
        return tbus_fail(err, -TBUS_ECONFIG,
                         "a name is made of letters, digits, '_', '-' and '.', and starts with "
                         "none of the last two");
    return 0;
}

static int check_strategy(const char *text, tbus_error_t *err)
{
    if (strategy_find(text))
        return 0;
    char names[160] = "";
    size_t used = 0;
    const strategy_t *strategy;
    for (unsigned i = 0; (strategy = strategy_at(i)) != NULL && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 strategy->name);
    return tbus_fail(err, -TBUS_ECONFIG, "there is no such strategy; there are: %s", names);
}

/* What can be known without looking at files, which belongs to the run: the kind, and the keys of
 * synth. */
static int check_source(const char *text, tbus_error_t *err)
{
    feed_source_t *source;
    if (strncmp(text, "itch:", 5) == 0 || strncmp(text, "journal:", 8) == 0 ||
        strcmp(text, "synth") == 0)
        return 0;
    int code = feed_source_open(text, &source, err);
    if (code == 0)
        feed_source_close(source);
    return code;
}

static int check_pace(const char *text, tbus_error_t *err)
{
    feed_pace_t pace;
    if (strcmp(text, "auto") == 0)
        return 0;
    return feed_pace_parse(text, &pace, err);
}

#define SLOTS(topic)                                                                               \
    {                                                                                              \
        "topics." #topic ".slots", CONFIG_NUMBER, FIELD(topics.topic##_slots), RANGE(64, 1 << 24), \
            .power_of_two = true, .fallback = "16384",                                             \
            .help = "messages that fit before the publisher waits for the slowest reader; 64 "     \
                    "bytes each"                                                                   \
    }

static const config_key_t keys[] = {
    {"bus.name", CONFIG_TEXT, FIELD(bus.name), .check = check_name, .fallback = "tickbus",
     .help = "buses of different names run side by side"},
    {"bus.pages", CONFIG_CHOICE, FIELD(bus.pages), .choices = "auto|hugetlb|thp|small",
     .fallback = "auto",
     .help = "memory of the rings: 2 MiB pages of the pool, transparent ones, or 4 KiB; auto takes "
             "the best "
             "there is"},
    {"bus.numa_node", CONFIG_NUMBER, FIELD(bus.numa_node), RANGE(-1, 1023), .fallback = "-1",
     .help = "NUMA node for the rings; -1 leaves it to the kernel"},
    {"bus.drain_s_max", CONFIG_NUMBER, FIELD(bus.drain_s_max), RANGE(1, 86400), .unit = "seconds",
     .fallback = "30",
     .help = "at the end: how long the stages may take for what is on the rings, and to stop when "
             "it went wrong"},

    {"layout.mode", CONFIG_CHOICE, FIELD(layout.mode), .choices = "auto|split|fused",
     .fallback = "auto",
     .help = "split: a process for each stage; fused: stages share processes; auto looks at the "
             "CPUs there are"},
    {"layout.wait", CONFIG_CHOICE, FIELD(layout.wait), .choices = "auto|spin|yield|park",
     .fallback = "auto",
     .help = "what a process does while it has nothing to do; auto spins when every process has a "
             "CPU, else "
             "parks"},
    {"layout.pin", CONFIG_BOOL, FIELD(layout.pin), .fallback = "true",
     .help = "bind each process to a CPU of its own"},
    {"layout.cpus", CONFIG_NUMBERS, LIST(layout.cpus, layout.cpus_count), RANGE(0, 65535),
     .fallback = "",
     .help = "CPUs to use, in the order in which processes get them; empty: all that busctl itself "
             "may use"},

    {"supervisor.stall_ms_max", CONFIG_NUMBER, FIELD(supervisor.stall_ms_max), RANGE(0, 86400000),
     .unit = "milliseconds", .fallback = "0",
     .help = "kill a stage that has stood still for so long; 0: never, somebody may have it in a "
             "debugger"},

    {"feed.source", CONFIG_TEXT, FIELD(feed.source), .check = check_source, .fallback = "synth",
     .help = "itch:FILE (ITCH 5.0, plain or .gz), synth[:seed=N,...] (invented), journal:DIR "
             "(recorded)"},
    {"feed.pace", CONFIG_TEXT, FIELD(feed.pace), .check = check_pace, .fallback = "auto",
     .help = "max, realtime, Nx (times real time), RATE/s (messages a second); auto: 250k/s for "
             "synth, else max"},

    {"books.orders_max", CONFIG_NUMBER, FIELD(books.orders_max), RANGE(16, 1 << 28),
     .unit = "orders", .fallback = "1048576",
     .help = "live orders at a time, all symbols together; the memory for them is taken at start"},
    {"books.levels_max", CONFIG_NUMBER, FIELD(books.levels_max), RANGE(16, 1 << 28),
     .unit = "levels", .fallback = "262144",
     .help = "price levels at a time, all symbols and both sides together"},

    {"strategy.name", CONFIG_TEXT, FIELD(strategy.name), .check = check_strategy,
     .fallback = "quote", .help = "what decides on orders; null sends none, for measuring"},
    {"strategy.symbols", CONFIG_TEXTS, LIST(strategy.params.symbols, strategy.params.symbols_count),
     .fallback = "",
     .help = "symbols to trade; empty: the first symbols_auto that have a bid and an ask"},
    {"strategy.symbols_auto", CONFIG_NUMBER, FIELD(strategy.params.symbols_auto),
     RANGE(0, STRAT_SYMBOLS_MAX), .unit = "symbols", .fallback = "4",
     .help = "how many symbols to trade when none are named"},
    {"strategy.order_qty", CONFIG_NUMBER, FIELD(strategy.params.order_qty), RANGE(1, 1000000),
     .unit = "shares", .fallback = "100", .help = "size of one quote"},
    {"strategy.position_max", CONFIG_NUMBER, FIELD(strategy.params.position_max),
     RANGE(0, 1000000000), .unit = "shares", .fallback = "1000",
     .help = "a side that could take the position beyond is not quoted"},
    {"strategy.requote_ns_min", CONFIG_NUMBER, FIELD(strategy.params.requote_ns_min),
     RANGE(0, INT64_C(1000000000000)), .unit = "nanoseconds of market time", .fallback = "1000000",
     .help = "time between two quotes of one side of one symbol"},
    {"strategy.open_orders_max", CONFIG_NUMBER, FIELD(strategy.params.open_orders_max),
     RANGE(1, 1 << 20), .unit = "orders", .fallback = "64",
     .help = "orders on their way or resting at a time"},

    {"risk.max_order_qty", CONFIG_NUMBER, FIELD(risk.limits.max_order_qty), RANGE(1, UINT32_MAX),
     .unit = "shares", .fallback = "10000", .help = "of one order"},
    {"risk.max_order_notional_e4", CONFIG_NUMBER, FIELD(risk.limits.max_order_notional_e4),
     RANGE(1, INT64_MAX), .unit = "1/10000ths of the currency", .fallback = "20000000000",
     .help = "quantity times limit price of one order"},
    {"risk.collar_bps", CONFIG_NUMBER, FIELD(risk.limits.collar_bps),
     RANGE(0, RISK_COLLAR_BPS_LIMIT), .unit = "basis points of the touch", .fallback = "500",
     .help = "how far a limit price may be from the touch ..."},
    {"risk.collar_e4", CONFIG_NUMBER, FIELD(risk.limits.collar_e4), RANGE(0, UINT32_MAX),
     .unit = "1/10000ths of the currency", .fallback = "500",
     .help = "... or this far; the wider of the two holds"},
    {"risk.position_max", CONFIG_NUMBER, FIELD(risk.limits.position_max), RANGE(1, INT64_MAX),
     .unit = "shares", .fallback = "50000",
     .help = "long or short in one symbol, should all its open orders fill"},
    {"risk.gross_notional_max_e4", CONFIG_NUMBER, FIELD(risk.limits.gross_notional_max_e4),
     RANGE(1, INT64_MAX), .unit = "1/10000ths of the currency", .fallback = "1000000000000",
     .help = "positions and open orders of all symbols"},
    {"risk.orders_per_second", CONFIG_NUMBER, FIELD(risk.limits.orders_per_second),
     RANGE(1, RISK_RATE_LIMIT), .unit = "orders", .fallback = "10000",
     .help = "new orders in any one second of market time"},
    {"risk.open_orders_max", CONFIG_NUMBER, FIELD(risk.limits.open_orders_max),
     RANGE(1, RISK_OPEN_ORDERS_LIMIT), .unit = "orders", .fallback = "16384",
     .help = "passed and not yet ended at a time"},

    {"executor.resting_max", CONFIG_NUMBER, FIELD(executor.venue.resting_max),
     RANGE(1, VENUE_RESTING_LIMIT), .unit = "orders", .fallback = "16384",
     .help = "orders that rest in the venue model at a time"},
    {"executor.taken_max", CONFIG_NUMBER, FIELD(executor.venue.taken_max),
     RANGE(VENUE_SWEEP_LEVELS, VENUE_TAKEN_LIMIT), .unit = "levels", .fallback = "65536",
     .help = "price levels of which the venue model remembers what we took"},

    {"journal.directory", CONFIG_TEXT, FIELD(journal.directory), .may_be_empty = true,
     .fallback = "", .help = "record every topic there; empty: nothing is recorded"},
    {"journal.segment_bytes", CONFIG_NUMBER, FIELD(journal.segment_bytes),
     RANGE(TBUS_JOURNAL_SEGMENT_BYTES_MIN, TBUS_JOURNAL_SEGMENT_BYTES_MAX), .power_of_two = true,
     .fallback = "67108864", .help = "size of one file of the journal"},

    SLOTS(md),
    SLOTS(bbo),
    SLOTS(orders),
    SLOTS(approved),
    SLOTS(reports),
};
#define KEYS_COUNT (sizeof keys / sizeof keys[0])

static const config_section_t sections[] = {
    {"bus", "The bus: its name and its memory."},
    {"layout", "Which stage runs in which process, on which CPU."},
    {"supervisor", "What to do about a stage that is stopped or hangs, beside saying so."},
    {"feed", "Where the market data comes from, and how fast."},
    {"books", "Limits of the order books. Reaching one ends the run with an error: a book with a "
              "hole is no book."},
    {"strategy", "What sends orders."},
    {"risk", "Limits that every order is held against. None can be switched off."},
    {"executor", "The venue model that executes orders."},
    {"journal", "The recording."},
    {"topics", "The rings between the stages."},
    {"topics.md", "market data, from the feed"},
    {"topics.bbo", "best bids and offers, from the strategy stage"},
    {"topics.orders", "orders on their way to risk"},
    {"topics.approved", "orders that risk has passed, on their way to the executor"},
    {"topics.reports", "what became of orders, from risk and the executor"},
};
#define SECTIONS_COUNT (sizeof sections / sizeof sections[0])

const config_key_t *config_key_at(size_t index)
{
    return index < KEYS_COUNT ? &keys[index] : NULL;
}

const config_key_t *config_key_find(const char *path)
{
    for (size_t i = 0; i < KEYS_COUNT; i++)
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    return NULL;
}

const config_section_t *config_section_find(const char *path)
{
    for (size_t i = 0; i < SECTIONS_COUNT; i++)
        if (strcmp(sections[i].path, path) == 0)
            return &sections[i];
    return NULL;
}

void config_children(const char *section, char *out_text, size_t bytes)
{
    size_t prefix = strlen(section) + (*section ? 1 : 0);
    size_t used = 0;
    const char *before = "";
    size_t before_length = 0;
    out_text[0] = 0;
    for (size_t i = 0; i < KEYS_COUNT && used < bytes; i++) {
        const char *path = keys[i].path;
        if (strncmp(path, section, strlen(section)) != 0 || (*section && path[prefix - 1] != '.'))
            continue;
        const char *child = path + prefix;
        size_t length = strcspn(child, ".");
        if (length == before_length && memcmp(child, before, length) == 0)
            continue;
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%.*s", used ? ", " : "",
                                 (int)length, child);
        before = child;
        before_length = length;
    }
}
