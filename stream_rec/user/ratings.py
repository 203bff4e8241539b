"""Ratings: which events' values are some, and on what scale."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import ACTION, Interaction, Kind

THOUSANDTHS = 1000
"""Ratings are kept as whole thousandths, so that sums of them are exact in any order."""
SCALE_PATTERN = r"^(-?\d{1,4}(\.\d{1,3})?,-?\d{1,4}(\.\d{1,3})?)?$"


class RatingsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which values are ratings."""

    scale: Annotated[str, Meta(pattern=SCALE_PATTERN)] = ""
    """Least and most of a rating with a comma between, as `1,5`; empty: no value is a rating. A value outside is
    none."""
    events: Annotated[str, Meta(pattern="^[^,]+(,[^,]+)*$")] = "view,click"
    """Events whose `value` is a rating, with commas between: kinds (view, click, purchase), or what the `action` in
    their context says. By default no purchases: their value is most often a price."""
    in_lists: bool = False
    """Whether each item of a list says as `predicted_value` how the user would rate it."""

    def __post_init__(self) -> None:
        """Check that the scale has a length.

        Raises:
            ValueError: its least is not below its most.
        """
        if self.scale and not self.bounds[0] < self.bounds[1]:
            raise ValueError(f"[ratings] scale is {self.scale!r}; expected the least first, and below the most")

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and most of a rating. Only where there is a scale."""
        return _read_scale(self.scale)


NO_RATINGS = RatingsConfig()


def read_rating(event: Interaction, kind: Kind, config: RatingsConfig) -> int | None:
    """Return the rating that an event gives, in thousandths; None where it gives none.

    Example:
        >>> seen = Interaction("e", "ann", "film", 1000, value=4.5)
        >>> read_rating(seen, Kind.VIEW, RatingsConfig(scale="1,5")), read_rating(seen, Kind.VIEW, RatingsConfig())
        (4500, None)
    """
    if not config.scale or event.value is None:
        return None
    named = _read_names(config.events)
    action = event.context.get(ACTION)
    if kind.label not in named and not (isinstance(action, str) and action in named):
        return None
    least, most = config.bounds
    return round(THOUSANDTHS * event.value) if least <= event.value <= most else None


@lru_cache(maxsize=16)
def _read_scale(scale: str) -> tuple[float, float]:
    least, most = map(float, scale.split(","))
    return least, most


@lru_cache(maxsize=16)
def _read_names(events: str) -> frozenset[str]:
    return frozenset(events.split(","))
