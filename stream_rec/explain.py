"""The English sentence for why an item is in a list."""

from __future__ import annotations

from collections.abc import Callable

from stream_rec.events.slate import Reason

PAST_TENSE = {"view": "viewed", "click": "clicked", "purchase": "bought"}
WITHOUT_EVIDENCE = {
    "trending": "popular right now",
    "fresh": "new here",
    "explore": "something new to discover",
    "neighbours": "people like you came to this",
}


def why(reason: Reason, title_of: Callable[[str], str | None]) -> str:
    """Return why an item is in the list: "similar to The Rink, which you viewed".

    Args:
        title_of: Title of an item by its id, as the app shows it; where there is none, the id stands for it.
    """
    if reason.item_id is None:
        return WITHOUT_EVIDENCE.get(reason.kind, "recommended for you")
    title = title_of(reason.item_id) or reason.item_id
    verb = PAST_TENSE.get(reason.event_kind or "")
    match reason.kind:
        case "similar":
            return f"similar to {title}, which you {verb}" if verb else f"similar to {title}"
        case "followers":
            return f"people who {verb or 'chose'} {title} went on to this"
        case "neighbours":
            return f"people like you, who {verb or 'chose'} things such as {title}, came to this"
        case "repeat":
            return f"because you {verb or 'chose'} {title}"
        case _:  # a kind that a newer pipeline added
            return f"because of {title}"
