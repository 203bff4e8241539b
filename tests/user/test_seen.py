"""Digests of events: found where they are, believed where they may be, gone when they are over."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.user import seen
from stream_rec.user.seen import CHUNK, DIGEST_BYTES, Chunk, archive_digests, digest_of, find_known, has, nothing

T = 1_700_000_000_000


def digests(first: int, last: int) -> bytes:
    """Return the digests of some numbered events."""
    return b"".join(digest_of(f"e{number}") for number in range(first, last))


def test_a_digest_stands_at_a_multiple_of_its_length():
    """The same bytes between two others are none."""
    stored = b"\0" * 7 + b"\1" * 8 + b"\2" * 9

    assert not has(stored, b"\1" * 8)
    assert has(stored, b"\2" * 8)
    assert has(b"\1" * 4 + stored[:12] + b"\1" * 8, b"\1" * 8)
    assert not has(b"", b"\1" * 8)


@given(sizes=st.lists(st.integers(1, 2 * CHUNK), max_size=6), strange=st.booleans())
def test_what_was_archived_is_known(sizes: list[int], strange: bool):
    """However it came; and nothing else. Between, a process may have died: what it wrote is not believed, and goes."""
    chunks: dict[int, Chunk] = {}
    n = 0
    for size in sizes:
        if strange:
            chunks |= archive_digests(b"\xff" * DIGEST_BYTES * 3, T, chunks.get, n)
        made = archive_digests(digests(n, n + size), T + n, chunks.get, n)
        assert {chunk.newest_ms for chunk in made.values()} == {T + n}
        chunks |= made
        n += size

    assert find_known([b"\xff" * DIGEST_BYTES, digest_of("new")], chunks.get, n) == set()
    some = [digest_of(f"e{number}") for number in range(0, n, 97)]
    assert find_known([*some, digest_of("new")], chunks.get, n) == set(some)
    assert find_known(some[-2:], chunks.get, n) == set(some[-2:])
    assert all(len(chunk.digests) <= CHUNK * DIGEST_BYTES for chunk in chunks.values())
    assert list(chunks) == list(range(seen.n_chunks(n)))


def test_what_no_state_says_is_not_believed():
    """A chunk whose state never came holds digests of events that were not taken."""
    chunks = archive_digests(digests(0, 10), T, nothing, 0)

    assert find_known([digest_of("e5"), digest_of("e6")], chunks.get, 6) == {digest_of("e5")}
    assert find_known([digest_of("e0")], chunks.get, 0) == set()


def test_where_chunks_have_left_the_next_go_on():
    """At the number at which they were; what has left is not known any more, and what comes is."""
    chunks = archive_digests(digests(0, 2 * CHUNK + 10), T, nothing, 0)
    assert list(chunks) == [0, 1, 2]
    after = archive_digests(digests(5000, 5003), T + 1, nothing, 2 * CHUNK + 10)

    assert after == {2: Chunk(seen.VERSION, 2 * CHUNK + 10, T + 1, digests(5000, 5003))}
    wanted = [digest_of("e5001"), digest_of(f"e{2 * CHUNK + 5}")]
    assert find_known(wanted, after.get, 2 * CHUNK + 13) == {digest_of("e5001")}
    assert find_known(wanted, after.get, 2 * CHUNK + 10) == set()


def test_a_chunk_before_one_that_has_left_is_not_looked_for():
    """The oldest leave first: a user with a long past costs nothing for what is gone."""
    asked: list[int] = []

    assert find_known([digest_of("e")], lambda number: asked.append(number), 10**9) == set()
    assert asked == [(10**9 - 1) // CHUNK]


def test_a_chunk_is_over_when_its_newest_event_is():
    """Not before the last of them is; its digests are not looked at."""
    value = seen.encode(Chunk(seen.VERSION, 7, T, digests(0, 3)))

    assert seen.is_over(value, T + 1)
    assert not seen.is_over(value, T)
    assert seen.decode(value) == Chunk(seen.VERSION, 7, T, digests(0, 3))


def test_keys_say_whose_and_which():
    """One user's keys begin as no other's do, also where one id begins as another; in the order of numbers."""
    ann = [seen.key_of(b"ann", number) for number in (0, 1, 255, 256, 2**40)]

    assert ann == sorted(ann)
    assert [seen.number_of(key) for key in ann] == [0, 1, 255, 256, 2**40]
    assert {seen.user_key_of(key) for key in ann} == {b"ann"}
    assert not seen.key_of(b"anna", 0).startswith(seen.prefix_of(b"ann"))
    assert all(key.startswith(seen.prefix_of(b"ann")) for key in ann)


def test_damaged_digests_stop_nothing():
    """A state that was read says what it says: no length of it makes anything endless, or a number negative."""
    chunk = Chunk(seen.VERSION, 50, T, b"x" * 13)
    for n_archived in (0, 1, 49, 50, 51, CHUNK, 2**53):
        assert find_known([b"x" * DIGEST_BYTES], {0: chunk}.get, n_archived) <= {b"x" * DIGEST_BYTES}
        made = archive_digests(b"y" * 11, T, lambda _: chunk, n_archived)
        assert all(msgspec.msgpack.decode(seen.encode(c), type=Chunk) == c for c in made.values())
