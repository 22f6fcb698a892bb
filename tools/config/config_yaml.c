/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/config/config.h"
#include "tools/show/suggest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define NAME_SHOWN 40

/* One file being read: where an error is, and what it goes into. */
typedef struct reading {
    const char *name;
    const char *text;
    size_t bytes;
    yaml_document_t document;
    config_t config;
    tbus_error_t *err;
    config_faults_t *faults;  /* NULL: the first fault ends the reading */
    config_file_keys_t *keys; /* NULL: nobody asks which there are */
} reading_t;

/* Line and column count from 1, as editors and compilers do. */
static int wrong(const reading_t *r, yaml_mark_t mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int wrong(const reading_t *r, yaml_mark_t mark, const char *format, ...)
{
    char what[TBUS_ERROR_TEXT_MAX];
    tbus_error_t here;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    tbus_fail(&here, -TBUS_ECONFIG, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1,
              what);
    if (r->faults && r->faults->count++ < CONFIG_FAULTS_MAX)
        memcpy(r->faults->texts[r->faults->count - 1], here.text, sizeof here.text);
    return tbus_fail(r->err, here.code, "%s", here.text);
}

static const char *node_kind(const yaml_node_t *node)
{
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return "a single value";
    case YAML_SEQUENCE_NODE:
        return "a list";
    case YAML_MAPPING_NODE:
        return "a section";
    case YAML_NO_NODE:
        break;
    }
    return "nothing";
}

static const char *scalar(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

/* `key:` with nothing after it. */
static bool is_blank(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           node->data.scalar.length == 0;
}

/* The text of a scalar that may be the value of `key`, or NULL and an error. A number in quotes is
 * a text. */
static const char *value_text(const reading_t *r, const config_key_t *key, const yaml_node_t *node)
{
    char allowed[200];
    tbus_param_allowed(key->param, allowed, sizeof allowed);
    /* Of a choice, 'fused' and fused are the same. */
    bool is_text = key->param->type == TBUS_PARAM_TEXT || key->param->type == TBUS_PARAM_TEXTS ||
                   key->param->type == TBUS_PARAM_CHOICE;
    if (node->type != YAML_SCALAR_NODE) {
        wrong(r, node->start_mark, "%s is %s; allowed: %s", key->path, node_kind(node), allowed);
    } else if (strlen(scalar(node)) != node->data.scalar.length) {
        wrong(r, node->start_mark, "%s holds a zero byte; allowed: %s", key->path, allowed);
    } else if (is_blank(node)) {
        wrong(r, node->start_mark, "%s has no value; allowed: %s", key->path, allowed);
    } else if (strncmp((const char *)node->tag, "tag:yaml.org,2002:", 18) != 0) {
        wrong(r, node->start_mark, "%s has the tag %.40s, which means nothing here; allowed: %s",
              key->path, (const char *)node->tag, allowed);
    } else if (!is_text && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        wrong(r, node->start_mark, "%s is a text in quotes; allowed: %s, without quotes", key->path,
              allowed);
    } else {
        return scalar(node);
    }
    return NULL;
}

/* The table's own words on a value that it refused, at the place of the value. */
static int refused(const reading_t *r, const yaml_node_t *node, const tbus_error_t *why)
{
    return wrong(r, node->start_mark, "%.400s", why->text);
}

static int read_list(reading_t *r, const config_key_t *key, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        char allowed[200];
        tbus_param_allowed(key->param, allowed, sizeof allowed);
        return wrong(r, node->start_mark, "%s is %s; allowed: %s, as [a, b]", key->path,
                     node_kind(node), allowed);
    }
    config_key_clear(&r->config, key);
    const yaml_node_item_t *items = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - items);
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = yaml_document_get_node(&r->document, items[i]);
        const char *text = value_text(r, key, item);
        tbus_error_t why = {0};
        int code = text ? 0 : -TBUS_ECONFIG;
        if (text && config_key_append(&r->config, key, text, &why) < 0)
            code = refused(r, item, &why);
        if (code < 0 && !r->faults)
            return code;
    }
    return 0;
}

static void note_key(reading_t *r, const config_key_t *key, const yaml_node_t *name)
{
    config_file_keys_t *keys = r->keys;
    if (!keys || keys->count == CONFIG_FILE_KEYS_MAX)
        return;
    memcpy(keys->keys[keys->count].path, key->path, sizeof key->path);
    keys->keys[keys->count++].line = (uint32_t)name->start_mark.line + 1;
}

static int read_value(reading_t *r, const config_key_t *key, const yaml_node_t *node)
{
    if (tbus_param_is_list(key->param))
        return read_list(r, key, node);
    const char *text = value_text(r, key, node);
    tbus_error_t why = {0};
    if (!text)
        return -TBUS_ECONFIG;
    if (config_key_set(&r->config, key, text, &why) < 0)
        return refused(r, node, &why);
    return 0;
}

static const yaml_node_t *pair_key(reading_t *r, const yaml_node_t *mapping, size_t pair)
{
    return yaml_document_get_node(&r->document, mapping->data.mapping.pairs.start[pair].key);
}

static int refuse_duplicate(reading_t *r, const yaml_node_t *mapping, size_t pair, const char *path)
{
    const yaml_node_t *key = pair_key(r, mapping, pair);
    for (size_t i = 0; i < pair; i++) {
        const yaml_node_t *earlier = pair_key(r, mapping, i);
        if (strcmp(scalar(earlier), scalar(key)) == 0)
            return wrong(r, key->start_mark,
                         "%s is there twice; the first is in line %zu, keep one", path,
                         earlier->start_mark.line + 1);
    }
    return 0;
}

static int unknown_key(const reading_t *r, const yaml_node_t *name, const char *section,
                       const char *children)
{
    char given[NAME_SHOWN + 1], meant[SUGGEST_WORD_MAX + 32];
    snprintf(given, sizeof given, "%s", scalar(name));
    suggestion_t suggestion = {.given = given};
    suggest_consider_list(&suggestion, children);
    suggest_text(&suggestion, meant, sizeof meant);
    return wrong(r, name->start_mark, "unknown key '%s'%s%s; allowed: %s%s", given,
                 *section ? " in " : "", section, children, meant);
}

/* A further stage: its kind decides which keys it has, so that is read first. */
static int add_stage(reading_t *r, const char *path, const yaml_node_t *name,
                     const yaml_node_t *value)
{
    char kind_path[CONFIG_PATH_MAX + 8];
    if (value->type != YAML_MAPPING_NODE)
        return wrong(r, value->start_mark, "%s is %s; a section was expected, with its kind", path,
                     node_kind(value));
    const yaml_node_pair_t *pairs = value->data.mapping.pairs.start;
    size_t count = (size_t)(value->data.mapping.pairs.top - pairs);
    snprintf(kind_path, sizeof kind_path, "%s.kind", path);
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *key = pair_key(r, value, i);
        const yaml_node_t *kind = yaml_document_get_node(&r->document, pairs[i].value);
        tbus_error_t why = {0};
        if (key->type != YAML_SCALAR_NODE || strcmp(scalar(key), "kind") != 0)
            continue;
        if (kind->type != YAML_SCALAR_NODE)
            return wrong(r, kind->start_mark, "%s is %s; the name of a kind was expected",
                         kind_path, node_kind(kind));
        return config_set(&r->config, kind_path, scalar(kind), &why) < 0 ? refused(r, kind, &why)
                                                                         : 0;
    }
    char kinds[160];
    kinds_names(kinds, sizeof kinds);
    return wrong(r, name->start_mark, "%s does not say which kind of stage it is; kinds: %s", path,
                 kinds);
}

/* A section and what is below it. The table knows no sections but its own, so the depth is that of
 * the table, also when an alias points back at its own anchor. */
static int read_section(reading_t *r, const char *section, const yaml_node_t *node)
{
    char children[400];
    config_children(&r->config, section, children, sizeof children);
    if (is_blank(node))
        return 0; /* a section whose keys are all commented out */
    if (node->type != YAML_MAPPING_NODE)
        return wrong(r, node->start_mark, "%s%s is %s; a section was expected, with the keys %s",
                     *section ? "" : "the file", section, node_kind(node), children);
    const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
    size_t count = (size_t)(node->data.mapping.pairs.top - pairs);
    int first_fault = 0;
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *name = pair_key(r, node, i);
        const yaml_node_t *value = yaml_document_get_node(&r->document, pairs[i].value);
        if (name->type != YAML_SCALAR_NODE) /* what is below it cannot be read either */
            return wrong(r, name->start_mark, "%s stands where the name of a key was expected: %s",
                         node_kind(name), children);
        char path[CONFIG_PATH_MAX];
        snprintf(path, sizeof path, "%s%s%.*s", section, *section ? "." : "", NAME_SHOWN,
                 scalar(name));
        config_key_t key;
        int code = strcmp(section, "stages") == 0 ? add_stage(r, path, name, value) : 0;
        if (code < 0) {
            if (!r->faults)
                return code;
            first_fault = first_fault ? first_fault : code;
            continue;
        }
        bool is_key = config_key_find(&r->config, path, &key);
        if (!is_key && !config_section_help(&r->config, path))
            code = unknown_key(r, name, section, children);
        if (code == 0)
            code = refuse_duplicate(r, node, i, path);
        if (code == 0 && is_key)
            note_key(r, &key, name);
        if (code == 0)
            code = is_key ? read_value(r, &key, value) : read_section(r, path, value);
        if (code < 0 && !r->faults)
            return code;
        first_fault = first_fault ? first_fault : code;
    }
    return first_fault;
}

/* libyaml knows the place of a byte that is no text only as an offset. */
static yaml_mark_t mark_of(const reading_t *r, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < r->bytes; i++) {
        mark.column = r->text[i] == '\n' ? 0 : mark.column + 1;
        mark.line += r->text[i] == '\n';
    }
    return mark;
}

/* What libyaml itself has to say. */
static int syntax_error(const reading_t *r, const yaml_parser_t *parser)
{
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR)
        return wrong(r, mark_of(r, parser->problem_offset), "%s; the file must be UTF-8 text",
                     problem);
    if (parser->error == YAML_MEMORY_ERROR)
        return tbus_fail(r->err, -ENOMEM, "%s: no memory to read it", r->name);
    if (parser->context)
        return wrong(r, parser->problem_mark, "not YAML: %s %s", problem, parser->context);
    return wrong(r, parser->problem_mark, "not YAML: %s", problem);
}

/* Is anything nested deeper than a configuration can be? Looked at event by event, before libyaml
 * loads all of it: the time which that takes grows with the square of the depth. What is no YAML is
 * left for the loading to complain of. */
static int check_depth(const reading_t *r)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return tbus_fail(r->err, -ENOMEM, "%s: no memory to read it", r->name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)r->text, r->bytes);
    int code = 0;
    unsigned depth = 0;
    for (bool more = true; more && code == 0;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event))
            break;
        more = event.type != YAML_STREAM_END_EVENT;
        depth += event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
        depth -= event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        if (depth > CONFIG_DEPTH_MAX)
            code = wrong(r, event.start_mark, "nested more than %u deep; no configuration is",
                         CONFIG_DEPTH_MAX);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return code;
}

static int read_document(reading_t *r, yaml_parser_t *parser)
{
    if (!yaml_parser_load(parser, &r->document))
        return syntax_error(r, parser);
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    int code = root ? read_section(r, "", root) : 0; /* an empty file: all defaults */
    yaml_document_delete(&r->document);
    if (code < 0 || !root)
        return code;
    if (!yaml_parser_load(parser, &r->document))
        return syntax_error(r, parser);
    root = yaml_document_get_root_node(&r->document);
    if (root)
        code = wrong(r, root->start_mark, "a second document; one file holds one configuration");
    yaml_document_delete(&r->document);
    return code;
}

static int read_text(reading_t *r)
{
    if (r->bytes > CONFIG_FILE_MAX)
        return wrong(r, mark_of(r, CONFIG_FILE_MAX), "longer than %u bytes: no configuration is",
                     CONFIG_FILE_MAX);
    int code = check_depth(r);
    if (code < 0)
        return code;
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return tbus_fail(r->err, -ENOMEM, "%s: no memory to read it", r->name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)r->text, r->bytes);
    code = read_document(r, &parser);
    yaml_parser_delete(&parser);
    return code;
}

static int read_with_keys(config_t *config, const char *name, const char *text, size_t bytes,
                          config_file_keys_t *out_keys, tbus_error_t *err)
{
    reading_t r = {.name = name,
                   .text = text,
                   .bytes = bytes,
                   .config = *config,
                   .err = err,
                   .keys = out_keys};
    if (out_keys)
        out_keys->count = 0;
    int code = read_text(&r);
    if (code == 0)
        *config = r.config;
    return code;
}

int config_read_text(config_t *config, const char *name, const char *text, size_t bytes,
                     tbus_error_t *err)
{
    return read_with_keys(config, name, text, bytes, NULL, err);
}

static bool has_key(const config_file_keys_t *keys, const char *path)
{
    for (uint32_t i = 0; i < keys->count; i++)
        if (strcmp(keys->keys[i].path, path) == 0)
            return true;
    return false;
}

int config_reread_text(config_t *config, const char *name, const char *text, size_t bytes,
                       config_file_keys_t *keys, tbus_error_t *err)
{
    config_file_keys_t now;
    config_t fresh = *config;
    reading_t whole = {.name = name, .text = text, .bytes = bytes, .err = err};
    if (!bytes || text[bytes - 1] != '\n')
        return wrong(&whole, mark_of(&whole, bytes),
                     "the last line has no line end, as if the file were cut short");
    int code = read_with_keys(&fresh, name, text, bytes, &now, err);
    for (uint32_t i = 0; code == 0 && i < keys->count; i++)
        if (!has_key(&now, keys->keys[i].path))
            code = tbus_fail(err, -TBUS_ECONFIG,
                             "%s: %s stood in line %u and is missing now; to go back to a default, "
                             "write it down",
                             name, keys->keys[i].path, keys->keys[i].line);
    if (code < 0)
        return code;
    *config = fresh;
    *keys = now;
    return 0;
}

/* "[A, 'B']" is a document of its own, whose root is the list. */
int config_set_list(config_t *config, const config_key_t *key, const char *text, tbus_error_t *err)
{
    reading_t r = {
        .name = key->path, .text = text, .bytes = strlen(text), .config = *config, .err = err};
    yaml_parser_t parser;
    int code = check_depth(&r);
    if (code < 0)
        return code;
    if (!yaml_parser_initialize(&parser))
        return tbus_fail(err, -ENOMEM, "%s: no memory to read it", key->path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, r.bytes);
    if (!yaml_parser_load(&parser, &r.document)) {
        code = syntax_error(&r, &parser);
    } else {
        code = read_list(&r, key, yaml_document_get_root_node(&r.document));
        yaml_document_delete(&r.document);
        if (code == 0 && !yaml_parser_load(&parser, &r.document))
            code = syntax_error(&r, &parser); /* something behind the list */
        else if (code == 0)
            yaml_document_delete(&r.document);
    }
    yaml_parser_delete(&parser);
    if (code == 0)
        *config = r.config;
    return code;
}

/* The bytes of a file, up to one more than it may have; a count, or a negative error. */
static ssize_t read_whole(int fd, const char *path, char *into, tbus_error_t *err)
{
    size_t used = 0;
    for (;;) {
        ssize_t got = read(fd, into + used, CONFIG_FILE_MAX + 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tbus_fail(err, -errno, "%s: cannot read the configuration: %s", path,
                             tbus_strerror(-errno));
        if (got == 0)
            return (ssize_t)used;
        used += (size_t)got;
        if (used > CONFIG_FILE_MAX)
            return (ssize_t)used;
    }
}

/* The whole file, to be freed; `fault`: what is wrong with the file itself, NULL: nothing. */
static ssize_t load_file(const char *path, int flags,
                         const char *(*fault)(const struct stat *st, bool *out_mend),
                         char **out_text, tbus_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | flags);
    if (fd < 0)
        return tbus_fail(err, -errno, "%s: cannot open the configuration: %s", path,
                         tbus_strerror(-errno));
    struct stat st;
    ssize_t bytes;
    bool mend = false;
    const char *why = fstat(fd, &st) == 0 ? fault(&st, &mend) : NULL;
    *out_text = NULL;
    if (why)
        bytes =
            tbus_fail(err, -TBUS_ECONFIG, "%s: %s%s%s%s", path, why,
                      mend ? "; mend with: chmod go-w '" : "", mend ? path : "", mend ? "'" : "");
    else if (!(*out_text = malloc(CONFIG_FILE_MAX + 1)))
        bytes = tbus_fail(err, -ENOMEM, "%s: no memory to read it", path);
    else
        bytes = read_whole(fd, path, *out_text, err);
    close(fd);
    return bytes;
}

/* Limits that anybody may change are no limits. */
static const char *fault_at_start(const struct stat *st, bool *out_mend)
{
    *out_mend = S_ISREG(st->st_mode) && (st->st_mode & S_IWOTH);
    return *out_mend ? "everybody may write to it" : NULL;
}

static const char *fault_while_running(const struct stat *st, bool *out_mend)
{
    if (!S_ISREG(st->st_mode))
        return "it is no regular file, and can be read only once";
    if (st->st_uid != geteuid() && st->st_uid != 0)
        return "it belongs to somebody else";
    *out_mend = st->st_mode & (S_IWGRP | S_IWOTH);
    if (*out_mend)
        return st->st_mode & S_IWOTH ? "everybody may write to it" : "its group may write to it";
    return st->st_size ? NULL : "it is empty, as if it were just being written";
}

int config_read_file(config_t *config, const char *path, config_file_keys_t *out_keys,
                     tbus_error_t *err)
{
    char *text = NULL;
    ssize_t bytes = load_file(path, 0, fault_at_start, &text, err);
    int code =
        bytes < 0 ? (int)bytes : read_with_keys(config, path, text, (size_t)bytes, out_keys, err);
    free(text);
    return code;
}

int config_reread_file(config_t *config, const char *path, config_file_keys_t *keys,
                       tbus_error_t *err)
{
    char *text = NULL;
    ssize_t bytes = load_file(path, O_NONBLOCK, fault_while_running, &text, err);
    int code =
        bytes < 0 ? (int)bytes : config_reread_text(config, path, text, (size_t)bytes, keys, err);
    free(text);
    return code;
}

void config_check_file(const char *path, config_faults_t *out_faults)
{
    char *text = NULL;
    tbus_error_t why = {0};
    out_faults->count = 0;
    ssize_t bytes = load_file(path, 0, fault_at_start, &text, &why);
    if (bytes >= 0) {
        reading_t r = {
            .name = path, .text = text, .bytes = (size_t)bytes, .err = &why, .faults = out_faults};
        config_defaults(&r.config);
        read_text(&r);
    }
    if (why.code && !out_faults->count)
        memcpy(out_faults->texts[out_faults->count++], why.text, sizeof why.text);
    free(text);
}

/* --- printing */

static void print_quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02X", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void print_item(FILE *out, const config_t *config, const config_key_t *key, uint32_t item)
{
    char text[CONFIG_SOURCE_MAX];
    config_key_text(config, key, item, text, sizeof text);
    if (key->param->type == TBUS_PARAM_TEXT || key->param->type == TBUS_PARAM_TEXTS)
        print_quoted(out, text);
    else
        fputs(text, out);
}

static void print_key(FILE *out, const config_t *config, const config_key_t *key, int indent)
{
    char allowed[200];
    tbus_param_allowed(key->param, allowed, sizeof allowed);
    fprintf(out, "%*s# %s\n", indent, "", key->param->help);
    fprintf(out, "%*s# %s; default: %s\n", indent, "", allowed,
            *key->param->fallback ? key->param->fallback : "none");
    fprintf(out, "%*s%s: ", indent, "", strrchr(key->path, '.') + 1);
    if (!tbus_param_is_list(key->param)) {
        print_item(out, config, key, 0);
    } else {
        fputc('[', out);
        for (uint32_t i = 0; i < config_key_items(config, key); i++) {
            fputs(i ? ", " : "", out);
            print_item(out, config, key, i);
        }
        fputc(']', out);
    }
    fputc('\n', out);
}

/* Headers of the sections that `path` is in and `before` was not. Returns the indent of the key
 * itself. */
static int print_sections(FILE *out, const config_t *config, const char *path, const char *before)
{
    int depth = 0;
    bool fresh = false;
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.'), depth++) {
        size_t length = (size_t)(dot - path) + 1;
        if (!fresh && strncmp(path, before, length) == 0)
            continue;
        fresh = true;
        char section[CONFIG_PATH_MAX];
        snprintf(section, sizeof section, "%.*s", (int)length - 1, path);
        const char *help = config_section_help(config, section);
        const char *name = strrchr(section, '.') ? strrchr(section, '.') + 1 : section;
        if (!depth)
            fputc('\n', out);
        if (help && *help)
            fprintf(out, "%*s# %s\n", 2 * depth, "", help);
        fprintf(out, "%*s%s:\n", 2 * depth, "", name);
    }
    return 2 * depth;
}

int config_print(const config_t *config, FILE *out)
{
    fputs("# tickbus configuration: `busctl start -c FILE`. Every key may be left out.\n", out);
    config_key_t keys[2] = {0}; /* one, and the one before it */
    bool listed = false;
    for (size_t i = 0; config_key_at(config, i, &keys[i % 2]); i++) {
        const config_key_t *key = &keys[i % 2];
        int indent = print_sections(out, config, key->path, keys[(i + 1) % 2].path);
        print_key(out, config, key, indent);
        listed |= strncmp(key->path, "stages.", 7) == 0;
    }
    if (!listed)
        fprintf(out,
                "\n# %s\n# stages:\n#   strategy2:\n#     kind: strategy\n#     name: \"quote\"\n",
                config_section_help(config, "stages"));
    return ferror(out) ? -EIO : 0;
}
