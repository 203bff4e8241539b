"""Fresh slots: who makes way for whom."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.reranking.fresh_slots import SLOTS, Fresh, fill_fresh_slots

LIKELY = np.array([0.40, 0.20, 0.10, 0.06, 0.03, 0.001, 0.001])


def listed(
    fresh: list[int],
    fresh_likely: list[float],
    *,
    n: int = 5,
    worth: float = 1.0,
    budget: float = 0.0,
    ranked: tuple[int, ...] = (0, 1, 2, 3, 4),
) -> list[int]:
    """Return the list, having seen that what was let in stands at its end and is counted."""
    places, n_let_in = fill_fresh_slots(
        np.array(ranked, dtype=np.int64),
        LIKELY,
        Fresh(np.array(fresh, dtype=np.int64), np.array(fresh_likely)),
        n,
        worth,
        budget,
    )
    made = places.tolist()
    assert set(made[len(made) - n_let_in :]) == set(made) - set(ranked)
    return made


def test_a_fresh_item_that_is_likelier_takes_the_last_slot():
    """The last item makes way where the fresh one counts more than it."""
    assert listed([5], [0.031]) == [0, 1, 2, 3, 5]


def test_a_fresh_item_that_is_less_likely_is_not_let_in():
    """At worth 1 nothing makes way for an item that is less likely."""
    assert listed([5], [0.029]) == [0, 1, 2, 3, 4]


def test_worth_counts_the_probability_several_times():
    """At worth 3 an item a third as likely is let in; at worth 0 none is."""
    assert listed([5], [0.011], worth=3.0) == [0, 1, 2, 3, 5]
    assert listed([5], [0.009], worth=3.0) == [0, 1, 2, 3, 4]
    assert listed([5], [0.9], worth=0.0) == [0, 1, 2, 3, 4]


def test_each_next_one_meets_a_stronger_opponent():
    """The second fresh item has to beat the second last item of the list, not the last."""
    assert listed([5, 6], [0.05, 0.05]) == [0, 1, 2, 3, 5]
    assert listed([5, 6], [0.07, 0.07]) == [0, 1, 2, 5, 6]


def test_a_cheap_slot_goes_to_a_fresh_item_however_unlikely():
    """NDCG .6136 is expected: .4 + .2/1.585 + .1/2 + .06/2.322 + .03/2.585. The last place brings .0189 of it."""
    assert listed([5, 6], [1e-6, 1e-6], budget=0.018) == [0, 1, 2, 3, 4]
    assert listed([5, 6], [1e-6, 1e-6], budget=0.020) == [0, 1, 2, 3, 5]
    assert listed([5, 6], [1e-6, 1e-6], budget=0.058) == [0, 1, 2, 3, 5]  # the next place costs .0421 more
    assert listed([5, 6], [1e-6, 1e-6], budget=0.062) == [0, 1, 2, 5, 6]


def test_a_slot_that_pays_costs_no_budget():
    """The first is likely enough to be let in; the budget is for the second."""
    assert listed([5, 6], [0.04, 1e-6], budget=0.043) == [0, 1, 2, 5, 6]


def test_fresh_items_of_the_list_itself_stay():
    """An item that is fresh and in the list on its own does not make way, and is not let in twice."""
    assert listed([4, 5], [0.5, 0.07]) == [0, 1, 2, 4, 5]


def test_a_short_list_is_filled_up_first():
    """Where there is room nobody has to make way, however unlikely the fresh item is."""
    assert listed([5, 6], [1e-9, 1e-9], ranked=(0, 1, 2, 3)) == [0, 1, 2, 3, 5]
    assert listed([5], [1e-9], ranked=()) == [5]


def test_a_list_without_fresh_candidates_stays_as_it_is():
    """Nothing to let in, nothing changes."""
    assert listed([], []) == [0, 1, 2, 3, 4]


@given(
    n=st.integers(1, 12),
    m=st.integers(0, 12),
    fresh=st.lists(st.integers(0, 19), unique=True, max_size=20),
    worth=st.floats(0, 100),
    budget=st.sampled_from([0.0, 0.01, 1.0]),
    seed=st.integers(0, 99),
)
def test_no_repeats_at_most_n_and_at_most_so_many_slots(n, m, fresh, worth, budget, seed):
    """Whatever comes in: no place twice, n at most, never shorter, and at most SLOTS are let in."""
    rng = np.random.default_rng(seed)
    ranked = rng.permutation(20)[: min(n, m)]
    likely, fresh_likely = rng.random(20), np.sort(rng.random(len(fresh)))[::-1].copy()
    candidates = Fresh(np.array(fresh, dtype=np.int64), fresh_likely)
    made, n_let_in = fill_fresh_slots(ranked, likely, candidates, n, worth, budget)
    places = made.tolist()

    assert len(set(places)) == len(places) <= n
    assert len(places) >= len(ranked)
    assert set(places[len(places) - n_let_in :]) == set(places) - set(ranked.tolist()) <= set(fresh)
    assert n_let_in <= SLOTS
