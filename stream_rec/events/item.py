"""An item: what may be recommended, as its owner describes it."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from stream_rec.events.interaction import Id

MAX_MODALITIES = 2
"""Kinds of vectors of items that are compared."""


class Item(Struct, frozen=True, omit_defaults=True):
    """One record on ``items`` (compacted); the record's key is ``item_id`` and a null value deletes the item."""

    item_id: Id
    title: Annotated[str, Meta(max_length=10_000)] = ""
    description: Annotated[str, Meta(max_length=100_000)] = ""
    category: Annotated[str, Meta(max_length=1000)] = ""
    tags: Annotated[list[str], Meta(max_length=1000)] = []
    attributes: dict[str, Any] = {}
    """Facts by name: brand, price, colour, ..."""
    relations: dict[str, list[str]] = {}
    """Ids of other items by kind of relation: {"series": [...], "accessory_of": [...]}."""
    vectors: dict[str, list[float]] = {}
    """Embeddings that the app brings itself, by modality ("image", "audio", ...): see `catalog.vectors`."""
    boost: Annotated[float, Meta(ge=0.01, le=100)] = 1.0
    """What its owner makes of it: it is ranked as if so many times as likely to be chosen."""
    available: bool = True
    """False keeps the item known, but out of every list."""
