/* SPDX-License-Identifier: Apache-2.0 */
/* columns.h - the columns of the big table, for text and HTML alike. */
#ifndef TICKBUS_TOOLS_IPC_COLUMNS_H
#define TICKBUS_TOOLS_IPC_COLUMNS_H

#include "tools/measure/format.h"
#include "tools/ipc/measure.h"

typedef struct ipc_column {
    const char *heading; /* NULL: the size of a large message */
    const char *meaning; /* what stands in it, in a sentence */
    int width;           /* in characters */
    figure_t (*cell)(const ipc_row_t *row);
} ipc_column_t;

/* In text the names of the mechanisms stand before this column. */
#define IPC_NAME_COLUMNS 20

#define IPC_COLUMNS_COUNT 13u
extern const ipc_column_t ipc_columns[IPC_COLUMNS_COUNT];
/* `row`: any, all have the same sizes. */
figure_t ipc_column_heading(uint32_t column, const ipc_row_t *row);

/* Neighbouring columns that belong together. */
typedef struct ipc_column_group {
    const char *heading;
    uint32_t columns_count;
} ipc_column_group_t;

#define IPC_COLUMN_GROUPS_COUNT 3u
extern const ipc_column_group_t ipc_column_groups[IPC_COLUMN_GROUPS_COUNT];

#endif
