"""What may be said in an address of what a list is to hold, and what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from litestar.di import Provide
from litestar.params import PathParameter, QueryParameter

from stream_rec.catalog.facets import EVERYTHING, PRICE, Filter, Pairs, bounds_of, number_of
from stream_rec.events import validate
from stream_rec.events.over_http import Filters, Texts
from stream_rec.events.validate import InputLimits
from stream_rec.names import InteractionType
from stream_rec.retrieval.had import WHATEVER, HistoryFilter, history_of
from stream_rec.retrieval.surface import filter_of, history_filter_of
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
    QueryParameter(ge=0, le=150, description="the user's, in years; without it what the profile says, see rules"),
]
Categories = Annotated[list[str] | None, QueryParameter(name="category", description="any of these")]
NotCategories = Annotated[list[str] | None, QueryParameter(name="not_category", description="none of these")]
Tags = Annotated[list[str] | None, QueryParameter(name="tag", description="all of these")]
AnyTags = Annotated[list[str] | None, QueryParameter(name="any_tag", description="any of these")]
NotTags = Annotated[list[str] | None, QueryParameter(name="not_tag", description="none of these")]
Attributes = Annotated[
    list[str] | None,
    QueryParameter(
        name="attribute",
        description="name:value, compared as text, as in rules: each name, and of one name any of its values",
    ),
]
NotAttributes = Annotated[
    list[str] | None, QueryParameter(name="not_attribute", description="name:value, none of these")
]
AttributeMin = Annotated[
    list[str] | None,
    QueryParameter(
        description="name:number, bound on an attribute, itself within; an item without such a number is not wanted"
    ),
]
AttributeMax = Annotated[list[str] | None, QueryParameter(description="the same from above")]
Price = Annotated[float | None, QueryParameter(description="bound on the attribute `price`, itself within")]
MaybeDiversity = Annotated[
    float | None,
    QueryParameter(ge=0, le=1, description="from 0, the likeliest items, to 1, the most varied; as ever without it"),
]
MinScore = Annotated[float, QueryParameter(ge=0, le=1, description="of each item, at least")]
Had = Annotated[
    list[InteractionType] | None,
    QueryParameter(description="items of which the user has an event of any of these types; may be repeated"),
]
NotHad = Annotated[
    list[InteractionType] | None, QueryParameter(description="items of which the user has none of these")
]
WithinDays = Annotated[
    float | None,
    QueryParameter(gt=0, le=36_600, description="of `had` and `not_had`: how long ago at most; without it, ever"),
]
NotShownHours = Annotated[
    float | None,
    QueryParameter(gt=0, le=8_784, description="items that the user was not shown for so long, as impressions say"),
]
Contexts = Annotated[
    list[str] | None,
    QueryParameter(name="context", description="key:value, where the list will stand; may be repeated"),
]
Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before", max_length=6_000)]


def read_filter(
    categories: Categories = None,
    not_categories: NotCategories = None,
    tags: Tags = None,
    any_tags: AnyTags = None,
    not_tags: NotTags = None,
    attributes: Attributes = None,
    not_attributes: NotAttributes = None,
    attribute_min: AttributeMin = None,
    attribute_max: AttributeMax = None,
    price_min: Price = None,
    price_max: Price = None,
) -> Filter:
    """Return which items are wanted.

    Raises:
        ProblemDetailsException: 422, a value cannot be meant so.
    """
    return read_filters(
        Filters(
            category=categories or (),
            not_category=not_categories or (),
            tag=tags or (),
            any_tag=any_tags or (),
            not_tag=not_tags or (),
            attribute=attributes or (),
            not_attribute=not_attributes or (),
            attribute_min=attribute_min or (),
            attribute_max=attribute_max or (),
            price_min=price_min,
            price_max=price_max,
        )
    )


def read_filters(filters: Filters) -> Filter:
    """Return which items are wanted, of what a request says.

    Raises:
        ProblemDetailsException: 422, a value cannot be meant so.
    """

    def texts(name: str) -> tuple[str, ...]:
        value: Texts = getattr(filters, name)
        values = (value,) if isinstance(value, str) else tuple(value)
        if len(values) > MOST_VALUES:
            raise unprocessable("too_large", f"{len(values)} values of `{name}`; {MOST_VALUES} at most")
        return values

    if not all(math.isfinite(price) for price in (filters.price_min, filters.price_max) if price is not None):
        raise unprocessable("bad_filter", "a price is a number")
    least = _numbers("attribute_min", texts("attribute_min")) + _if_any(PRICE, filters.price_min)
    most = _numbers("attribute_max", texts("attribute_max")) + _if_any(PRICE, filters.price_max)
    for name, bound in least:
        if (other := min((each for of, each in most if of == name), default=math.inf)) < bound:
            low, high = (
                ("price_min=", "price_max=") if name == PRICE else (f"attribute_{m}={name}:" for m in ("min", "max"))
            )
            raise unprocessable("bad_filter", f"{low}{bound:g} is above {high}{other:g}")
    return Filter(
        categories=texts("category"),
        not_categories=texts("not_category"),
        tags=texts("tag"),
        any_tags=texts("any_tag"),
        not_tags=texts("not_tag"),
        attributes=_split("attribute", texts("attribute"), "bad_filter"),
        not_attributes=_split("not_attribute", texts("not_attribute"), "bad_filter"),
        bounds=bounds_of(least, most),
    )


def read_history(
    had: Had = None, not_had: NotHad = None, within_days: WithinDays = None, not_shown_hours: NotShownHours = None
) -> HistoryFilter:
    """Return which items are wanted, by what the user did with them and saw of them.

    Raises:
        ProblemDetailsException: 422, a value cannot be meant so.
    """
    for name, values in (("had", had), ("not_had", not_had)):
        if len(values or ()) > MOST_VALUES:
            raise unprocessable("too_large", f"{len(values or ())} values of `{name}`; {MOST_VALUES} at most")
    if within_days is not None and not had and not not_had:
        raise unprocessable("bad_filter", "`within_days` says how long ago `had` or `not_had` was: say which")
    return history_of(had or (), not_had or (), within_days, not_shown_hours)


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


def _split(name: str, values: Iterable[str], reason: str) -> Pairs:
    pairs = [value.partition(":") for value in values]
    if wrong := [key for key, colon, _ in pairs if not colon]:
        raise unprocessable(reason, f"{name}={wrong[0][:100]} has no value: write it as name:value")
    return tuple((key, value) for key, _, value in pairs)


def _numbers(name: str, values: Iterable[str]) -> list[tuple[str, float]]:
    pairs = [(key, value, number_of(value)) for key, value in _split(name, values, "bad_filter")]
    if wrong := [f"{key}:{value}" for key, value, number in pairs if math.isnan(number)]:
        raise unprocessable("bad_filter", f"{name}={wrong[0][:100]} is no bound: write it as name:number")
    return [(key, number) for key, _, number in pairs]


def _if_any(name: str, bound: float | None) -> list[tuple[str, float]]:
    return [] if bound is None else [(name, bound)]


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
FILTERED_BY_USER = {**FILTERED, "history": Provide(read_history, sync_to_thread=False)}
"""Of one that knows filters of what the user had, too."""


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
    return msgspec.structs.replace(
        wanted,
        surface=name,
        base=surface.base,
        of_surface=filter_of(surface),
        history_of_surface=history_filter_of(surface),
        min_score=max(wanted.min_score, surface.min_score),
        about=tuple(dict.fromkeys(item_ids or ())),
    )


def want(
    n: int,
    filter: Filter = EVERYTHING,
    exclude: list[str] | None = None,
    cursor: str | None = None,
    age: int | None = None,
    history: HistoryFilter = WHATEVER,
    min_score: float = 0.0,
    diversity: float | None = None,
) -> Wanted:
    """Return what a list may be made of.

    Raises:
        ProblemDetailsException: 422, a value cannot be meant so.
    """
    try:
        shown = () if cursor is None else tuple(cursors.decode(cursor).tolist())
    except ValueError as error:
        raise unprocessable("bad_cursor", f"this is no `next_cursor` of ours: {error}") from error
    return Wanted(n, filter, history, min_score, diversity, read_excluded(exclude), shown, age=age)
