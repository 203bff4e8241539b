"""Signals and their bytes."""

import msgspec
import pytest

from stream_rec.errors import StateVersionError
from stream_rec.events.interaction import Kind
from stream_rec.events.source import Source
from stream_rec.knowledge import signal
from stream_rec.knowledge.signal import Signal, Signals


def test_signals_survive_their_bytes():
    """Many events travel in one message, in their order."""
    signals = [
        Signal("a", 0, 3, 7, 99, [("b", 12), ("c", -1)], 2**64 - 1, True, answers=[(2**56 - 1, 99, 8)]),
        Signal("é", 2, 0, 8),
        Signal("é", Source.SEARCH, 0, 8, answers=[(0, 5, -8)]),
        Signal("a", Source.CLICK, 0, 9, 99, chosen=[(0, 1)]),
        Signal("é", Source.IMPRESSION, 0, 8, shown=7, chosen=[(0, -(2**31)), (7, 2**31)]),
    ]

    assert signal.decode(signal.encode(signals)) == signals
    assert signal.decode(signal.encode([])) == []


def test_every_source_partition_has_a_number_of_its_own():
    """The number is the key of a watermark: two sources that shared one would hide each other's events."""
    numbers = {signal.source_number(kind, partition) for kind in Source for partition in range(100)}
    erasers = {Signal("a", 0, partition, 0, erases=True).source for partition in range(100)}

    assert len(numbers | erasers) == 100 * (len(Source) + 1)
    assert Signal("a", Kind.PURCHASE, 5, 0).source == signal.source_number(Kind.PURCHASE, 5)


def test_the_numbers_of_sources_are_fixed():
    """They stand in stored states: views of partition 0 and purchases of partition 5."""
    assert signal.source_number(Kind.VIEW, 0) == 0
    assert signal.source_number(Source.IMPRESSION, 1) == 20
    assert signal.source_number(Source.PROFILE, 1) == 21
    assert signal.source_number(Kind.PURCHASE, 5) == 82


@pytest.mark.parametrize("answer", [(-1, 5, 8), (2**56, 5, 8), (7, -1, 8), (7, 5, 2**31 + 1), (7, 5, 0.5), (7, 5)])
def test_answers_that_cannot_be_are_refused(answer):
    """They would stay in an item's state."""
    data = msgspec.msgpack.encode([signal.VERSION, [["a", 3, 0, 7, None, [], 0, False, False, False, [answer]]]])

    with pytest.raises(StateVersionError, match="cannot be read"):
        signal.decode(data)


@pytest.mark.parametrize("source", [Source.SEARCH, Source.IMPRESSION])
def test_a_search_or_an_impression_that_is_an_event_of_an_item_is_refused(source):
    """Items count events by kind, and neither has one."""
    seen = signal.encode([Signal("a", Source.VIEW, 0, 6, 99), Signal("a", source, 0, 7, 99)])

    with pytest.raises(StateVersionError, match="no search or impression is a visit"):
        signal.decode(seen)


def message_of(source: Source, shown: object, chosen: object) -> bytes:
    """Return a message of one signal that says no more than where an item was shown, or chosen from."""
    return msgspec.msgpack.encode(
        [signal.VERSION, [["a", source, 0, 7, None, [], 0, False, False, False, [], shown, chosen]]]
    )


@pytest.mark.parametrize(
    ("shown", "chosen"),
    [
        (-2, []),
        (8, []),
        (0.5, []),
        (None, []),
        (0, [(-1, 1)]),
        (0, [(8, 1)]),
        (0, [(0, 2**31 + 1)]),
        (0, [(0, -(2**31) - 1)]),
        (0, [(0, 0.5)]),
        (0, [(0,)]),
        (0, [(0, 1, 1)]),
        (0, {0: 1}),
    ],
)
def test_slots_that_cannot_be_are_refused(shown, chosen):
    """There are eight, counted from 0; -1 says that the item was shown nowhere, and is chosen from nowhere."""
    assert signal.decode(message_of(Source.IMPRESSION, 7, [(7, 1)])) == [
        Signal("a", Source.IMPRESSION, 0, 7, shown=7, chosen=[(7, 1)])
    ]

    with pytest.raises(StateVersionError, match="cannot be read"):
        signal.decode(message_of(Source.IMPRESSION, shown, chosen))


def test_signals_of_before_impressions_are_read():
    """Version 5 ended with answers: nothing was shown, and nothing chosen from anywhere."""
    now = Signal("a", Source.VIEW, 3, 7, 99, [("b", 12)], 5, True, answers=[(7, 99, 8)])
    old = msgspec.msgpack.decode(signal.encode([now]))
    old[0], old[1][0] = 5, old[1][0][:-2]

    assert signal.decode(msgspec.msgpack.encode(old)) == [now]
    assert (now.shown, now.chosen) == (signal.NOT_SHOWN, [])


def test_a_newer_version_is_refused():
    """A program must not guess at what a newer one wrote."""
    with pytest.raises(StateVersionError, match=f"version {signal.VERSION + 1}"):
        signal.decode(msgspec.msgpack.encode(Signals(signal.VERSION + 1, [])))


def test_an_older_version_is_read():
    """Version 1 did not say who, nor whether again."""
    message = msgspec.msgpack.encode([1, [["a", 0, 3, 7, 99, [["b", 12]]]]])

    assert signal.decode(message) == [Signal("a", 0, 3, 7, 99, [("b", 12)], visitor=0, again=False)]


@pytest.mark.parametrize("data", [b"", b"\xc1", b"{}", b"\x92\x01\x91\x01"])
def test_bytes_that_are_no_signals_are_refused(data):
    """Never a part of a message."""
    with pytest.raises(StateVersionError, match="cannot be read"):
        signal.decode(data)
