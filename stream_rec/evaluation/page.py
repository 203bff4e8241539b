"""A page that needs nothing else: its frame and style, light and dark, for wide and narrow screens and for paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

CSS = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2430; --grey: #59626e; --line: #e3e6ea; --faint: #d5d9de;
  --grid: #eceef1; --accent: #0072b2; --pale: #b5d5e8; --on-accent: #fefefe; --raised: #f5f7f9; --ours: #eaf4fa;
  --control: #56b4e9; --other-1: #d55e00; --other-2: #009e73; --other-3: #cc79a7; --other-4: #e69f00;
  --good: #00704f; --bad: #a4330b; --shade: rgba(20, 30, 45, .16) }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #12161c; --ink: #e6e9ee; --grey: #a5afbb;
  --line: #2b323c; --faint: #465060; --grid: #252c36; --accent: #58aee8; --pale: #23506f; --on-accent: #0b1117;
  --raised: #1a2028; --ours: #172a39; --control: #a8dcff; --other-1: #ff8f47; --other-2: #35cfa0; --other-3: #e7a5cc;
  --other-4: #f3bd57; --good: #4fd1a5; --bad: #ff9d7a; --shade: rgba(0, 0, 0, .55) } }
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main, header, nav { max-width: 1176px; margin: 0 auto; padding: 0 32px }
header { padding-top: 44px } main { padding-bottom: 80px }
h1 { font-size: 30px; letter-spacing: -.02em; margin: 0 0 10px; line-height: 1.2 }
h2 { font-size: 21px; letter-spacing: -.012em; margin: 52px 0 8px; padding-top: 22px;
  border-top: 1px solid var(--line); line-height: 1.3 }
h3 { font-size: 16.5px; margin: 0 0 4px; line-height: 1.35 }
p { margin: 4px 0 14px; max-width: 74ch } p, li, dd, h1, h2, h3, td { overflow-wrap: anywhere }
.note { color: var(--grey); font-size: 14.5px }
a { color: var(--accent) } :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 16px 0 0; padding: 12px 0 0;
  font-size: 14.5px; border-top: 1px solid var(--line) }
nav a { text-decoration: none; display: inline-block; padding: 3px 0 } nav a:hover { text-decoration: underline }
.plain { border-left: 4px solid var(--accent); background: var(--raised); border-radius: 0 10px 10px 0;
  padding: 18px 22px 8px; margin: 20px 0 }
.plain p { max-width: 68ch } .plain .lead { font-size: 19px; line-height: 1.45 }
.badge { display: inline-block; font-size: 13px; font-weight: 650; border: 1px solid currentColor; border-radius: 99px;
  padding: 1px 11px; margin: 0 0 8px }
.better { color: var(--good) } .worse, .failed { color: var(--bad) } .level, .unknown { color: var(--grey) }
.key { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: 12px; margin: 22px 0 8px;
  padding: 0; list-style: none }
.key li { border: 1px solid var(--line); border-radius: 10px; padding: 13px 16px }
.key b { display: block; font-size: 24px; letter-spacing: -.02em; font-variant-numeric: tabular-nums; line-height: 1.3 }
.key span { color: var(--grey); font-size: 13.5px; display: block; line-height: 1.35 }
.wide { overflow-x: auto; margin: 8px 0 14px; background:
  linear-gradient(to left, var(--paper) 40%, transparent) right / 44px 100% no-repeat local,
  linear-gradient(to left, var(--shade), transparent) right / 16px 100% no-repeat scroll }
.plot svg { display: block; width: 100%; height: auto; margin: 8px 0 12px } .plot svg.narrow-only { display: none }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 4px 28px }
svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif !important }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: 7px 8px; white-space: nowrap; vertical-align: baseline }
thead th { font-weight: 600; color: var(--grey); border-bottom: 1.5px solid var(--faint); vertical-align: bottom }
tbody th { font-weight: 400 } tbody th, tbody td { border-bottom: 1px solid var(--line) }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); padding-left: 10px }
th.text, td.text { text-align: left; white-space: normal; min-width: 16em }
td small, th small { color: var(--grey); font-size: 12px } tr.ours > * { background: var(--ours) }
tr.ours th { color: var(--accent); font-weight: 700 }
th.group { text-align: center; border-bottom: 1px solid var(--line); padding-bottom: 2px }
td.best { font-weight: 700 } td.best small { font-weight: 400 }
details { margin: 12px 0 } summary { cursor: pointer; color: var(--accent); padding: 4px 0 }
pre { background: var(--raised); border-radius: 8px; padding: 14px 16px; font-size: 12.5px; line-height: 1.45;
  overflow-x: auto }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 22px; font-size: 14.5px } dt { color: var(--grey) }
dd { margin: 0; font-variant-numeric: tabular-nums }
.example { border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px 14px; margin: 18px 0 }
.example h4 { font-size: 14px; margin: 0 0 6px; color: var(--grey); font-weight: 600 }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 14px 34px }
.earlier { list-style: none; display: flex; flex-wrap: wrap; gap: 6px; padding: 0; margin: 0 0 14px; font-size: 14px }
.earlier li { background: var(--raised); border-radius: 6px; padding: 3px 10px }
.earlier small { color: var(--grey) }
.done { background: var(--raised); border-radius: 8px; padding: 10px 14px; max-width: none }
.list { padding: 0; margin: 0; list-style: none; font-size: 14.5px }
.list li { display: grid; grid-template-columns: 28px 1fr; padding: 5px 6px 5px 0; border-bottom: 1px solid var(--line);
  line-height: 1.35 }
.list .at { color: var(--grey); font-variant-numeric: tabular-nums; text-align: right; padding-right: 9px }
.list small { display: block; color: var(--grey); font-size: 13px }
.list .chosen { background: var(--ours); border-radius: 6px } .list .chosen b, .mark { color: var(--accent) }
.mark { font-size: 12px; font-weight: 650; margin-left: 6px; white-space: nowrap }
.warning { border-left: 4px solid var(--bad); background: var(--raised); border-radius: 0 10px 10px 0;
  padding: 12px 18px; max-width: none }
@media (max-width: 640px) {
  main, header, nav { padding-left: 16px; padding-right: 16px } header { padding-top: 26px }
  h1 { font-size: 25px } h2 { font-size: 19.5px; margin-top: 40px } .plain { padding: 14px 16px 4px }
  .plain .lead { font-size: 17.5px } .key { grid-template-columns: 1fr 1fr } .key li { padding: 11px 13px }
  .key b { font-size: 20px } dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: 10px }
  .example { padding: 14px } th.text, td.text { min-width: 7em }
  .plot svg.narrow-only { display: block } .plot svg.wide-only { display: none } }
@media print {
  body { font-size: 10.5pt } nav { display: none } main, header { max-width: none; padding: 0 } h2 { margin-top: 26px }
  h2, h3, h4 { break-after: avoid } svg, tr, .example li, .key li, .plain { break-inside: avoid }
  .wide { overflow: visible; background: none } th:first-child { position: static }
  table { font-size: 8pt } th, td { padding: 3px 4px; white-space: normal } * { print-color-adjust: exact } }
"""


def render_document(title: str, head: str, parts: Sequence[str]) -> str:
    """Return the HTML of a page.

    Args:
        title: Text.
        head: HTML that stands before the contents.
        parts: HTML, sections among it: see ``start_section``. The contents lead to them.
    """
    body = "\n".join(parts)
    links = "".join(
        f'<li><a href="#{anchor}">{text}</a></li>' for anchor, text in re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body)
    )
    contents = f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n' if links else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{CSS}</style></head><body>\n<header>{head}</header>\n{contents}<main>\n{body}\n</main></body></html>\n"
    )


def start_section(title: str) -> str:
    """Return the heading of a section, which the contents lead to.

    Example:
        >>> start_section("Who gains: <parts>")
        '<h2 id="who-gains-parts">Who gains: &lt;parts&gt;</h2>'
    """
    anchor = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return f'<h2 id="{anchor}">{escape(title)}</h2>'


def render_rows(caption: str, head: str, rows: str) -> str:
    """Return a table that scrolls in a box of its own where it is wider than the screen, by keyboard too.

    Args:
        caption: Text: what is in the table, for who does not see where it stands.
        head: HTML of its head's rows; cells that name columns have ``scope``.
        rows: HTML of its rows; each begins with a ``th`` that names it.
    """
    said = escape(caption)
    return (
        f'<div class="wide" role="region" aria-label="{said}" tabindex="0"><table>'
        f'<caption class="hidden">{said}</caption><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
    )


def render_head(*titles: str, texts: int = 0) -> str:
    """Return the row of a table's head; the last ``texts`` columns hold text rather than numbers."""
    kinds = [""] * (len(titles) - texts) + [' class="text"'] * texts
    cells = (f'<th scope="col"{kind}>{escape(title)}</th>' for title, kind in zip(titles, kinds))
    return f"<tr>{''.join(cells)}</tr>"


def render_row(name: str, *cells: str, css_class: str = "") -> str:
    """Return a row of a table.

    Args:
        name: Text: what the row is of.
        cells: HTML.
    """
    marked = f' class="{css_class}"' if css_class else ""
    return f'<tr{marked}><th scope="row">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
