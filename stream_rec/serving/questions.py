"""What may be said in an address of what a list is to hold, and what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from litestar.di import Provide
from litestar.params import PathParameter, QueryParameter

from stream_rec.catalog.facets import EVERYTHING, Filter, filter_of
from stream_rec.events import validate
from stream_rec.events.validate import InputLimits
from stream_rec.serving import cursor as cursors
from stream_rec.serving.problems import accept, unprocessable
from stream_rec.serving.wanted import Wanted
from stream_rec.surface_settings import BUILT_IN, MOST_ABOUT, Surface, SurfaceSettings, find_surface

MOST_VALUES: Final = 20
"""Values of one kind that a filter may name."""
MOST_EXCLUDED: Final = 1_000

IdInPath = Annotated[str, PathParameter(description="1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F")]
N = Annotated[int, QueryParameter(ge=1, le=200, description="most items")]
MaybeN = Annotated[int | None, QueryParameter(ge=1, le=200, description="most items; as long as a list on its topic")]
Excluded = Annotated[list[str] | None, QueryParameter(description="ids of items to leave out; may be repeated")]
SurfaceName = Annotated[str, QueryParameter(name="surface", description="which list; docs/guides/surfaces.md")]
About = Annotated[
    list[str] | None, QueryParameter(name="item_id", description="items that the list is about; may be repeated")
]
Age = Annotated[
    int | None,
    QueryParameter(ge=0, le=150, description="the user's, in years; not known without it, see rules"),
]
Categories = Annotated[list[str] | None, QueryParameter(name="category", description="any of these")]
Tags = Annotated[list[str] | None, QueryParameter(name="tag", description="all of these")]
Attributes = Annotated[
    list[str] | None,
    QueryParameter(name="attribute", description="name:value, all of these; compared as text, as in rules"),
]
Price = Annotated[float | None, QueryParameter(description="bound on the attribute `price`, itself within")]
Contexts = Annotated[
    list[str] | None,
    QueryParameter(name="context", description="key:value, where the list will stand; may be repeated"),
]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before", max_length=6_000)]


def read_filter(
    categories: Categories = None,
    tags: Tags = None,
    attributes: Attributes = None,
    price_min: Price = None,
    price_max: Price = None,
) -> Filter:
    """Return which items are wanted.

    Raises:
        ProblemDetailsException: 422, a value cannot be meant so.
    """
    for name, values in (("category", categories), ("tag", tags), ("attribute", attributes)):
        if len(values or ()) > MOST_VALUES:
            raise unprocessable("too_large", f"{len(values or ())} values of `{name}`; {MOST_VALUES} at most")
    pairs = _split("attribute", attributes or (), "bad_filter")
    if not all(math.isfinite(price) for price in (price_min, price_max) if price is not None):
        raise unprocessable("bad_filter", "a price is a number")
    if price_min is not None and price_max is not None and price_min > price_max:
        raise unprocessable("bad_filter", f"price_min={price_min:g} is above price_max={price_max:g}")
    return Filter(
        tuple(categories or ()),
        tuple(tags or ()),
        tuple(pairs),
        price_min,
        price_max,
    )


def read_context(contexts: list[str] | None) -> dict[str, str] | None:
    """Return the context of a request, None where nothing is said of it.

    Raises:
        ProblemDetailsException: 422, a value cannot be meant so.
    """
    if contexts is None:
        return None
    if len(contexts) > MOST_VALUES:
        raise unprocessable("too_large", f"{len(contexts)} values of `context`; {MOST_VALUES} at most")
    return dict(_split("context", contexts, "bad_context"))


def _split(name: str, values: Iterable[str], reason: str) -> list[tuple[str, str]]:
    pairs = [value.partition(":") for value in values]
    if wrong := [key for key, colon, _ in pairs if not colon]:
        raise unprocessable(reason, f"{name}={wrong[0][:100]} has no value: write it as name:value")
    return [(key, value) for key, _, value in pairs]


def read_excluded(exclude: list[str] | None) -> frozenset[str]:
    """Return the ids of items to leave out.

    Raises:
        ProblemDetailsException: 422, there are too many.
    """
    if len(exclude or ()) > MOST_EXCLUDED:
        raise unprocessable("too_large", f"{len(exclude or ())} ids to leave out; {MOST_EXCLUDED} at most")
    return frozenset(exclude or ())


FILTERED = {"wanted": Provide(read_filter, sync_to_thread=False)}
"""Dependencies of an address that knows filters."""


def read_surface(settings: SurfaceSettings, name: str, item_ids: list[str] | None, limits: InputLimits) -> Surface:
    """Return the surface that is asked for, by its name.

    Raises:
        ProblemDetailsException: 422, there is none, or it is not about so many items.
    """
    surface = find_surface(name, settings)
    if surface is None:
        known = ", ".join(sorted({*settings.declared, *BUILT_IN}))
        raise unprocessable("bad_surface", f"there is no surface {name[:100]!r}; there are {known}")
    n, most = len(item_ids or ()), MOST_ABOUT.get(surface.base, 0)
    if not min(most, 1) <= n <= most:
        wanted = "no `item_id`" if not most else "one `item_id`" if most == 1 else f"1 to {most} of `item_id`"
        raise unprocessable("bad_surface", f"surface {name} is about {wanted}; {n} came")
    for item_id in item_ids or ():
        accept(validate.check_id("item_id", item_id, limits))
    return surface


def want_surface(wanted: Wanted, name: str, surface: Surface, item_ids: list[str] | None) -> Wanted:
    """Return what a list of a surface may be made of, of what is wanted at all."""
    about = tuple(dict.fromkeys(item_ids or ()))
    return msgspec.structs.replace(wanted, surface=name, base=surface.base, of_surface=filter_of(surface), about=about)


def want(
    n: int,
    filter: Filter = EVERYTHING,
    exclude: list[str] | None = None,
    cursor: str | None = None,
    age: int | None = None,
) -> Wanted:
    """Return what a list may be made of.

    Raises:
        ProblemDetailsException: 422, a value cannot be meant so.
    """
    try:
        shown = () if cursor is None else tuple(cursors.decode(cursor).tolist())
    except ValueError as error:
        raise unprocessable("bad_cursor", f"this is no `next_cursor` of ours: {error}") from error
    return Wanted(n, filter, read_excluded(exclude), shown, age=age)
