"""Repeat rates of categories: against adding up all items anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.repeats import PRIOR, CategoryRepeats
from stream_rec.events.item import Item
from tests.catalog.stock import taught

changes = st.lists(
    st.tuples(st.integers(0, 4), st.integers(-1, 3), st.integers(0, 30), st.integers(0, 30)), max_size=30
)


@given(changes)
def test_rates_are_those_of_the_newest_of_each_item(made):
    """Whatever was known before, and in whatever category; one without events has the rate of all, none 0."""
    repeats, newest = CategoryRepeats(), {}
    for row, category, n_events, n_repeats in made:
        newest[row] = category, n_events, min(n_events, n_repeats)
        repeats.put(row, category, n_events=n_events, n_repeats=min(n_events, n_repeats))
    found = repeats.rates(np.arange(-1, 9))
    assert found[0] == 0

    n_all = sum(n for _, n, _ in newest.values())
    overall = sum(n for _, _, n in newest.values()) / max(n_all, 1)
    for category, rate in zip(range(9), found[1:].tolist()):
        events = sum(n for each, n, _ in newest.values() if each == category)
        again = sum(n for each, _, n in newest.values() if each == category)
        assert rate == pytest.approx((again + PRIOR * overall) / (events + PRIOR))


def test_an_item_takes_what_is_known_of_it_into_its_new_category():
    """Whether its record or its knowledge came first."""
    catalog = Catalog()
    catalog.put_knowledge("milk", taught(*range(100), repeats=60))
    catalog.put_item(Item("milk", category="food"))
    catalog.put_item(Item("lamp", category="home"))
    catalog.put_knowledge("lamp", taught(*range(100)))

    def rates() -> dict[str, float]:
        rows = np.array([catalog.find("milk"), catalog.find("lamp")])
        return dict(zip(("milk", "lamp"), catalog.repeats.rates(catalog.categories.first_of(rows)).tolist()))

    assert rates() == {"milk": pytest.approx((60 + 6) / 120), "lamp": pytest.approx(6 / 120)}
    catalog.put_item(Item("milk", category="home"))
    assert rates() == {"milk": pytest.approx((60 + 6) / 220), "lamp": pytest.approx((60 + 6) / 220)}
