/* SPDX-License-Identifier: Apache-2.0 */
#include "strategy/script_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tickbus/msg/order.h>

#define NS_PER_S   UINT64_C(1000000000)
#define E4         10000u
#define WORD_SHOWN 24u
#define NO_STEP    UINT32_MAX

/* A word of the file, not terminated. */
typedef struct word {
    const char *text;
    size_t bytes; /* 0: the line has ended */
} word_t;

typedef struct parser {
    const char *at;         /* in the line, behind `word` */
    const char *line_begin; /* of the line that is read */
    const char *line_end;
    uint32_t line;
    word_t word;
    script_t script;
    uint32_t *places; /* hashed by name: 1 + the step that has it, 0: free */
    uint32_t places_mask;
    uint64_t last_at[SCRIPT_EVENT_NS + 1]; /* by kind of WHEN: the latest, and its line */
    uint32_t last_line[SCRIPT_EVENT_NS + 1];
    uint32_t wrong; /* lines */
    tbus_error_t first;
} parser_t;

/* ---- errors: the first is told, further lines are counted */

static void show_word(word_t word, char out_text[WORD_SHOWN + 4])
{
    size_t shown = word.bytes < WORD_SHOWN ? word.bytes : WORD_SHOWN;
    for (size_t i = 0; i < shown; i++)
        out_text[i] = word.text[i] > ' ' && word.text[i] <= '~' ? word.text[i] : '?';
    snprintf(out_text + shown, 4, "%s", word.bytes > shown ? "..." : "");
}

/* Always false. */
static bool refuse(parser_t *p, const char *what)
{
    unsigned column = (unsigned)(p->word.text - p->line_begin) + 1;
    if (p->wrong++ == 0)
        tbus_fail(&p->first, -TBUS_ECONFIG, "line %u, column %u: %s", p->line, column, what);
    return false;
}

/* The word at hand is not `what`. */
static bool refuse_word(parser_t *p, const char *what)
{
    char word[WORD_SHOWN + 4], text[200];
    show_word(p->word, word);
    if (p->word.bytes)
        snprintf(text, sizeof text, "expected %s, not '%s'", what, word);
    else
        snprintf(text, sizeof text, "expected %s, but the line ends here", what);
    return refuse(p, text);
}

/* ---- words */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void next_word(parser_t *p)
{
    while (p->at < p->line_end && is_blank(*p->at))
        p->at++;
    p->word.text = p->at;
    if (p->at < p->line_end && *p->at == '#')
        p->at = p->line_end;
    else
        while (p->at < p->line_end && !is_blank(*p->at))
            p->at++;
    p->word.bytes =
        p->word.text < p->line_end && *p->word.text == '#' ? 0 : (size_t)(p->at - p->word.text);
}

static bool word_is(word_t word, const char *text)
{
    return word.bytes == strlen(text) && memcmp(word.text, text, word.bytes) == 0;
}

/* Decimal digits alone, from *at on; false: none, or a number beyond `max`. */
static bool read_digits(const char **at, const char *end, uint64_t max, uint64_t *out_value)
{
    uint64_t value = 0;
    const char *begin = *at;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out_value = value;
    return *at > begin;
}

/* A fraction of `digits_max` digits, as so many of the last of them; none when there is no '.'. */
static bool read_fraction(const char **at, const char *end, unsigned digits_max,
                          uint64_t *out_value)
{
    uint64_t value = 0;
    unsigned digits = 0;
    if (*at < end && **at == '.') {
        for ((*at)++; *at < end && **at >= '0' && **at <= '9' && digits < digits_max; digits++)
            value = value * 10 + (uint64_t)(*(*at)++ - '0');
        if (digits == 0)
            return false;
    }
    for (; digits < digits_max; digits++)
        value *= 10;
    *out_value = value;
    return true;
}

/* ---- the words of a line */

static bool read_time(word_t word, uint64_t *out_ns)
{
    const char *at = word.text, *end = word.text + word.bytes;
    static const uint64_t max[] = {23, 59, 59};
    uint64_t seconds = 0, fraction;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t part;
        if ((i && (at == end || *at++ != ':')) || end - at < 2 || at[1] < '0' || at[1] > '9')
            return false;
        const char *part_end = at + 2;
        if (!read_digits(&at, part_end, max[i], &part))
            return false;
        seconds = seconds * 60 + part;
    }
    if (!read_fraction(&at, end, 9, &fraction) || at != end)
        return false;
    *out_ns = seconds * NS_PER_S + fraction;
    return true;
}

/* Lines run in their order: one before an earlier one could never be on time. */
static bool keep_order(parser_t *p, const script_step_t *step)
{
    char text[100];
    if (p->last_line[step->when] && step->at < p->last_at[step->when]) {
        snprintf(text, sizeof text, "that is before line %u; lines run in their order",
                 p->last_line[step->when]);
        return refuse(p, text);
    }
    p->last_at[step->when] = step->at;
    p->last_line[step->when] = p->line;
    return true;
}

/* WHEN, if the line begins with one; then the next word is at hand. */
static bool read_when(parser_t *p, script_step_t *step)
{
    const char *at = p->word.text, *end = at + p->word.bytes;
    if (*at < '0' || *at > '9') {
        if (p->script.count)
            return true;
        return refuse_word(p, "the time of the first line, a number of a tick or HH:MM:SS");
    }
    if (memchr(at, ':', p->word.bytes)) {
        step->when = SCRIPT_EVENT_NS;
        if (!read_time(p->word, &step->at))
            return refuse_word(p, "a time as HH:MM:SS or HH:MM:SS.FRACTION, of 9 digits at most");
    } else {
        step->when = SCRIPT_MD_SEQ;
        if (!read_digits(&at, end, TICK_NS_MASK, &step->at) || at != end || step->at == 0)
            return refuse_word(p, "the number of a tick, from 1");
    }
    if (!keep_order(p, step))
        return false;
    next_word(p);
    return true;
}

static bool is_side(word_t word, uint8_t *out_side)
{
    if (word_is(word, "B") || word_is(word, "buy"))
        *out_side = 'B';
    else if (word_is(word, "S") || word_is(word, "sell"))
        *out_side = 'S';
    else
        return false;
    return true;
}

static bool read_qty(parser_t *p, script_step_t *step)
{
    const char *at = p->word.text, *end = at + p->word.bytes;
    uint64_t qty;
    if (!read_digits(&at, end, UINT32_MAX, &qty) || at != end)
        return refuse_word(p, "a quantity, 0 to 4294967295 shares");
    step->qty = (uint32_t)qty;
    next_word(p);
    return true;
}

static bool read_px(parser_t *p, script_step_t *step)
{
    const char *at = p->word.text, *end = at + p->word.bytes;
    uint64_t whole, fraction;
    if (!read_digits(&at, end, UINT32_MAX / E4, &whole) || !read_fraction(&at, end, 4, &fraction) ||
        at != end || whole * E4 + fraction > UINT32_MAX)
        return refuse_word(p, "a price with 4 decimals at most, 0 to 429496.7295");
    step->px_e4 = (uint32_t)(whole * E4 + fraction);
    next_word(p);
    return true;
}

static bool read_tif(parser_t *p, script_step_t *step)
{
    step->tif = ORDER_TIF_DAY;
    if (word_is(p->word, "market")) {
        step->tif = ORDER_TIF_IOC;
        step->flags = ORDER_MARKET;
    } else if (word_is(p->word, "post"))
        step->flags = ORDER_POST_ONLY;
    else if (word_is(p->word, "slide"))
        step->flags = ORDER_POST_ONLY | ORDER_SLIDE;
    else if (word_is(p->word, "ioc"))
        step->tif = ORDER_TIF_IOC;
    else if (!word_is(p->word, "day"))
        return refuse_word(p, "day, ioc, market, post or slide");
    next_word(p);
    return true;
}

static bool read_symbol(parser_t *p, script_step_t *step)
{
    bool fits = p->word.bytes >= 1 && p->word.bytes <= sizeof step->symbol;
    for (size_t i = 0; fits && i < p->word.bytes; i++) {
        char c = p->word.text[i];
        fits = c > ' ' && c <= '~' && c != '"' && c != '\\'; /* reports are JSON */
    }
    if (!fits)
        return refuse_word(p, "a symbol of 1 to 8 visible characters but \" and \\");
    memset(step->symbol, ' ', sizeof step->symbol);
    memcpy(step->symbol, p->word.text, p->word.bytes);
    next_word(p);
    return true;
}

static bool read_name(parser_t *p, char out_name[SCRIPT_NAME_MAX + 1])
{
    bool fits = p->word.bytes >= 1 && p->word.bytes <= SCRIPT_NAME_MAX;
    for (size_t i = 0; fits && i < p->word.bytes; i++) {
        char c = p->word.text[i];
        fits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '_' || c == '-' || c == '.';
    }
    if (!fits)
        return refuse_word(p, "a name of the order: 1 to 23 letters, digits, '_', '-', '.'");
    memset(out_name, 0, SCRIPT_NAME_MAX + 1);
    memcpy(out_name, p->word.text, p->word.bytes);
    return true;
}

/* ---- names of orders */

/* Where the name stands, or could. */
static uint32_t *place_of(const parser_t *p, const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = name; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    uint32_t place = hash & p->places_mask;
    while (p->places[place] && strcmp(p->script.steps[p->places[place] - 1].name, name) != 0)
        place = (place + 1) & p->places_mask;
    return &p->places[place];
}

/* The name of a new order, as the last word. */
static bool read_new_name(parser_t *p, script_step_t *step)
{
    char text[120];
    if (!read_name(p, step->name))
        return false;
    const uint32_t *place = place_of(p, step->name);
    if (*place) {
        snprintf(text, sizeof text, "'%s' is the order of line %u; expected a name of its own",
                 step->name, p->script.steps[*place - 1].line);
        return refuse(p, text);
    }
    next_word(p);
    return true;
}

/* The name of an order that an earlier line sends. */
static bool read_old_name(parser_t *p, script_step_t *step)
{
    char name[SCRIPT_NAME_MAX + 1], text[100];
    if (!read_name(p, name))
        return false;
    const uint32_t *place = place_of(p, name);
    if (!*place) {
        snprintf(text, sizeof text, "no line before this one sends an order '%s'", name);
        return refuse(p, text);
    }
    const script_step_t *old = &p->script.steps[*place - 1];
    step->of_step = *place - 1;
    step->side = old->side;
    memcpy(step->symbol, old->symbol, sizeof step->symbol);
    memcpy(step->name, name, sizeof name);
    next_word(p);
    return true;
}

/* ---- lines */

static bool read_cancel(parser_t *p, script_step_t *step)
{
    step->kind = ORDER_CANCEL;
    next_word(p);
    return read_old_name(p, step);
}

static bool read_replace(parser_t *p, script_step_t *step)
{
    uint8_t side;
    step->kind = ORDER_REPLACE;
    next_word(p);
    if (!read_old_name(p, step))
        return false;
    if (is_side(p->word, &side)) {
        if (side != step->side)
            return refuse_word(p, step->side == 'B' ? "B, the side of that order, or a quantity"
                                                    : "S, the side of that order, or a quantity");
        next_word(p);
    }
    return read_qty(p, step) && read_px(p, step) && read_tif(p, step) && read_new_name(p, step);
}

static bool read_order(parser_t *p, script_step_t *step)
{
    step->kind = ORDER_NEW;
    if (!is_side(p->word, &step->side))
        return refuse_word(p, "B, S, cancel or replace");
    next_word(p);
    return read_qty(p, step) && read_px(p, step) && read_tif(p, step) && read_symbol(p, step) &&
           read_new_name(p, step);
}

static bool read_step(parser_t *p, script_step_t *step)
{
    bool right = read_when(p, step) && (word_is(p->word, "cancel")    ? read_cancel(p, step)
                                        : word_is(p->word, "replace") ? read_replace(p, step)
                                                                      : read_order(p, step));
    if (right && p->word.bytes)
        return refuse_word(p, "the end of the line");
    return right;
}

/* A line that is wrong gives its order a name all the same, if it got so far: what follows about
 * that order is not wrong as well. */
static void keep_step(parser_t *p, const script_step_t *step)
{
    p->script.steps[p->script.count++] = *step;
    if (step->kind != ORDER_CANCEL && step->name[0])
        *place_of(p, step->name) = p->script.count;
}

static void read_line(parser_t *p)
{
    next_word(p);
    if (!p->word.bytes)
        return;
    script_step_t step = {.line = p->line, .of_step = NO_STEP, .when = SCRIPT_NEXT};
    (void)read_step(p, &step);
    if (step.kind)
        keep_step(p, &step);
}

static int read_lines(parser_t *p, const char *text, size_t bytes, tbus_error_t *err)
{
    for (const char *end = text + bytes; text < end; text = p->line_end + 1) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        p->at = p->line_begin = text;
        p->line_end = newline ? newline : end;
        p->line++;
        read_line(p);
    }
    if (p->wrong == 1)
        return tbus_fail(err, p->first.code, "%s", p->first.text);
    if (p->wrong)
        return tbus_fail(err, p->first.code, "%s; %u more %s wrong", p->first.text, p->wrong - 1,
                         p->wrong == 2 ? "line is" : "lines are");
    return 0;
}

/* At most a step for each line. */
static int parse(const char *text, size_t bytes, script_t *out_script, tbus_error_t *err)
{
    parser_t p = {0};
    uint32_t lines = 1, places = 64;
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    while (places < 2 * lines)
        places *= 2;
    p.places_mask = places - 1;
    p.script.steps = calloc(lines, sizeof *p.script.steps);
    p.places = calloc(places, sizeof *p.places);
    int code = p.script.steps && p.places
                   ? read_lines(&p, text, bytes, err)
                   : tbus_fail(err, -ENOMEM, "no memory for a script of %u lines", lines);
    free(p.places);
    if (code < 0)
        script_free(&p.script);
    else
        *out_script = p.script;
    return code;
}

static int read_whole(int fd, char **out_text, size_t *out_bytes, tbus_error_t *err)
{
    struct stat file;
    if (fstat(fd, &file) < 0)
        return tbus_fail(err, -errno, "it cannot be read: %s", tbus_strerror(-errno));
    if (!S_ISREG(file.st_mode))
        return tbus_fail(err, -EINVAL, "it is no regular file");
    if (file.st_size > (off_t)SCRIPT_BYTES_MAX)
        return tbus_fail(err, -EFBIG, "it is larger than 16 MiB");
    size_t bytes = (size_t)file.st_size, used = 0;
    char *text = malloc(bytes + 1);
    if (!text)
        return tbus_fail(err, -ENOMEM, "no memory for its %zu bytes", bytes);
    while (used < bytes) {
        ssize_t got = read(fd, text + used, bytes - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int code = -errno;
            free(text);
            return tbus_fail(err, code, "it cannot be read: %s", tbus_strerror(code));
        }
        if (got == 0)
            break; /* it was cut meanwhile */
        used += (size_t)got;
    }
    *out_text = text;
    *out_bytes = used;
    return 0;
}

int script_read(const char *path, script_t *out_script, tbus_error_t *err)
{
    char *text = NULL;
    size_t bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* whoever opens a FIFO may wait */
    if (fd < 0)
        return tbus_fail(err, -errno, "it cannot be opened: %s", tbus_strerror(-errno));
    int code = read_whole(fd, &text, &bytes, err);
    close(fd);
    if (code < 0)
        return code;
    code = parse(text, bytes, out_script, err);
    free(text);
    return code;
}

void script_free(script_t *script)
{
    free(script->steps);
    *script = (script_t){0};
}
