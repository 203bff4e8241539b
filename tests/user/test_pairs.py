"""Pairs: the changes that events make sum up to one function of their order in time."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.user.entries import Entry
from stream_rec.user.pairs import WINDOW, before_newest, changes
from tests.user.histories import pairs_by_distance


def entries(item_ids) -> list[Entry]:
    return [Entry(n, f"e{n}", item_id, 0, None, n, n) for n, item_id in enumerate(item_ids)]


def test_nearer_events_weigh_more():
    """The newest event pairs with those before it: 12 for its neighbour, then 11, 10."""
    assert changes(entries("abcd"), 3) == {("c", "d"): 12, ("b", "d"): 11, ("a", "d"): 10}


def test_a_late_event_moves_the_others_apart():
    """b comes late between a and c, which were neighbours: their pair loses one."""
    assert changes(entries("abc"), 1) == {("a", "b"): 12, ("b", "c"): 12, ("a", "c"): -1}


def test_beyond_the_window_nothing_pairs():
    """13 places apart is too far, 12 still weighs 1."""
    assert changes(entries("a" + "x" * 12 + "b"), 13).get(("a", "b")) is None
    assert changes(entries("a" + "x" * 11 + "b"), 12)["a", "b"] == 1


def test_a_pair_pushed_out_of_the_window_loses_all_it_had():
    """a and b stood 12 places apart, weight 1; a late event between them makes it 13."""
    assert changes(entries("a" + "x" * 12 + "b"), 6)["a", "b"] == -1


def test_an_item_never_precedes_itself():
    """Viewing the same item again says nothing about other items."""
    assert changes(entries("aa"), 1) == {}
    assert changes(entries("a"), 0) == {}


@settings(max_examples=200, deadline=None)
@given(item_ids=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=2 * WINDOW + 6), data=st.data())
def test_changes_sum_up_to_one_recomputation(item_ids, data):
    """Whatever the order of arrival: the sum of all changes is the pair weights of the final order."""
    total = Counter()
    there: list[int] = []
    for place in data.draw(st.permutations(range(len(item_ids)))):
        there = sorted([*there, place])
        total.update(changes(entries([item_ids[at] for at in there]), there.index(place)))

    assert {pair: weight for pair, weight in total.items() if weight} == pairs_by_distance(item_ids)


@settings(max_examples=200, deadline=None)
@given(item_ids=st.lists(st.sampled_from("abcdef"), max_size=2 * WINDOW), newest=st.sampled_from("abcdef"))
def test_before_the_newest_is_what_its_coming_changes(item_ids, newest):
    """The same pairs in the same order: they stand in signals."""
    expected = changes(entries([*item_ids, newest]), len(item_ids))

    assert before_newest(entries(item_ids), newest) == [(earlier, weight) for (earlier, _), weight in expected.items()]
