/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - what the user can set: a typed table of keys, and everything that follows from it.
 *
 *    kinds.c           the kinds of stage, which bring the tables of their own parameters
 *    config_schema.c   all keys: those of bus, layout and supervisor, and those of the stages
 *    config.c          a configuration: its instances of kinds, setting a key by its path
 *    config_yaml.c     a YAML file <-> the whole configuration, errors as file:line:column
 *    config_json.c     the whole configuration -> JSON
 *
 * Every key has a default; a file overrides defaults, flags override the file. A key is known by
 * its path, "topics.md.slots": in YAML the parts are nested mappings, `--set` takes the path as it
 * is.
 *
 * Stages are instances of kinds (tickbus/kind.h). A kind that names a section has one instance
 * without being asked, whose parameters are the keys of that section. Further ones are listed, each
 * under a name of its own:
 *
 *    strategy:                       stages:
 *      name: quote                     strategy2:
 *                                        kind: strategy
 *                                        name: quote
 *                                        order_qty: 50
 */
#ifndef TICKBUS_TOOLS_CONFIG_CONFIG_H
#define TICKBUS_TOOLS_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <tickbus/error.h>
#include <tickbus/kind.h>
#include <tickbus/ring.h>

#include "feedsim/feed.h"
#include "tools/config/kinds.h"

#define CONFIG_SOURCE_MAX TBUS_PARAM_TEXT_MAX
#define CONFIG_CPUS_MAX   256
#define CONFIG_PATH_MAX   96
/* bytes; a longer file is no configuration: all keys with their comments take 10 KiB */
#define CONFIG_FILE_MAX  (64u << 10)
#define CONFIG_DEPTH_MAX 16u /* lists and sections within one another */

/* Of the parameters of one instance, those of all variants included; of one resource. */
#define CONFIG_VALUES_BYTES   3072u
#define CONFIG_RESOURCE_BYTES 1024u

typedef struct config_instance {
    char name[TBUS_NAME_MAX]; /* of the stage, its participant and its places on rings */
    char kind_name[TBUS_NAME_MAX];
    const tbus_kind_t *kind;
    bool listed; /* below `stages`; else its keys are those of its kind's section */
    /* the kind's own struct of values, then that of each variant, at multiples of 8 */
    uint64_t values[CONFIG_VALUES_BYTES / 8];
} config_instance_t;

/* In the order of the configuration's choices. */
enum config_admission { CONFIG_NOBODY, CONFIG_EVERYBODY };

typedef struct config {
    struct {
        char name[TBUS_NAME_MAX];
        uint32_t pages; /* enum tbus_pages */
        int32_t numa_node;
        uint32_t drain_s_max;
        bool hold;
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
    uint32_t topic_slots[TBUS_TOPICS_MAX]; /* of kinds_topic_at(i) */
    /* likewise, enum config_admission: who from outside may publish, and subscribe */
    uint32_t topic_publish[TBUS_TOPICS_MAX];
    uint32_t topic_gate[TBUS_TOPICS_MAX];
    uint32_t resources_count;
    struct {
        const tbus_resource_t *resource;
        uint64_t values[CONFIG_RESOURCE_BYTES / 8];
    } resources[TBUS_RESOURCES_MAX];
    uint32_t instances_count;
    config_instance_t instances[TBUS_INSTANCES_MAX];
} config_t;

/* All defaults: one instance of each kind that names a section. */
void config_defaults(config_t *out_config);

/* Which keys a file has, and where. */
#define CONFIG_FILE_KEYS_MAX 256u
typedef struct config_file_keys {
    uint32_t count;
    struct {
        char path[CONFIG_PATH_MAX];
        uint32_t line; /* from 1 */
    } keys[CONFIG_FILE_KEYS_MAX];
} config_file_keys_t;

/* Read a YAML file over what `config` holds; on an error nothing is changed and err->text is
 * "FILE:LINE:COLUMN: what is wrong; what is allowed". `out_keys`: NULL, or which keys it has. Waits
 * for a FIFO. */
int config_read_file(config_t *config, const char *path, config_file_keys_t *out_keys,
                     tbus_error_t *err);
/* The same for text in memory, for tests; `name` stands for the file in messages. */
int config_read_text(config_t *config, const char *name, const char *text, size_t bytes,
                     tbus_error_t *err);

/* Read a file once more, whose keys `keys` are in force (SIGHUP); on success `keys` are those of
 * now. Never waits. Beside what is wrong with its text, the file is refused when it is no regular
 * file; when it belongs to neither us nor root, or group or others may write to it; when its last
 * line has no end, as in a file that is just being written; and when one of `keys` is missing: what
 * a file no longer says must not become a default that nobody asked for. */
int config_reread_file(config_t *config, const char *path, config_file_keys_t *keys,
                       tbus_error_t *err);
/* What it asks of the text; declared for tests. */
int config_reread_text(config_t *config, const char *name, const char *text, size_t bytes,
                       config_file_keys_t *keys, tbus_error_t *err);

/* All that is wrong with a file, not the first of it alone. */
#define CONFIG_FAULTS_MAX 32u
typedef struct config_faults {
    uint32_t count; /* more than fit are counted, and not kept */
    char texts[CONFIG_FAULTS_MAX][TBUS_ERROR_TEXT_MAX];
} config_faults_t;
void config_check_file(const char *path, config_faults_t *out_faults);

/* Set one key from text, as a flag does; lists are comma separated. "stages.NAME.kind" adds the
 * instance NAME. */
int config_set(config_t *config, const char *path, const char *text, tbus_error_t *err);

/* Print all of it as YAML with comments, which config_read_text reads back to the same. 0 or
 * -errno. */
int config_print(const config_t *config, FILE *out);

/* Print all of it as a JSON object, sections as objects within: numbers as numbers, lists as lists.
 * 0 or -1. */
int config_print_json(const config_t *config, FILE *out);

/* --- the instances of a run */

/* An instance that takes part. */
typedef struct config_stage {
    const config_instance_t *instance;
    uint32_t number; /* within its kind, from 1 */
} config_stage_t;

/* Those that take part (kind.h: wanted), in the order of the data path. Returns how many. */
uint32_t config_stages(const config_t *config, config_stage_t out_stages[TBUS_INSTANCES_MAX]);

/* The instance of that name, NULL: there is none. */
const config_instance_t *config_instance(const config_t *config, const char *name);
/* The section in which its keys stand: "strategy", "stages.NAME". */
void config_instance_section(const config_instance_t *instance, char out_section[CONFIG_PATH_MAX]);
/* Its values, and those of the variant that they choose (NULL: its kind has none). */
const void *config_instance_values(const config_instance_t *instance);
const void *config_variant_values(const config_instance_t *instance);
/* ... and what they are values of; meaningless when it returns NULL. */
const void *config_variant(const config_instance_t *instance, tbus_variant_t *out_variant);
/* What `resource` is to be made with. NULL: no kind uses it. */
const void *config_resource_values(const config_t *config, const tbus_resource_t *resource);
/* Slots of the ring of a topic. */
uint32_t config_topic_slots(const config_t *config, const char *topic);
/* What participants from outside may do on it: enum tbus_rights. */
uint32_t config_topic_rights(const config_t *config, const char *topic);
/* Will nobody ever send an order? A stage that publishes where orders go may, unless its kind says
 * that with its values it has none under way; and so may whoever comes from outside, where he is
 * let in. */
bool config_has_no_orders(const config_t *config);

/* Of the feed: its values; its source; its pace, `auto` resolved. Of the recorder: its directory,
 * "": none. */
const feed_values_t *config_feed(const config_t *config);
const char *config_source(const config_t *config);
const char *config_pace(const config_t *config);
bool config_unpaced(const config_t *config); /* feed_values_unpaced */
const char *config_journal(const config_t *config);
/* All that the configuration says of the recorder (bus/journal/recorder.h). */
const struct recorder_values *config_recorder(const config_t *config);

/* --- the keys, for whoever goes over all of them */

typedef struct config_key {
    char path[CONFIG_PATH_MAX];
    const tbus_param_t *param;
    size_t at;        /* of the struct of values within config_t */
    int32_t instance; /* of config_t.instances, or -1: no stage's */
    bool of_variant;  /* a parameter that variants of the instance's kind bring */
} config_key_t;

/* The keys of this configuration in the order in which `config show` prints them, those of a
 * section together. False: past the last. */
bool config_key_at(const config_t *config, size_t index, config_key_t *out_key);
bool config_key_find(const config_t *config, const char *path, config_key_t *out_key);
/* What a section is for; NULL: there is no such section. */
const char *config_section_help(const config_t *config, const char *path);
/* Names that may stand directly below `section` ("": at the top), as "bus, layout, feed". */
void config_children(const config_t *config, const char *section, char *out_text, size_t bytes);

/* Check and store one value; for a list: empty it, or add an item. On an error nothing is
 * stored. */
int config_key_set(config_t *config, const config_key_t *key, const char *text, tbus_error_t *err);
/* A list as YAML writes it: "[A, 'B']". */
int config_set_list(config_t *config, const config_key_t *key, const char *text, tbus_error_t *err);
void config_key_clear(config_t *config, const config_key_t *key);
int config_key_append(config_t *config, const config_key_t *key, const char *text,
                      tbus_error_t *err);
/* The value, or item `item` of a list, as text that the above read back. */
void config_key_text(const config_t *config, const config_key_t *key, uint32_t item, char *out_text,
                     size_t bytes);
uint32_t config_key_items(const config_t *config, const config_key_t *key);
bool config_key_equal(const config_t *config, const config_t *other, const config_key_t *key);

/* For config.c and config_schema.c: where the values of variant `index` begin in those of an
 * instance of `kind`; false: past the last variant. */
bool config_variant_at(const tbus_kind_t *kind, uint32_t index, tbus_variant_t *out_variant,
                       size_t *out_at);
/* The parameter "kind" of a listed instance. */
extern const tbus_param_t config_kind_param;

#endif
