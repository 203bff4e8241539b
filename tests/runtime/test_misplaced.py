"""Which keys do not belong where they stand."""

from __future__ import annotations

import random

import numpy as np
import pytest

from stream_rec.events.partition import murmur2, partition_of
from stream_rec.runtime import misplaced as module
from stream_rec.runtime.misplaced import Misplaced, murmur2_of_all

KEYS = [b"user-%d" % number for number in range(200)]
HERE = [key for key in KEYS if partition_of(key, 8) == 3]
ELSEWHERE = [key for key in KEYS if partition_of(key, 8) != 3]


@pytest.mark.parametrize("length", range(1, 14))
def test_all_at_once_is_each_by_itself(length: int):
    """Of keys of any length and any bytes."""
    rng = random.Random(length)
    keys = [rng.randbytes(length) for _ in range(100)]

    found = murmur2_of_all(np.frombuffer(b"".join(keys), np.uint8).reshape(-1, length))

    assert found.tolist() == [murmur2(key) for key in keys]


def test_keys_of_other_partitions_are_found():
    """Whatever stands among them: markers, which have no place of their own, and a key without a byte."""
    found = Misplaced(8)
    found.take(3, dict.fromkeys([*KEYS, b"\0seen\0x", b"\0", b""], b"state"))

    assert found == set(ELSEWHERE)


def test_what_is_deleted_later_is_not_there():
    """And what was never there may be deleted."""
    found = Misplaced(8)
    found.take(3, dict.fromkeys(ELSEWHERE[:2], b"state"))
    found.take(3, dict.fromkeys(ELSEWHERE[1:3]))

    assert found == {ELSEWHERE[0]}


def test_no_more_are_kept_than_are_counted(monkeypatch: pytest.MonkeyPatch):
    """A million would cost as many bytes as their states' index."""
    monkeypatch.setattr(module, "MOST", 5)
    found = Misplaced(8)
    found.take(3, dict.fromkeys(ELSEWHERE, b"state"))

    assert len(found) == 5
