/* SPDX-License-Identifier: Apache-2.0 */
/* script_file.h - a file of orders, for the strategy `script`: what to send, and when.
 *
 * One line, one message; words apart by blanks; a word that begins with '#' begins a comment.
 *
 *    [WHEN] SIDE QTY PX TIF SYMBOL NAME         a new order
 *    [WHEN] replace NAME [SIDE] QTY PX TIF NEW  another in its place, with a name of its own
 *    [WHEN] cancel NAME
 *
 *    WHEN    a whole number from 1: once that tick of `md` was taken; HH:MM:SS[.FRACTION]: at that
 *            event time, or at the first tick that is later. Without it: right after the line
 *            before. Lines run in their order: one whose time has passed already, at once.
 *    SIDE    B or buy, S or sell
 *    QTY     shares
 *    PX      limit price, with up to 4 decimals; of a market order 0
 *    TIF     day, ioc; post: day, and rejected rather than to take; slide: day, and rests a tick
 *            away rather than to take; market: ioc, up to the end of risk's price collar
 *    SYMBOL  1 to 8 visible characters
 *    NAME    the script's own name of an order: 1 to 23 letters, digits, '_', '-', '.'; no two
 *            orders have the same
 *
 * For example:
 *
 *    # join the bid, go one tick higher, and leave
 *    09:30:00      buy 100 99.98 day SYN001 bid
 *    09:30:00.25   replace bid 100 99.99 day bid2
 *    09:30:01      cancel bid2
 *    250000        S 100 99.95 ioc SYN001 out      # once tick 250,000 was taken
 *
 * A quantity or price that risk or the venue will reject is none of this file's business: it is
 * sent. All else that is wrong is found when the file is read. Next: strategy/script.c.
 */
#ifndef TICKBUS_STRATEGY_SCRIPT_FILE_H
#define TICKBUS_STRATEGY_SCRIPT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <tickbus/error.h>

#define SCRIPT_NAME_MAX  23u
#define SCRIPT_BYTES_MAX (16u << 20) /* of a file */

enum script_when { SCRIPT_NEXT, SCRIPT_MD_SEQ, SCRIPT_EVENT_NS };

typedef struct script_step {
    uint64_t at;      /* md_seq or event time, as `when` says */
    uint32_t line;    /* of the file, from 1 */
    uint32_t of_step; /* cancel, replace: the step that sends the order */
    uint32_t px_e4;
    uint32_t qty;
    uint8_t when; /* SCRIPT_... */
    uint8_t kind; /* ORDER_NEW, ORDER_CANCEL, ORDER_REPLACE */
    uint8_t side;
    uint8_t tif;
    uint8_t flags;                  /* ORDER_POST_ONLY, ORDER_SLIDE, ORDER_MARKET */
    char symbol[8];                 /* padded with blanks */
    char name[SCRIPT_NAME_MAX + 1]; /* of the order that it sends or cancels */
} script_step_t;

typedef struct script {
    script_step_t *steps; /* owned */
    uint32_t count;
} script_t;

/* Read a whole file. -TBUS_ECONFIG: it is wrong, and err says in which line and column, what is
 * expected there, and how many more lines are wrong; -errno: it cannot be read; -ENOMEM. Cold. */
int script_read(const char *path, script_t *out_script, tbus_error_t *err);
void script_free(script_t *script);

#endif
