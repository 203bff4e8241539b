"""Whatever the bytes: a decoder gives a value that can be used, or refuses with its named error.

A short form of ``python -m tests.fuzz``, in which hypothesis shrinks what fails. Each example has a world of its own,
which takes a few inputs in turn: a state must also fit on what others left.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_rec.catalog import factors
from stream_rec.embedding import item_embedding
from stream_rec.errors import StateVersionError
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge import state as item_state
from stream_rec.ranking import merge
from stream_rec.user import state as user_state
from tests.fuzz.decoders import DECODERS, Decoder
from tests.fuzz.valid import COLD, OF
from tests.fuzz.world import World

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of numbers that are then refused
NAMED = (StateVersionError, item_embedding.MalformedEmbedding, merge.MalformedContribution, factors.MalformedShift)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(random=st.randoms(use_true_random=False), n=st.integers(1, 3))
def test_damaged_input_is_refused_by_name_or_used(decoder: Decoder, random: Random, n: int, tmp_path: Path):
    """No other exception, whatever is damaged and whatever came before."""
    world = World(tmp_path)
    for _ in range(n):
        decoder.take(world, decoder.made(random))


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_both_outcomes_are_tried(decoder: Decoder, tmp_path: Path):
    """Of 60 inputs some are refused and some are used: else the fuzzing would say nothing."""
    world = World(tmp_path)
    taken = {decoder.take(world, decoder.made(Random(f"{decoder.name}/{number}"))) for number in range(60)}

    assert taken == ({True} if decoder.name == "record" else {True, False})


LONG = (b"\xdb", b"\xc6", b"\xdd", b"\xdf", b"\xc9")
"""How a text, bytes, a list, a map and an extension of up to 4 GiB begin in msgpack."""


@pytest.mark.parametrize(
    ("decode", "whole"),
    [
        (user_state.decode, user_state.encode(user_state.COLD)),
        (item_state.decode, item_state.encode(item_state.UNSEEN)),
        (signals.decode, signals.encode([signals.Signal("i", 0, 0, 0)])),
        (lambda data: item_embedding.decode(data), b"\1\xff\xff\xff\xff" + bytes(60)),
        (lambda data: item_embedding.decode(data), b"\2\2" + bytes(16) + b"\xff\xff\xff\xff" + bytes(60)),
        (lambda data: merge.decode(data, COLD, OF), b"\1" + OF + b"\xff" * 60),
    ],
)
def test_a_length_that_lies_costs_no_memory(decode: Callable[[bytes], Any], whole: bytes):
    """Four bytes that promise 4 GiB are refused for a megabyte at most."""
    tracemalloc.start()
    try:
        for at in range(len(whole) + 1):
            for begin in LONG:
                with pytest.raises(NAMED):
                    decode(whole[:at] + begin + b"\xff\xff\xff\xff" + whole[at:])
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 1_000_000


@pytest.mark.parametrize(
    ("decode", "whole"),
    [
        (user_state.decode, user_state.encode(user_state.COLD)),
        (item_state.decode, item_state.encode(item_state.UNSEEN)),
        (signals.decode, signals.encode([])),
    ],
)
def test_lists_within_lists_without_end_are_refused(decode: Callable[[bytes], Any], whole: bytes):
    """Also where no field is expected any more, and what stands there is passed over."""
    with pytest.raises(StateVersionError):
        decode(b"\x91" * 100_000)
    one_more = msgspec.msgpack.encode([*msgspec.msgpack.decode(whole), 0])
    with pytest.raises(StateVersionError, match="recursion"):
        decode(one_more[:-1] + b"\x91" * 100_000)
