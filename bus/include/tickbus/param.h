/* SPDX-License-Identifier: Apache-2.0 */
/* param.h - what the user may set, as a table: name, type, range, default and meaning of each
 * parameter of a stage or a strategy, and where its value is kept.
 *
 * The values are fields of a plain struct of whoever brings the table. The table is all that a
 * configuration file, a command line and their help need to know about them: a kind of stage
 * (kind.h) and a strategy (strategy.h) declare their own, and nobody else lists them again.
 *
 *    static const tbus_param_t table[] = {
 *        {"depth", TBUS_PARAM_NUMBER, TBUS_PARAM_FIELD(mine_t, depth), .min = 1, .max = 10,
 *         .unit = "levels", .fallback = "5", .help = "how many levels are looked at"},
 *    };
 *
 * Nothing here allocates. Values are set before a stage is created; the calls are for one thread.
 */
#ifndef TICKBUS_PARAM_H
#define TICKBUS_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>
#include <tickbus/inline.h>

#ifdef __cplusplus
extern "C" {
#endif

enum tbus_param_type {
    TBUS_PARAM_TEXT = 0,    /* char[bytes], terminated */
    TBUS_PARAM_NUMBER = 1,  /* uint32_t or uint64_t; int32_t or int64_t where `min` is negative */
    TBUS_PARAM_BOOL = 2,    /* bool */
    TBUS_PARAM_CHOICE = 3,  /* uint32_t: which of `choices`, from 0 */
    TBUS_PARAM_NUMBERS = 4, /* uint32_t[items_max], and a uint32_t that counts them */
    TBUS_PARAM_TEXTS = 5    /* char[items_max][bytes], likewise */
};

typedef struct tbus_param {
    const char *name; /* as in the configuration: letters, digits, '_' */
    enum tbus_param_type type;
    size_t offset;       /* of the field in the struct of values */
    size_t bytes;        /* of the field, or of one item of a list */
    size_t items_max;    /* lists: items there is room for */
    size_t count_offset; /* lists: of the uint32_t that counts them */
    int64_t min;         /* numbers: inclusive */
    int64_t max;
    bool power_of_two;
    bool may_be_empty;   /* texts */
    const char *choices; /* "auto|split|fused", in the order of the enum */
    /* texts: more than a length, such as a name that must be known; NULL: nothing more */
    int (*check)(const char *text, tbus_error_t *err);
    const char *unit;     /* numbers: what of, "shares"; NULL: nothing in particular */
    const char *fallback; /* the default, as text; lists: comma separated */
    const char *help;     /* one or two lines */
} tbus_param_t;

/* Where a value is kept: a field of struct `type`, or a list and its count. */
#define TBUS_PARAM_FIELD(type, member)                                                             \
    .offset = offsetof(type, member), .bytes = sizeof(((type *)0)->member)
#define TBUS_PARAM_LIST(type, member, count)                                                       \
    .offset = offsetof(type, member), .bytes = sizeof(((type *)0)->member[0]),                     \
    .items_max = sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]),                     \
    .count_offset = offsetof(type, count)

/* A table and the struct that it describes. */
typedef struct tbus_params {
    const tbus_param_t *table;
    uint32_t count;
    size_t bytes; /* of the struct of values */
} tbus_params_t;

#define TBUS_PARAMS(type, table)                                                                   \
    {                                                                                              \
        (table), sizeof(table) / sizeof((table)[0]), sizeof(type)                                  \
    }

/* Room for one item as text. */
#define TBUS_PARAM_TEXT_MAX 512u

/* All defaults of the table into `values` (params->bytes). Asserts that each default is one that
 * its own parameter allows. */
void tbus_params_defaults(const tbus_params_t *params, void *values);

/* The parameter of that name, NULL: there is none. */
const tbus_param_t *tbus_params_find(const tbus_params_t *params, const char *name);

/* Check `text` and store it; for a list: comma separated, "" empties it. `path` names the parameter
 * in err. -TBUS_ECONFIG; then nothing is stored. */
int tbus_param_set(const tbus_param_t *param, const char *path, void *values, const char *text,
                   tbus_error_t *err);

/* Lists: empty it; add one item (-TBUS_ECONFIG: not allowed, or full). */
void tbus_param_clear(const tbus_param_t *param, void *values);
int tbus_param_append(const tbus_param_t *param, const char *path, void *values, const char *text,
                      tbus_error_t *err);

TBUS_INLINE bool tbus_param_is_list(const tbus_param_t *param)
{
    return param->type == TBUS_PARAM_NUMBERS || param->type == TBUS_PARAM_TEXTS;
}
/* How many items a list has; 1 for everything else. */
uint32_t tbus_param_items(const tbus_param_t *param, const void *values);

/* The value, or item `item` of a list, as text that the calls above read back. */
void tbus_param_text(const tbus_param_t *param, const void *values, uint32_t item, char *out_text,
                     size_t bytes);

/* Are the values of this parameter the same in both? */
bool tbus_param_equal(const tbus_param_t *param, const void *values, const void *others);

/* "a power of two from 64 to 16777216", "auto, split or fused". */
void tbus_param_allowed(const tbus_param_t *param, char *out_text, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
