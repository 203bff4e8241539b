"""One item's state: what all users together taught about it. Integers are exact, decayed sums to float rounding."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from stream_rec.errors import StateVersionError
from stream_rec.knowledge import popularity, visits
from stream_rec.knowledge.bounds import KnowledgeConfig
from stream_rec.knowledge.signal import Signal

VERSION = 2


class ItemState(Struct, frozen=True, array_like=True):
    """All that was taught about one item."""

    version: int = VERSION
    counts: tuple[int, int, int] = (0, 0, 0)
    """Interactions ever, by ``Kind``."""
    sums: list[float] = []
    """Decayed popularity by ``popularity.HALF_LIVES_MS``, as of ``last_ms``."""
    first_ms: int | None = None
    last_ms: int | None = None
    predecessors: dict[str, int] = {}
    """Items that users came from, with the summed pair weights. Exact until the bound cuts the lightest."""
    watermarks: dict[int, int] = {}
    """Last applied source offset, by source partition (``Signal.source``)."""
    repeats: int = 0
    """How many of the interactions were by a user who had the item before."""
    visits: bytes = b""
    """Who came last: see ``visits.py``."""


UNSEEN = ItemState()


def apply(state: ItemState, signals: Iterable[Signal], config: KnowledgeConfig) -> ItemState:
    """Return the state after the signals for this item; what was applied before is skipped."""
    watermarks = dict(state.watermarks)
    predecessors = dict(state.predecessors)
    counts, sums, first_ms, last_ms = list(state.counts), state.sums, state.first_ms, state.last_ms
    repeats, ring = state.repeats, state.visits
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
            ring = visits.with_visit(ring, signal.seen_ms, signal.visitor, config.visitors)
        for item_id, change in signal.pairs:
            weight = predecessors.get(item_id, 0) + change
            if weight:
                predecessors[item_id] = (
                    weight  # may be negative: a correction can overtake what it corrects, or outlive it
                )
            else:
                predecessors.pop(item_id, None)
    if len(predecessors) > 2 * config.predecessors:
        heaviest = sorted(predecessors.items(), key=lambda pair: (-pair[1], pair[0]))[: config.predecessors]
        predecessors = dict(heaviest)
    return ItemState(
        counts=tuple(counts),
        sums=sums,
        first_ms=first_ms,
        last_ms=last_ms,
        predecessors=predecessors,
        watermarks=watermarks,
        repeats=repeats,
        visits=ring,
    )


def knowledge(state: ItemState) -> ItemState:
    """Return what the world may know of the state: all but its bookkeeping."""
    return msgspec.structs.replace(state, watermarks={})


def encode(state: ItemState) -> bytes:
    """Return the bytes that the table and ``item-knowledge`` carry; equal states give equal bytes."""
    ordered = msgspec.structs.replace(
        state, predecessors=dict(sorted(state.predecessors.items())), watermarks=dict(sorted(state.watermarks.items()))
    )
    return _ENCODER.encode(ordered)


def decode(data: bytes) -> ItemState:
    """Return the state in ``data``.

    Raises:
        StateVersionError: written by a newer program, or not an item state at all.
    """
    try:
        state = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise StateVersionError(f"item state cannot be read ({error}); version {VERSION} expected") from error
    if state.version > VERSION:
        raise StateVersionError(f"item state has version {state.version}, this program reads up to {VERSION}")
    return state


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(ItemState)
