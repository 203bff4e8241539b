"""Counts by period and item, bounded: what is kept is a function of the set, whatever order it came in."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from stream_rec.user import by_period, seen
from tests.user.shown import what_is_kept


class Count(Struct, frozen=True):
    """How often an item came in a period."""

    period: int
    item_id: str
    n: int = 1


def put_all(came: list[tuple[int, str]], bound: int) -> tuple[list[Count], int, list[bool]]:
    """Return what is kept after all, the first period in it, and of each whether it was kept."""
    counts: list[Count] = []
    first, kept = -1, []
    for period, item_id in came:
        if period < first:
            kept.append(False)
            continue
        old = by_period.find(counts, period, item_id)
        count = Count(period, item_id, 1 if old is None else old.n + 1)
        before = list(counts)
        after, first = by_period.put(counts, first, [count], bound)
        assert counts == before  # never changed in place
        counts = after
        kept.append(by_period.find(counts, period, item_id) is not None)
    return counts, first, kept


came = st.lists(
    st.tuples(st.sampled_from([0, 1, 1, 2, 3, 3, 3, 9]), st.sampled_from([f"i{n}" for n in range(9)])), max_size=60
)


@settings(max_examples=300, deadline=None)
@given(came=came, bound=st.integers(1, 12), data=st.data())
def test_the_newest_periods_that_fit_are_kept_whole_in_any_order(came, bound, data):
    """Each count is the number of times that its item came in that period; their order is by period and item."""
    times = Counter(came)
    expected = [Count(period, item_id, times[period, item_id]) for period, item_id in sorted(what_is_kept(came, bound))]

    for order in (came, data.draw(st.permutations(came))):
        counts, first, kept = put_all(order, bound)
        assert counts == expected
        assert kept == [one in what_is_kept(order[: at + 1], bound) for at, one in enumerate(order)]
        assert all(count.period >= first for count in counts)
        assert all((period, item_id) in what_is_kept(came, bound) or period < first for period, item_id in came) or (
            len(counts) == bound and {count.period for count in counts} == {max(period for period, _ in came)}
        )


@settings(max_examples=200, deadline=None)
@given(came=came, bound=st.integers(1, 12), data=st.data())
def test_what_has_left_never_comes_back(came, bound, data):
    """Of a period, or of an item where one period alone is too many: else counts would have holes."""
    counts: list[Count] = []
    first, gone = -1, set()
    for period, item_id in came:
        if period < first:
            continue
        before = {(count.period, count.item_id) for count in counts} | {(period, item_id)}
        old = by_period.find(counts, period, item_id)
        counts, first = by_period.put(counts, first, [old or Count(period, item_id)], bound)
        now = {(count.period, count.item_id) for count in counts}
        assert not now & gone
        gone |= before - now


@settings(max_examples=200, deadline=None)
@given(came=came, bound=st.integers(1, 12), at=st.integers(0, 3), new=st.sets(st.sampled_from("abcdefghi")))
def test_many_at_once_are_the_same_as_one_by_one(came, bound, at, new):
    """Of one period, however many."""
    counts, first, _ = put_all(came, bound)
    if at < first:
        return
    at_once = by_period.put(counts, first, [Count(at, item_id) for item_id in new], bound)
    for item_id in new:
        if at >= first:
            counts, first = by_period.put(counts, first, [Count(at, item_id)], bound)

    assert at_once == (counts, first)


def test_another_salt_keeps_other_items():
    """Else the same items would be counted of every user, and others of none."""
    counts = [Count(1, f"i{n:02}") for n in range(40)]
    kept = {
        salt: {count.item_id for count in by_period.put([], -1, counts, 10, salt)[0]} for salt in ("ann/1/", "bob/1/")
    }

    assert len(kept["ann/1/"]) == len(kept["bob/1/"]) == 10
    assert kept["ann/1/"] != kept["bob/1/"]


def test_a_period_that_does_not_fit_leaves_whole():
    """And all before it, though an older one would fit; a late count of it is not let in again."""
    counts, first, kept = put_all([(1, "a"), (2, "a"), (2, "b"), (2, "c"), (3, "a"), (3, "b"), (1, "z"), (2, "z")], 4)

    assert counts == [Count(3, "a"), Count(3, "b")]
    assert (first, kept) == (3, [True, True, True, True, True, True, False, False])


def test_one_period_over_the_bound_keeps_some_of_its_items():
    """Those with the smallest digests: nobody can choose which, and any order keeps the same."""
    a, b, c = sorted("xyz", key=seen.digest_of)

    assert put_all([(1, c), (1, a), (1, b), (1, c), (1, a)], 2)[0] == sorted(
        [Count(1, a, 2), Count(1, b)], key=lambda count: count.item_id
    )
    assert put_all([(1, a), (1, b), (1, c)], 2)[2] == [True, True, False]


def test_a_count_is_found_by_period_and_item():
    """None where there is none, before, between and behind."""
    counts = [Count(1, "b"), Count(3, "a"), Count(3, "c", 5)]

    assert by_period.find(counts, 3, "c") == Count(3, "c", 5)
    assert [
        by_period.find(counts, *other) for other in ((0, "b"), (1, "a"), (1, "c"), (2, "a"), (3, "b"), (4, "a"))
    ] == [None] * 6
    assert by_period.find([], 1, "a") is None
