"""What goes over HTTP, beside the contracts of the topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from stream_rec.events.impression import MOST_ITEMS, ListId, ShownItem, Surface
from stream_rec.events.interaction import Context, Id, TimestampMs
from stream_rec.events.profile import MOST_INTERESTS, BirthYear, Interest, Language
from stream_rec.events.promotion import MOST_PROMOTIONS, Promotion
from stream_rec.events.search import Query
from stream_rec.events.slate import SlateItem
from stream_rec.names import InteractionType

EventType = Literal["view", "click", "purchase", "search", "impression"]
Texts = str | Sequence[str]
"""One text, or several."""


class Shown(ShownItem, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One item in one slot, of an impression."""


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a user did, or saw."""

    event_type: EventType
    event_id: Id
    """Unique among the user's events. The same id again is the same event: send it again freely when in doubt."""
    user_id: Id
    item_id: Id | None = None
    """Which item; a search needs none, unless it is about one: "like this, but cheaper"."""
    query: Query | None = None
    """Of a search: what was asked for. Other events have none."""
    timestamp_ms: TimestampMs | None = None
    """When; now, where nothing is said."""
    value: float | None = None
    """What it was worth: price paid, rating given, seconds watched."""
    context: Context = {}
    list_id: ListId | None = None
    """Of an impression, which needs it and `items`."""
    items: Annotated[list[Shown], Meta(max_length=MOST_ITEMS)] = []
    """Of an impression: what was on the screen."""
    surface: Surface = ""
    """Of an impression."""


_NEEDS: dict[EventType, tuple[str, ...]] = {
    "view": ("item_id",),
    "click": ("item_id",),
    "purchase": ("item_id",),
    "search": ("query",),
    "impression": ("list_id", "items"),
}
"""Fields that an event of a type cannot do without."""
_MAY_HAVE: dict[EventType, tuple[str, ...]] = {
    "view": ("value", "context"),
    "click": ("value", "context"),
    "purchase": ("value", "context"),
    "search": ("item_id", "context"),
    "impression": ("surface",),
}
"""Fields that it may have besides; those of other types it may not."""


def find_fault(event: Event) -> str | None:
    """Return which fields an event lacks, or has and should not, or None."""
    article = "an" if event.event_type == "impression" else "a"
    needed = _NEEDS[event.event_type]
    if missing := [name for name in needed if getattr(event, name) in (None, [])]:
        return f"{article} {event.event_type} needs {' and '.join(f'`{name}`' for name in missing)}"
    own = {name for names in (*_NEEDS.values(), *_MAY_HAVE.values()) for name in names}
    strange = sorted(own - {*needed, *_MAY_HAVE[event.event_type]})
    if strange := [name for name in strange if getattr(event, name) not in (None, [], {}, "")]:
        return f"{article} {event.event_type} has no {' and no '.join(f'`{name}`' for name in strange)}"
    return None


class UserProfile(Struct, frozen=True, kw_only=True):
    """What a user has said of themselves, or an app knows of them. What it does not say is not known."""

    interests: Annotated[list[Interest], Meta(max_length=MOST_INTERESTS)] = []
    """What the user says to like. Lists of a new user follow them until the user has done something."""
    language: Language = ""
    """That the user reads."""
    birth_year: BirthYear | None = None
    """For rules with a `min_age`, where a request has no `age`; and the decade, for what others of it come to."""
    timestamp_ms: TimestampMs | None = None
    """When it was said; now, where nothing is said."""


class Position(Struct, frozen=True):
    """Where a record stands."""

    topic: str
    """Without prefix."""
    partition: int
    offset: int


class Accepted(Struct, frozen=True):
    """What the broker has acknowledged: nothing of it can be lost any more."""

    n_records: Annotated[int, Meta(ge=1)]
    positions: list[Position] = []
    """Of each record, in the order in which they came. `seen` of a user's list says which it knows."""


class ErasureAccepted(Struct, frozen=True):
    """An erasure that will be carried out within seconds."""

    request_id: str
    """A record on `receipts` with this key says when it is done."""


class Recommendations(Struct, frozen=True):
    """A user's list, best item first."""

    user_id: str
    list_id: str
    """Of the list as it is on the topic `recommendations`; what was left out here does not change it."""
    is_default: bool
    """Whether it is the list for users without one of their own."""
    generated_at_ms: int
    policy: str
    items: list[SlateItem]
    is_on_the_spot: bool = False
    """Whether it was ranked for this request, from what is known now."""
    next_cursor: str | None = None
    """Of a list that was ranked on the spot: what the next page is asked for with; null where there is none."""
    seen: dict[str, int] = {}
    """Last offset of the user's events that is in the list, by topic; none in the default list."""

    def knows(self, position: Position) -> bool:
        """Return whether the list has seen the user's event that stands there."""
        return self.seen.get(position.topic, -1) >= position.offset


class Filters(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which items are wanted; all by default. What is said several times holds together."""

    category: Texts = ()
    """Any of these."""
    not_category: Texts = ()
    """None of these."""
    tag: Texts = ()
    """All of these."""
    any_tag: Texts = ()
    """Any of these."""
    not_tag: Texts = ()
    """None of these."""
    attribute: Texts = ()
    """``name:value``, compared as text, as in rules: each name, and of one name any of its values."""
    not_attribute: Texts = ()
    """``name:value``, none of these."""
    attribute_min: Texts = ()
    """``name:number``, bound on an attribute, itself within; an item without such a number is not wanted."""
    attribute_max: Texts = ()
    """The same from above."""
    price_min: float | None = None
    """Bound on the attribute ``price``, itself within."""
    price_max: float | None = None


class RankRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Items that the app has chosen, to be ranked for a user."""

    user_id: Id
    item_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)]
    """One that stands there twice is ranked once."""
    n: Annotated[int, Meta(ge=1, le=1000)] = 1000
    """Most items of the answer."""
    age: Annotated[int, Meta(ge=0, le=150)] | None = None
    """The user's, for rules that ask for it; that of the profile without it. Where neither says it, what they keep from
    the underage is left out."""
    filters: Filters | None = None
    """Which of them are wanted."""
    had: list[InteractionType] = []
    """Those of which the user has an event of any of these types."""
    not_had: list[InteractionType] = []
    """Those of which the user has none of these."""
    within_days: Annotated[float, Meta(gt=0, le=36_600)] | None = None
    """Of `had` and `not_had`: how long ago at most; without it, ever."""
    not_shown_hours: Annotated[float, Meta(gt=0, le=8_784)] | None = None
    """Those that the user was not shown for so long, as impressions say."""
    min_score: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Of each item, at least."""
    diversity: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """From 0, the likeliest items first, to 1, the most varied."""
    promotions: Annotated[list[Promotion], Meta(max_length=MOST_PROMOTIONS)] = []
    """What stands in which slots whatever the ranking says, the owner's rules aside. Reasons say by which."""
    context: Context | None = None
    """Where the list will stand: `country`, `device` and what else `user.context_keys` declares; that of the user's
    newest event, where nothing is said."""


class Ranking(Struct, frozen=True):
    """Given items, best first."""

    user_id: str
    is_known: bool
    """Whether anything is known of the user."""
    policy: str
    items: list[SlateItem]
    """The best of them."""
    unknown: list[str]
    """Those of which there is no record on `items`."""
    left_out: list[str]
    """Those that are not to be shown: not available, not wanted, or the owner's rules keep them from this user."""
    seen: dict[str, int]
    """As of a list on `recommendations`: last offset of the user's events that was applied, by topic."""


class Found(Struct, frozen=True):
    """Items that were searched for, best first."""

    items: list[SlateItem]


class State(Struct, frozen=True, omit_defaults=True):
    """How the service is."""

    status: Literal["ok", "not ready"]
    why: str = ""


class Problem(Struct, frozen=True, omit_defaults=True):
    """Why a request is not answered."""

    status: Annotated[int, Meta(ge=400, le=599)]
    title: str
    """The status in words."""
    detail: str
    """What was expected, what came, and what to do."""
    type: str = "about:blank"
    reason: str = ""
    """Of 422: what kind of wrong it is, as on `rejected`."""
