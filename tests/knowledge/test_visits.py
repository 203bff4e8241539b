"""Recent visits: who came last, a function of the set of events alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.knowledge.visits import RECORD, add_visit, changes, decode, visitor_of

Visit = tuple[int, int]
"""Time and visitor."""
LARGEST = 2**64 - 1
users = st.sampled_from([0, 1, 2, 3, 256, 2**40, LARGEST])
visits = st.lists(st.tuples(st.integers(0, 9), users), max_size=25)


def encoded(came: list[Visit], bound: int = 4) -> bytes:
    kept = b""
    for seen_ms, visitor in came:
        kept = add_visit(kept, seen_ms, visitor, bound)
    return kept


def expected(came: list[Visit], bound: int = 4) -> list[Visit]:
    """Return what must be kept: of each visitor the latest visit, of those the newest."""
    latest: dict[int, int] = {}
    for seen_ms, visitor in came:
        latest[visitor] = max(seen_ms, latest.get(visitor, 0))
    return sorted((seen_ms, visitor) for visitor, seen_ms in latest.items())[-bound:]


@settings(max_examples=200, deadline=None)
@given(came=visits, bound=st.integers(1, 5), data=st.data())
def test_any_order_ends_in_the_same_visits(came, bound, data):
    """Each visitor once, with the latest visit; the newest by (time, visitor) stay; never more than the bound."""
    kept = encoded(data.draw(st.permutations(came)), bound)

    assert [tuple(record) for record in decode(kept).tolist()] == expected(came, bound)


@settings(max_examples=60, deadline=None)
@given(came=visits.filter(bool), data=st.data())
def test_a_visit_that_comes_twice_is_one(came, data):
    """Kept, overtaken by a later visit of the same visitor, or pushed out."""
    kept = encoded(came)
    for seen_ms, visitor in data.draw(st.lists(st.sampled_from(came), max_size=5)):
        assert add_visit(kept, seen_ms, visitor, 4) == kept


def test_a_visitor_is_found_at_the_borders_of_records_only():
    """The bytes of visitor 7 stand across two records too: the end of a number and the beginning of a time."""
    across = 7 << 56  # its last byte is 7; the next record's time begins with zeros
    kept = encoded([(0, across), (2**40, 5)])
    assert kept.find((7).to_bytes(8, "little")) % RECORD.itemsize == 15

    assert decode(add_visit(kept, 2**41, 7, 8)).tolist() == [(0, across), (2**40, 5), (2**41, 7)]
    assert decode(encoded([(7, 3), (9, 7), (10, 7)])).tolist() == [(7, 3), (10, 7)]  # the time 7 is no visitor 7


def test_a_late_visit_stands_at_its_time():
    """And one older than all that are kept when there is no room stays out."""
    kept = encoded([(1, 1), (3, 3), (2, 2)])

    assert decode(kept).tolist() == [(1, 1), (2, 2), (3, 3)]
    assert add_visit(kept, 0, 9, 3) == kept
    assert decode(add_visit(kept, 2, 9, 3)).tolist() == [(2, 2), (2, 9), (3, 3)]


def test_an_older_visit_of_a_known_visitor_changes_nothing():
    """They stand there with the latest."""
    kept = encoded([(5, 1), (6, 2)])

    assert add_visit(kept, 5, 1, 4) is kept
    assert add_visit(kept, 4, 1, 4) is kept


def as_sets(before: bytes, after: bytes) -> tuple[set, set]:
    left, came = changes(before, after)
    assert (left, came) == (sorted(set(left)), sorted(set(came)))
    return set(left), set(came)


@pytest.mark.parametrize(
    ("before", "after", "left", "came"),
    [
        ([], [(1, 1)], set(), {(1, 1)}),
        ([(1, 1)], [(1, 1), (2, 2)], set(), {(2, 2)}),
        ([(1, 1), (2, 2)], [(2, 2), (3, 3)], {(1, 1)}, {(3, 3)}),
        ([(1, 1), (2, 2)], [(2, 2), (3, 1)], {(1, 1)}, {(3, 1)}),
        ([(1, 1), (2, 2), (3, 3)], [(1, 1), (3, 3), (4, 2)], {(2, 2)}, {(4, 2)}),
        ([(1, 1), (3, 3)], [(1, 1), (2, 2), (3, 3)], set(), {(2, 2)}),
        ([(1, 1), (2, 2)], [], {(1, 1), (2, 2)}, set()),
        ([(1, 1)], [], {(1, 1)}, set()),
        ([(1, 1)], [(1, 2)], {(1, 1)}, {(1, 2)}),
        ([(1, 1), (2, 2)], [(3, 3), (4, 4), (5, 5)], {(1, 1), (2, 2)}, {(3, 3), (4, 4), (5, 5)}),
    ],
    ids=["first", "one more", "shift", "back after a shift", "back", "late", "all", "last", "other", "several"],
)
def test_changes_are_what_left_and_what_came(before, after, left, came):
    """One more, one for another, and everything else."""
    assert as_sets(encoded(before), encoded(after)) == (left, came)


@settings(max_examples=200, deadline=None)
@given(before=visits, after=visits, more=visits)
def test_changes_are_the_difference_of_two_sequences(before, after, more):
    """Of any two, and of one that goes on."""
    for one, other in ((encoded(before), encoded(after)), (encoded(before), encoded([*before, *more]))):
        old, new = (set(map(tuple, decode(visits_of).tolist())) for visits_of in (one, other))
        left, came = as_sets(one, other)
        if one != other:
            assert (left, came) == (old - new, new - old)


@settings(max_examples=300, deadline=None)
@given(before=visits, visitor=users, bound=st.integers(1, 5))
def test_changes_of_one_more_visit_are_the_difference_too(before, visitor, bound):
    """The newest of all: a newcomer, one who comes back from any place, with and without room."""
    one = encoded(before, bound)
    other = add_visit(one, 10, visitor, bound)
    old, new = (set(map(tuple, decode(visits_of).tolist())) for visits_of in (one, other))

    assert as_sets(one, other) == (old - new, new - old)


def test_a_users_number_is_the_same_in_every_process():
    """It stands in stored states; any text is a user's id."""
    assert visitor_of("u1") == 15_378_189_911_849_802_130
    assert len({visitor_of(f"u{n}") for n in range(1000)}) == 1000
    assert 0 <= visitor_of("ü") <= LARGEST
    assert np.array(visitor_of("x"), dtype=RECORD["visitor"]) == visitor_of("x")
