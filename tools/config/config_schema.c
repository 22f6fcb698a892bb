/* SPDX-License-Identifier: Apache-2.0 */
/* All keys of a configuration: those of bus, layout and supervisor, whose table stands here, those
 * of the stages and of what they share, whose tables their kinds bring, and the rings. */
#include "tools/config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static int check_kind(const char *text, tbus_error_t *err)
{
    char names[160];
    if (kinds_find(text))
        return 0;
    kinds_names(names, sizeof names);
    return tbus_fail(err, -TBUS_ECONFIG, "there is no such kind of stage; there are: %s", names);
}

const tbus_param_t config_kind_param = {"kind",
                                        TBUS_PARAM_TEXT,
                                        TBUS_PARAM_FIELD(config_instance_t, kind_name),
                                        .check = check_kind,
                                        .fallback = "",
                                        .help = "which kind of stage it is"};

static const tbus_param_t slots_param = {
    "slots",
    TBUS_PARAM_NUMBER,
    .bytes = sizeof(uint32_t),
    .min = 64,
    .max = 1 << 24,
    .power_of_two = true,
    .fallback = "16384",
    .help = "messages that fit before the publisher waits for the slowest reader; 64 bytes each"};
static const tbus_param_t seldom_slots_param = {
    "slots",
    TBUS_PARAM_NUMBER,
    .bytes = sizeof(uint32_t),
    .min = 64,
    .max = 1 << 24,
    .power_of_two = true,
    .fallback = "4096", /* by the clock of the host `inputs` has one for each report and order */
    .help = "messages that fit before the publisher waits for the slowest reader; 256 bytes each"};

#define ADMISSION_CHOICES "nobody|everybody"

static const tbus_param_t publish_param = {
    "publish",
    TBUS_PARAM_CHOICE,
    .bytes = sizeof(uint32_t),
    .choices = ADMISSION_CHOICES,
    .fallback = "nobody",
    .help = "who may publish on it beside the stages: of our own user, programs that join the bus"};

static const tbus_param_t gate_param = {
    "gate",
    TBUS_PARAM_CHOICE,
    .bytes = sizeof(uint32_t),
    .choices = ADMISSION_CHOICES,
    .fallback = "nobody",
    .help = "which of them may subscribe to it, so that publishers wait for them; all may observe"};

#define FIELD(member) TBUS_PARAM_FIELD(config_t, member)

static const struct own_key {
    const char *section;
    tbus_param_t param;
} own_keys[] = {
    {"bus",
     {"name", TBUS_PARAM_TEXT, FIELD(bus.name), .check = check_name, .fallback = "tickbus",
      .help = "buses of different names run side by side"}},
    {"bus",
     {"pages", TBUS_PARAM_CHOICE, FIELD(bus.pages), .choices = "auto|hugetlb|thp|small",
      .fallback = "auto",
      .help = "memory of the rings: 2 MiB pages of the pool, transparent ones, or 4 KiB; "
              "auto takes the best there is"}},
    {"bus",
     {"numa_node", TBUS_PARAM_NUMBER, FIELD(bus.numa_node), .min = -1, .max = 1023,
      .fallback = "-1", .help = "NUMA node for the rings; -1 leaves it to the kernel"}},
    {"bus",
     {"drain_s_max", TBUS_PARAM_NUMBER, FIELD(bus.drain_s_max), .min = 1, .max = 86400,
      .unit = "seconds", .fallback = "30",
      .help = "at the end: how long to wait while the stages take nothing of what is on the "
              "rings, and for them to stop when it went wrong"}},
    {"bus",
     {"hold", TBUS_PARAM_BOOL, FIELD(bus.hold), .fallback = "false",
      .help = "when the feed has ended, go on serving clients and observers until stopped"}},
    {"layout",
     {"mode", TBUS_PARAM_CHOICE, FIELD(layout.mode), .choices = "auto|split|fused",
      .fallback = "auto",
      .help = "split: a process for each stage; fused: stages share processes; auto "
              "looks at the CPUs there are"}},
    {"layout",
     {"wait", TBUS_PARAM_CHOICE, FIELD(layout.wait), .choices = "auto|spin|yield|park",
      .fallback = "auto",
      .help = "what a process does while it has nothing to do; auto spins when every "
              "process has a CPU, else parks"}},
    {"layout",
     {"pin", TBUS_PARAM_BOOL, FIELD(layout.pin), .fallback = "true",
      .help = "bind each process to a CPU of its own; where there are fewer CPUs, only at pace "
              "max, to share them by what each has to do"}},
    {"layout",
     {"cpus", TBUS_PARAM_NUMBERS, TBUS_PARAM_LIST(config_t, layout.cpus, layout.cpus_count),
      .min = 0, .max = 65535, .fallback = "",
      .help = "CPUs to use, in the order in which processes get them; empty: all that "
              "busctl itself may use"}},
    {"supervisor",
     {"stall_ms_max", TBUS_PARAM_NUMBER, FIELD(supervisor.stall_ms_max), .min = 0, .max = 86400000,
      .unit = "milliseconds", .fallback = "0",
      .help = "kill a stage that has stood still for so long; 0: never, somebody may "
              "have it in a debugger"}},
};
#define OWN_KEYS (sizeof own_keys / sizeof own_keys[0])

static const struct {
    const char *path;
    const char *help;
} own_sections[] = {
    {"bus", "The bus: its name and its memory."},
    {"layout", "Which stage runs in which process, on which CPU."},
    {"supervisor", "What to do about a stage that is stopped or hangs, beside saying so."},
    {"topics", "The rings between the stages."},
    {"stages", "Further stages: each has a name of its own, its kind, and the keys of that kind."},
};

/* --- by index */

/* A walk over all keys that ends at number `left`. */
typedef struct walk {
    const config_t *config;
    size_t left;
    config_key_t *out;
} walk_t;

__attribute__((format(printf, 5, 6))) static bool is_wanted(walk_t *w, const tbus_param_t *param,
                                                            size_t at, int32_t instance,
                                                            const char *format, ...)
{
    if (w->left--)
        return false;
    va_list arguments;
    *w->out = (config_key_t){.param = param, .at = at, .instance = instance};
    va_start(arguments, format);
    vsnprintf(w->out->path, sizeof w->out->path, format, arguments);
    va_end(arguments);
    return true;
}

static size_t values_at(const config_t *config, uint32_t instance)
{
    return (size_t)((const char *)config->instances[instance].values - (const char *)config);
}

/* Is it a parameter that an earlier variant has brought already? */
static bool seen_before(const tbus_kind_t *kind, uint32_t variants_before, const char *name)
{
    tbus_variant_t variant;
    size_t at;
    for (uint32_t v = 0; v < variants_before && config_variant_at(kind, v, &variant, &at); v++)
        if (tbus_params_find(variant.params, name))
            return true;
    return false;
}

static bool walk_variants(walk_t *w, uint32_t index, const char *section)
{
    const tbus_kind_t *kind = w->config->instances[index].kind;
    tbus_variant_t variant;
    size_t at;
    for (uint32_t v = 0; config_variant_at(kind, v, &variant, &at); v++)
        for (uint32_t i = 0; i < variant.params->count; i++) {
            const tbus_param_t *param = &variant.params->table[i];
            if (seen_before(kind, v, param->name) ||
                !is_wanted(w, param, values_at(w->config, index) + at, (int32_t)index, "%s.%s",
                           section, param->name))
                continue;
            w->out->of_variant = true;
            return true;
        }
    return false;
}

static bool walk_instance(walk_t *w, uint32_t index, const char *section)
{
    const tbus_params_t *params = w->config->instances[index].kind->params;
    for (uint32_t i = 0; params && i < params->count; i++)
        if (is_wanted(w, &params->table[i], values_at(w->config, index), (int32_t)index, "%s.%s",
                      section, params->table[i].name))
            return true;
    return walk_variants(w, index, section);
}

static bool walk_resource(walk_t *w, uint32_t index)
{
    const tbus_resource_t *resource = w->config->resources[index].resource;
    size_t at =
        (size_t)((const char *)w->config->resources[index].values - (const char *)w->config);
    for (uint32_t i = 0; i < resource->params.count; i++)
        if (is_wanted(w, &resource->params.table[i], at, -1, "%s.%s", resource->name,
                      resource->params.table[i].name))
            return true;
    return false;
}

static bool uses(const tbus_kind_t *kind, const tbus_resource_t *resource)
{
    for (uint32_t i = 0; kind->resources && kind->resources[i]; i++)
        if (kind->resources[i] == resource)
            return true;
    return false;
}

/* The sections of kinds, and before each those of the resources which it is the first to use. */
static bool walk_sections(walk_t *w)
{
    uint32_t resources_done = 0;
    for (uint32_t i = 0; i < w->config->instances_count; i++) {
        const config_instance_t *instance = &w->config->instances[i];
        if (instance->listed)
            continue;
        for (; resources_done < w->config->resources_count &&
               uses(instance->kind, w->config->resources[resources_done].resource);
             resources_done++)
            if (walk_resource(w, resources_done))
                return true;
        if (walk_instance(w, i, instance->kind->section))
            return true;
    }
    for (; resources_done < w->config->resources_count; resources_done++)
        if (walk_resource(w, resources_done))
            return true;
    return false;
}

static bool walk_topics(walk_t *w)
{
    static const struct {
        const tbus_param_t *usual;
        const tbus_param_t *seldom;
        size_t at;
    } settings[] = {{&slots_param, &seldom_slots_param, offsetof(config_t, topic_slots)},
                    {&publish_param, &publish_param, offsetof(config_t, topic_publish)},
                    {&gate_param, &gate_param, offsetof(config_t, topic_gate)}};
    const tbus_port_t *port;
    for (uint32_t i = 0; (port = kinds_topic_at(i)) != NULL && i < TBUS_TOPICS_MAX; i++)
        for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
            const tbus_param_t *param = port->seldom ? settings[k].seldom : settings[k].usual;
            if (is_wanted(w, param, settings[k].at + i * sizeof(uint32_t), -1, "topics.%s.%s",
                          port->topic, param->name))
                return true;
        }
    return false;
}

static bool walk_listed(walk_t *w)
{
    for (uint32_t i = 0; i < w->config->instances_count; i++) {
        const config_instance_t *instance = &w->config->instances[i];
        char section[CONFIG_PATH_MAX];
        if (!instance->listed)
            continue;
        config_instance_section(instance, section);
        if (is_wanted(w, &config_kind_param,
                      (size_t)((const char *)instance - (const char *)w->config), (int32_t)i,
                      "%s.kind", section) ||
            walk_instance(w, i, section))
            return true;
    }
    return false;
}

bool config_key_at(const config_t *config, size_t index, config_key_t *out_key)
{
    walk_t w = {.config = config, .left = index, .out = out_key};
    for (size_t i = 0; i < OWN_KEYS; i++)
        if (is_wanted(&w, &own_keys[i].param, 0, -1, "%s.%s", own_keys[i].section,
                      own_keys[i].param.name))
            return true;
    return walk_sections(&w) || walk_topics(&w) || walk_listed(&w);
}

bool config_key_find(const config_t *config, const char *path, config_key_t *out_key)
{
    config_key_t key;
    for (size_t i = 0; config_key_at(config, i, &key); i++)
        if (strcmp(key.path, path) == 0) {
            *out_key = key;
            return true;
        }
    return false;
}

/* --- sections */

const char *config_section_help(const config_t *config, const char *path)
{
    for (size_t i = 0; i < sizeof own_sections / sizeof own_sections[0]; i++)
        if (strcmp(own_sections[i].path, path) == 0)
            return own_sections[i].help;
    for (uint32_t i = 0; i < config->resources_count; i++)
        if (strcmp(config->resources[i].resource->name, path) == 0)
            return config->resources[i].resource->help;
    for (uint32_t i = 0; i < config->instances_count; i++) {
        const config_instance_t *instance = &config->instances[i];
        bool below_stages = strncmp(path, "stages.", 7) == 0;
        if (instance->listed ? below_stages && strcmp(instance->name, path + 7) == 0
                             : strcmp(instance->kind->section, path) == 0)
            return instance->kind->help;
    }
    const tbus_port_t *port;
    for (uint32_t i = 0; (port = kinds_topic_at(i)) != NULL; i++)
        if (strncmp(path, "topics.", 7) == 0 && strcmp(port->topic, path + 7) == 0)
            return port->help ? port->help : "";
    /* A section within a section: it is there because keys are. */
    config_key_t key;
    size_t length = strlen(path);
    for (size_t i = 0; length != 0 && config_key_at(config, i, &key); i++)
        if (strncmp(key.path, path, length) == 0 && key.path[length] == '.')
            return "";
    return NULL;
}

void config_children(const config_t *config, const char *section, char *out_text, size_t bytes)
{
    size_t prefix = strlen(section) + (*section ? 1 : 0);
    size_t used = 0;
    config_key_t key;
    char before[CONFIG_PATH_MAX] = "";
    out_text[0] = 0;
    if (strcmp(section, "stages") == 0) {
        snprintf(out_text, bytes, "a name of your own for each, with its `kind` below");
        return;
    }
    for (size_t i = 0; config_key_at(config, i, &key) && used < bytes; i++) {
        if (strncmp(key.path, section, strlen(section)) != 0 ||
            (*section && key.path[prefix - 1] != '.'))
            continue;
        char *child = key.path + prefix;
        child[strcspn(child, ".")] = 0;
        if (strcmp(child, before) == 0)
            continue;
        used += (size_t)snprintf(out_text + used, bytes - used, "%s%s", used ? ", " : "", child);
        snprintf(before, sizeof before, "%s", child);
    }
    if (!*section && used < bytes && strcmp(before, "stages") != 0)
        snprintf(out_text + used, bytes - used, ", stages");
}
