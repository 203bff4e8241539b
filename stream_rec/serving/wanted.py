"""What a list that is ranked on the spot may be made of."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from stream_rec.catalog.facets import EVERYTHING, Filter
from stream_rec.retrieval.had import WHATEVER, HistoryFilter
from stream_rec.serving import cursor
from stream_rec.surface_settings import HOME, Base


class Wanted(Struct, frozen=True):
    """What a list may be made of, and how long it is."""

    n: int
    filter: Filter = EVERYTHING
    history: HistoryFilter = WHATEVER
    """Of the user's own."""
    min_score: float = 0.0
    """Of each item, at least."""
    diversity: float | None = None
    """From 0, the likeliest items, to 1, the most varied; None for what the list has by itself."""
    exclude: frozenset[str] = frozenset()
    """Ids."""
    shown: tuple[int, ...] = ()
    """Signs of what earlier pages have shown, as of ``cursor.py``."""
    surface: str = HOME
    """Name of the list, for rules that hold in some lists only."""
    base: Base = HOME
    """What it is made of."""
    of_surface: Filter = EVERYTHING
    """What the surface holds at all."""
    history_of_surface: HistoryFilter = WHATEVER
    """The same, by the user's own."""
    about: tuple[str, ...] = ()
    """Ids of the items that the list is about: none, one, or those of a cart."""
    age: int | None = None
    """The user's, in years; None where it is not known."""

    @property
    def is_whole(self) -> bool:
        """Whether it is the main list, and nothing is left out."""
        is_all = self.filter == self.of_surface == EVERYTHING and not self.exclude and not self.shown
        return is_all and self.history == self.history_of_surface == WHATEVER and self.base == HOME

    def cursor_behind(self, item_ids: Sequence[str]) -> str | None:
        """Return the cursor of the page behind one with these items; None where there cannot be one."""
        if len(item_ids) < self.n:
            return None
        return cursor.encode((*self.shown, *map(cursor.sign_of, item_ids)))
