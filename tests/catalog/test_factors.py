"""Factors: where an item begins, what its text changes, and the sum of the shifts that workers published."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import factors as module
from stream_rec.catalog.factors import DIMENSIONS, POOL, SCALE, Factors, MalformedShift, decode, encode
from stream_rec.errors import StateVersionError
from tests.catalog.stock import NEW, OLD, embedded, stocked

UNIT = SCALE / DIMENSIONS**0.5
ITEMS = ("a", "b", "c")


def new(*item_ids: str) -> Factors:
    """Return factors of items without texts."""
    factors = Factors()
    for row, item_id in enumerate(item_ids or ITEMS):
        factors.add(row, item_id)
    return factors


def bits(data: bytes) -> list[int]:
    """Return -1 and 1 for the bits, the highest of each byte first."""
    return [1 if byte >> place & 1 else -1 for byte in data for place in reversed(range(8))]


def signs_of(item_id: str) -> np.ndarray:
    """Where an item without a text begins, by another way."""
    return UNIT * np.array(bits(hashlib.blake2b(item_id.encode(), digest_size=8).digest()))


def projected(*numbers: float) -> np.ndarray:
    """Where a text vector of so many numbers is, by another way."""
    signs = bits(hashlib.shake_128(b"stream-rec factors").digest(8 * len(numbers)))
    rows = [signs[at : at + DIMENSIONS] for at in range(0, len(signs), DIMENSIONS)]
    return UNIT * np.array([sum(x * row[d] for x, row in zip(numbers, rows)) for d in range(DIMENSIONS)])


def drawn(seed: int) -> np.ndarray:
    """Return a move as it comes out of its bytes."""
    return decode(encode(np.random.default_rng(seed).normal(0, 0.5, DIMENSIONS).astype(np.float32)))


def moves(factors: Factors, row: int, shift: np.ndarray) -> None:
    """Let this worker's users move an item."""
    factors.vectors[row] += shift
    factors.own[row] += shift
    factors.mark_shifted(np.array([row]))


def test_an_item_without_a_text_begins_at_signs_of_its_id():
    """Each id has its own, in every process the same; all are as long as a text's."""
    factors = new("a", "tea/pot é")

    assert np.allclose(factors.vectors[0], signs_of("a"))
    assert np.allclose(factors.vectors[1], signs_of("tea/pot é"))
    assert np.linalg.norm(factors.vectors[:2], axis=1) == pytest.approx([SCALE, SCALE])
    assert not factors.own.any() and not factors.changed


def test_an_item_with_a_text_begins_where_its_text_is():
    """The projection by hand: the sum of one row of signs for each number, 0.8 of 1 sign and 0.6 of another."""
    factors = new()
    factors.put_text(1, np.array([0.8, 0.6], dtype=np.float32))

    assert np.allclose(factors.vectors[1], projected(0.8, 0.6), atol=1e-6)
    assert np.allclose(factors.vectors[0], signs_of("a"))


def test_texts_keep_their_angles_roughly():
    """64 random signs tell cosines to some 0.12: what reads alike is near, what does not is not."""
    rng = np.random.default_rng(1)
    texts = rng.normal(size=(60, 384)) + 1.5 * rng.normal(size=(3, 384))[np.arange(60) % 3]
    texts = (texts / np.linalg.norm(texts, axis=1, keepdims=True)).astype(np.float32)
    factors = new(*(f"i{n}" for n in range(60)))
    for row, text in enumerate(texts):
        factors.put_text(row, text)
    found = factors.vectors[:60] / np.linalg.norm(factors.vectors[:60], axis=1, keepdims=True)
    error = (found @ found.T - texts @ texts.T)[np.triu_indices(60, 1)]

    assert np.abs(error).mean() < 0.12 and np.abs(error).max() < 0.5
    assert np.linalg.norm(factors.vectors[:60], axis=1) == pytest.approx([SCALE] * 60, rel=0.5)


def test_a_text_moves_an_item_and_keeps_what_choices_taught():
    """It arrives, is replaced by another and is deleted; own moves and those of others stay in the sum."""
    factors = new()
    own, others = drawn(1), drawn(2)
    moves(factors, 0, own)
    factors.take("bob", 0, others)

    def moved() -> np.ndarray:
        return factors.vectors[0] - own - others

    assert np.allclose(moved(), signs_of("a"), atol=1e-5)
    for text in ([1.0, 0.0], [0.6, 0.8]):
        factors.put_text(0, np.array(text, dtype=np.float32))
        assert np.allclose(moved(), projected(*text), atol=1e-5)
    factors.delete_text(0, "a")
    assert np.allclose(moved(), signs_of("a"), atol=1e-5)
    assert factors.own[0].tolist() == own.tolist()


def test_another_encoder_moves_all_items_of_a_catalog():
    """When it takes over, items go to its texts, those that it lacks to their signs; choices stay."""
    catalog = stocked(*ITEMS)
    catalog.put_embedding("a", embedded([1, 0]))
    catalog.put_embedding("b", embedded([0, 1]))
    moves(catalog.factors, 0, drawn(1))
    catalog.put_embedding("a", embedded([0, 0, 1], NEW))
    assert np.allclose(catalog.factors.vectors[0] - drawn(1), projected(1, 0), atol=1e-5)  # not yet

    catalog.put_embedding("c", embedded([0, 1, 0], NEW))
    assert np.allclose(catalog.factors.vectors[0] - drawn(1), projected(0, 0, 1), atol=1e-5)
    assert np.allclose(catalog.factors.vectors[1], signs_of("b"), atol=1e-5)
    assert np.allclose(catalog.factors.vectors[2], projected(0, 1, 0), atol=1e-5)

    catalog.put_embedding("b", embedded([1, 0, 0], NEW))
    catalog.delete_embedding("c")
    assert np.allclose(catalog.factors.vectors[1], projected(1, 0, 0), atol=1e-5)
    assert np.allclose(catalog.factors.vectors[2], signs_of("c"), atol=1e-5)


def test_a_vector_that_waits_for_its_encoder_moves_nothing():
    """Not even an item that has no other."""
    catalog = stocked(*ITEMS)
    catalog.put_embedding("a", embedded([1, 0], OLD))
    catalog.put_embedding("b", embedded([0, 1], OLD))
    catalog.put_embedding("c", embedded([0, 1, 0], NEW))

    assert np.allclose(catalog.factors.vectors[2], signs_of("c"))


records = st.lists(st.tuples(st.sampled_from(["ann", "bob", "me"]), st.integers(0, 2), st.integers(0, 9)), max_size=20)


def read(factors: Factors, published: list[tuple[str, int, int]]) -> Factors:
    """Take records of (worker, row, seed of the move) as "me"."""
    for worker, row, seed in published:
        if worker == "me":
            factors.restore(row, drawn(seed))
        else:
            factors.take(worker, row, drawn(seed))
    return factors


def newest_counted(published: list[tuple[str, int, int]]) -> np.ndarray:
    """Return the vectors that these records must give: the beginning and the newest word of each."""
    vectors = np.array([signs_of(item_id) for item_id in ITEMS])
    for (_, row), seed in {(worker, row): seed for worker, row, seed in published}.items():
        vectors[row] += drawn(seed)
    return vectors


@settings(deadline=None, max_examples=100)
@given(published=records)
def test_the_newest_shift_of_each_worker_counts_once(published):
    """Of this worker itself too: before compaction, its older records stand in the topic beside its newest."""
    factors = read(new(), published)
    own = {row: seed for worker, row, seed in published if worker == "me"}

    assert np.allclose(factors.vectors[:3], newest_counted(published), atol=1e-4)
    for row in range(3):
        assert factors.own[row].tolist() == (drawn(own[row]).tolist() if row in own else [0.0] * DIMENSIONS)
    assert not factors.changed  # nothing of it is news
    others = {(worker, row) for worker, row, _ in published if worker != "me"}
    assert factors.n_shifted == (len(own), len(others))


@settings(deadline=None, max_examples=100)
@given(published=records, random=st.randoms(use_true_random=False), again=st.integers(1, 3))
def test_the_order_of_several_workers_shifts_does_not_matter(published, random, again):
    """One worker's records of an item come in order, as they lie in one partition; any may come twice."""
    keys = [(worker, row) for worker, row, _ in published for _ in range(again)]
    random.shuffle(keys)
    shifts = {key: [one for one in published if one[:2] == key for _ in range(again)] for key in keys}
    mixed = [shifts[key].pop(0) for key in keys]

    assert np.allclose(read(new(), mixed).vectors[:3], read(new(), published).vectors[:3], atol=1e-4)


def test_an_own_word_that_comes_back_changes_nothing():
    """What a worker has sent reaches it again, often when it has moved the item on."""
    factors = new()
    factors.restore(0, drawn(1))
    moves(factors, 0, drawn(2))
    sent = decode(encode(factors.own[0]))
    moves(factors, 0, drawn(3))
    before = factors.vectors[0].copy(), factors.own[0].copy()
    factors.restore(0, sent)

    assert (factors.vectors[0].tolist(), factors.own[0].tolist()) == (before[0].tolist(), before[1].tolist())
    factors.restore(1, drawn(4))  # of an item that it has not moved since
    assert factors.own[1].tolist() == drawn(4).tolist()


def test_a_worker_that_starts_again_is_where_it_was():
    """From the shifts of all, to the precision of float16; what it learns then is added to its own word."""
    before = new()
    for row in range(3):
        before.put_text(row, np.array([row, 1.0], dtype=np.float32))
        moves(before, row, np.random.default_rng(row).normal(0, 0.5, DIMENSIONS).astype(np.float32))
        before.take("bob", row, drawn(10 + row))
    after = new()
    for row in range(3):
        after.restore(row, decode(encode(before.own[row])))
        after.take("bob", row, drawn(10 + row))
        after.put_text(row, np.array([row, 1.0], dtype=np.float32))

    assert np.allclose(after.vectors[:3], before.vectors[:3], atol=2e-3)
    moves(after, 1, drawn(5))
    assert np.allclose(after.own[1], before.own[1] + drawn(5), atol=2e-3)


def test_bytes_and_back():
    """Version, then 64 little-endian float16; the same bytes from there on."""
    moved = np.zeros(DIMENSIONS, dtype=np.float32)
    moved[:3] = 1.0, -0.1, 7.9
    data = encode(moved)

    assert len(data) == 129
    assert data[:7].hex() == "01" + "003c" + "66ae" + "e647"
    assert decode(data) == pytest.approx(moved, rel=1e-3)
    assert decode(data).dtype == np.float32
    assert encode(decode(data)) == data


@pytest.mark.parametrize("data", [b"", b"\0", b"\0" * 129, b"\1", b"\1" * 128, b"\1" * 130])
def test_what_is_no_move_is_refused(data):
    """Cut short, too long, or of no version."""
    with pytest.raises(MalformedShift, match=r"^\d+ bytes that begin with "):
        decode(data)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(number):
    """A single one would be in the list of everybody who meets the item."""
    with pytest.raises(MalformedShift, match="not finite"):
        decode(encode(np.array([0.5] * (DIMENSIONS - 1) + [number])))


def test_a_newer_version_is_named():
    """The remedy is to update, not to look for a bug."""
    with pytest.raises(StateVersionError, match="version 2"):
        decode(b"\2")


@pytest.mark.parametrize("n", [2, 1024, 1025, 3000])
def test_any_number_of_items_has_room(n):
    """Arrays grow by doubling; what stands in them stays, others' shifts too."""
    factors = new("first")
    moves(factors, 0, drawn(1))
    factors.take("bob", 0, drawn(2))
    for row in range(1, n):
        factors.add(row, f"i{row}")
    factors.take("bob", n - 1, drawn(3))
    factors.take("bob", 0, drawn(4))

    assert np.allclose(factors.vectors[0], signs_of("first") + drawn(1) + drawn(4), atol=1e-5)
    assert np.allclose(factors.vectors[n - 1], signs_of(f"i{n - 1}") + drawn(3), atol=1e-5)
    assert len(factors.vectors) == len(factors.own) >= n


@settings(deadline=None, max_examples=50)
@given(sizes=st.lists(st.integers(0, 9), max_size=20), room=st.integers(1, 12))
def test_the_pool_keeps_the_last_choices(sizes, room):
    """A ring buffer: as many as there is room for, those chosen last, and no more."""
    factors = new()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "POOL", room)
        factors.pool = factors.pool[:room]
        chosen: list[int] = []
        for size in sizes:
            rows = range(len(chosen), len(chosen) + size)
            factors.choose(np.array(rows, dtype=np.int64))
            chosen += rows

        assert factors.n_choices == len(chosen)
        assert factors.n_pool == min(room, len(chosen))
        assert sorted(factors.pool[: factors.n_pool].tolist()) == chosen[-room:]


def test_the_pool_is_as_large_as_it_says():
    """It does not grow with the choices of years."""
    factors = new()
    for _ in range(3):
        factors.choose(np.arange(POOL - 1))

    assert (len(factors.pool), factors.n_pool) == (POOL, POOL)
