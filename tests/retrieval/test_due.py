"""Due repeats: what was bought, the nearer to its usual gap the sooner."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.retrieval.due import LEAST, compute_due
from stream_rec.user.state import UserState
from tests.catalog.stock import stocked
from tests.recommend.lists import ITEMS, NOW_MS
from tests.user.histories import arrivals, folded, happened

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS


def bought(*events: tuple[str, float, Kind]) -> UserState:
    """Return the state of who did this so many weeks ago."""
    return folded(arrivals([happened(NOW_MS - int(ago * WEEK_MS), item_id, kind) for item_id, ago, kind in events]))


def due(state: UserState, catalog: Catalog) -> dict[str, float]:
    found = compute_due(state, catalog, NOW_MS)
    return {catalog.item_ids[row]: float(found[row]) for row in np.flatnonzero(found)}


events = st.lists(
    st.tuples(st.sampled_from(ITEMS), st.integers(0, 20).map(lambda n: n / 4), st.sampled_from(list(Kind))), max_size=12
)


@given(events)
def test_only_what_was_bought_is_due(past):
    """And each at most as due as it was bought often."""
    found = due(bought(*past), stocked(*ITEMS))

    for item_id, score in found.items():
        times = sum(each == item_id and kind == Kind.PURCHASE for each, _, kind in past)
        assert 0 < score <= times


def test_an_item_is_most_due_when_its_usual_gap_has_passed():
    """Earlier less so, later too; what was bought just now is not due at all."""
    catalog = stocked("early", "now", "late", "just")
    state = bought(
        *[("early", ago, Kind.PURCHASE) for ago in (2, 5)],
        *[("now", ago, Kind.PURCHASE) for ago in (2, 4)],
        *[("late", ago, Kind.PURCHASE) for ago in (4, 5)],
        *[("just", ago, Kind.PURCHASE) for ago in (0, 3)],
    )
    found = due(state, catalog)

    assert max(found, key=found.__getitem__) == "now"
    assert found["now"] == pytest.approx(2, rel=1e-3)
    assert found["early"] == pytest.approx(2 * math.sqrt(2 / 3), rel=1e-2)
    assert found["late"] == pytest.approx(2 / 2, rel=1e-2)
    assert "just" not in found


def test_what_was_bought_once_is_due_after_the_users_middle_gap():
    """Of nothing bought twice, after a month."""
    catalog = stocked("tea", "pot")
    known = bought(("tea", 2, Kind.PURCHASE), ("tea", 4, Kind.PURCHASE), ("pot", 2, Kind.PURCHASE))
    unknown = bought(("pot", 2, Kind.PURCHASE))

    assert due(known, catalog)["pot"] == pytest.approx(1, rel=1e-3)
    assert due(unknown, catalog)["pot"] == pytest.approx(math.sqrt(14 / 30), rel=1e-2)
    assert due(bought(("pot", LEAST, Kind.PURCHASE)), catalog) == {}


def test_an_item_that_the_catalog_does_not_know_is_left_out():
    """Nobody can be shown it."""
    assert due(bought(("gone", 3, Kind.PURCHASE)), stocked("tea")) == {}
