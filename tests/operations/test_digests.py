"""A compact set of ids."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.operations import digests
from stream_rec.operations.digests import Digests, digest_of


def test_it_is_a_set(monkeypatch: pytest.MonkeyPatch):
    """As Python's own, over many sizes of its parts; what is added twice is there once."""
    monkeypatch.setattr(digests, "NEW", 16)
    rng = np.random.default_rng(1)
    found, expected = Digests(), set()
    for digest in [*rng.integers(0, 500, 2000, dtype=np.uint64).tolist(), 0, 2**64 - 1, 2**63]:
        assert found.add(digest) == (digest not in expected)
        expected.add(digest)

    assert len(found) == len(expected)
    assert [digest for digest in range(600) if digest in found] == sorted(expected & set(range(600)))
    assert 2**64 - 1 in found and 2**63 in found and 2**63 - 1 not in found


def test_a_million_take_eight_megabytes(monkeypatch: pytest.MonkeyPatch):
    """All but the newest are in arrays, and there are few of these."""
    monkeypatch.setattr(digests, "NEW", 1000)
    found = Digests()
    for number in range(0, 100_000):
        found.add(number * 1_000_003)

    assert sum(part.nbytes for part in found._parts) == 8 * 100_000
    assert len(found._parts) <= 7


def test_users_have_ids_of_their_own():
    """The same event_id of two users is two events, and no two texts run into each other."""
    assert len({digest_of("ann", "e1"), digest_of("bob", "e1"), digest_of("anne", "1"), digest_of("ann")}) == 4
    assert digest_of("ann", "e1") == digest_of("ann", "e1") < 2**64
