"""A search as one page that needs nothing else: what was chosen, what it is worth, and how the search went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from matplotlib.figure import Figure

from stream_rec.evaluation.page import render_document, render_head, render_row, render_rows, start_section
from stream_rec.evaluation.pictures import ACCENT, GREY, add_legend_above, render
from stream_rec.evaluation.tables import render_changes

MOST_TRIALS = 20
"""Of the table."""


def render_page(said: Mapping[str, Any]) -> str:
    """Return the HTML of what ``stream-rec tune`` says. The same search gives the same page."""
    trials = [one for one in said["trials"] if one["value"] is not None]
    head = (
        "<h1>Which settings?</h1>"
        f'<div class="plain"><p class="lead">{escape(said["says"])}</p></div>'
        f'<p class="note">{said["n_trials"]} trials, of which {said["n_failed"]} failed. Each was judged on the last '
        f"{said['protocol']['judged']:.0%} of the first {said['protocol']['split']:.0%} of "
        f"{escape(', '.join(said['reported']))}; what is reported came later, and no trial has seen it.</p>"
    )
    chosen = "".join(
        render_row(name, escape(json.dumps(said["trials"][0]["settings"][name])), escape(json.dumps(value)))
        for name, value in said["chosen"].items()
    )
    parts = [
        start_section("What was chosen"),
        render_rows("Settings that differ from before", render_head("setting", "before", "chosen"), chosen)
        if chosen
        else '<p class="note">The settings that were there before.</p>',
        start_section("What it is worth on the rest"),
        '<p class="note">Intervals are by 500 resamples of the users; a change whose interval leaves out 0 is bold.'
        "</p>",
        render_changes(
            {log: of["parts"]["all"] for log, of in said["reported"].items() if of["parts"]},
            said["protocol"]["list_size"],
            ("before", "chosen"),
            "What was chosen on the rest of each log",
        ),
        start_section("How the search went"),
        plot_history(trials),
        *([plot_importances(said["importances"])] if said["importances"] else []),
        _render_trials(said),
    ]
    return render_document("Which settings?", head, parts)


def plot_history(trials: list[Mapping[str, Any]]) -> str:
    """Return the value of each trial that did not fail, and the best until then."""

    def draw(figure: Figure, is_narrow: bool) -> None:
        axes = figure.subplots()
        numbers, values = [one["number"] for one in trials], [one["value"] for one in trials]
        best = [max(values[: place + 1]) for place in range(len(values))]
        axes.plot(numbers, values, "o", color=GREY, ms=4.5, label="trial")
        axes.step(numbers, best, where="post", color=ACCENT, lw=2.2, label="best until then")
        axes.set(xlabel="trial", ylabel="NDCG / that of before, mean over logs")
        add_legend_above(axes)

    best = max(trials, key=lambda one: one["value"])
    says = f"Value of {len(trials)} trials in their order; the best, {best['value']:.4f}, is trial {best['number']}."
    return render("history", says, draw, wide=(10.4, 3.9), narrow=(4.5, 3.6))


def plot_importances(importances: Mapping[str, float]) -> str:
    """Return how much each setting tells good trials from others, the most on top."""

    def draw(figure: Figure, is_narrow: bool) -> None:
        axes = figure.subplots()
        names = list(importances)[::-1]
        axes.barh(range(len(names)), [importances[name] for name in names], 0.7, color=ACCENT)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="share of what tells good trials from others")
        axes.grid(axis="y", visible=False)

    told = "; ".join(f"{name} {share:.0%}" for name, share in importances.items())
    height = 1.0 + 0.34 * len(importances)
    return render("importances", f"Which settings mattered: {told}.", draw, wide=(10.4, height), narrow=(4.5, height))


def _render_trials(said: Mapping[str, Any]) -> str:
    """Return the best trials, a row each."""
    best = sorted(said["trials"], key=lambda one: (one["value"] is None, -(one["value"] or 0.0), one["number"]))
    names = list(said["trials"][0]["settings"])
    rows = "".join(
        render_row(
            str(one["number"]) + ("" if one["number"] else ", before"),
            "failed" if one["value"] is None else f"{one['value']:.4f}",
            *(escape(_short(one["settings"][name])) for name in names),
        )
        for one in best[:MOST_TRIALS]
    )
    table = render_rows("The best trials", render_head("trial", "value", *names), rows)
    return f"<details><summary>The best {min(MOST_TRIALS, len(best))} trials</summary>{table}</details>"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)
