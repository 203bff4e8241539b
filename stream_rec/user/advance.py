"""Events, searches, impressions and profiles of one user applied to the user's state: what they lead to."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, dropwhile
from operator import attrgetter

import msgspec
from msgspec import Struct

from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search
from stream_rec.knowledge.signal import Signal
from stream_rec.user import seen, signals
from stream_rec.user.arrival import Arrival
from stream_rec.user.bounds import UserConfig
from stream_rec.user.entries import Entry
from stream_rec.user.impressions import fold_impression
from stream_rec.user.interactions import fold
from stream_rec.user.outcomes import Outcome, Showing, end_impressions, find_showing
from stream_rec.user.profiles import fold_profile
from stream_rec.user.ratings import NO_RATINGS, RatingsConfig
from stream_rec.user.searches import fold_search
from stream_rec.user.seen import Archive, Chunk
from stream_rec.user.state import COLD, UserState, is_applied, n_in_week, release


class Advance(Struct, frozen=True):
    """What a batch of one user's arrivals leads to."""

    state: UserState
    is_changed: bool
    """False where every arrival had been applied before."""
    signals: list[Signal]
    """Of fresh events and, again, of those applied before: to be sent once ``state`` is acknowledged."""
    choosing: UserState
    """The state of before, with the searches, impressions and profiles that came before the first training event: that
    is a choice after them."""
    training_events: list[LoggedEvent]
    """Fresh events, each once, that may teach the head and items' factors: those that send signals, while they are few
    enough in their week."""
    choosing_contexts: tuple[int, ...]
    """``ContextNumbers`` of the first training event: what was said where the user chose."""
    chunks: dict[int, Chunk]
    """By number, the chunks of the user's archive to be written: before ``state``, and with it."""
    n_duplicates: int
    """Fresh arrivals of events that had come before."""
    outcomes: list[Outcome]
    """What was chosen from impressions that others have followed by now, each once."""
    showing: Showing | None
    """The newest impression, if it is fresh, and the state before it: what is known of its items then, will teach."""


def advance(
    state: UserState,
    arrivals: list[Arrival],
    config: UserConfig,
    acknowledged: Mapping[int, int],
    archive: Archive = seen.nothing,
    ratings: RatingsConfig = NO_RATINGS,
) -> Advance:
    """Return the state after ``arrivals``, given in the order in which they came.

    An arrival at or below the state's offset was applied before and changes nothing, but its signal is made again. A
    profile that is taken back of a user of whom nothing ever came leaves the state ``COLD``.

    >>> from stream_rec.events.interaction import Interaction
    >>> from stream_rec.events.source import Source
    >>> came = [Interaction("e1", "ann", "pot", 1_000), Interaction("e2", "ann", "cup", 2_000)]
    >>> arrivals = [Arrival(event, Source.VIEW, partition=0, offset=offset) for offset, event in enumerate(came)]
    >>> after = advance(UserState(), arrivals, UserConfig(), acknowledged={})
    >>> [entry.item_id for entry in after.state.recent_events], after.state.counts
    (['pot', 'cup'], (2, 0, 0))
    >>> [(signal.item_id, signal.pairs) for signal in after.signals]
    [('pot', []), ('cup', [('pot', 12)])]

    Args:
        acknowledged: By ``Source``, the offset up to which all signals are known to be acknowledged.
        archive: The user's.
        ratings: Which values are ratings.
    """
    fresh = [a for a in arrivals if not is_applied(state, a.source, a.offset)]
    if state == COLD:
        fresh = list(dropwhile(_takes_back, fresh))
    released = release(state, acknowledged) if fresh else state
    course = _Course(state, released, config, _in_archive(state, fresh, archive), ratings)
    if len(fresh) < len(arrivals):
        course.signals = None
    for arrival in fresh:
        course.take(arrival)
    after = course.after
    chunks: dict[int, Chunk] = {}
    made = signals.make(after, arrivals, config) if course.signals is None else course.signals
    if fresh:
        after, chunks = _archive(after, max(map(_RECEIVED_MS, fresh)), archive)
    return Advance(
        state=after,
        is_changed=bool(fresh),
        choosing=course.choosing,
        signals=made,
        training_events=course.training_events,
        choosing_contexts=course.choosing_contexts,
        chunks=chunks,
        n_duplicates=course.n_duplicates,
        outcomes=course.outcomes,
        showing=course.showing,
    )


class _Course:
    """A batch of one user's, taken one after the other."""

    def __init__(
        self,
        state: UserState,
        released: UserState,
        config: UserConfig,
        archived: set[bytes],
        ratings: RatingsConfig,
    ) -> None:
        """Begin.

        Args:
            state: As it was kept, and ``released``: the same without what is pending no more.
            archived: Digests of the batch's events that came before.
            ratings: Which values are ratings.
        """
        self.after = released
        self.choosing = state
        self.signals: list[Signal] | None = [] if signals.has_newest_events(released, config) else None
        """None where ``signals.make`` must look: something came late."""
        self.training_events: list[LoggedEvent] = []
        self.choosing_contexts: tuple[int, ...] = ()
        self.n_duplicates = 0
        self.outcomes: list[Outcome] = []
        self.showing: Showing | None = None
        self._has_event = False
        self._config = config
        self._archived = archived
        self._ratings = ratings

    def take(self, arrival: Arrival) -> None:
        """Take what came next."""
        if isinstance(arrival.event, Search):
            self._take_search(arrival, arrival.event)
        elif isinstance(arrival.event, Impression):
            self._take_impression(arrival, arrival.event)
        elif isinstance(arrival.event, Profile):
            self._take_profile(arrival, arrival.event)
        else:
            self._take_event(arrival, arrival.event)

    def _take_search(self, arrival: Arrival, search: Search) -> None:
        before = self.after
        self.after = fold_search(before, search, arrival.offset, self._config, self._archived)
        if not self.training_events:
            self.choosing = fold_search(self.choosing, search, arrival.offset, self._config, self._archived)
        if self.after.arrivals == before.arrivals:
            self.n_duplicates += 1
        elif signals.may_change_answers(before, search):
            self.signals = None

    def _take_impression(self, arrival: Arrival, impression: Impression) -> None:
        before = self.after
        after = fold_impression(before, impression, arrival.offset, self._config, self._archived)
        if not self.training_events:
            self.choosing = (
                fold_impression(self.choosing, impression, arrival.offset, self._config, self._archived)
                if self._has_event
                else after
            )
        if after.arrivals == before.arrivals:
            self.after = after
            self.n_duplicates += 1
            return
        self.after, ended = end_impressions(before, after, impression, self._config)
        self.outcomes += ended
        self.showing = find_showing(before, self.after, self._config) or self.showing
        if self.signals is not None:
            self._add(signals.make_of_newest_impression(before, self.after, arrival))

    def _take_profile(self, arrival: Arrival, profile: Profile) -> None:
        self.after = fold_profile(self.after, profile, arrival.offset, self._config)
        if not self.training_events:
            self.choosing = fold_profile(self.choosing, profile, arrival.offset, self._config)

    def _take_event(self, arrival: Arrival, event: Interaction) -> None:
        self._has_event = True
        before, kind = self.after, Kind(arrival.source)
        after = fold(before, event, kind, arrival.offset, self._config, self._archived, self._ratings)
        entry = _newcomer(before, after)
        if entry is None:
            self.after = after
            self.n_duplicates += 1
            return
        self.after, ended = end_impressions(before, after, event, self._config)
        self.outcomes += ended
        if not entry.teaches:
            return
        is_counted = after.n_uncounted == before.n_uncounted
        if is_counted and n_in_week(after, entry.week) <= self._config.weekly_choices:
            if not self.training_events:
                self.choosing_contexts = entry.contexts
            self.training_events.append(LoggedEvent(kind, event))
        if self.signals is not None:
            self._add(signals.make_in_order(before, self.after, entry, arrival, self._config))

    def _add(self, made: list[Signal] | None) -> None:
        """Add signals; None where they could not be made so."""
        self.signals = None if made is None or self.signals is None else self.signals + made


def _in_archive(state: UserState, fresh: list[Arrival], archive: Archive) -> set[bytes]:
    """Return the digests of those events that the archive holds."""
    if not fresh or not state.n_archived:
        return set()
    event_ids = (a.event.event_id for a in fresh if not isinstance(a.event, Profile))
    return seen.find_known(list(map(seen.digest_of, event_ids)), archive, state.n_archived)


def _takes_back(arrival: Arrival) -> bool:
    """Return whether this is a profile that is taken back."""
    return isinstance(arrival.event, Profile) and arrival.event.is_empty


def _archive(state: UserState, received_ms: int, archive: Archive) -> tuple[UserState, dict[int, Chunk]]:
    """Return the state with no more than ``seen.RECENT`` digests, and the chunks that have the others."""
    received_ms = max(state.received_ms, received_ms)
    n = len(state.recent_ids) // seen.DIGEST_BYTES
    if n <= seen.RECENT:
        if received_ms == state.received_ms:
            return state, {}
        return msgspec.structs.replace(state, received_ms=received_ms), {}
    chunks = seen.archive_digests(state.recent_ids, received_ms, archive, state.n_archived)
    n_archived = state.n_archived + n
    return msgspec.structs.replace(state, received_ms=received_ms, recent_ids=b"", n_archived=n_archived), chunks


def _newcomer(before: UserState, after: UserState) -> Entry | None:
    """Return the entry that one ``fold`` made, or None where the event was a duplicate."""
    if after.arrivals == before.arrivals:
        return None
    entries = chain(reversed(after.recent_events), reversed(after.pending))  # it is most often the first
    return next(entry for entry in entries if entry.arrival == before.arrivals)


_RECEIVED_MS = attrgetter("received_ms")
