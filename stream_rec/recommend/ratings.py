"""How a user would rate items, and what a rating teaches."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.ranking import ratings
from stream_rec.ranking.ratings import RatingHead, Scale
from stream_rec.user.rated import Rated
from stream_rec.user.ratings import THOUSANDTHS, RatingsConfig, read_rating


def predict_values(
    rated: Rated, rows: NDArray[np.int64], catalog: Catalog, head: RatingHead, config: RatingsConfig
) -> NDArray[np.float64]:
    """Return how a user would rate some items, (k,), on the scale of the settings. Changes nothing.

    Args:
        rated: What the user has rated.
        rows: (k,) of the items.
        config: With a scale.
    """
    scale = Scale(*config.bounds)
    inputs, mean = ratings.compute_inputs(rated, rows, catalog, scale)
    return scale.shrink(mean + head.predict(inputs))


def read_targets(
    rated: Rated, events: Iterable[tuple[Kind, Interaction]], catalog: Catalog, config: RatingsConfig
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a user's ratings teach: inputs and targets of ``RatingHead.learn``.

    Nothing before the first rating is known: there is no mean yet that others lie above.

    Args:
        rated: What the user had rated before the events.
        config: With a scale.
    """
    found = [
        (row, rating)
        for kind, event in events
        if (rating := read_rating(event, kind, config)) is not None and (row := catalog.find(event.item_id)) is not None
    ]
    if not catalog.ratings.total[0]:
        found = []
    scale = Scale(*config.bounds)
    rows = np.array([row for row, _ in found], dtype=np.int64)
    inputs, mean = ratings.compute_inputs(rated, rows, catalog, scale)
    return inputs, scale.stretch(np.array([rating for _, rating in found]) / THOUSANDTHS) - mean
