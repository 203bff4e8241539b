"""One item's state: what all users together taught about it. Integers are exact, decayed sums to float rounding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from stream_rec.errors import StateVersionError
from stream_rec.events.codec import Count, EventTime, Offset, decode_versioned
from stream_rec.knowledge import contexts, fading, popularity, visits
from stream_rec.knowledge.bounds import KnowledgeConfig
from stream_rec.knowledge.fading import Number
from stream_rec.knowledge.signal import NOT_SHOWN, Signal
from stream_rec.knowledge.slots import N_SLOTS

VERSION = 7

Weight = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Sum = Annotated[float, Meta(gt=0, le=2**53)]
Difference = Annotated[float, Meta(ge=-(2**53), le=2**53)]


class ItemState(Struct, frozen=True, array_like=True):
    """All that was taught about one item."""

    version: int = VERSION
    counts: tuple[Count, Count, Count] = (0, 0, 0)
    """Interactions ever, by ``Kind``."""
    sums: list[Sum] = []
    """Decayed popularity by ``popularity.HALF_LIVES_MS``, as of ``last_ms``."""
    first_ms: EventTime | None = None
    last_ms: EventTime | None = None
    predecessors: dict[str, Weight] = {}
    """Items that users came from, with the summed pair weights. Exact until the bound cuts the lightest."""
    watermarks: dict[Count, Offset] = {}
    """Last applied source offset, by source partition (``Signal.source``)."""
    repeats: Count = 0
    """How many of the interactions were by a user who had the item before."""
    visits: bytes = b""
    """Who came last: see ``visits.py``."""
    first_sums: list[Sum] = []
    """Of those interactions that were their user's first of their kind, by ``popularity.FIRST_HALF_LIVES_MS``."""
    last_first_ms: EventTime | None = None
    """Event time of the newest of them, which ``first_sums`` are as of."""
    queries: dict[Number, tuple[Weight, Difference, EventTime]] = {}
    """What users had asked for who came here, and how much that answered it: see ``queries.py``. Exact until the bound
    cuts the least."""
    shown: Annotated[list[Count], Meta(max_length=N_SLOTS)] = []
    """How often the item was shown, by slot (``slots.slot_of``); empty where it never was."""
    chosen: Annotated[list[Weight], Meta(max_length=N_SLOTS)] = []
    """How often it was chosen from there, the same way. For a while it may be more than it was shown, or less than 0:
    what says so comes from several topics."""
    contexts: dict[Number, tuple[Count, Sum, EventTime]] = {}
    """In which contexts users came here, and how often, and how often something was said of each key at all: see
    ``contexts.py``. Exact until the bound cuts the least."""
    ratings: tuple[Count, Weight] = (0, 0)
    """How often the item was rated, and the sum of that in thousandths."""


UNSEEN = ItemState()


def apply(state: ItemState, signals: Iterable[Signal], config: KnowledgeConfig) -> ItemState:
    """Return the state after the signals for this item; what was applied before is skipped."""
    watermarks = dict(state.watermarks)
    predecessors, asked, came_in = dict(state.predecessors), dict(state.queries), dict(state.contexts)
    counts, sums, first_ms, last_ms = list(state.counts), state.sums, state.first_ms, state.last_ms
    repeats, recent_visits = state.repeats, state.visits
    first_sums, last_first_ms = state.first_sums, state.last_first_ms
    shown, chosen = state.shown, state.chosen
    n_ratings, total = state.ratings
    for signal in signals:
        source = signal.source
        if signal.offset <= watermarks.get(source, -1):
            continue
        watermarks[source] = signal.offset
        if signal.seen_ms is not None:
            counts[signal.kind] += 1
            sums, last_ms = popularity.add(sums, last_ms, signal.seen_ms)
            first_ms = signal.seen_ms if first_ms is None else min(first_ms, signal.seen_ms)
            repeats += signal.again
            if signal.is_first:
                first_sums, last_first_ms = popularity.add(
                    first_sums, last_first_ms, signal.seen_ms, popularity.FIRST_HALF_LIVES_MS
                )
            recent_visits = visits.add_visit(recent_visits, signal.seen_ms, signal.visitor, config.recent_visits)
            for number in signal.contexts:
                for each in (number, contexts.key_of(number)):
                    fading.add_to(came_in, each, signal.seen_ms, 1)
            if signal.rating is not None:
                n_ratings, total = n_ratings + 1, total + signal.rating
        elif signal.erases:
            recent_visits = visits.remove_visitor(recent_visits, signal.visitor)
        for item_id, change in signal.pairs:
            weight = predecessors.get(item_id, 0) + change
            if weight:
                predecessors[item_id] = (
                    weight  # may be negative: a correction can overtake what it corrects, or outlive it
                )
            else:
                predecessors.pop(item_id, None)
        for number, at_ms, change in signal.answers:
            fading.add_to(asked, number, at_ms, change)
        if signal.shown != NOT_SHOWN:
            shown = _add(shown, signal.shown, 1)
        for slot, change in signal.chosen:
            chosen = _add(chosen, slot, change)
    if len(predecessors) > 2 * config.predecessors:
        heaviest = sorted(predecessors.items(), key=lambda pair: (-pair[1], pair[0]))[: config.predecessors]
        predecessors = dict(heaviest)
    views, clicks, purchases = counts
    return ItemState(
        counts=(views, clicks, purchases),
        sums=sums,
        first_ms=first_ms,
        last_ms=last_ms,
        predecessors=predecessors,
        watermarks=watermarks,
        repeats=repeats,
        visits=recent_visits,
        first_sums=first_sums,
        last_first_ms=last_first_ms,
        queries=fading.cut(asked, config.queries),
        shown=shown,
        chosen=chosen,
        contexts=fading.cut(came_in, config.contexts),
        ratings=(n_ratings, total),
    )


def strip_bookkeeping(state: ItemState) -> ItemState:
    """Return what the world may know of the state: all but its bookkeeping."""
    return msgspec.structs.replace(state, watermarks={})


def encode(state: ItemState) -> bytes:
    """Return the bytes that the table and ``item-knowledge`` carry; equal states give equal bytes."""
    ordered = msgspec.structs.replace(
        state,
        predecessors=dict(sorted(state.predecessors.items())),
        watermarks=dict(sorted(state.watermarks.items())),
        queries=dict(sorted(state.queries.items())),
        contexts=dict(sorted(state.contexts.items())),
    )
    return _ENCODER.encode(ordered)


def decode(data: bytes) -> ItemState:
    """Return the state in ``data``.

    Raises:
        StateVersionError: written by a newer program, or not an item state at all.
    """
    state = decode_versioned(data, _DECODER, what="item state", version=VERSION)
    wrong = _find_contradiction(state)
    if wrong:
        raise StateVersionError(f"item state cannot be read: {wrong}")
    return state


def _add(by_slot: list[int], slot: int, change: int) -> list[int]:
    """Return the counts with a change in one slot; empty where all are 0."""
    changed = by_slot + [0] * (N_SLOTS - len(by_slot))
    changed[slot] += change
    return changed if any(changed) else []


def _find_contradiction(state: ItemState) -> str | None:
    """Return what cannot be true of any item, for a catalog takes each state as it is."""
    if state.first_ms is None or state.last_ms is None:
        if state.sums or state.first_ms != state.last_ms:
            return "one of sums, first_ms and last_ms is there, but not all"
    elif len(state.sums) != len(popularity.HALF_LIVES_MS):
        return f"{len(state.sums)} sums, one for each of {len(popularity.HALF_LIVES_MS)} half-lives expected"
    elif state.first_ms > state.last_ms:
        return f"first_ms={state.first_ms} is after last_ms={state.last_ms}"
    if state.last_first_ms is None:
        if state.first_sums:
            return "first_sums are there, but not last_first_ms"
    elif len(state.first_sums) != len(popularity.FIRST_HALF_LIVES_MS):
        return f"{len(state.first_sums)} first_sums, {len(popularity.FIRST_HALF_LIVES_MS)} half-lives expected"
    elif state.first_ms is None or state.last_ms is None or not state.first_ms <= state.last_first_ms <= state.last_ms:
        return f"last_first_ms={state.last_first_ms} is not between first_ms and last_ms"
    if any(len(by_slot) not in (0, N_SLOTS) for by_slot in (state.shown, state.chosen)):
        return f"counts of {len(state.shown)} and {len(state.chosen)} slots, {N_SLOTS} or none expected"
    return visits.find_contradiction(state.visits)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(ItemState)
