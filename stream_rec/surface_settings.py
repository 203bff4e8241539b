"""Settings of surfaces: lists beside the main one, each with what it is made of, its length and its filters."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream_rec.names import InteractionType, Name

Base = Literal["home", "discover", "buy_again", "new", "trending", "similar", "with", "cart"]
HOME: Base = "home"
MOST_IN_CART = 20
"""Items that one list may be about."""
MOST_ABOUT: dict[Base, int] = {"similar": 1, "with": 1, "cart": MOST_IN_CART}
"""Items that a list is about, at least one and at most so many; the other ones are about none."""
MOST_PUSHED = 4
"""Surfaces that workers make with each list of a user: each takes about as long as that list."""
MOST_PUSHED_ITEMS = 30
"""Of one of them: all together are one record, which so stays below Kafka's 1 MB whatever ids of 256 bytes hold."""
Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Texts = Annotated[tuple[Text, ...], Meta(max_length=20)]


class Surface(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One list: what it is made of."""

    base: Base
    """What may be in it and by what it is ordered: see docs/guides/surfaces.md."""
    n: Annotated[int, Meta(ge=1, le=200)] | None = None
    """Its length, where a request names none; without it that of the main list."""
    categories: Texts = ()
    """Any of these."""
    not_categories: Texts = ()
    """None of these."""
    tags: Texts = ()
    """All of these."""
    any_tags: Texts = ()
    """Any of these."""
    not_tags: Texts = ()
    """None of these."""
    attributes: Annotated[dict[Text, Text], Meta(max_length=20)] = {}
    """Each of these, compared as text."""
    not_attributes: Annotated[dict[Text, Text], Meta(max_length=20)] = {}
    """None of these."""
    attribute_min: Annotated[dict[Text, float], Meta(max_length=20)] = {}
    attribute_max: Annotated[dict[Text, float], Meta(max_length=20)] = {}
    """Bounds on attributes that are numbers, themselves within."""
    price_min: float | None = None
    price_max: float | None = None
    """The same of the attribute `price`."""
    had: tuple[InteractionType, ...] = ()
    """Of what the user has an event of any of these types."""
    not_had: tuple[InteractionType, ...] = ()
    """Of what the user has none of these."""
    within_days: Annotated[float, Meta(gt=0, le=36_600)] | None = None
    """Of `had` and `not_had`: how long ago at most; without it, ever."""
    not_shown_hours: Annotated[float, Meta(gt=0, le=8_784)] | None = None
    """Of what the user was not shown for so long, as impressions say."""
    min_score: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Of each item, at least."""
    push: bool = False
    """Whether workers make it with each list of a user and publish it on the topic `surfaces`; then `n` must be said,
    30 at most, and it can be about no item."""

    def __post_init__(self) -> None:
        """Check that something can be within the bounds, and that it can be pushed if it is to be."""
        if self.push and self.base in MOST_ABOUT:
            able = ", ".join(base for base in Base.__args__ if base not in MOST_ABOUT)  # type: ignore[attr-defined]
            raise ValueError(f"push = true: {self.base} is about items that a request names; pushed can be {able}")
        if self.push and (self.n is None or self.n > MOST_PUSHED_ITEMS):
            came = "none" if self.n is None else self.n
            raise ValueError(f"push = true: say its length, n = 1 to {MOST_PUSHED_ITEMS}; came {came}")
        for name, bound in self.attribute_min.items():
            if (most := self.attribute_max.get(name, bound)) < bound:
                raise ValueError(f"attribute_min of {name}={bound:g} is above attribute_max={most:g}")
        if self.within_days is not None and not self.had and not self.not_had:
            raise ValueError("within_days says how long ago `had` or `not_had` was: say which")
        if self.price_min is not None and self.price_max is not None and self.price_min > self.price_max:
            raise ValueError(f"price_min={self.price_min:g} is above price_max={self.price_max:g}")


class SurfaceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lists beside the main one, ranked on the spot or pushed."""

    declared: Annotated[dict[Name, Surface], Meta(max_length=50)] = {}
    """Lists of yours by name, each a table `[surfaces.declared.NAME]`, see docs/guides/surfaces.md. One of a built-in
    name stands in its place. At most 4 with `push = true`."""

    def __post_init__(self) -> None:
        """Check that there are not too many to be pushed."""
        if len(pushed := self.pushed) > MOST_PUSHED:
            raise ValueError(f"{len(pushed)} surfaces with push = true, {', '.join(pushed)}; {MOST_PUSHED} at most")

    @property
    def pushed(self) -> dict[str, Surface]:
        """Those that workers publish, by name."""
        return {name: surface for name, surface in self.declared.items() if surface.push}


BUILT_IN: dict[str, Surface] = {base: Surface(base=base) for base in Base.__args__}  # type: ignore[attr-defined]


def find_surface(name: str, settings: SurfaceSettings) -> Surface | None:
    """Return what is called so, the owner's own first; None where nothing is.

    >>> find_surface("new", SurfaceSettings()) == Surface(base="new")
    True
    """
    return settings.declared.get(name) or BUILT_IN.get(name)
