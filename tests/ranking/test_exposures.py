"""How often items were in lists."""

from __future__ import annotations

import numpy as np

from stream_rec.ranking.exposures import Exposures


def test_each_list_counts_each_item_once():
    """Items that were in none count 0, also those beyond all that were seen."""
    exposures = Exposures()
    assert exposures.of(np.array([0, 7])).tolist() == [0, 0]

    exposures.add(np.array([3, 1]))
    exposures.add(np.array([1]))
    exposures.add(np.array([5000]))
    exposures.add(np.array([]))  # an empty list has no rows of any type
    assert exposures.of(np.array([1, 3, 2, 5000, 10**6])).tolist() == [2, 1, 0, 1, 0]
    assert exposures.n_lists == 4
