"""The rating head: how a user would rate an item, learned from each rating once it has been predicted.

    prediction = mean + w · x        w = (A + RIDGE I)⁻¹ (c + RIDGE w₀),  A = Σ x xᵀ,  c = Σ x (rating - mean)

The inputs x are what is known of the item (how it, its categories and its text neighbours were rated), of the user (how
far the user's ratings lie above those of others), and of both (how the user rated what has a similar text), each drawn
towards the mean of all ratings the more, the less is known. Nearly all of it is exact sums in the states of users and
items; w weighs it, and begins at item mean plus user mean. A and c fade and are sums: those of several workers add up.

Predictions are made on a scale of ten, so that the constants here hold for any scale of ratings.

Source:
    Koren, Bell, Volinsky. Matrix factorization techniques for recommender systems. Computer 42(8), 2009: the biases.
    Bell, Koren. Scalable collaborative filtering with jointly derived neighborhood interpolation weights. ICDM 2007.
    Azoury, Warmuth. Relative loss bounds for on-line density estimation. Machine Learning 43, 2001: the online ridge.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.user.rated import Rated
from stream_rec.user.ratings import THOUSANDTHS

LENGTH = 10.0
"""Of the scale on which predictions are made."""
MIDDLE = LENGTH / 2
NAMES = (
    *("bias", "new_item", "new_user", "n_item", "n_user"),
    *("item", "item_slow", "categories", "neighbours"),
    *("user", "user_slow", "user_mean", "latest", "alike", "same"),
)
"""The inputs in order. Of an item: how it was rated, sooner believed and later, its categories, its text neighbours. Of
a user: how far the recent ratings lie above those of others, the same believed later, how far all ratings lie above the
mean, the latest five, those of similar texts, the last one of this very item."""
WIDTH = len(NAMES)
RIDGE = 10.0
"""Ratings as which the first weights count, where inputs are as far as 1 from 0."""
HALF_LIFE = 5000.0
"""Ratings after which what was learned counts half."""
KEPT = 2.0 ** (-1.0 / HALF_LIFE)
LATEST = 5
AT_FIRST: NDArray[np.float64] = np.array([1.0 if name in ("item", "user") else 0.0 for name in NAMES])


class RatingHead(Struct, frozen=True, eq=False):
    """What was learned. Learning makes a new one; arrays are never changed in place."""

    moments: NDArray[np.float64]
    """(WIDTH, WIDTH + 1) A, and c as its last column, fading."""
    weights: NDArray[np.float64]
    """(WIDTH,) what follows from them."""
    n_ratings: int = 0

    @classmethod
    def of(cls, moments: NDArray[np.float64], n_ratings: int) -> Self:
        """Return the head that has learned this."""
        a, c = moments[:, :-1], moments[:, -1]
        try:
            weights = np.linalg.solve(a + RIDGE * np.eye(WIDTH), c + RIDGE * AT_FIRST).astype(np.float64)
        except np.linalg.LinAlgError:  # no sum of squares is so; bytes of another worker may be
            weights = AT_FIRST
        return cls(moments, weights, n_ratings)

    def predict(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far above the mean each item would be rated, (k,), of inputs, (k, WIDTH). Changes nothing."""
        over: NDArray[np.float64] = inputs @ self.weights
        return over

    def learn(self, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> RatingHead:
        """Return the head after some ratings.

        Args:
            inputs: (e, WIDTH) of each, as they were before it.
            targets: (e,) how far above the mean they are.
        """
        return RatingHead.of(add_ratings(self.moments, inputs, targets), self.n_ratings + len(targets))


COLD = RatingHead(np.zeros((WIDTH, WIDTH + 1)), AT_FIRST)


def add_ratings(
    moments: NDArray[np.float64], inputs: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the moments with some ratings more, the others faded by as many; arguments as of ``RatingHead.learn``."""
    for x, target in zip(inputs, targets):
        moments = KEPT * moments + np.outer(x, np.append(x, target))
    return moments


class Scale(Struct, frozen=True):
    """From a scale of ratings to that of predictions, and back."""

    least: float
    most: float

    def stretch(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ratings on the scale of predictions."""
        return self.stretch_sums(values, np.ones_like(values))

    def stretch_sums(self, sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums of so many ratings on the scale of predictions."""
        stretched: NDArray[np.float64] = (sums - self.least * counts) * (LENGTH / (self.most - self.least))
        return stretched

    def shrink(self, predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions on the scale of ratings, and within it."""
        values = self.least + np.clip(predictions, 0.0, LENGTH) * ((self.most - self.least) / LENGTH)
        return np.clip(values, self.least, self.most)  # rounding


def compute_inputs(
    rated: Rated, rows: NDArray[np.int64], catalog: Catalog, scale: Scale
) -> tuple[NDArray[np.float64], float]:
    """Return the inputs, (k, WIDTH), of one user and some items, and the mean of all ratings, on the scale of ten.

    Args:
        rated: What the user has rated.
        rows: (k,) of the items.
    """
    n_all, sum_all = catalog.ratings.total / (1, THOUSANDTHS)
    mean = float(scale.stretch_sums(sum_all, n_all)) / n_all if n_all else MIDDLE
    of_items = _Sums(catalog, scale, mean)
    counts, overs = of_items.read(catalog.ratings.of(rows))
    of_user = _compute_user(rated, rows, catalog, scale, of_items)
    columns = {
        "bias": 1.0,
        "new_item": counts == 0,
        "n_item": np.log1p(counts) / 5,
        "item": overs / (counts + 2),
        "item_slow": overs / (counts + 8),
        "categories": _compute_categories(rows, catalog, of_items),
        "neighbours": _compute_neighbours(rows, catalog, of_items),
        **of_user,
    }
    inputs = np.zeros((len(rows), WIDTH))
    for index, name in enumerate(NAMES):
        inputs[:, index] = columns.get(name, 0.0)
    return inputs, mean


class _Sums:
    """Reads counts and sums of ratings as counts, and how far their sums lie above those of average ratings."""

    def __init__(self, catalog: Catalog, scale: Scale, mean: float) -> None:
        self.mean = mean
        self._ratings = catalog.ratings
        self._scale = scale

    def read(self, found: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return counts and sums above the mean, (...), of what ``ItemRatings`` gives, (..., 2)."""
        counts = found[..., 0]
        return counts, self._scale.stretch_sums(found[..., 1] / THOUSANDTHS, counts) - self.mean * counts

    def of(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.read(self._ratings.of(rows))


def _compute_user(
    rated: Rated, rows: NDArray[np.int64], catalog: Catalog, scale: Scale, of_items: _Sums
) -> dict[str, NDArray[np.float64] | float]:
    """Return the inputs that are about the user."""
    columns: dict[str, NDArray[np.float64] | float] = {"new_user": rated.n == 0, "n_user": np.log1p(rated.n) / 5}
    if not rated.n:
        return columns
    total = float(scale.stretch_sums(np.array(rated.total), np.array(float(rated.n))))
    columns["user_mean"] = (total - of_items.mean * rated.n) / (rated.n + 3)
    m = len(rated.rows)
    if not m:
        return columns
    over = scale.stretch(rated.values) - of_items.mean
    counts, overs = of_items.of(rated.rows)
    others = np.maximum(counts - 1, 0)  # the user's own is in the sums, but for a moment
    residuals = over - np.where(others > 0, overs - over, 0.0) / (others + 3)
    columns["user"] = residuals.sum() / (m + 2)
    columns["user_slow"] = residuals.sum() / (m + 8)
    columns["latest"] = residuals[-LATEST:].sum() / (min(LATEST, m) + 1)
    likeness = np.maximum(catalog.spaces.joined(rows) @ catalog.spaces.joined(rated.rows).T, 0.0) ** 2
    columns["alike"] = likeness @ (residuals - residuals.mean()) / (likeness.sum(axis=1) + 0.2)
    is_same = rows[:, None] == rated.rows
    newest = m - 1 - is_same[:, ::-1].argmax(axis=1)
    columns["same"] = np.where(is_same.any(axis=1), residuals[newest], 0.0)
    return columns


def _compute_categories(rows: NDArray[np.int64], catalog: Catalog, of_items: _Sums) -> NDArray[np.float64]:
    """Return how far above the mean the items of each item's categories are rated, (k,), on average of these."""
    categories = catalog.categories.of(rows)
    counts, overs = of_items.read(catalog.ratings.of_categories(categories))
    of_categories: NDArray[np.float64] = (categories.weights * overs / (counts + 5)).sum(axis=1)
    return of_categories


def _compute_neighbours(rows: NDArray[np.int64], catalog: Catalog, of_items: _Sums) -> NDArray[np.float64]:
    """Return how far above the mean the text neighbours of each item are rated, (k,), on average of the spaces."""
    of_spaces = np.zeros(len(rows))
    spaces = catalog.spaces.similar()
    for similar in spaces:
        neighbours, similarities, n = similar.lists(rows)
        is_there = np.arange(neighbours.shape[1]) < n[rows][:, None]
        likeness = np.where(is_there, np.maximum(similarities[rows], 0.0), 0.0) ** 2
        counts, overs = of_items.of(np.where(is_there, neighbours[rows], 0).astype(np.int64))
        of_spaces += (likeness * overs).sum(axis=1) / ((likeness * counts).sum(axis=1) + 1) / len(spaces)
    return of_spaces
