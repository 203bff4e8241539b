"""How much is kept of one item."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

MOST_VISITS = 4096
"""The most that any item keeps decides how much room every item has in ``catalog/neighbour_index.py``."""


class KnowledgeConfig(Struct, frozen=True, kw_only=True):
    """Bounds of one item's state."""

    predecessors: Annotated[int, Meta(ge=8, le=100_000)] = 128
    """Items that came before this one and are kept, the heaviest; up to twice as many between two cuts."""
    recent_visits: Annotated[int, Meta(ge=8, le=MOST_VISITS)] = 128
    """Users kept for each item, those who came last: what finding users alike looks at."""
    queries: Annotated[int, Meta(ge=8, le=10_000)] = 64
    """Queries kept for each item that users chose it after, those that it answers most; up to twice as many between two
    cuts."""
    contexts: Annotated[int, Meta(ge=16, le=10_000)] = 64
    """Contexts kept for each item that users came to it in, those most frequent there; up to twice as many between two
    cuts."""
