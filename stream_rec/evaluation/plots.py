"""The plots of the report, each an SVG for the page: the engine stands out, the best baselines have a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator, NullLocator, PercentFormatter

from stream_rec.evaluation.changes import describe
from stream_rec.evaluation.contenders import CONTROL, ENGINE
from stream_rec.evaluation.pictures import (
    ACCENT,
    GREY,
    INK,
    OTHERS,
    PALE,
    Results,
    add_legend,
    add_legend_above,
    choose_coloured,
    choose_styles,
    draw_bars,
    draw_changes,
    label_points,
    render,
)

USED = OTHERS[0][0]
"""Colour of the setting in use."""
WIDE, NARROW = 10.4, 4.5
"""Inches of a picture as wide as the page, and of its variant for a phone."""
PERCENTS = (-100, -50, -20, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 50, 100)
"""Marks of an axis that is linear from -1 to 1 and logarithmic beyond."""
SLICES = {
    "user=0": "user without\nhistory",
    "user=1-4": "user with\n1-4 events",
    "user=5-19": "user with\n5-19",
    "user=20+": "user with\n20 or more",
    "item<5": "item with\nunder 5",
    "item=5-19": "item with\n5-19",
    "item=20+": "item with\n20 or more",
    "pair=seen": "seen before\nby the user",
    "pair=new": "new to\nthe user",
    "kind=view": "views",
    "kind=click": "clicks",
    "kind=purchase": "purchases",
    "after=search": "after\na search",
    "after=event": "after\nno search",
}
OF_TEXT = {
    "all": "all events",
    "user=0": "user without history",
    "user<5": "user with under 5",
    "pair=new": "new to the user",
    "item<5": "item with under 5",
    "item=0": "item without events",
}
"""Parts in which it is shown what text brings."""


def plot_ranking(results: Results) -> str:
    """Return NDCG with its confidence interval, a row a method."""

    def draw(figure: Figure, is_narrow: bool) -> None:
        axes = figure.subplots()
        names = list(results)[::-1]
        for height, name in enumerate(names):
            result = results[name]
            colour = ACCENT if name == ENGINE else GREY
            if bounds := result["ci"] and result["ci"]["ndcg"]:
                axes.plot([bounds["low"], bounds["high"]], [height, height], color=colour, lw=3, alpha=0.4)
            axes.plot(result["ndcg"], height, "o", color=colour, ms=7)
            axes.annotate(
                f"{result['ndcg']:.4f}",
                (result["ndcg"], height),
                (0, 7),
                textcoords="offset points",
                ha="center",
                size=9,
            )
        axes.set_yticks(range(len(names)), names)
        for label, name in zip(axes.get_yticklabels(), names):
            label.set(color=ACCENT if name == ENGINE else INK, weight="bold" if name == ENGINE else "normal")
        axes.set(ylim=(-0.6, len(names) - 0.3), xlabel="ndcg, with 95 % confidence over users")
        axes.set_xlim(left=0)
        axes.margins(x=0.08)
        if is_narrow:
            axes.xaxis.set_major_locator(MaxNLocator(4))

    told = ", ".join(f"{name} {result['ndcg']:.4f}" for name, result in results.items())
    height = 0.9 + 0.42 * len(results)
    says = f"NDCG of each method, the best first: {told}. The intervals are in the table below."
    return render("ranking", says, draw, wide=(WIDE, height), narrow=(NARROW, height))


def plot_over_time(results: Results) -> str:
    """Return moving means of NDCG and hit rate along the log."""

    def draw(figure: Figure, is_narrow: bool) -> None:
        left, right = figure.subplots(2, 1) if is_narrow else figure.subplots(1, 2)
        for axes, metric in ((left, "ndcg"), (right, "hit_rate")):
            for name, style in choose_styles({name: of for name, of in results.items() if name != CONTROL}):
                curve = results[name]["curves"]["over_time"]
                axes.plot([event / 1000 for event in curve["event"]], curve[metric], **style)
            axes.set(title=metric, xlabel="thousand events of the log")
            axes.set_ylim(bottom=0)
        add_legend(figure, left, results, is_narrow)

    told = "; ".join(
        f"{name} {_tell_ends(results[name]['curves']['over_time']['hit_rate'])}" for name in choose_coloured(results)
    )
    says = f"Moving means of NDCG and hit rate along the log. Hit rate at the first and at the last point: {told}."
    return render("over_time", says, draw, wide=(WIDE, 3.9), narrow=(NARROW, 5.8))


def plot_slices(results: Results, shares: Mapping[str, Mapping[str, Any]]) -> str:
    """Return NDCG of each part of the events, a group of bars a part; parts without events are left out."""
    names = choose_coloured(results)
    parts = _parts(shares)

    def draw(figure: Figure, is_narrow: bool) -> None:
        n_rows = -(-len(parts) // 3) if is_narrow else 2
        rows = figure.subplots(n_rows, 1, squeeze=False, gridspec_kw={"hspace": 0.12})[:, 0]
        half = -(-len(parts) // n_rows)
        width = 0.8 / len(names)
        for number_of_row, axes in enumerate(rows):
            some = parts[number_of_row * half : (number_of_row + 1) * half]
            for number, (name, style) in enumerate(choose_styles(results, names)):
                values = [results[name]["slices"][part]["ndcg"] for part in some]
                places = [place + (number - (len(names) - 1) / 2) * width for place in range(len(some))]
                axes.bar(places, values, width * 0.9, color=style["color"], label=name)
            labels = [f"{SLICES[part]}\n{shares[part]['share']:.1%}" for part in some]
            axes.set_xticks(range(len(some)), labels, size=9)
            axes.set_xlim(-0.6, half - 0.4)
            axes.set_ylabel("ndcg")
            axes.grid(axis="x", visible=False)
        add_legend(figure, rows[0], results, is_narrow)

    says = (
        f"NDCG of {', '.join(names)} in {len(parts)} parts of the events. {ENGINE} is the highest of them in "
        f"{sum(_is_led(results, names, part) for part in parts)}. The table below has the numbers."
        if ENGINE in results
        else f"NDCG of {', '.join(names)} in {len(parts)} parts of the events; the table below has the numbers."
    )
    narrow = (NARROW, 0.5 + 2.05 * -(-len(parts) // 3))
    return render("slices", says, draw, wide=(WIDE, 5.8), narrow=narrow)


def plot_cold_start(results: Results) -> str:
    """Return how NDCG grows with what is known: of the user, of the item, and with the item's age."""
    panels = {
        "user_events": "earlier events of the user",
        "item_events": "earlier events of the item",
        "item_age": "time since the item's first event",
    }

    def draw(figure: Figure, is_narrow: bool) -> None:
        row = figure.subplots(3, 1) if is_narrow else figure.subplots(1, 3)
        for axes, (curve, title) in zip(row, panels.items()):
            labels = list(next(iter(results.values()))["curves"][curve])
            for name, style in choose_styles(results):
                values = [part["ndcg"] for part in results[name]["curves"][curve].values()]
                there = [(place, value) for place, value in enumerate(values) if value is not None]
                axes.plot(*zip(*there), marker="o", ms=3.5, **style)
            shown = [label.replace("under ", "<") for label in labels]
            axes.set_xticks(range(len(labels)), shown, rotation=40, ha="right", size=8.5)
            axes.set(xlabel=title, xlim=(-0.3, len(labels) - 0.7))
            axes.set_ylim(bottom=0)
        row[0].set_ylabel("ndcg")
        add_legend(figure, row[0], results, is_narrow)

    shown = results.get(ENGINE) or next(iter(results.values()))
    told = "; ".join(
        f"by {title}: {_tell_ends([part['ndcg'] for part in shown['curves'][curve].values()])}"
        for curve, title in panels.items()
    )
    name = ENGINE if ENGINE in results else next(iter(results))
    says = f"How NDCG changes with what is known. {name} at the least and at the most that there is, {told}."
    return render("cold_start", says, draw, wide=(WIDE, 4.0), narrow=(NARROW, 8.2))


def plot_cost(results: Results) -> str:
    """Return quality against milliseconds an event, and against memory."""

    def draw(figure: Figure, is_narrow: bool) -> None:
        row = figure.subplots(2, 1) if is_narrow else figure.subplots(1, 2, sharey=True)
        for axes, key, title in (
            (row[0], "event_ms", "ms per event: list and learning"),
            (row[1], "peak_mb", "peak MB"),
        ):
            axes.set_xscale("log")
            for name, result in results.items():
                is_ours = name == ENGINE
                colour = ACCENT if is_ours else GREY
                axes.plot(result["cost"][key], result["ndcg"], "o", color=colour, ms=9 if is_ours else 6)
            axes.set(xlabel=title)
            axes.margins(x=0.2, y=0.14)
            axes.set_ylim(bottom=0)
            axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            axes.xaxis.set_minor_locator(NullLocator())
            values = [result["cost"][key] for result in results.values()]
            if max(values) < 10 * min(values):
                axes.xaxis.set_major_locator(MaxNLocator(5))
            places = {name: (result["cost"][key], result["ndcg"]) for name, result in results.items()}
            label_points(axes, places, ENGINE, ACCENT)
        for axes in row if is_narrow else row[:1]:
            axes.set_ylabel("ndcg")

    told = "; ".join(
        f"{name} {one['cost']['event_ms']:.3g} ms and {one['cost']['peak_mb']:.0f} MB" for name, one in results.items()
    )
    says = f"NDCG against milliseconds an event and against memory: {told}."
    return render("cost", says, draw, wide=(WIDE, 4.6), narrow=(NARROW, 7.0))


def plot_candidates(result: Mapping[str, Any]) -> str:
    """Return candidate recall of each part of the events with the hit rate of its lists, and what each source adds."""
    measured, parts = result["candidates"], _parts(result["slices"])
    proposing = [one for one in measured["sources"].items() if one[1]["covers"]] or list(measured["sources"].items())
    sources = dict(sorted(proposing, key=lambda one: one[1]["covers"]))

    def draw(figure: Figure, is_narrow: bool) -> None:
        if is_narrow:
            left, right = figure.subplots(
                2, 1, height_ratios=(1 + len(parts), len(sources)), gridspec_kw={"hspace": 0.06}
            )
        else:
            left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        legend_left = -0.5 if is_narrow else -0.01
        recalls = [measured["recall"], *(measured["slices"][part]["recall"] for part in parts)]
        hits = [result["hit_rate"], *(result["slices"][part]["hit_rate"] for part in parts)]
        names = ["all events", *(SLICES[part].replace("\n", " ") for part in parts)]
        draw_bars(left, names[::-1], recalls[::-1], hits[::-1], ("among the candidates", "in the list"), legend_left)
        left.set_title("How far each part of the events gets", pad=26)
        covers, only = ([one[key] for one in sources.values()] for key in ("covers", "only"))
        draw_bars(right, list(sources), covers, only, ("proposed by it", "by no other"), legend_left)
        right.set_title("What each source adds, of all events", pad=26)

    told = "; ".join(f"{name} {one['covers']:.1%}" for name, one in reversed(sources.items()) if one["covers"])
    says = (
        f"Of all events {measured['recall']:.1%} were among the candidates and {result['hit_rate']:.1%} in the list. "
        f"Proposed by each source: {told}."
    )
    height = 1.3 + 0.32 * (1 + len(parts))
    return render("candidates", says, draw, wide=(WIDE, height), narrow=(NARROW, height + 1.2 + 0.3 * len(sources)))


def plot_item_events(results: Results) -> str:
    """Return hit rate by the earlier events of the item, of the engine and of the control."""

    def draw(figure: Figure, is_narrow: bool) -> None:
        axes = figure.subplots()
        curves = {name: results[name]["curves"]["item_events"] for name in (CONTROL, ENGINE)}
        labels = [label for label, part in curves[ENGINE].items() if part["n"]]
        values = {name: [curve[label]["hit_rate"] for label in labels] for name, curve in curves.items()}
        names = {ENGINE: "with the encoder", CONTROL: "with random vectors"}
        for name, style in choose_styles(results, [ENGINE, CONTROL]):
            axes.plot(range(len(labels)), values[name], marker="o", ms=4, **style | {"label": names[name]})
        axes.fill_between(range(len(labels)), values[CONTROL], values[ENGINE], color=PALE, alpha=0.5, lw=0)
        axes.set_xticks(range(len(labels)), labels)
        axes.set(xlabel="earlier events of the item", xlim=(-0.3, len(labels) - 0.7))
        axes.set_title("Hit rate by what is known of the item", pad=26)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        add_legend_above(axes)

    with_text, without = (results[name]["curves"]["item_events"] for name in (ENGINE, CONTROL))
    told = "; ".join(
        f"{label} events: {part['hit_rate']:.1%} and {without[label]['hit_rate']:.1%}"
        for label, part in with_text.items()
        if part["n"]
    )
    says = f"Hit rate by earlier events of the item, with the encoder and with random vectors: {told}."
    return render("item_events", says, draw, wide=(4.9, 3.7))


def plot_reliability(bins: Sequence[Mapping[str, Any]]) -> str:
    """Return how often was chosen what was said to be so likely, as ``describe_bins`` gives it, on logarithmic axes.

    A bin of which nothing was chosen has no point.
    """
    there = [one for one in bins if one["chosen"] > 0]

    def draw(figure: Figure, is_narrow: bool) -> None:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        values = [value for one in there for value in (one["predicted"], one["chosen"])] or [0.01, 0.1]
        ends = [min(values) / 1.5, min(1.0, max(values) * 1.5)]
        axes.plot(ends, ends, color=GREY, lw=1, ls=(0, (4, 3)), label="as said")
        axes.plot(
            [one["predicted"] for one in there],
            [one["chosen"] for one in there],
            "o-",
            color=ACCENT,
            ms=5.5,
            label="chosen",
        )
        axes.set(xlabel="probability that was said", ylabel="share that was chosen", xlim=ends, ylim=ends)
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_locator(NullLocator())
        add_legend_above(axes)

    told = "; ".join(f"{one['predicted']:.4f} said, {one['chosen']:.4f} chosen" for one in bins)
    says = f"How often was chosen what was said to be so likely: {told}."
    return render("reliability", says, draw, wide=(4.9, 3.9))


def plot_changes(parts: Mapping[str, Any]) -> str:
    """Return what text adds to NDCG and hit rate of parts of the events, as ``changes.compare`` gives it."""
    shown = [part for part in OF_TEXT if part in parts]

    def draw(figure: Figure, is_narrow: bool) -> None:
        axes = figure.subplots()
        draw_changes(axes, [OF_TEXT[part] for part in shown], [parts[part] for part in shown])
        axes.set_title("What text adds to each part", pad=26)

    says = "What text adds to NDCG and hit rate of each part, with intervals: the numbers are in the table below."
    return render("changes", says, draw, wide=(4.9, 3.7))


def plot_frontier(points: Sequence[Mapping[str, Any]], diversity: float) -> str:
    """Return what variety costs: NDCG, relative to that without diversity, against each measure of it that there is.

    Args:
        points: Of each diversity, the first without any, and with an NDCG above 0.
        diversity: The one in use.
    """
    measures = {
        "intra_list_similarity": "similarity of a list's items\n← more varied",
        "coverage": "coverage of the catalog by these lists\nmore items shown →",
        "calibration": "calibration (divergence from the user's mix)\n← closer to it",
    }
    measures = {key: title for key, title in measures.items() if points[0][key] is not None}
    ndcgs = [100 * (point["ndcg"] / points[0]["ndcg"] - 1) for point in points]
    used = [point["diversity"] for point in points].index(diversity)

    def draw(figure: Figure, is_narrow: bool) -> None:
        if is_narrow:
            row = figure.subplots(len(measures), 1, squeeze=False)[:, 0]
        else:
            row = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
        for axes, (key, title) in zip(row, measures.items()):
            values = [point[key] for point in points]
            axes.plot(values, ndcgs, "-o", color=ACCENT, lw=1.6, ms=4.5, label="at each setting of ranking.diversity")
            axes.plot(values[used], ndcgs[used], "o", color=USED, ms=10, zorder=4, label="in use")
            for point, value in zip(points, values):
                if point["ndcg_change"]:
                    bounds = [100 * point["ndcg_change"][end] / points[0]["ndcg"] for end in ("low", "high")]
                    axes.plot([value, value], bounds, color=ACCENT, lw=3, alpha=0.25)
            axes.axhline(-1, color=GREY, lw=1, ls=(0, (4, 3)), label="1 % given up", zorder=1)
            axes.set_yscale("symlog", linthresh=1, linscale=1)
            axes.set_xlabel(title)
            axes.margins(x=0.16, y=0.06)
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_major_locator(FixedLocator(PERCENTS))
            axes.yaxis.set_major_formatter(lambda percent, _: f"{percent:+g}" if percent else "0")
            axes.yaxis.set_minor_locator(NullLocator())
        for axes in row if is_narrow else row[:1]:
            axes.set_ylabel("change of ndcg, %")
        for axes, key in zip(row, measures):
            places = {f"{point['diversity']:g}": (point[key], ndcg) for point, ndcg in zip(points, ndcgs)}
            label_points(axes, places, f"{diversity:g}", USED)
        figure.legend(
            *row[0].get_legend_handles_labels(), loc="outside upper left", ncols=1 if is_narrow else 3, fontsize=9
        )

    told = "; ".join(f"at {point['diversity']:g} {ndcg:+.1f} %" for point, ndcg in zip(points, ndcgs))
    says = f"What variety costs. Change of NDCG by the setting of diversity, in use {diversity:g}: {told}."
    narrow = (NARROW, 0.8 + 3.1 * len(measures))
    return render("frontier", says, draw, wide=(WIDE, 4.6), narrow=narrow)


def plot_run_changes(parts: Mapping[str, Any]) -> str:
    """Return how NDCG and hit rate of parts of the events have changed from one run to another."""
    shown = [part for part in ("all", *SLICES) if part in parts]
    names = ["all events", *(SLICES[part].replace("\n", " ") for part in shown if part in SLICES)]

    def draw(figure: Figure, is_narrow: bool) -> None:
        axes = figure.subplots()
        draw_changes(axes, names, [parts[part] for part in shown])
        if is_narrow:
            axes.xaxis.set_major_locator(FixedLocator([-100, -10, -5, 0, 5, 10, 100, 1000]))
            axes.set_xlabel("change, %, with 95 % confidence")

    told = "; ".join(f"{name} {describe(parts[part]['ndcg'])[0] or 'unknown'}" for name, part in zip(names, shown))
    height = 1.2 + 0.42 * len(shown)
    says = f"Change of NDCG in each part: {told}. The intervals are in the table below."
    return render("run_changes", says, draw, wide=(WIDE, height), narrow=(NARROW, height))


def _tell_ends(values: Sequence[float | None]) -> str:
    """Return the first and the last of what there is."""
    known = [value for value in values if value is not None]
    return f"{known[0]:.3f} and {known[-1]:.3f}" if known else "nothing"


def _is_led(results: Results, names: Sequence[str], part: str) -> bool:
    """Return whether no other of some methods has a higher NDCG in a part than the engine."""
    return all(results[ENGINE]["slices"][part]["ndcg"] >= results[name]["slices"][part]["ndcg"] for name in names)


def _parts(shares: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the parts to show: those with events; kinds of event only where there are several."""
    parts = [part for part in SLICES if part in shares and shares[part]["n"]]
    if sum(part.startswith("kind=") for part in parts) == 1:  # then it is all of them
        parts = [part for part in parts if not part.startswith("kind=")]
    return parts
