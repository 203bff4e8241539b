"""What a list that is ranked on the spot may be made of."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from stream_rec.catalog.facets import EVERYTHING, Filter
from stream_rec.serving import cursor


class Wanted(Struct, frozen=True):
    """What a list may be made of, and how long it is."""

    n: int
    filter: Filter = EVERYTHING
    exclude: frozenset[str] = frozenset()
    """Ids."""
    shown: tuple[int, ...] = ()
    """Signs of what earlier pages have shown, as of ``cursor.py``."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.filter == EVERYTHING and not self.exclude and not self.shown

    def cursor_behind(self, item_ids: Sequence[str]) -> str | None:
        """Return the cursor of the page behind one with these items; None where there cannot be one."""
        if len(item_ids) < self.n:
            return None
        return cursor.encode((*self.shown, *map(cursor.sign_of, item_ids)))
