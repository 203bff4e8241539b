"""The tables of the report: which columns they have, and how a cell is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from stream_rec.evaluation.changes import MEASURES, describe, is_certain
from stream_rec.evaluation.contenders import ENGINE
from stream_rec.evaluation.page import render_head, render_row, render_rows

Column = tuple[str, Callable[[Mapping[str, Any]], Any], str, Callable[..., float] | None]
"""Title, value of a result, format, and which value is best."""
COST: list[Column] = [
    ("ms per event", lambda r: r["cost"]["event_ms"], ".3f", min),
    ("list ms", lambda r: r["cost"]["list_ms"]["mean"], ".3f", min),
    ("p50", lambda r: r["cost"]["list_ms"]["p50"], ".3f", min),
    ("p99", lambda r: r["cost"]["list_ms"]["p99"], ".3f", min),
    ("learn ms", lambda r: r["cost"]["learn_ms"]["mean"], ".3f", min),
    ("p50", lambda r: r["cost"]["learn_ms"]["p50"], ".3f", min),
    ("p99", lambda r: r["cost"]["learn_ms"]["p99"], ".3f", min),
    ("peak MB", lambda r: r["cost"]["peak_mb"], ".0f", min),
    ("choosing s", lambda r: r["cost"]["choosing_s"], ".1f", None),
    ("run s", lambda r: r["cost"]["total_s"], ".1f", min),
]
LIKENESS: list[Column] = [
    ("coverage", lambda r: r["coverage"], ".3f", max),
    ("Gini", lambda r: r["gini"], ".3f", min),
    ("similarity", lambda r: r["intra_list_similarity"], ".3f", min),
    ("novelty, bits", lambda r: r["novelty"], ".2f", max),
    ("calibration", lambda r: r["calibration"], ".3f", min),
    ("mean length", lambda r: r["list_length"], ".1f", None),
]

BY_LIST: list[Column] = [
    ("precision", lambda r: r["precision"], ".4f", max),
    ("recall", lambda r: r["recall"], ".4f", max),
    ("F1", lambda r: r["f1"], ".4f", max),
]
FRONTIER: list[tuple[str, Callable[[Mapping[str, Any], float], Any], str]] = [
    ("ndcg", lambda p, plain: p["ndcg"], ".4f"),
    ("change", lambda p, plain: p["ndcg"] / plain - 1 if plain else None, "+.1%"),
    ("hit_rate", lambda p, plain: p["hit_rate"], ".4f"),
    ("similarity", lambda p, plain: p["intra_list_similarity"], ".3f"),
    ("coverage", lambda p, plain: p["coverage"], ".3f"),
    ("calibration", lambda p, plain: p["calibration"], ".3f"),
]
"""Title, value of a point of the frontier and the NDCG of its first, format."""


def list_accuracy(n: int) -> list[Column]:
    """Return the columns of the table of accuracy, of lists of ``n``."""
    return [
        (f"ndcg@{n}", lambda r: r["ndcg"], ".4f", max),
        ("95 %", lambda r: r["ci"] and r["ci"]["ndcg"], "", None),
        (f"hit_rate@{n}", lambda r: r["hit_rate"], ".4f", max),
        ("95 %", lambda r: r["ci"] and r["ci"]["hit_rate"], "", None),
        (f"mrr@{n}", lambda r: r["mrr"], ".4f", max),
        ("ndcg@10", lambda r: r["ndcg@10"], ".4f", max),
        ("hit_rate@10", lambda r: r["hit_rate@10"], ".4f", max),
        ("half 1", lambda r: r["halves"]["first"]["ndcg"], ".4f", max),
        ("half 2", lambda r: r["halves"]["second"]["ndcg"], ".4f", max),
    ]


def render_table(done: Mapping[str, Any], columns: list[Column], caption: str) -> str:
    """Return a row a method; the best of each column is bold."""
    rows = []
    best = []
    for _, of, _, choose in columns:
        values = [value for result in done.values() if (value := of(result)) is not None]
        best.append(choose(values) if choose and values else None)
    for name, result in done.items():
        cells = []
        for (_, of, form, _), top in zip(columns, best):
            value = of(result)
            text = render_cell(value, form)
            cells.append(f'<td class="best">{text}</td>' if value is not None and value == top else f"<td>{text}</td>")
        rows.append(f'<tr{mark_ours(name)}><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    return render_rows(caption, render_head("method", *(title for title, *_ in columns)), "".join(rows))


def render_cell(value: Any, form: str) -> str:
    """Return a number, or an interval, as it stands in a cell; a dash for None."""
    if isinstance(value, Mapping):  # an interval
        return f"<small>{value['low']:.4f} – {value['high']:.4f}</small>"
    return "–" if value is None else format(value, form)


def render_slice_table(done: Mapping[str, Any]) -> str:
    """Return NDCG and hit rate of every part, a row a part."""
    parts = {name: part for name, part in next(iter(done.values()))["slices"].items() if part["n"]}
    rows = "".join(
        render_row(
            name,
            f"{part['n']:,}",
            f"{part['share']:.1%}",
            *(
                f"{result['slices'][name]['ndcg']:.4f} <small>{result['slices'][name]['hit_rate']:.3f}</small>"
                for result in done.values()
            ),
        )
        for name, part in parts.items()
    )
    caption = "NDCG and hit rate of each method in each part of the events"
    return (
        "<details><summary>All parts in numbers: ndcg, and hit_rate in small</summary>"
        f"{render_rows(caption, render_head('part', 'events', 'share', *done), rows)}</details>"
    )


def render_changes(parts: Mapping[str, Any], n: int, names: tuple[str, str], caption: str) -> str:
    """Return a row a part: each measure of two runs, its change, and the interval of that.

    Args:
        parts: As ``changes.compare`` gives them.
        n: Length of the lists.
        names: What the runs are called, the base first.
        caption: What the table shows, for who does not see where it stands.
    """
    titles = {measure: "candidate recall" if measure == "recall" else f"{measure}@{n}" for measure in MEASURES}
    groups = "".join(f'<th colspan="3" scope="colgroup" class="group">{title}</th>' for title in titles.values())
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in (*names, "change")) * len(titles)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{part["n"]:,}</td>'
        + "".join(_render_change(part[measure]) for measure in MEASURES)
        + "</tr>"
        for name, part in parts.items()
    )
    head = f'<tr><td></td><td></td>{groups}</tr><tr><th scope="col">part</th><th scope="col">events</th>{heads}</tr>'
    return render_rows(caption, head, rows)


def _render_change(change: Mapping[str, Any]) -> str:
    """Return three cells; the change stands over its interval, and is bold where that leaves out 0."""
    text, interval = describe(change)
    mark = ' class="best"' if is_certain(change) else ""
    return (
        f"<td>{change['base']:.4f}</td><td>{change['value']:.4f}</td>"
        f"<td{mark}>{text or '–'}<br><small>{interval}</small></td>"
    )


def mark_ours(name: str) -> str:
    """Return the class of the engine's row; nothing for others."""
    return ' class="ours"' if name == ENGINE else ""
