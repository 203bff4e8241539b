"""An impression: which items of a list an app really showed, and where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import Id, TimestampMs

MOST_ITEMS = 200
"""As many as a list may have."""
MOST_ID_BYTES = 8_192
"""Of all its items together: 200 with ids of 40 bytes. A state keeps some impressions whole."""
LAST_POSITION = 100_000
ListId = Annotated[
    str, Meta(max_length=256, description="the `list_id` of the recommendations record shown; empty if it was no such")
]
Surface = Annotated[str, Meta(max_length=64, description="where in the app: `home`, `cart`")]


class ShownItem(Struct, frozen=True, omit_defaults=True):
    """One item in one slot."""

    item_id: Id
    position: Annotated[int, Meta(ge=1, le=LAST_POSITION, description="slot, counted from 1")]
    propensity: (
        Annotated[float, Meta(gt=0, le=1, description="as the list has it, for who judges policies by what was shown")]
        | None
    ) = None


class Impression(Struct, frozen=True, omit_defaults=True):
    """One event on ``impressions``; the record's key is ``user_id``. An item and a slot stand in it once each."""

    event_id: Id
    """Unique among all that the user did, as that of an interaction."""
    user_id: Id
    list_id: ListId
    items: Annotated[list[ShownItem], Meta(min_length=1, max_length=MOST_ITEMS)]
    timestamp_ms: TimestampMs
    surface: Surface = ""


def place(items: Iterable[str | ShownItem]) -> list[ShownItem]:
    """Return items with their positions: an id alone stands at its place, counted from 1.

    >>> [shown.position for shown in place(["i-42", ShownItem("i-9", 7), "i-3"])]
    [1, 7, 3]
    """
    return [ShownItem(item, place) if isinstance(item, str) else item for place, item in enumerate(items, start=1)]


def find_fault(impression: Impression) -> str | None:
    """Return why nobody can have seen this, or None."""
    item_ids = [shown.item_id for shown in impression.items]
    if (n_bytes := sum(len(item_id.encode()) for item_id in item_ids)) > MOST_ID_BYTES:
        return f"ids of items have {n_bytes} bytes together, at most {MOST_ID_BYTES} are taken: send two impressions"
    if len(set(item_ids)) < len(item_ids):
        twice = next(item_id for item_id in item_ids if item_ids.count(item_id) > 1)
        return f"item {twice[:64]!r} is shown in two slots; count it in the first"
    if len({shown.position for shown in impression.items}) < len(item_ids):
        return "two items are shown in one slot: positions count from 1, each once"
    return None
