"""A promotion: what an app wants in some slots of a list that it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import Id

MOST_PROMOTIONS = 20
MOST_SLOT = 1000


class Promotion(Struct, frozen=True, forbid_unknown_fields=True):
    """Some of the items, and the slots that the best of them take."""

    label: Annotated[str, Meta(min_length=1, max_length=64, description="says which promotion an item is shown by")]
    item_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)]
    """Among the items to be ranked; what is promoted twice takes the slot of the first."""
    slots: Annotated[list[Annotated[int, Meta(ge=1, le=MOST_SLOT)]], Meta(min_length=1, max_length=MOST_SLOT)]
    """Counted from 1; behind the list's end there are none. Fewer items than slots take the first of them."""


def find_fault(promotions: Sequence[Promotion], item_ids: Sequence[str]) -> str | None:
    """Return why these cannot be promoted among ``item_ids``, or None."""
    slots = [slot for promotion in promotions for slot in promotion.slots]
    if len(set(slots)) < len(slots):
        twice = next(slot for slot in slots if slots.count(slot) > 1)
        return f"slot {twice} is promised twice"
    known = set(item_ids)
    for promotion in promotions:
        if strange := [item_id for item_id in promotion.item_ids if item_id not in known]:
            return f"item {strange[0][:100]!r} of promotion {promotion.label!r} is not among `item_ids`"
    return None
