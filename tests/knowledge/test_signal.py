"""Signals and their bytes."""

import msgspec
import pytest

from stream_rec.errors import StateVersionError
from stream_rec.events.interaction import Kind
from stream_rec.knowledge import signal
from stream_rec.knowledge.signal import Signal, Signals


def test_signals_survive_their_bytes():
    """Many events travel in one message, in their order."""
    signals = [Signal("a", 0, 3, 7, 99, [("b", 12), ("c", -1)], 2**64 - 1, True), Signal("é", 2, 0, 8)]

    assert signal.decode(signal.encode(signals)) == signals
    assert signal.decode(signal.encode([])) == []


def test_every_source_partition_has_a_number_of_its_own():
    """The number is the key of a watermark: two sources that shared one would hide each other's events."""
    numbers = {signal.source_number(kind, partition) for kind in Kind for partition in range(100)}

    assert len(numbers) == 300
    assert Signal("a", Kind.PURCHASE, 5, 0).source == signal.source_number(Kind.PURCHASE, 5)


def test_the_numbers_of_sources_are_fixed():
    """They stand in stored states: views of partition 0 and purchases of partition 5."""
    assert signal.source_number(Kind.VIEW, 0) == 0
    assert signal.source_number(Kind.PURCHASE, 5) == 82


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
