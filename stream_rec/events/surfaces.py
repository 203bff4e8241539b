"""The pushed surfaces of one user, as they stand on ``surfaces``: lists beside the main one, made with it."""

from __future__ import annotations

from msgspec import Struct

from stream_rec.events.slate import AsOf, Slate, SlateItem


class PushedSurface(Struct, frozen=True):
    """One of the lists."""

    surface: str
    """Its name in the settings, `[surfaces.declared.NAME]`."""
    list_id: str
    """Digest of its items and of what the record says of all its lists: for impressions, as that of the main list."""
    items: list[SlateItem]
    """Best first; none where there is nothing of that kind for this user."""


class Surfaces(Struct, frozen=True):
    """One record on ``surfaces`` (compacted): all pushed surfaces of one user, made at once from the same facts.

    The key is ``user_id``, or ``*`` for users without a record of their own.
    """

    user_id: str
    generated_at_ms: int
    as_of: AsOf | None
    """The event that they were made on, as of the main list that went out with them. Null on the key ``*``."""
    seen: dict[str, int]
    """Last offset applied, by topic: all of this user's events up to there are in these lists."""
    policy: str
    surfaces: list[PushedSurface]
    """In the order of the settings."""

    def find(self, surface: str) -> Slate | None:
        """Return one of the lists by its name, in the form of the main list; None where it is not pushed."""
        for each in self.surfaces:
            if each.surface == surface:
                return Slate(
                    each.list_id,
                    self.user_id,
                    self.generated_at_ms,
                    self.as_of,
                    self.seen,
                    self.policy,
                    each.items,
                )
        return None
