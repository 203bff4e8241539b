from typing import Annotated
from msgspec import Meta, Struct
class UserConfig(Struct, frozen=True, kw_only=True):
    """Bounds of one user's state."""

    ring: Annotated[int, Meta(ge=16, le=1024)] = 64
    """Newest events kept whole."""
    tally: Annotated[int, Meta(ge=16, le=16_384)] = 512
    """Per-item counts kept, by week."""
