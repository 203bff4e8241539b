"""How the users that were looked at from near stand on the page: what each did, and the lists before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from stream_rec.evaluation.examples import KINDS, Deed, Example, Place
from stream_rec.evaluation.page import start_section
from stream_rec.explain import why

SHOWN = 5
"""Items of a list that are always to be seen, besides what the user chose; the others unfold."""
TITLES = {
    "new": "Somebody new",
    "regular": "A regular",
    "found": "One for whom the list had it",
    "missed": "One for whom it failed",
}
DID = {"view": "viewed", "click": "clicked", "purchase": "bought"}
S, MIN, H, DAY = 1000, 60_000, 3_600_000, 86_400_000


def render_examples(examples: Sequence[Example], titles: Mapping[str, str | None]) -> list[str]:
    """Return the section of examples; nothing without any.

    Args:
        titles: By item id. An item without one is called by its id.
    """
    if not examples:
        return []
    missing = [TITLES[kind].lower() for kind in KINDS if kind not in {one.kind for one in examples}]
    lack = f" The log has none there for: {', '.join(missing)}." if missing else ""
    return [
        start_section("Some users from near"),
        '<p class="note">Real users of the log, taken by a rule and not by hand. From the middle of the scored events '
        "on: the first who had done nothing before, the first with 20 events or more, and of those with 5 or more the "
        "first whose next choice was in the list, and the first whose was not. Nobody stands here twice, and only "
        f"choices that may be recommended count.{lack} The list after is made right after the event was learned.</p>",
        *(_render_one(example, titles) for example in examples),
    ]


def _render_one(example: Example, titles: Mapping[str, str | None]) -> str:
    """Return the card of one user."""
    done = {deed.item_id for deed in example.done}
    known = f"{example.n_earlier:,} earlier event{'s' if example.n_earlier != 1 else ''}"
    now_ms = example.done[0].timestamp_ms
    earlier = "".join(
        f"<li>{escape(_name(deed.item_id, titles))} <small>{DID.get(deed.kind, deed.kind)} "
        f"{_tell_ago(now_ms - deed.timestamp_ms)}</small></li>"
        for deed in example.earlier
    )
    history = f'<h4>Did before, newest first</h4><ul class="earlier">{earlier}</ul>' if earlier else ""
    old = {place.item_id for place in example.before}
    return (
        f'<article class="example"><h3>{TITLES[example.kind]} <small class="note">({known})</small></h3>{history}'
        f'<p class="done">{_tell_done(example.done, example.before, titles)}</p><div class="lists">'
        f"<div><h4>The list before</h4>{_render_list(example.before, done, old, titles)}</div>"
        f"<div><h4>The list after</h4>{_render_list(example.after, done, old, titles)}</div></div></article>"
    )


def _tell_done(done: Sequence[Deed], before: Sequence[Place], titles: Mapping[str, str | None]) -> str:
    """Return what the user did next, and where it stood."""
    place_of = {place.item_id: number for number, place in enumerate(before, 1)}
    told = []
    for deed in done:
        place = place_of.get(deed.item_id)
        where = f"at place {place} of {len(before)}" if place else f"not in the list of {len(before)}"
        told.append(f"{DID.get(deed.kind, deed.kind)} <b>{escape(_name(deed.item_id, titles))}</b>: {where}")
    return f"Then {'; '.join(told)}."


def _render_list(slate: Sequence[Place], done: set[str], old: set[str], titles: Mapping[str, str | None]) -> str:
    """Return the items of a list with their reasons; those further down unfold, but for what the user chose."""

    def render(number: int, place: Place) -> str:
        is_chosen = place.item_id in done
        mark = "chosen" if is_chosen else "" if place.item_id in old else "new in the list"
        name = escape(_name(place.item_id, titles))
        return (
            f'<li value="{number}"{" class=chosen" if is_chosen else ""}><span class="at">{number}</span><span>'
            f"{f'<b>{name}</b>' if is_chosen else name}{f' <span class=mark>{mark}</span>' if mark else ''}"
            f"<small>{escape(why(place.reason, titles.get))}</small></span></li>"
        )

    numbered = list(enumerate(slate, 1))
    first = [one for one in numbered if one[0] <= SHOWN or one[1].item_id in done]
    rest = [one for one in numbered if one not in first]
    if not first:
        return '<p class="note">empty</p>'
    shown, more = (f'<ol class="list">{"".join(render(*one) for one in some)}</ol>' for some in (first, rest))
    return f"{shown}<details><summary>{len(rest)} more</summary>{more}</details>" if rest else shown


def _name(item_id: str, titles: Mapping[str, str | None]) -> str:
    return titles.get(item_id) or item_id


def _tell_ago(gone_ms: int) -> str:
    """Return how long ago something was, in its largest unit.

    Example:
        >>> _tell_ago(0), _tell_ago(90_000), _tell_ago(86_400_000 * 3)
        ('just before', '1 min before', '3 d before')
    """
    for unit_ms, unit in ((DAY, "d"), (H, "h"), (MIN, "min"), (S, "s")):
        if gone_ms >= unit_ms:
            return f"{gone_ms // unit_ms} {unit} before"
    return "just before"
