from typing import Annotated
from msgspec import Meta, Struct
class KnowledgeConfig(Struct, frozen=True, kw_only=True):
    """Bounds of one item's state."""

    predecessors: Annotated[int, Meta(ge=8)] = 128
