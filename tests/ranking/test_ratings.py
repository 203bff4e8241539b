"""The rating head."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.item import Item
from stream_rec.knowledge.state import ItemState
from stream_rec.ranking.ratings import AT_FIRST, COLD, KEPT, NAMES, RIDGE, WIDTH, RatingHead, Scale, compute_inputs
from stream_rec.user.rated import NOTHING_RATED, Rated
from tests.catalog.stock import embedded

TEN = Scale(0.0, 10.0)


def samples(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, WIDTH)), rng.normal(size=n)


def shop(scale: Scale = TEN) -> Catalog:
    """Four films rated 9 (5 times), 3 (twice), 6 (once) and never, on a scale of ten; the first two are alike."""
    catalog = Catalog()
    rated = {"a": (5, 9.0), "b": (2, 3.0), "c": (1, 6.0), "d": (0, 0.0)}
    for number, (item_id, (n, value)) in enumerate(rated.items()):
        catalog.put_item(Item(item_id, item_id, category="crime"))
        vector = np.eye(4)[number] + (np.eye(4)[1] if number == 0 else 0)
        catalog.put_embedding(item_id, embedded(vector / np.linalg.norm(vector)))
        if n:
            total = round(1000 * n * (scale.least + value * (scale.most - scale.least) / 10))
            state = ItemState(counts=(n, 0, 0), sums=[1.0] * 7, first_ms=1, last_ms=2, ratings=(n, total))
            catalog.put_knowledge(item_id, state)
    return catalog


ROWS = np.arange(4)
MEAN = (5 * 9 + 2 * 3 + 6) / 8


def column(inputs: np.ndarray, name: str) -> list[float]:
    return inputs[:, NAMES.index(name)].tolist()


@given(n=st.integers(1, 30), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_weights_are_the_ridge_of_what_has_faded(n: int, seed: int):
    """As least squares over all ratings at once has them, each weighed by how many came after it."""
    inputs, targets = samples(n, seed)
    fade = np.sqrt(KEPT ** np.arange(n - 1, -1, -1))
    rows = np.concatenate([fade[:, None] * inputs, np.sqrt(RIDGE) * np.eye(WIDTH)])
    wanted, *_ = np.linalg.lstsq(rows, np.concatenate([fade * targets, np.sqrt(RIDGE) * AT_FIRST]), rcond=None)

    head = COLD.learn(inputs, targets)
    assert head.weights == pytest.approx(wanted, abs=1e-9)
    assert head.n_ratings == n
    one_by_one = COLD
    for x, y in zip(inputs, targets):
        one_by_one = one_by_one.learn(x[None], np.array([y]))
    assert (one_by_one.moments == head.moments).all()


def test_learning_leaves_the_head_of_before_as_it_was():
    """And predicting changes nothing."""
    moments, weights = COLD.moments.copy(), COLD.weights.copy()
    COLD.learn(*samples(5, 1)).predict(samples(3, 2)[0])

    assert (COLD.moments == moments).all() and (COLD.weights == weights).all() and COLD.n_ratings == 0


def test_moments_that_cannot_be_solved_do_not_stop_anybody():
    """Bytes of another worker may be anything: then the first weights hold."""
    moments = np.zeros((WIDTH, WIDTH + 1))
    moments[:, :-1] = -RIDGE * np.eye(WIDTH)

    assert (RatingHead.of(moments, 3).weights == AT_FIRST).all()


def test_ten_thousand_ratings_stay_finite():
    """Fading keeps the sums bounded, however many come."""
    head = COLD
    for seed in range(20):
        head = head.learn(*samples(500, seed))

    assert np.isfinite(head.moments).all() and np.abs(head.weights).max() < 1
    assert np.abs(head.moments).max() < 10_000


def test_before_anything_is_learned_a_rating_is_mean_and_item_and_user():
    """Each drawn to the mean as if two more ratings had been there."""
    catalog = shop()
    item = [5 * (9 - MEAN) / 7, 2 * (3 - MEAN) / 4, (6 - MEAN) / 3, 0.0]
    rated = Rated(np.array([2]), np.array([10.0]), 1, 10.0)

    inputs, mean = compute_inputs(NOTHING_RATED, ROWS, catalog, TEN)
    assert mean == pytest.approx(MEAN)
    assert COLD.predict(inputs) == pytest.approx(item)
    inputs, _ = compute_inputs(rated, ROWS, catalog, TEN)
    assert COLD.predict(inputs) == pytest.approx(np.array(item) + (10 - MEAN) / 3)


def test_where_nothing_was_rated_the_middle_of_the_scale_is_said():
    """Of a shop that opens today."""
    catalog = Catalog()
    catalog.put_item(Item("a"))
    inputs, mean = compute_inputs(NOTHING_RATED, np.array([0]), catalog, Scale(1.0, 5.0))

    assert Scale(1.0, 5.0).shrink(mean + COLD.predict(inputs)).tolist() == [3.0]


def test_inputs_by_hand():
    """Of a user who gave the first film 10 and the second 1, when others had given that 5, and of four films."""
    catalog = shop()
    rated = Rated(np.array([0, 1]), np.array([10.0, 1.0]), 4, 30.0)
    of_a = 10 - MEAN - (5 * (9 - MEAN) - (10 - MEAN)) / (4 + 3)
    of_b = 1 - MEAN - (2 * (3 - MEAN) - (1 - MEAN)) / (1 + 3)

    inputs, _ = compute_inputs(rated, ROWS, catalog, TEN)
    assert column(inputs, "bias") == [1, 1, 1, 1]
    assert column(inputs, "new_item") == [0, 0, 0, 1] and column(inputs, "new_user") == [0, 0, 0, 0]
    assert column(inputs, "n_item") == pytest.approx(np.log1p([5, 2, 1, 0]) / 5)
    assert column(inputs, "n_user") == pytest.approx([np.log(5) / 5] * 4)
    assert column(inputs, "item_slow")[:2] == pytest.approx([5 * (9 - MEAN) / 13, 2 * (3 - MEAN) / 10])
    assert column(inputs, "categories") == pytest.approx([0] * 4, abs=1e-12)  # all are of the one category
    assert column(inputs, "user") == pytest.approx([(of_a + of_b) / 4] * 4)
    assert column(inputs, "user_slow") == pytest.approx([(of_a + of_b) / 10] * 4)
    assert column(inputs, "user_mean") == pytest.approx([(30 - 4 * MEAN) / 7] * 4)
    assert column(inputs, "latest") == pytest.approx([(of_a + of_b) / 3] * 4)
    assert column(inputs, "same") == pytest.approx([of_a, of_b, 0, 0])
    alike = column(inputs, "alike")
    assert alike[0] > 0 > alike[1]  # each is most like itself
    neighbours = column(inputs, "neighbours")
    assert neighbours[1] > 0 > neighbours[0]  # the nearest of each is the other


def test_the_latest_rating_of_an_item_is_the_one_that_counts():
    """Who changes their mind is believed."""
    catalog = shop()
    once = compute_inputs(Rated(np.array([2, 0]), np.array([9.0, 4.0]), 2, 13.0), ROWS, catalog, TEN)[0]
    twice = compute_inputs(Rated(np.array([0, 2, 0]), np.array([9.0, 9.0, 4.0]), 3, 22.0), ROWS, catalog, TEN)[0]

    assert column(twice, "same")[0] == pytest.approx(column(once, "same")[0])


@given(
    least=st.floats(-100, 100).map(lambda x: round(x, 1)),
    length=st.sampled_from([1.0, 4.0, 100.0]),
    values=st.lists(st.integers(0, 10), min_size=1, max_size=4),
)
@settings(max_examples=30, deadline=None)
def test_predictions_do_not_depend_on_the_scale(least: float, length: float, values: list[int]):
    """The same ratings on another scale give the same predictions on that scale, to thousandths."""
    other = Scale(least, least + length)
    head = COLD.learn(*samples(20, 3))
    made = []
    for scale in (TEN, other):
        on_scale = np.array([scale.least + value * (scale.most - scale.least) / 10 for value in values])
        rated = Rated(np.arange(len(values)), on_scale, len(values), float(on_scale.sum()))
        inputs, mean = compute_inputs(rated, ROWS, shop(scale), scale)
        made.append(scale.shrink(mean + head.predict(inputs)))

    assert (made[1] >= other.least).all() and (made[1] <= other.most).all()
    assert (made[1] - other.least) / length == pytest.approx(made[0] / 10, abs=2e-2)


def test_nothing_is_predicted_of_no_items():
    """As of a list that is empty."""
    inputs, _ = compute_inputs(Rated(np.array([0]), np.array([3.0]), 1, 3.0), ROWS[:0], shop(), TEN)

    assert inputs.shape == (0, WIDTH)
