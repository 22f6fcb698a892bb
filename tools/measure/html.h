/* SPDX-License-Identifier: Apache-2.0 */
/* html.h - a page that stands alone: style and drawings are in it, nothing is fetched, no script is
 * run; light and dark. */
#ifndef TICKBUS_TOOLS_MEASURE_HTML_H
#define TICKBUS_TOOLS_MEASURE_HTML_H

#include <stdio.h>

/* Everything down to and with the heading. `style`: rules beside those of svg_style and of the
 * page. What comes next are elements; then html_end. */
void html_begin(FILE *out, const char *title, const char *style);
void html_end(FILE *out);

/* <tag class="class">text</tag>, the text escaped. `tag` may have attributes; class: NULL for none.
 */
void html_element(FILE *out, const char *tag, const char *class_name, const char *text);

#endif
