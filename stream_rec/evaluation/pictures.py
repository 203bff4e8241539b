"""How the report's pictures look, and what several of them draw: styles, legends, names beside points, bars.

The palette is that of Okabe and Ito (2008), which people who see colours differently can tell apart; lines differ in
their dashes too.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from stream_rec.evaluation.contenders import CONTROL, ENGINE, is_baseline

ACCENT, PALE, INK, GREY, FAINT = "#0072B2", "#b5d5e8", "#1c2430", "#6b7480", "#d5d9de"
OTHERS = (("#D55E00", "--"), ("#009E73", "-."), ("#CC79A7", ":"), ("#E69F00", (0, (6, 2, 1, 2, 1, 2))))
"""Colour and dashes of the best baselines; the rest is grey."""
OF_CONTROL = ("#56B4E9", (0, (1, 1.3)))
"""Colour and dashes of the control."""
GRID, ON_ACCENT = "#eceef1", "#fefefe"
VARIABLES = {
    ACCENT: "accent",
    PALE: "pale",
    INK: "ink",
    GREY: "grey",
    FAINT: "faint",
    GRID: "grid",
    ON_ACCENT: "on-accent",
    OF_CONTROL[0]: "control",
    **{colour: f"other-{number}" for number, (colour, _) in enumerate(OTHERS, 1)},
}
"""The page's variable for each colour: what is drawn once is right in the dark too. No colour stands there twice."""
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
    "grid.color": GRID,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
Results = Mapping[str, Mapping[str, Any]]
"""By method, best NDCG first; those that failed are not in it."""


def draw_bars(
    axes: Axes,
    names: Sequence[str],
    wide: Sequence[float],
    narrow: Sequence[float],
    labels: tuple[str, str],
    legend_left: float = -0.01,
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
            axes.annotate(f"{part:.1%}", (part, place), (-4, 0), ha="right", color=ON_ACCENT, **text)
    axes.set_yticks(places, names)
    axes.set(xlim=(0, 1.2 * longest), ylim=(-0.5, len(names) - 0.5))
    axes.set_xticks([tick for tick in axes.get_xticks() if tick <= min(1, 1.2 * longest)])
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(axis="y", visible=False)
    add_legend_above(axes, legend_left)


def draw_changes(axes: Axes, names: Sequence[str], parts: Sequence[Mapping[str, Any]]) -> None:
    """Draw a row a part, from the top down: the change of NDCG and of hit rate in percent, with their intervals.

    The axis is linear up to 10 % and logarithmic beyond. What has no relative change is written in numbers.
    """
    for (metric, colour), shift in zip((("ndcg", ACCENT), ("hit_rate", OTHERS[0][0])), (0.16, -0.16)):
        for place, part in enumerate(parts):
            height = len(parts) - 1 - place + shift
            if change := part[metric]["relative"]:
                mean, low, high = (100 * change[key] for key in ("mean", "low", "high"))
                axes.plot([low, high], [height, height], color=colour, lw=3, alpha=0.4, solid_capstyle="butt")
                axes.plot(mean, height, "o", color=colour, ms=5.5)
            else:
                text = f"{metric} {part[metric]['base']:.4f} → {part[metric]['value']:.4f}"
                axes.annotate(text, (0, height), (6, 0), textcoords="offset points", va="center", size=8, color=colour)
        axes.plot([], [], "o", color=colour, ms=5.5, label=metric)
    axes.axvline(0, color=GREY, lw=1, zorder=1)
    axes.set_xscale("symlog", linthresh=10, linscale=1)
    axes.xaxis.set_major_locator(FixedLocator([-50, -20, -10, -5, 0, 5, 10, 20, 50, 100, 200, 500, 1000]))
    axes.xaxis.set_major_formatter(lambda percent, _: f"{percent:+g}" if percent else "0")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(range(len(parts)), names[::-1])
    axes.set(ylim=(-0.6, len(parts) - 0.4), xlabel="change, %, with 95 % confidence over users")
    axes.grid(axis="y", visible=False)
    add_legend_above(axes)


def label_points(axes: Axes, points: Mapping[str, tuple[float, float]], first: str, colour: str) -> None:
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


def choose_coloured(results: Results) -> list[str]:
    """Return the engine, the control and the best baselines, in this order."""
    others = [name for name in results if is_baseline(name)][: len(OTHERS)]
    return [*(name for name in (ENGINE, CONTROL) if name in results), *others]


def choose_styles(results: Results, names: Sequence[str] | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return how each method's line looks, in the order of ``names``; without it the engine last, on top of all."""
    coloured = choose_coloured(results)
    style_of: dict[str, dict[str, Any]] = {
        name: {"color": colour, "ls": dashes, "lw": 1.6, "label": name, "zorder": 3}
        for (colour, dashes), name in zip(OTHERS, filter(is_baseline, coloured))
    }
    colour, dashes = OF_CONTROL
    style_of[CONTROL] = {"color": colour, "ls": dashes, "lw": 2.0, "label": CONTROL, "zorder": 3}
    style_of[ENGINE] = {"color": ACCENT, "ls": "-", "lw": 2.8, "label": ENGINE, "zorder": 4}
    rest = {"color": FAINT, "ls": "-", "lw": 1.0, "zorder": 2}
    if names is None:
        names = [*(name for name in results if name not in coloured), *reversed(coloured)]
    return [(name, style_of.get(name, rest)) for name in names]


def add_legend(figure: Figure, axes: Axes, results: Results, is_narrow: bool) -> None:
    """Put one legend above a figure, of the methods that have a colour."""
    places = choose_coloured(results)
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda place: places.index(labels[place]))
    figure.legend(
        [handles[place] for place in order],
        [labels[place] for place in order],
        loc="outside upper left",
        ncols=2 if is_narrow else 6,
        fontsize=9,
        handlelength=2.6,
    )


def add_legend_above(axes: Axes, left: float = -0.01) -> None:
    """Put the legend of one plot between it and its title; ``left`` in widths of the plot."""
    axes.legend(loc="lower left", bbox_to_anchor=(left, 1), ncols=2, fontsize=9, borderaxespad=0.2, handlelength=1.6)


def render(
    name: str,
    says: str,
    draw: Callable[[Figure, bool], None],
    *,
    wide: tuple[float, float],
    narrow: tuple[float, float] | None = None,
) -> str:
    """Return a picture as an element of a page, in the colours of the page.

    Args:
        name: Tells its ids from those of other pictures.
        says: What it shows, for who does not see it.
        draw: Draws on a figure; told whether it is the narrow one.
        wide: Inches.
        narrow: Inches of the variant for narrow screens; without it there is one for all.
    """
    pictures = [_draw_one(name, wide, lambda figure: draw(figure, False), "" if narrow is None else "wide-only")]
    if narrow is not None:
        pictures.append(_draw_one(f"{name}-narrow", narrow, lambda figure: draw(figure, True), "narrow-only"))
    return f'<div class="plot" role="img" aria-label="{escape(says)}">{"".join(pictures)}</div>'


def _draw_one(name: str, size: tuple[float, float], draw: Callable[[Figure], None], css_class: str) -> str:
    """Return one SVG, hidden from who is read the page: what it shows is said around it."""
    with mpl.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=size)
        draw(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = written.getvalue()
    picture = (
        text[text.index("<svg") :]
        .replace('id="', f'id="{name}-')
        .replace("url(#", f"url(#{name}-")
        .replace('href="#', f'href="#{name}-')
        .replace("<svg", f'<svg class="{css_class}" aria-hidden="true" focusable="false"', 1)
    )
    for colour, variable in VARIABLES.items():
        picture = picture.replace(f": {colour.lower()}", f": var(--{variable}, {colour.lower()})")
    return picture
