/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - what the user can set: one typed table of keys, and everything that follows from it.
 *
 *    config_schema.c   the table: path, type, where it is kept, range, default, what it means
 *    config.c          one value as text <-> its field, checked against the table
 *    config_yaml.c     a YAML file <-> the whole configuration, errors as file:line:column
 *    config_json.c     the whole configuration -> JSON
 *
 * Every key has a default; a file overrides defaults, flags override the file. A key is known by
 * its path, "topics.md.slots": in YAML the parts are nested mappings, `--set` takes the path as it
 * is. To add a key, add a field and a line to the table: parsing, checks, --set, `config show` and
 * its comments follow.
 */
#ifndef TICKBUS_TOOLS_CONFIG_CONFIG_H
#define TICKBUS_TOOLS_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <tickbus/error.h>
#include <tickbus/ring.h>

#include <tickbus/market/market.h>
#include "risk/venue/executor.h"
#include "risk/stage.h"
#include <tickbus/strategy.h>

#define CONFIG_SOURCE_MAX 512
#define CONFIG_CPUS_MAX   256
/* bytes; a longer file is no configuration: all keys with their comments take 10 KiB */
#define CONFIG_FILE_MAX  (64u << 10)
#define CONFIG_DEPTH_MAX 16u /* lists and sections within one another */

typedef struct config {
    struct {
        char name[TBUS_NAME_MAX];
        uint32_t pages; /* enum tbus_pages */
        int32_t numa_node;
        uint32_t drain_s_max;
    } bus;
    struct {
        uint32_t mode; /* enum layout_mode */
        uint32_t wait; /* enum tbus_wait_mode */
        bool pin;
        uint32_t cpus_count; /* 0: all that this process may use */
        uint32_t cpus[CONFIG_CPUS_MAX];
    } layout;
    struct {
        uint32_t stall_ms_max; /* 0: nobody is killed */
    } supervisor;
    struct {
        char source[CONFIG_SOURCE_MAX];
        char pace[32];
    } feed;
    market_limits_t books;
    struct {
        char name[TBUS_NAME_MAX];
        strat_params_t params;
    } strategy;
    risk_params_t risk;
    executor_params_t executor;
    struct {
        char directory[CONFIG_SOURCE_MAX]; /* "": nothing is recorded */
        uint64_t segment_bytes;
    } journal;
    struct {
        uint32_t md_slots;
        uint32_t bbo_slots;
        uint32_t orders_slots;
        uint32_t approved_slots;
        uint32_t reports_slots;
    } topics;
} config_t;

/* All defaults. */
void config_defaults(config_t *out_config);

/* Read a YAML file over what `config` holds; on an error `config` is untouched and err->text is
 * "FILE:LINE:COLUMN: what is wrong; what is allowed". */
int config_read_file(config_t *config, const char *path, tbus_error_t *err);
/* The same for text in memory; `name` stands for the file in messages. */
int config_read_text(config_t *config, const char *name, const char *text, size_t bytes,
                     tbus_error_t *err);

/* Set one key from text, as a flag does; lists are comma separated. */
int config_set(config_t *config, const char *path, const char *text, tbus_error_t *err);

/* feed.pace with `auto` resolved: what is made up comes at a rate that leaves the pipeline time, so
 * that latencies are its own; everything else comes as fast as it is taken. */
const char *config_pace(const config_t *config);

/* Print all of it as YAML with comments, which config_read_text reads back to the same. 0 or
 * -errno. */
int config_print(const config_t *config, FILE *out);

/* Print all of it as a JSON object, sections as objects within: numbers as numbers, lists as lists.
 * 0 or -1. */
int config_print_json(const config_t *config, FILE *out);

/* --- the table, for config.c and config_yaml.c */

enum config_type {
    CONFIG_TEXT,    /* char[], terminated */
    CONFIG_NUMBER,  /* uint32_t, int32_t or uint64_t, by its size and `min` */
    CONFIG_BOOL,    /* bool */
    CONFIG_CHOICE,  /* uint32_t: which of `choices` */
    CONFIG_NUMBERS, /* list of uint32_t */
    CONFIG_TEXTS    /* list of char[item_bytes] */
};

typedef struct config_key {
    const char *path;
    enum config_type type;
    size_t offset;       /* of the field in config_t */
    size_t bytes;        /* of the field, or of one item of a list */
    size_t items_max;    /* lists: items there is room for */
    size_t count_offset; /* lists: of the uint32_t that counts them */
    int64_t min;         /* numbers */
    int64_t max;
    bool power_of_two;
    bool may_be_empty;   /* texts */
    const char *choices; /* CONFIG_CHOICE: "auto|split|fused", in the order of the enum */
    int (*check)(const char *text, tbus_error_t *err); /* texts: more than a length; NULL: none */
    const char *unit;     /* whole numbers: what of, "shares"; NULL: nothing in particular */
    const char *fallback; /* the default, as text */
    const char *help;     /* one or two lines */
} config_key_t;

typedef struct config_section {
    const char *path;
    const char *help;
} config_section_t;

/* Keys in the order in which `config show` prints them, those of a section together. NULL: past the
 * last. */
const config_key_t *config_key_at(size_t index);
const config_key_t *config_key_find(const char *path);
const config_section_t *config_section_find(const char *path);
/* Names that may stand directly below `section` ("": at the top), as "bus, layout, feed". */
void config_children(const char *section, char *out_text, size_t bytes);

/* Check and store one value; for a list: empty it, or add an item. On an error nothing is
 * stored. */
int config_key_set(config_t *config, const config_key_t *key, const char *text, tbus_error_t *err);
void config_key_clear(config_t *config, const config_key_t *key);
int config_key_append(config_t *config, const config_key_t *key, const char *text,
                      tbus_error_t *err);
/* The value, or item `item` of a list, as text that the above read back. */
void config_key_text(const config_t *config, const config_key_t *key, uint32_t item, char *out_text,
                     size_t bytes);
uint32_t config_key_items(const config_t *config, const config_key_t *key);
/* "a power of two from 64 to 16777216", "auto, split or fused". */
void config_key_allowed(const config_key_t *key, char *out_text, size_t bytes);

#endif
