/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/measure/html.h"

#include <string.h>

#include "tools/measure/svg_chart.h"

static const char page_style[] =
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 "
    "system-ui,-apple-system,'Segoe "
    "UI',Roboto,'DejaVu Sans',"
    "sans-serif}\n"
    "main{max-width:1280px;margin:0 auto;padding:36px 24px 80px}\n"
    "h1{font-size:30px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em} "
    "h2{font-size:20px;margin:52px 0 "
    "10px}\n"
    "p,.note{color:var(--soft);margin:0 0 12px;max-width:110ch} p code{white-space:nowrap}\n"
    ".scroll{overflow-x:auto;border:1px solid var(--line);border-radius:10px}\n"
    "table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:6px 10px;text-align:left;border-bottom:1px solid "
    "var(--line);vertical-align:top}\n"
    "th{color:var(--soft);font-weight:600;white-space:nowrap} thead tr:not(:last-child) "
    "th{border-bottom:0;padding-bottom:0}\n"
    "td.n,th.n{text-align:right;white-space:nowrap} tr:last-child td{border-bottom:0} "
    "th.g{border-left:1px "
    "solid var(--line)}\n"
    "td.name{font-weight:600;white-space:nowrap} tr.tickbus td{background:color-mix(in "
    "srgb,var(--two) "
    "9%,transparent)}\n"
    "tr.tickbus td.name{color:var(--strong)} tr.raw td{color:var(--soft);font-style:italic} "
    "td.why{color:var(--soft)}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(290px,1fr));gap:14px;margin:"
    "22px 0 "
    "8px}\n"
    ".card{border:1px solid var(--line);border-radius:12px;padding:16px 18px} "
    ".card.first{border-color:var(--two);border-width:2px}\n"
    ".card .when{color:var(--soft);font-size:12.5px} .card "
    ".take{font-size:18px;font-weight:700;color:var(--strong);margin:2px 0 4px}\n"
    ".card .why{font-size:13px} .plot{overflow-x:auto;margin:12px 0 28px} .plot "
    "svg{display:block;max-width:100%;height:auto}\n"
    "ul{margin:0;padding-left:20px} li{margin:4px 0}\n";

void html_begin(FILE *out, const char *title, const char *style)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
          "<meta name=\"color-scheme\" content=\"light dark\">",
          out);
    html_element(out, "title", NULL, title);
    fprintf(out, "\n<style>\n%s%s%s</style></head><body><main>\n", svg_style, page_style, style);
    html_element(out, "h1", NULL, title);
    fputc('\n', out);
}

void html_end(FILE *out)
{
    fputs("</main></body></html>\n", out);
}

void html_element(FILE *out, const char *tag, const char *class_name, const char *text)
{
    fprintf(out, "<%s%s%s%s>", tag, class_name ? " class=\"" : "", class_name ? class_name : "",
            class_name ? "\"" : "");
    svg_text(out, text);
    fprintf(out, "</%.*s>", (int)strcspn(tag, " "), tag);
}
