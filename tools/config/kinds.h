/* SPDX-License-Identifier: Apache-2.0 */
/* kinds.h - the kinds of stage that a pipeline can be made of: those that are built in, in the
 * order of the data path, and those that a program has added before it reads a configuration.
 */
#ifndef TICKBUS_TOOLS_CONFIG_KINDS_H
#define TICKBUS_TOOLS_CONFIG_KINDS_H

#include <tickbus/kind.h>

#define KINDS_MAX 16u /* the built-in ones included */

/* By index from 0; NULL: past the last. */
const tbus_kind_t *kinds_at(uint32_t index);
/* NULL: there is none of that name. */
const tbus_kind_t *kinds_find(const char *name);
/* "feed, strategy, risk": all names. */
void kinds_names(char *out_text, size_t bytes);

/* Add a kind, which must live as long as the program. -TBUS_EEXISTS, -TBUS_EFULL, and what
 * tbus_kind_check returns. Before any configuration is made; one thread. For programs that bring a
 * kind of their own, and for tests, which are the only ones in this tree. */
int kinds_add(const tbus_kind_t *kind, tbus_error_t *err);

/* Do stages of this kind publish on the topic? */
bool kinds_publish(const tbus_kind_t *kind, const char *topic);
/* The topics that kinds can publish on, each once, by index from 0; NULL: past the last. The port
 * that is given says what the topic is. */
const tbus_port_t *kinds_topic_at(uint32_t index);

#endif
