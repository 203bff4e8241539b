"""Two evaluations as one page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from stream_rec.evaluation import plots
from stream_rec.evaluation.changes import is_certain
from stream_rec.evaluation.contenders import ENGINE
from stream_rec.evaluation.judgement import MOST_NAMED, PARTS
from stream_rec.evaluation.page import render_document, render_head, render_row, render_rows, start_section
from stream_rec.evaluation.side_by_side import PART_METRICS, find_change
from stream_rec.evaluation.tables import mark_ours, render_cell, render_changes

NAMES = ("before", "after")


def render_comparison(compared: Mapping[str, Any]) -> str:
    """Return the HTML of what ``side_by_side.compare_files`` gives."""
    before, after = compared["files"]["base"], compared["files"]["value"]
    lead, *rest = map(escape, tell_change(compared))
    plain = "".join(f"<p>{sentence}</p>" for sentence in rest)
    head = f'<h1>What has changed?</h1><div class="plain"><p class="lead">{lead}</p>{plain}</div>'
    head += f'<p class="note">Before: {escape(before)}. After: {escape(after)}.</p>'
    parts = []
    if compared["unpaired"]:
        why = " ".join(compared["unpaired"])
        parts.append(
            f'<p class="warning"><b>Not event for event.</b> {escape(why)} The figures stand side by side; how much of '
            "a difference is chance is not known.</p>"
        )
    parts += [start_section("What differs"), _show_differences(compared["differences"])]
    against = compared["against"]
    if against:
        parts += [
            start_section("Changes by part"),
            f'<p class="note">{ENGINE} over the same events, before and after. Intervals are by 500 resamples of the '
            "users; a change whose interval leaves out 0 is bold. One in twenty intervals is wrong by chance.</p>",
            plots.plot_run_changes(against["parts"]),
            render_changes(against["parts"], compared["n"], NAMES, "Changes by part"),
        ]
    else:
        parts += [start_section("Figures by part"), _show_parts(compared["parts"])]
    parts += [start_section("Methods"), _show_methods(compared)]
    return render_document(f"What has changed? {before}, {after}", head, parts)


def tell_change(compared: Mapping[str, Any]) -> list[str]:
    """Return what has become of the hit rate in plain words, whether more than chance is in it, and for whom."""
    rates = compared["methods"][ENGINE]["hit_rate"]
    told = [
        f"Of 1,000 things that users did next, {round(1000 * rates['base'])} stood in the list of {compared['n']} "
        f"before, and {round(1000 * rates['value'])} after."
    ]
    if not compared["against"]:
        return [*told, "They cannot be compared event for event, so a difference may be chance, or the log."]
    parts = compared["against"]["parts"]
    difference = parts["all"]["hit_rate"]["difference"]
    if difference is None:
        return [*told, "Of a single user nothing can be said of others."]
    if difference["low"] == difference["high"] == 0:
        told.append("Nothing has changed.")
    elif is_certain(parts["all"]["hit_rate"]):
        told.append("That is more than chance among these users makes.")
    else:
        told.append("That is no more than chance among these users may make.")
    for word, sign in (("risen", 1), ("fallen", -1)):
        if names := _find_shifted(parts, sign):
            more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            told.append(f"NDCG has {word} beyond chance for: {', '.join(names[:MOST_NAMED])}{more}.")
    return told


def _find_shifted(parts: Mapping[str, Any], sign: int) -> list[str]:
    """Return the parts whose NDCG has moved up (1) or down (-1) beyond chance; those that halves are, left out."""
    return [
        PARTS.get(name, name)
        for name, part in parts.items()
        if name != "all" and not name.startswith("half=") and is_certain(part["ndcg"])
        if sign * (part["ndcg"]["value"] - part["ndcg"]["base"]) > 0
    ]


def _show_differences(differences: Mapping[str, Any]) -> str:
    if not differences:
        return "<p>Nothing: the same log, settings and encoder.</p>"
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f'<td class="text">{escape(_write(pair[key]))}</td>' for key in ("base", "value"))
        + "</tr>"
        for name, pair in differences.items()
    )
    return render_rows("What differs between the two", render_head("what", *NAMES, texts=2), rows)


def _show_parts(parts: Mapping[str, Any]) -> str:
    """Return events and figures of each part, two cells for each; without intervals."""
    rows = "".join(
        render_row(
            name,
            *(f"{part['n'][key]:,}" for key in ("base", "value")),
            *(cell for metric in PART_METRICS for cell in _render_pair(part[metric])),
        )
        for name, part in parts.items()
    )
    titles = [f"{what}{when}" for what in PART_METRICS for when in (" before", " after", ", change")]
    return render_rows(
        f"Figures of {ENGINE} by part", render_head("part", "events before", "events after", *titles), rows
    )


def _show_methods(compared: Mapping[str, Any]) -> str:
    metrics = list(next(iter(compared["methods"].values())))
    rows = "".join(
        f'<tr{mark_ours(name)}><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{cell}</td>" for metric in metrics for cell in _render_pair(pairs[metric]))
        + "</tr>"
        for name, pairs in compared["methods"].items()
    )
    titles = [f"{what}{when}" for what in metrics for when in (" before", " after", ", change")]
    lacks = [
        f'<p class="note">Only {when}: {escape(", ".join(compared["only"][key]))}.</p>'
        for key, when in (("base", "before"), ("value", "after"))
        if compared["only"][key]
    ]
    cost = compared["cost"]["event_ms"]
    return (
        '<p class="note">Changes of the means, without intervals. An event took '
        f"{cost['base']:.2f} ms before and {cost['value']:.2f} ms after, list and learning.</p>"
        + render_rows("Figures of each method", render_head("method", *titles), rows)
        + "".join(lacks)
    )


def _render_pair(pair: Mapping[str, Any]) -> tuple[str, str, str]:
    return render_cell(pair["base"], ".4f"), render_cell(pair["value"], ".4f"), render_cell(find_change(pair), "+.1%")


def _write(value: Any) -> str:
    """Return a setting as a person writes it."""
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value)
