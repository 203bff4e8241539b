"""The policy's settings: how long a list is and how much each source counts."""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Weight = Annotated[float, Meta(ge=0, le=1000)]


class RankingConfig(Struct, frozen=True, kw_only=True):
    """How a list is made."""

    n: Annotated[int, Meta(ge=1, le=1000)] = 20
    """Length of a list."""
    recent_items: Annotated[int, Meta(ge=1, le=64)] = 12
    """Last items whose neighbours and followers are looked up."""
    recency: Annotated[float, Meta(ge=0.01, le=1)] = 0.6
    """How much less each earlier item counts than the one after it."""
    trending_items: Annotated[int, Meta(ge=1, le=1000)] = 100
    """Items taken at each half-life of popularity."""
    followers_weight: Weight = 1.0
    similar_weight: Weight = 0.2
    trending_weight: Weight = 0.5
    repeat_weight: Weight = 0.5
    seed: int = 0
    """Of every random choice. This version makes none; it names the policy."""

    @property
    def policy(self) -> str:
        """Name of the policy: it changes with every setting that changes lists."""
        return "blend-" + hashlib.blake2b(msgspec.json.encode(self), digest_size=4).hexdigest()
