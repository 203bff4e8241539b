from typing import Annotated
from msgspec import Meta, Struct
class RankingConfig(Struct, frozen=True, kw_only=True):
    """How a list is made."""

    n: Annotated[int, Meta(ge=1, le=1000)] = 20
    """Length of a list."""
