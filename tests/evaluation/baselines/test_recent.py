"""The most recent numbers of a row."""

from __future__ import annotations

import numpy as np

from stream_rec.evaluation.baselines.recent import NOBODY, Recent


def test_the_oldest_leaves_and_a_known_number_becomes_the_newest():
    """No number stands there twice."""
    recent = Recent(2, 3)
    rows = []
    for number in (5, 6, 5, 7, 8, 8):
        recent.put(1, number)
        rows.append(recent.row(1).tolist())

    assert rows == [[5], [5, 6], [6, 5], [6, 5, 7], [5, 7, 8], [5, 7, 8]]
    assert recent.row(0).tolist() == []


def test_rows_are_added_as_needed():
    """A row that was never written is empty."""
    recent = Recent(1, 2)
    recent.put(5, 9)

    assert (recent.row(5).tolist(), recent.row(3).tolist(), recent.row(99).tolist()) == ([9], [], [])
    assert recent.rows(np.array([0, 5])).tolist() == [[NOBODY, NOBODY], [NOBODY, 9]]
