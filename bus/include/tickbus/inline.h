/* SPDX-License-Identifier: Apache-2.0 */
/* inline.h - how the public headers mark the functions that they define.
 *
 * They are compiled into the caller. libtickbus holds a copy of each under the same name as well,
 * for callers that are not C or C++ and bind to the library's symbols: bus/package/outofline.c
 * defines both macros as nothing before it includes the headers, which makes ordinary functions of
 * all of them.
 */
#ifndef TICKBUS_INLINE_H
#define TICKBUS_INLINE_H

#ifndef TBUS_INLINE
#define TBUS_INLINE static inline
/* The few functions that every message passes through. Out of line, the copy of a message of known
 * size would become a loop. A build that does not optimise keeps the branches that such a size
 * excludes, and gcc would warn of what they copy: there they are ordinary functions. */
#ifdef __OPTIMIZE__
#define TBUS_HOT static inline __attribute__((always_inline))
#else
#define TBUS_HOT static inline
#endif
#endif

#endif
