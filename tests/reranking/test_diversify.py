"""One knob for diversity and calibration."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.reranking.calibrate import Balance, Categories, calibrate
from stream_rec.reranking.diversify import diversify
from stream_rec.reranking.dpp import Volume, dpp
from stream_rec.reranking.greedy import standardized
from tests.reranking.lists import candidates, single, unit


@settings(max_examples=60, deadline=None)
@given(candidates(), st.integers(0, 14), st.floats(0, 1))
def test_a_list_repeats_nothing_and_leaves_nothing_out(drawn, n, diversity):
    """As many as there are, up to n, each once."""
    places = diversify(*drawn, n, diversity).tolist()

    assert len(places) == len(set(places)) == min(n, len(drawn[0]))
    assert set(places) <= set(range(len(drawn[0])))


@settings(max_examples=40, deadline=None)
@given(candidates(), st.floats(0, 1))
def test_it_is_dpp_where_taste_is_unknown_and_calibration_where_text_is(drawn, diversity):
    """Each part alone is the whole where the other has nothing to say."""
    relevance, vectors, categories, target = drawn

    only_text = diversify(relevance, vectors, categories, np.zeros_like(target), 6, diversity)
    only_taste = diversify(relevance, np.zeros_like(vectors), categories, target, 6, diversity)

    assert only_text.tolist() == dpp(relevance, vectors, 6, diversity).tolist()
    assert only_taste.tolist() == calibrate(relevance, categories, target, 6, diversity).tolist()


def test_each_choice_adds_most_to_both_together():
    """Recomputed from nothing for every slot."""
    rng = np.random.default_rng(2)
    relevance, vectors = rng.normal(size=15), unit(rng.normal(size=(15, 6)))
    categories, target = (
        Categories(rng.permuted(np.tile(np.arange(5), (15, 1)), axis=1), rng.dirichlet(np.ones(5), 15)),
        np.array([5.0, 3, 1, 1, 0]),
    )
    chosen: list[int] = []
    for _ in range(8):
        volume, balance = Volume(vectors, 15), Balance(categories, target)
        for place in chosen:
            volume.choose(place)
            balance.choose(place)
        gains = 0.7 * standardized(relevance) + 0.3 * (volume.gains() + balance.gains())
        gains[chosen] = -np.inf
        chosen.append(int(gains.argmax()))

    assert diversify(relevance, vectors, categories, target, 8, 0.3).tolist() == chosen


def test_both_are_heard_in_one_list():
    """Of two wanted categories, with two near-duplicates in each, one of each comes first."""
    vectors = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]])
    places = diversify(
        np.array([5.0, 4.9, 4.8, 4.7, 4.6]), vectors, single(0, 0, 1, 1, 2), np.array([1.0, 1, 0]), 5, 0.5
    )

    assert places[:2].tolist() == [0, 2]


def test_knob_at_zero_is_the_ranking():
    """Whatever the text and the taste."""
    places = diversify(np.array([1.0, 3.0, 3.0]), np.ones((3, 1)), single(0, 1, 1), np.array([1.0, 0.0]), 3, 0.0)

    assert places.tolist() == [1, 2, 0]


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
