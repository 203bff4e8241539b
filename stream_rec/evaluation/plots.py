"""The plots of the report, each an SVG for the page: the engine stands out, the best baselines have a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator, NullLocator, PercentFormatter

from stream_rec.evaluation.contenders import CONTROL, ENGINE
from stream_rec.evaluation.pictures import (
    ACCENT,
    GREY,
    INK,
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

USED = "#D55E00"
"""Colour of the setting in use."""
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

    def draw(figure: Figure) -> None:
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

    return render("ranking", 9.4, 0.9 + 0.42 * len(results), draw)


def plot_over_time(results: Results) -> str:
    """Return moving means of NDCG and hit rate along the log."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for axes, metric in ((left, "ndcg"), (right, "hit_rate")):
            for name, style in choose_styles({name: of for name, of in results.items() if name != CONTROL}):
                curve = results[name]["curves"]["over_time"]
                axes.plot([event / 1000 for event in curve["event"]], curve[metric], **style)
            axes.set(title=metric, xlabel="thousand events of the log")
            axes.set_ylim(bottom=0)
        add_legend(figure, left, results)

    return render("over_time", 9.4, 3.7, draw)


def plot_slices(results: Results, shares: Mapping[str, Mapping[str, Any]]) -> str:
    """Return NDCG of each part of the events, a group of bars a part; parts without events are left out."""
    names = choose_coloured(results)
    parts = _parts(shares)

    def draw(figure: Figure) -> None:
        rows = figure.subplots(2, 1, gridspec_kw={"hspace": 0.12})
        half = (len(parts) + 1) // 2
        width = 0.8 / len(names)
        for axes, some in zip(rows, (parts[:half], parts[half:])):
            for number, (name, style) in enumerate(choose_styles(results, names)):
                values = [results[name]["slices"][part]["ndcg"] for part in some]
                places = [place + (number - (len(names) - 1) / 2) * width for place in range(len(some))]
                axes.bar(places, values, width * 0.9, color=style["color"], label=name)
            labels = [f"{SLICES[part]}\n{shares[part]['share']:.1%}" for part in some]
            axes.set_xticks(range(len(some)), labels, size=9)
            axes.set_xlim(-0.6, half - 0.4)
            axes.set_ylabel("ndcg")
            axes.grid(axis="x", visible=False)
        add_legend(figure, rows[0], results)

    return render("slices", 9.4, 5.6, draw)


def plot_cold_start(results: Results) -> str:
    """Return how NDCG grows with what is known: of the user, of the item, and with the item's age."""
    panels = {
        "user_events": "earlier events of the user",
        "item_events": "earlier events of the item",
        "item_age": "time since the item's first event",
    }

    def draw(figure: Figure) -> None:
        row = figure.subplots(1, 3)
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
        add_legend(figure, row[0], results)

    return render("cold_start", 9.4, 3.9, draw)


def plot_cost(results: Results) -> str:
    """Return quality against milliseconds an event, and against memory."""

    def draw(figure: Figure) -> None:
        row = figure.subplots(1, 2, sharey=True)
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
        row[0].set_ylabel("ndcg")

    return render("cost", 9.4, 4.4, draw)


def plot_candidates(result: Mapping[str, Any]) -> str:
    """Return candidate recall of each part of the events with the hit rate of its lists, and what each source adds."""
    measured, parts = result["candidates"], _parts(result["slices"])
    sources = dict(sorted(measured["sources"].items(), key=lambda one: one[1]["covers"]))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        recalls = [measured["recall"], *(measured["slices"][part]["recall"] for part in parts)]
        hits = [result["hit_rate"], *(result["slices"][part]["hit_rate"] for part in parts)]
        names = ["all events", *(SLICES[part].replace("\n", " ") for part in parts)]
        draw_bars(left, names[::-1], recalls[::-1], hits[::-1], ("among the candidates", "in the list"))
        left.set_title("How far each part of the events gets", pad=26)
        covers, only = ([one[key] for one in sources.values()] for key in ("covers", "only"))
        draw_bars(right, list(sources), covers, only, ("proposed by it", "by no other"))
        right.set_title("What each source adds, of all events", pad=26)

    return render("candidates", 9.4, 1.3 + 0.32 * (1 + len(parts)), draw)


def plot_item_events(results: Results) -> str:
    """Return hit rate by the earlier events of the item, of the engine and of the control."""

    def draw(figure: Figure) -> None:
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

    return render("item_events", 4.9, 3.7, draw)


def plot_changes(parts: Mapping[str, Any]) -> str:
    """Return what text adds to NDCG and hit rate of parts of the events, as ``changes.compare`` gives it."""
    shown = [part for part in OF_TEXT if part in parts]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        draw_changes(axes, [OF_TEXT[part] for part in shown], [parts[part] for part in shown])
        axes.set_title("What text adds to each part", pad=26)

    return render("changes", 4.9, 3.7, draw)


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

    def draw(figure: Figure) -> None:
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
        row[0].set_ylabel("change of ndcg, %")
        for axes, key in zip(row, measures):
            places = {f"{point['diversity']:g}": (point[key], ndcg) for point, ndcg in zip(points, ndcgs)}
            label_points(axes, places, f"{diversity:g}", USED)
        figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=9)

    return render("frontier", 9.4, 4.4, draw)


def _parts(shares: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the parts to show: those with events; kinds of event only where there are several."""
    parts = [part for part in SLICES if part in shares and shares[part]["n"]]
    if sum(part.startswith("kind=") for part in parts) == 1:  # then it is all of them
        parts = [part for part in parts if not part.startswith("kind=")]
    return parts
