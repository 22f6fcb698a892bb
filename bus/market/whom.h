/* SPDX-License-Identifier: Apache-2.0 */
/* whom.h - which of the stages of a process is a tick for? Most are for none, or for those alone
 * that look at every best price. That is told by what was found out once for 64 symbols and for
 * each type of message, until a stage chooses anew; else all stages are asked.
 *
 * Belongs to bus/market/drive.h: the first stage of a process keeps one for all.
 */
#ifndef TICKBUS_MARKET_WHOM_H
#define TICKBUS_MARKET_WHOM_H

#include <stdint.h>

#define WHOM_WORDS 64u /* entries; word w of the stages' bitmaps stands in entry w % WHOM_WORDS */

typedef struct whom_word {
    uint64_t known; /* which word it is, and as of which choice */
    uint64_t any;   /* bit by number: some stage wants all ticks of that symbol */
} whom_word_t;

/* All zeros: nothing is known. */
typedef struct whom {
    uint64_t choice;    /* raised when a stage may have chosen anew; 0: none was asked yet */
    uint32_t all_bests; /* bit i: stage i wants those that change the best of a book */
    whom_word_t words[WHOM_WORDS];
    uint64_t types[256]; /* 2 * choice + 1 when some stage wants that type; 2 * choice: none */
} whom_t;

#endif
