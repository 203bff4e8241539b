"""The pictures of the report, each an SVG for the page: the engine stands out, the best baselines have a colour.

The palette is that of Okabe and Ito (2008), which people who see colours differently can tell apart; lines differ in
their dashes too.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator, NullLocator, PercentFormatter

from stream_rec.evaluation.evaluation import ENGINE

ACCENT, PALE, INK, GREY, FAINT = "#0072B2", "#b5d5e8", "#1c2430", "#6b7480", "#d5d9de"
OTHERS = (("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"), ("#E69F00", (0, (6, 2, 1, 2, 1, 2))))
"""Colour and dashes of the best baselines; the rest is grey."""
USED = "#D55E00"
"""Colour of the setting in use."""
PERCENTS = (-100, -50, -20, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 50, 100)
"""Marks of an axis that is linear from -1 to 1 and logarithmic beyond."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "grid.color": "#eceef1",
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
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
}
Results = Mapping[str, Mapping[str, Any]]
"""By method, best NDCG first; those that failed are not in it."""


def ranking(results: Results) -> str:
    """Return NDCG with its confidence interval, a row a method."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        names = list(results)[::-1]
        for place, name in enumerate(names):
            result = results[name]
            colour = ACCENT if name == ENGINE else GREY
            if bounds := result["ci"] and result["ci"]["ndcg"]:
                axes.plot([bounds["low"], bounds["high"]], [place, place], color=colour, lw=3, alpha=0.4)
            axes.plot(result["ndcg"], place, "o", color=colour, ms=7)
            axes.annotate(
                f"{result['ndcg']:.4f}",
                (result["ndcg"], place),
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

    return _svg("ranking", 9.4, 0.9 + 0.42 * len(results), draw)


def over_time(results: Results) -> str:
    """Return moving means of NDCG and hit rate along the log."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for axes, metric in ((left, "ndcg"), (right, "hit_rate")):
            for name, style in _styles(results):
                curve = results[name]["curves"]["over_time"]
                axes.plot([event / 1000 for event in curve["event"]], curve[metric], **style)
            axes.set(title=metric, xlabel="thousand events of the log")
            axes.set_ylim(bottom=0)
        _legend(figure, left, results)

    return _svg("over_time", 9.4, 3.7, draw)


def slices(results: Results, shares: Mapping[str, Mapping[str, Any]]) -> str:
    """Return NDCG of each part of the events, a group of bars a part; parts without events are left out."""
    names = _coloured(results)
    parts = _parts(shares)

    def draw(figure: Figure) -> None:
        rows = figure.subplots(2, 1, gridspec_kw={"hspace": 0.12})
        half = (len(parts) + 1) // 2
        width = 0.8 / len(names)
        for axes, some in zip(rows, (parts[:half], parts[half:])):
            for number, (name, style) in enumerate(_styles(results, names)):
                values = [results[name]["slices"][part]["ndcg"] for part in some]
                places = [place + (number - (len(names) - 1) / 2) * width for place in range(len(some))]
                axes.bar(places, values, width * 0.9, color=style["color"], label=name)
            labels = [f"{SLICES[part]}\n{shares[part]['share']:.1%}" for part in some]
            axes.set_xticks(range(len(some)), labels, size=9)
            axes.set_xlim(-0.6, half - 0.4)
            axes.set_ylabel("ndcg")
            axes.grid(axis="x", visible=False)
        _legend(figure, rows[0], results)

    return _svg("slices", 9.4, 5.6, draw)


def cold_start(results: Results) -> str:
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
            for name, style in _styles(results):
                values = [part["ndcg"] for part in results[name]["curves"][curve].values()]
                there = [(place, value) for place, value in enumerate(values) if value is not None]
                axes.plot(*zip(*there), marker="o", ms=3.5, **style)
            shown = [label.replace("under ", "<") for label in labels]
            axes.set_xticks(range(len(labels)), shown, rotation=40, ha="right", size=8.5)
            axes.set(xlabel=title, xlim=(-0.3, len(labels) - 0.7))
            axes.set_ylim(bottom=0)
        row[0].set_ylabel("ndcg")
        _legend(figure, row[0], results)

    return _svg("cold_start", 9.4, 3.9, draw)


def cost(results: Results) -> str:
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
            _labels(axes, places, ENGINE, ACCENT)
        row[0].set_ylabel("ndcg")

    return _svg("cost", 9.4, 4.4, draw)


def candidates(result: Mapping[str, Any]) -> str:
    """Return candidate recall of each part of the events with the hit rate of its lists, and what each source adds."""
    measured, parts = result["candidates"], _parts(result["slices"])
    sources = dict(sorted(measured["sources"].items(), key=lambda one: one[1]["covers"]))

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        recalls = [measured["recall"], *(measured["slices"][part]["recall"] for part in parts)]
        hits = [result["hit_rate"], *(result["slices"][part]["hit_rate"] for part in parts)]
        names = ["all events", *(SLICES[part].replace("\n", " ") for part in parts)]
        _bars(left, names[::-1], recalls[::-1], hits[::-1], ("among the candidates", "in the list"))
        left.set_title("How far each part of the events gets", pad=26)
        covers, only = ([one[key] for one in sources.values()] for key in ("covers", "only"))
        _bars(right, list(sources), covers, only, ("proposed by it", "by no other"))
        right.set_title("What each source adds, of all events", pad=26)

    return _svg("candidates", 9.4, 1.3 + 0.32 * (1 + len(parts)), draw)


def frontier(points: Sequence[Mapping[str, Any]], diversity: float) -> str:
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
            _labels(axes, places, f"{diversity:g}", USED)
        figure.legend(*row[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, fontsize=9)

    return _svg("frontier", 9.4, 4.4, draw)


def _parts(shares: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the parts to show: those with events; kinds of event only where there are several."""
    parts = [part for part in SLICES if shares[part]["n"]]
    if sum(part.startswith("kind=") for part in parts) == 1:  # then it is all of them
        parts = [part for part in parts if not part.startswith("kind=")]
    return parts


def _bars(
    axes: Axes, names: Sequence[str], wide: Sequence[float], narrow: Sequence[float], labels: tuple[str, str]
) -> None:
    """Draw a row a name, from the bottom up: a share, and within it the part of it that ``narrow`` is."""
    places = range(len(names))
    longest = max(*wide, 0.01)
    axes.barh(places, wide, 0.72, color=PALE, label=labels[0])
    axes.barh(places, narrow, 0.72, color=ACCENT, label=labels[1])
    text: dict[str, Any] = {"textcoords": "offset points", "va": "center", "size": 9}
    for place, (whole, part) in enumerate(zip(wide, narrow)):
        axes.annotate(f"{whole:.1%}", (whole, place), (5, 0), **text)
        if part > 0.16 * longest:  # else there is no room in it
            axes.annotate(f"{part:.1%}", (part, place), (-4, 0), ha="right", color="#fff", **text)
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 1.2 * longest), ylim=(-0.5, len(names) - 0.5))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= min(1, 1.2 * longest)])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1), ncols=2, fontsize=9, borderaxespad=0.2, handlelength=1.2)


def _labels(axes: Axes, points: Mapping[str, tuple[float, float]], first: str, colour: str) -> None:
    """Write each point's name beside it, right or left, as near to its height as nothing else stands there.

    Args:
        first: The name that stands out, in ``colour``.
    """
    axes.figure.canvas.draw()
    box = axes.get_window_extent()
    places = {name: axes.transData.transform(point) for name, point in points.items()}
    taken = [(x - 6, x + 6, y) for x, y in places.values()]
    for name, (x, y) in sorted(places.items(), key=lambda one: one[1][1]):
        width = 6.0 * len(name)
        spots = [(side, up) for up in (0, 6, -6, 12, -12, 18, -18, 24) for side in ("left", "right")]
        for side, up in spots:
            begin, end = (x + 8, x + 8 + width) if side == "left" else (x - 8 - width, x - 8)
            is_free = all(end < start or begin > stop or abs(y + up - at) >= 10 for start, stop, at in taken)
            if is_free and begin > box.x0 and end < box.x1:
                break
        else:
            side, up = spots[0]
            begin, end = x + 8, x + 8 + width
        taken.append((begin, end, y + up))
        axes.annotate(
            name,
            points[name],
            (8 if side == "left" else -8, up),
            textcoords="offset pixels",
            ha=side,
            va="center",
            size=8.5,
            color=colour if name == first else INK,
            weight="bold" if name == first else "normal",
        )


def _coloured(results: Results) -> list[str]:
    """Return the engine and the best baselines, in this order."""
    others = [name for name in results if name != ENGINE][: len(OTHERS)]
    return [*([ENGINE] if ENGINE in results else []), *others]


def _styles(results: Results, names: Sequence[str] | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return how each method's line looks, in the order of ``names``; without it the engine last, on top of all."""
    coloured = _coloured(results)
    style_of: dict[str, dict[str, Any]] = {
        name: {"color": colour, "ls": dashes, "lw": 1.6, "label": name, "zorder": 3}
        for (colour, dashes), name in zip(OTHERS, [name for name in coloured if name != ENGINE])
    }
    style_of[ENGINE] = {"color": ACCENT, "ls": "-", "lw": 2.8, "label": ENGINE, "zorder": 4}
    rest = {"color": FAINT, "ls": "-", "lw": 1.0, "zorder": 2}
    if names is None:
        names = [*(name for name in results if name not in coloured), *reversed(coloured)]
    return [(name, style_of.get(name, rest)) for name in names]


def _legend(figure: Figure, axes: Axes, results: Results) -> None:
    places = _coloured(results)
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda place: places.index(labels[place]))
    figure.legend(
        [handles[place] for place in order],
        [labels[place] for place in order],
        loc="outside upper left",
        ncols=5,
        fontsize=9,
        handlelength=2.6,
    )


def _svg(name: str, width: float, height: float, draw: Callable[[Figure], None]) -> str:
    """Return a picture as an element of a page. The ids in it begin anew in each, told apart by ``name``."""
    with mpl.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(width, height))
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = written.getvalue()
    picture = (
        text[text.index("<svg") :]
        .replace('id="', f'id="{name}-')
        .replace("url(#", f"url(#{name}-")
        .replace('href="#', f'href="#{name}-')
    )
    return f'<div class="wide">{picture}</div>'
