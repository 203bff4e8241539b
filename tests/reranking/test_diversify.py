"""One knob for diversity and calibration: the fast greedy is the slow one, and what it does to a list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.categories import Categories
from stream_rec.reranking.diversify import diversify
from tests.reranking.lists import candidates, divergence, gains, single, unit, volume


def by_text(relevance, vectors, n: int, diversity: float) -> list[int]:
    """Return the list where nothing is known of the user's taste."""
    vectors = np.asarray(vectors)
    return diversify(np.array(relevance), vectors, single(*[0] * len(vectors)), np.zeros(1), n, diversity).tolist()


def by_category(relevance, categories: Categories, target, n: int, diversity: float) -> list[int]:
    """Return the list where no item has a text."""
    return diversify(
        np.array(relevance), np.zeros((len(relevance), 2)), categories, np.array(target), n, diversity
    ).tolist()


@settings(max_examples=300, deadline=None)
@given(candidates(), st.integers(0, 14), st.one_of(st.floats(0.05, 1), st.sampled_from([0.5, 1.0])))
def test_each_choice_adds_most_to_the_objective(drawn, n, diversity):
    """Computed from determinants and divergences at every slot; and all are chosen once, as far as ``n`` goes."""
    places = diversify(*drawn, n, diversity).tolist()

    assert len(places) == len(set(places)) == min(n, len(drawn[0]))
    for slot, place in enumerate(places):
        added = gains(*drawn, places[:slot], diversity)
        assert added[place] >= added.max() - 1e-6 * max(1.0, abs(added[place]))


@pytest.mark.slow
def test_long_lists_of_large_vectors_are_the_slow_ones():
    """As the catalog keeps them: 384 numbers of 32 bits, some items without text or without categories."""
    rng = np.random.default_rng(1)
    relevance, vectors = rng.normal(size=60), unit(rng.normal(size=(60, 384)) + rng.normal(size=384))
    ids = rng.permuted(np.tile(np.arange(9), (60, 1)), axis=1)[:, :3].copy()
    weights = np.array([[0, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [1 / 3] * 3])[rng.integers(0, 4, 60)]
    vectors[[3, 17]] = 0.0
    drawn = relevance, vectors, Categories(ids, weights), rng.dirichlet(np.ones(9))
    chosen: list[int] = []
    for _ in range(20):
        chosen.append(int(gains(*drawn, chosen, 0.4).argmax()))

    assert diversify(relevance, vectors.astype(np.float32), *drawn[2:], 20, 0.4).tolist() == chosen


@settings(max_examples=40, deadline=None)
@given(candidates(), st.floats(0.1, 1000), st.floats(-100, 100))
def test_scale_and_zero_of_the_scores_do_not_matter(drawn, scale, zero):
    """The knob means the same for log-probabilities and for any other score of theirs."""
    relevance, vectors, categories, target = drawn
    noise = np.random.default_rng(0)  # no ties for rounding to break
    vectors, relevance = unit(vectors + noise.normal(0, 0.01, vectors.shape)), relevance + noise.random(len(relevance))

    usual, other = (
        diversify(scores, vectors, categories, target, 5, 0.4).tolist()
        for scores in (relevance, scale * relevance + zero)
    )
    assert usual == other


def test_relevance_is_counted_in_standard_deviations():
    """Of 1, 1, -1 it is 0.943: the third lacks 2.12 of them, the second, a duplicate of the first, 3.92 nats.

    So the third comes first where 2.12 (1 - x) < 3.92 x: from 0.351 on.
    """
    duplicates = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]

    assert by_text([1.0, 1.0, -1.0], duplicates, 3, 0.35) == [0, 1, 2]
    assert by_text([1.0, 1.0, -1.0], duplicates, 3, 0.36) == [0, 2, 1]


def test_equal_relevance_says_nothing():
    """No rounding error is blown up to a standard deviation: the third's text is new, the second's is not."""
    assert by_text([0.1, 0.1, 0.1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 3, 0.001) == [0, 2, 1]


def test_a_duplicate_makes_way_for_the_next_best():
    """Relevance 3, 2.9, 1 and the second has the first's text: it loses 3.9 nats, the third 2.2 deviations."""
    vectors = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]

    assert by_text([3.0, 2.9, 1.0], vectors, 3, 0.3) == [0, 1, 2]
    assert by_text([3.0, 2.9, 1.0], vectors, 3, 0.4) == [0, 2, 1]


def test_nothing_but_duplicates_stays_in_order():
    """More items than dimensions and all of them the same: finite, and ranked."""
    assert by_text(np.arange(30.0), np.ones((30, 1), dtype=np.float32), 30, 0.5) == list(range(29, -1, -1))


def test_rows_a_little_too_long_do_no_harm():
    """As after rounding to few bits: still nothing twice, and duplicates last."""
    vectors = 1.02 * unit([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    assert by_text(np.zeros(4), vectors, 4, 0.5) == [0, 3, 1, 2]


def test_an_item_without_a_vector_is_taken_for_an_average_one():
    """It comes after the item that is less similar than average, before the one that is more so."""
    vectors = [[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]

    assert by_text(np.zeros(4), vectors, 4, 0.5) == [0, 3, 2, 1]


def test_without_any_vector_the_ranking_stays():
    """All are alike."""
    assert by_text([1.0, 3.0, 2.0], np.zeros((3, 4)), 3, 0.9) == [1, 2, 0]


def test_at_full_strength_the_mix_is_the_target():
    """A taste of 2 : 1 gives 2 : 1 at every third slot; relevance decides among the equal."""
    categories = single(*[0] * 20, *[1] * 20, *[2] * 20)
    places = by_category(-np.arange(60.0), categories, [2.0, 1.0, 0.0], 9, 1.0)

    ids = categories.ids[places, 0]
    assert [np.bincount(ids[:stop], minlength=3).tolist() for stop in (3, 6, 9)] == [[2, 1, 0], [4, 2, 0], [6, 3, 0]]
    assert np.array(places)[ids == 0].tolist() == [0, 1, 2, 3, 4, 5]


def test_without_a_target_the_ranking_stays():
    """Nothing is known of a new user."""
    assert by_category([1.0, 3.0, 2.0], single(0, 1, 0), np.zeros(2), 3, 0.9) == [1, 2, 0]


def test_target_need_not_sum_to_one():
    """Counts do."""
    relevance, categories = [5.0, 4.0, 3.0, 2.0], single(0, 0, 1, 1)
    counted, shared = (by_category(relevance, categories, target, 4, 0.5) for target in ([6.0, 2.0], [0.75, 0.25]))

    assert counted == shared == [0, 2, 1, 3]


def test_an_item_without_categories_is_taken_for_an_average_one():
    """Between the wanted and the unwanted."""
    assert by_category(np.zeros(3), single(1, -1, 0), [1.0, 0.0], 3, 0.5) == [2, 1, 0]


def test_padding_may_repeat_an_id():
    """A weight of 0 takes nothing from the category that stands beside it."""
    padded = Categories(np.array([[0, 0], [0, -1], [1, 0]]), np.array([[1.0, 0.0]] * 3))

    assert by_category(np.zeros(3), padded, np.ones(2), 3, 0.5) == [0, 2, 1]


def test_both_are_heard_in_one_list():
    """Of two wanted categories, with two near-duplicates in each, one of each comes first."""
    vectors = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    places = diversify(
        np.array([5.0, 4.9, 4.8, 4.7, 4.6]), vectors, single(0, 0, 1, 1, 2), np.array([1.0, 1, 0]), 5, 0.5
    )

    assert places[:2].tolist() == [0, 2]


@pytest.mark.parametrize("n", [0, 2, 3, 9])
def test_knob_at_zero_is_the_ranking(n):
    """Whatever the text and the taste; ties by place."""
    places = diversify(np.array([1.0, 3.0, 3.0]), np.ones((3, 1)), single(0, 1, 1), np.array([1.0, 0.0]), n, 0.0)

    assert places.tolist() == [1, 2, 0][:n]


def test_more_knob_is_more_volume_less_divergence_and_less_relevance():
    """On average over lists, from each setting to the next."""
    rng = np.random.default_rng(5)
    volumes, divergences, relevance_sums = np.zeros((3, 5))
    for _ in range(40):
        vectors = unit(rng.normal(size=(60, 12)) + 2 * rng.normal(size=(6, 12))[rng.integers(0, 6, 60)])
        categories = single(*rng.choice(6, 60, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.05]))
        relevance, target = rng.normal(size=60), rng.dirichlet(np.ones(6))
        for at, diversity in enumerate((0.0, 0.1, 0.2, 0.3, 0.5)):
            places = diversify(relevance, vectors, categories, target, 10, diversity)
            volumes[at] += volume(vectors, places)
            divergences[at] += divergence(categories, target, places)
            relevance_sums[at] += relevance[places].sum()

    assert (np.diff(volumes) > 0).all()
    assert (np.diff(divergences) < 0).all()
    assert (np.diff(relevance_sums) < 0).all()


def test_arguments_are_left_as_they_were():
    """They are the catalog's."""
    rng = np.random.default_rng(4)
    arrays = [
        rng.normal(size=9),
        unit(rng.normal(size=(9, 4))),
        rng.integers(0, 3, (9, 1)),
        np.ones((9, 1)),
        np.ones(3),
    ]
    arrays[1][2] = 0.0
    arrays[3][4] = 0.0
    before = [array.copy() for array in arrays]
    relevance, vectors, ids, weights, target = arrays

    diversify(relevance, vectors, Categories(ids, weights), target, 5, 0.5)

    for array, old in zip(arrays, before):
        np.testing.assert_array_equal(array, old)
