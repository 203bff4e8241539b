"""Items by what users had asked for who chose them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.catalog.row_levels import RowLevels
from stream_rec.knowledge import queries
from stream_rec.knowledge.fading import HALF_LIFE_MS

answers = st.dictionaries(
    st.integers(0, 4),
    st.tuples(st.integers(-8, 8), st.floats(-8, 8), st.integers(0, 3).map(lambda n: n * HALF_LIFE_MS)),
    max_size=4,
)


@given(changes=st.lists(st.tuples(st.integers(0, 5), answers), max_size=20))
def test_any_changes_leave_what_came_last(changes):
    """Each row with its last answers, as they have faded by now; those that are not above 0 not at all."""
    answered, last = RowLevels(), {}
    for row, after in changes:
        answered.put(row, last.get(row, {}), after)
        last[row] = after
    now_ms = 4 * HALF_LIFE_MS
    for number in range(5):
        rows, weights = answered.find(number, now_ms)
        expected = {
            row: after[number][1] * 0.5 ** ((now_ms - after[number][2]) / HALF_LIFE_MS)
            for row, after in last.items()
            if number in after and after[number][1] > 0
        }
        assert dict(zip(rows.tolist(), weights.tolist())) == pytest.approx(expected)
    assert len(answered) == len({number for after in last.values() for number, one in after.items() if one[1] > 0})


def test_what_nobody_asked_for_has_no_answers():
    """Of the same types as others."""
    rows, weights = RowLevels().find(queries.numbers_of("tea", None)[0], 0.0)

    assert (len(rows), rows.dtype, weights.dtype) == (0, np.int64, np.float64)


def test_weights_of_any_time_are_finite():
    """A state may say that it is of the far future: shares of all that is found must be numbers."""
    answered = RowLevels()
    answered.put(1, {}, {7: (8, 2.0**53, 2**53)})
    answered.put(2, {}, {7: (8, 8.0, 0)})
    rows, weights = answered.find(7, 1_700_000_000_000)

    assert np.isfinite(weights / weights.sum()).all() and rows.tolist() == [1, 2]
