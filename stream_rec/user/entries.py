"""What a user's state keeps of what came: events, searches and impressions whole, and counts of many."""

from __future__ import annotations

from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from stream_rec.events.codec import Count, EventTime, KindNumber, Offset
from stream_rec.events.interaction import Id
from stream_rec.events.profile import MOST_INTERESTS, BirthYear, Interest, Language
from stream_rec.events.source import Source
from stream_rec.knowledge.contexts import ContextNumbers
from stream_rec.knowledge.slots import N_SLOTS

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
SHOWN_PERIOD_MS = DAY_MS // 4
LONGEST_TEXT = 256
"""Characters kept of a search's query: what comes after them finds nothing."""
TEACHES_NOBODY = -1
"""In place of a slot: where the user has been shown the item too often that day."""
SlotNumber = Annotated[int, Meta(ge=TEACHES_NOBODY, lt=N_SLOTS)]
Thousandths = Annotated[int, Meta(ge=-(10**7), le=10**7)]
"""A rating. The longest scale goes from -9999.999 to 9999.999."""
LONGEST_FEATURES = 1 << 14
"""Bytes kept of what was known of an impression's items."""


class Entry(Struct, frozen=True, array_like=True):
    """One event in the recent events. Its source is the topic of its ``kind``."""

    timestamp_ms: EventTime
    event_id: str
    item_id: Id
    kind: KindNumber
    value: float | None
    offset: Offset
    """In its source topic."""
    arrival: Count
    """How many events of this user were applied before this one."""
    again: bool = False
    """Whether the weekly counts had the item before. Bookkeeping: after a crash the same signal must be sent again."""
    teaches: bool = True
    """Whether others learn from it. Bookkeeping, for the same reason."""
    is_first: bool = False
    """Whether it is the user's first of its kind, by its topic: the same however topics are read. Bookkeeping too."""
    contexts: ContextNumbers = ()
    """Of its context what ``UserConfig.context_keys`` declared when it came."""
    of_profile: ContextNumbers = ()
    """The same of the user's profile as it stood when it came, which depends on what was read first. Bookkeeping."""
    rating: Thousandths | None = None
    """Its value, where that was a rating when it came: see ``ratings.py``."""

    @property
    def source(self) -> int:
        """Of its topic."""
        return self.kind

    @property
    def week(self) -> int:
        """Of the event's time, since 1970."""
        return self.timestamp_ms // WEEK_MS

    @property
    def order(self) -> tuple[int, str]:
        """Order of the recent events: by event time, ties by event id."""
        return self.timestamp_ms, self.event_id

    @property
    def log_order(self) -> tuple[int, int, int]:
        """Position in the user's sequence of items: by event time, ties as they stand in their topics."""
        return self.timestamp_ms, self.kind, self.offset


class SearchEntry(Struct, frozen=True, array_like=True):
    """One of the recent searches."""

    timestamp_ms: EventTime
    event_id: str
    query: str
    """The first ``LONGEST_TEXT`` characters."""
    item_id: Id | None
    """What the user wanted something like, if anything."""
    offset: Offset
    """In ``searches``."""
    arrival: Count
    """As of ``Entry``: events and searches are counted together."""
    contexts: ContextNumbers = ()
    """As of ``Entry``."""

    @property
    def source(self) -> int:
        """Of its topic."""
        return Source.SEARCH

    @property
    def order(self) -> tuple[int, str]:
        """Order of the recent searches: by event time, ties by event id."""
        return self.timestamp_ms, self.event_id


class ImpressionEntry(Struct, frozen=True, array_like=True):
    """One of the recent impressions."""

    timestamp_ms: EventTime
    event_id: str
    item_ids: list[Id]
    slots: list[SlotNumber]
    """Of the items in turn, ``TEACHES_NOBODY`` for those from which others do not learn. Bookkeeping, as
    ``Entry.teaches``."""
    offset: Offset
    """In ``impressions``."""
    arrival: Count
    """As of ``Entry``: all that comes is counted together."""
    features: Annotated[bytes, Meta(max_length=LONGEST_FEATURES)] = b""
    """What was known of the items just before, while it waits for what is chosen: see ``ranking/shown.py``.
    Bookkeeping: it teaches once."""

    @property
    def source(self) -> int:
        """Of its topic."""
        return Source.IMPRESSION

    @property
    def order(self) -> tuple[int, str]:
        """Order of the recent impressions: by event time, ties by event id."""
        return self.timestamp_ms, self.event_id


class ProfileEntry(Struct, frozen=True, array_like=True):
    """What the user has said of themselves: the newest profile."""

    timestamp_ms: EventTime
    interests: Annotated[list[Interest], Meta(max_length=MOST_INTERESTS)] = []
    """Each once, in words, as they were said."""
    language: Language = ""
    birth_year: BirthYear | None = None
    contexts: ContextNumbers = ()
    """Of language and decade of birth what ``UserConfig.context_keys`` declared when it came."""


class ShownCount(Struct, frozen=True, array_like=True):
    """How often the user was shown one item in six hours."""

    period: int
    """Of ``SHOWN_PERIOD_MS``, since 1970."""
    item_id: str
    n: Count
    examined: Count
    """In how many of these the item was looked at, as slots usually are, in hundredths."""
    last_ms: int


class WeeklyCount(Struct, frozen=True, array_like=True):
    """How often one item was interacted with in one week."""

    week: int
    item_id: str
    counts: tuple[Count, Count, Count]
    """By ``Kind``."""
    last_ms: int

    @property
    def period(self) -> int:
        """The week."""
        return self.week


AnyEntry = Entry | SearchEntry | ImpressionEntry
EntryT = TypeVar("EntryT", Entry, SearchEntry, ImpressionEntry)
