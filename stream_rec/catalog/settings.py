"""What of items the catalog keeps besides what every list needs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.item import MAX_MODALITIES


class CatalogConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is made of items' records."""

    vectors: Annotated[str, Meta(pattern=r"^([^,\s]+(,[^,\s]+)*)?$", max_length=200)] = "image,audio"
    """Names in `vectors` of items, with commas between, at most 2: each becomes a space of its own, in which items are
    compared as by their texts. Empty: none. Workers and `serve` need the same; append new ones at the end."""

    def __post_init__(self) -> None:
        """Check how many there are.

        Raises:
            ValueError: a name comes twice, or there are too many.
        """
        names = self.modalities
        if len(names) > MAX_MODALITIES or len(set(names)) < len(names):
            raise ValueError(
                f"[catalog] vectors is {self.vectors!r}; expected at most {MAX_MODALITIES} names, each once"
            )

    @property
    def modalities(self) -> tuple[str, ...]:
        """The names."""
        return tuple(self.vectors.split(",")) if self.vectors else ()
