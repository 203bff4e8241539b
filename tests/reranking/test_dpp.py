"""Determinantal point process: the fast greedy is the slow one, and what it does to a list."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.reranking.dpp import OWN, Volume, dpp
from tests.reranking.lists import candidates, unit


def similarities(vectors: np.ndarray) -> np.ndarray:
    """Return S as the module's page defines it, (k, k)."""
    has_vector = vectors.any(axis=1)
    filled = vectors.copy()
    if has_vector.any():
        filled[~has_vector] = vectors[has_vector].mean(axis=0)
    kernel = (1 - OWN) * filled @ filled.T
    np.fill_diagonal(kernel, 1.0)
    return kernel


def similarity_within(vectors: np.ndarray, places: np.ndarray) -> float:
    """Return the mean similarity of a list's pairs."""
    pairs = (vectors[places] @ vectors[places].T)[np.triu_indices(len(places), 1)]
    return float(pairs.mean())


@settings(max_examples=60, deadline=None)
@given(candidates(max_k=9), st.data())
def test_gains_are_those_of_determinants(drawn, data):
    """After any choices an item's gain is log det with it less log det without."""
    _, vectors, _, _ = drawn
    order = data.draw(st.permutations(range(len(vectors))))
    kernel, volume = similarities(vectors), Volume(vectors, len(vectors))

    for t, place in enumerate(order):
        chosen, left = order[:t], order[t:]
        without = np.linalg.slogdet(kernel[np.ix_(chosen, chosen)])[1]
        want = [np.linalg.slogdet(kernel[np.ix_([*chosen, i], [*chosen, i])])[1] - without for i in left]
        np.testing.assert_allclose(volume.gains()[left], want, atol=1e-6)
        volume.choose(place)


@settings(max_examples=60, deadline=None)
@given(candidates(), st.integers(0, 14), st.floats(0, 1))
def test_a_list_repeats_nothing_and_leaves_nothing_out(drawn, n, diversity):
    """As many as there are, up to n, each once."""
    relevance, vectors, _, _ = drawn
    places = dpp(relevance, vectors, n, diversity).tolist()

    assert len(places) == len(set(places)) == min(n, len(relevance))
    assert set(places) <= set(range(len(relevance)))


@settings(max_examples=40, deadline=None)
@given(candidates(), st.floats(0.1, 1000), st.floats(-100, 100))
def test_scale_and_zero_of_the_scores_do_not_matter(drawn, scale, zero):
    """The knob means the same for log-probabilities and for any other score of theirs."""
    relevance, vectors, _, _ = drawn
    vectors = vectors + np.random.default_rng(0).normal(0, 0.01, vectors.shape)  # no ties for rounding to break

    assert (
        dpp(relevance, unit(vectors), 5, 0.4).tolist() == dpp(scale * relevance + zero, unit(vectors), 5, 0.4).tolist()
    )


def test_knob_at_zero_is_the_ranking():
    """Also among duplicates; ties by place."""
    assert dpp(np.array([1.0, 3.0, 3.0, 2.0]), np.ones((4, 1)), 4, 0.0).tolist() == [1, 2, 3, 0]


def test_a_duplicate_makes_way_for_the_next_best():
    """Relevance 3, 2.9, 1 and the second has the first's text: it loses 3.9 nats, the third 2.2 deviations."""
    relevance, vectors = np.array([3.0, 2.9, 1.0]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    assert dpp(relevance, vectors, 3, 0.3).tolist() == [0, 1, 2]
    assert dpp(relevance, vectors, 3, 0.4).tolist() == [0, 2, 1]


def test_nothing_but_duplicates_stays_in_order():
    """More items than dimensions and all of them the same: finite, and ranked."""
    relevance = np.arange(30.0)

    assert dpp(relevance, np.ones((30, 1), dtype=np.float32), 30, 0.5).tolist() == list(range(29, -1, -1))


def test_rows_a_little_too_long_do_no_harm():
    """As after rounding to few bits: still nothing twice, and duplicates last."""
    vectors = 1.02 * unit([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    assert dpp(np.zeros(4), vectors, 4, 0.5).tolist() == [0, 3, 1, 2]


def test_an_item_without_a_vector_is_taken_for_an_average_one():
    """It comes after the item that is less similar than average, before the one that is more so."""
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    gains = Volume(vectors, 4)
    gains.choose(0)

    assert dpp(np.zeros(4), vectors, 4, 0.5).tolist() == [0, 3, 2, 1]
    assert gains.gains()[3] > gains.gains()[2] > gains.gains()[1]


def test_without_any_vector_the_ranking_stays():
    """All are alike."""
    assert dpp(np.array([1.0, 3.0, 2.0]), np.zeros((3, 4)), 3, 0.9).tolist() == [1, 2, 0]


def test_more_knob_is_more_volume_and_less_relevance():
    """On average over lists, from each setting to the next; and the items of a list are less similar."""
    rng = np.random.default_rng(5)
    volume, similarity, relevance_sum = np.zeros((3, 6))
    for _ in range(40):
        vectors = unit(rng.normal(size=(60, 12)) + 2 * rng.normal(size=(6, 12))[rng.integers(0, 6, 60)])
        relevance, kernel = rng.normal(size=60), similarities(vectors)
        for at, diversity in enumerate((0.0, 0.1, 0.3, 0.5, 0.8, 1.0)):
            places = dpp(relevance, vectors, 10, diversity)
            volume[at] += np.linalg.slogdet(kernel[np.ix_(places, places)])[1]
            similarity[at] += similarity_within(vectors, places)
            relevance_sum[at] += relevance[places].sum()

    assert (np.diff(volume) > 0).all()
    assert (np.diff(relevance_sum) < 0).all()
    assert (np.diff(similarity[:4]) < 0).all()


def test_float32_vectors_give_the_list_of_float64_ones():
    """As the catalog keeps them."""
    rng = np.random.default_rng(1)
    vectors, relevance = unit(rng.normal(size=(100, 384))), rng.normal(size=100)

    assert dpp(relevance, vectors, 20, 0.5).tolist() == dpp(relevance, vectors.astype(np.float32), 20, 0.5).tolist()
