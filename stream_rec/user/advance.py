"""Events of one user applied to the user's state, with the signals they send to the item stage.

A signal pairs its event with what had arrived before it. After a crash the very same signal must be sent again, in the
order of source offsets, and perhaps long after the state has gone on: events of other topics come in any order
between. So the state keeps the arrival number of each event, and what leaves the ring stays ``unsettled`` in it until
the signals of all this user's events are known to be safe. In the steady run that is one batch later.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping

from msgspec import Struct

from stream_rec.events.interaction import Interaction, Kind
from stream_rec.knowledge.signal import Signal
from stream_rec.user.pairs import changes
from stream_rec.user.state import Entry, UserConfig, UserState, fold, is_applied, settle


class Arrival(Struct, frozen=True):
    """One valid event as it came from its topic."""

    event: Interaction
    kind: Kind
    partition: int
    offset: int


class Advance(Struct, frozen=True):
    """What a batch of one user's arrivals leads to."""

    state: UserState
    is_changed: bool
    """False where every arrival had been applied before."""
    signals: list[Signal]
    """Of fresh events and, again, of those applied before: to be sent once ``state`` is safe."""


def advance(state: UserState, arrivals: list[Arrival], config: UserConfig, safe: Mapping[int, int]) -> Advance:
    """Return the state after ``arrivals``, given in the order in which they came.

    An arrival at or below the state's offset was applied before and changes nothing, but its signal is made again.

    Args:
        safe: By ``Kind``, the source offset up to which all signals are known to be acknowledged.
    """
    fresh = [a for a in arrivals if not is_applied(state, a.kind, a.offset)]
    after = settle(state, safe) if fresh else state
    for arrival in fresh:
        after = fold(after, arrival.event, arrival.kind, arrival.offset, config)
    return Advance(state=after, is_changed=bool(fresh), signals=_signals(after, arrivals, config))


def _signals(state: UserState, arrivals: list[Arrival], config: UserConfig) -> list[Signal]:
    """Return the signals of those ``arrivals`` whose entries the state still has, in the order given."""
    if not arrivals:
        return []
    by_arrival = sorted([*state.ring, *state.unsettled], key=lambda e: e.arrival)
    at_source = {(entry.kind, entry.offset): place for place, entry in enumerate(by_arrival)}
    wanted = {at_source[key]: a for a in arrivals if (key := (int(a.kind), a.offset)) in at_source}
    if not wanted:
        return []
    made: dict[int, list[Signal]] = {}
    first = min(wanted)
    ring = sorted(by_arrival[:first], key=lambda e: e.order)[-config.ring :]  # as it was when each event arrived
    for place, entry in enumerate(by_arrival[first : max(wanted) + 1], start=first):
        insort(ring, entry, key=lambda e: e.order)
        if place in wanted:
            made[place] = _signals_of(ring, entry, wanted[place].partition, config)
        if len(ring) > config.ring:
            del ring[0]
    return [signal for place in made for signal in made[place]]


def _signals_of(ring: list[Entry], entry: Entry, partition: int, config: UserConfig) -> list[Signal]:
    """Return what one event teaches: about its own item first, then about items that it moved away from others."""
    by_item: dict[str, list[tuple[str, int]]] = {entry.item_id: []}
    at = bisect_left(ring, entry.order, key=lambda e: e.order)
    if at > 0 or len(ring) <= config.ring:  # an event older than a full ring has no pairs
        for (earlier, later), change in changes(ring, at).items():
            by_item.setdefault(later, []).append((earlier, change))
    return [
        Signal(
            item_id=item_id,
            kind=entry.kind,
            partition=partition,
            offset=entry.offset,
            seen_ms=entry.timestamp_ms if item_id == entry.item_id else None,
            pairs=pairs,
        )
        for item_id, pairs in by_item.items()
    ]
