"""The English sentence for why an item is in a list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from stream_rec.events.slate import RENAMED_REASONS, Reason

PAST_TENSE = {"view": "viewed", "click": "clicked", "purchase": "bought"}
MAKERS = {"artist", "author", "authors", "brand", "designer", "director", "maker", "manufacturer", "publisher"}
WITHOUT_EVIDENCE = {
    "trending": "popular right now",
    "fresh": "new here: few have seen it yet",
    "explore": "shown to find out who likes it",
    "neighbours": "people like you came to this",
    "asked": "answers what you searched for",
    "catalog": "from the catalog",
}


def why(reason: Reason, title_of: Callable[[str], str | None]) -> str:
    """Return why an item is in the list: "similar to The Rink, which you viewed".

    Args:
        title_of: Title of an item by its id, as the app shows it; where there is none, the id stands for it.

    Example:
        >>> why(Reason("similar", "i7", event_kind="view"), {"i7": "The Rink"}.get)
        'similar to The Rink, which you viewed'
        >>> why(Reason("repeat", "i7", event_kind="purchase", times=3, last_ms=1_600_000_000_000), {}.get)
        'again: you bought this 3 times, last on 2020-09-13'
    """
    verb = PAST_TENSE.get(reason.event_kind or "")
    if reason.kind == "repeat":
        return _again(reason, verb or "chose")
    if reason.interest is not None:
        return f"you said that you like {reason.interest}"
    if reason.item_id is None:
        return WITHOUT_EVIDENCE.get(reason.kind, "recommended for you")
    title = title_of(reason.item_id) or reason.item_id
    match RENAMED_REASONS.get(reason.kind, reason.kind):
        case "similar":
            alike = f"similar {reason.modality} to" if reason.modality else "similar to"
            return f"{alike} {title}, which you {verb}" if verb else f"{alike} {title}"
        case "successors":
            return f"people who {verb or 'chose'} {title} went on to this"
        case "neighbours":
            return f"people like you, who {verb or 'chose'} things such as {title}, came to this"
        case "related":
            return _related(reason, title, verb or "chose", title_of)
        case "category":
            return f"of the same kind as {title}, which you {verb or 'chose'}"
        case "asked":
            return f"answers what you asked of {title}"
        case _:  # a kind that a newer pipeline added
            return f"because of {title}"


def _related(reason: Reason, title: str, verb: str, title_of: Callable[[str], str | None]) -> str:
    """Return what an item has in common with one of the user's."""
    name, value = (reason.relation or "").replace("_", " "), reason.value or ""
    if name == "family":
        return f"goes with {title}, which you {verb}"
    if value == reason.item_id:  # one names the other
        return f"{name}: {title}, which you {verb}"
    if name in ("tag", "category"):
        return f"{value}, as {title}, which you {verb}"
    by = "also by" if name in MAKERS else f"also {name}"
    return f"{by} {title_of(value) or value}, as {title}, which you {verb}"


def _again(reason: Reason, verb: str) -> str:
    """Return that the user had the item before: it is the item itself, so its title says nothing."""
    day = f"{datetime.fromtimestamp(reason.last_ms / 1000, UTC):%Y-%m-%d}" if reason.last_ms is not None else None
    if reason.times is None or reason.times < 2:
        return f"again: you {verb} this on {day}" if day else f"again: you {verb} this before"
    return f"again: you {verb} this {reason.times} times{f', last on {day}' if day else ''}"
