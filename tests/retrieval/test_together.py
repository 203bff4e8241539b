"""What goes together: against counting, visitor by visitor."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.retrieval.together import PRIOR, compute_together, count_together
from tests.catalog.stock import stocked, taught

BREAK_MS = 1_800_000
ITEMS = ("pot", "cup", "lamp", "hose", "tea")
visits = st.dictionaries(
    st.sampled_from(ITEMS), st.dictionaries(st.sampled_from("uvwxyz"), st.integers(0, 6).map(lambda n: n * 900_000))
)


def visited(by_item: dict[str, dict[str, int]]) -> Catalog:
    catalog = stocked(*ITEMS)
    for item_id, users in by_item.items():
        catalog.put_knowledge(item_id, taught(*users.values(), users=users))
    return catalog


@given(visits, st.lists(st.sampled_from(ITEMS), min_size=1, max_size=4, unique=True))
def test_it_is_the_sum_of_cosines_of_visitors_within_half_an_hour(by_item, cart):
    """By an oracle that goes through the users; for the cart's own items it is 0, whatever they have in common."""
    catalog = visited(by_item)
    found = compute_together(np.array([catalog.find(item_id) for item_id in cart]), catalog)

    for item_id in ITEMS:
        other, expected = by_item.get(item_id, {}), 0.0
        for each in cart if item_id not in cart else ():
            own = by_item.get(each, {})
            n = sum(abs(own[user] - other[user]) < BREAK_MS for user in own.keys() & other.keys())
            expected += n / math.sqrt((len(own) + PRIOR) * (len(other) + PRIOR))
        np.testing.assert_allclose(found[catalog.find(item_id)], expected)


def test_a_visitor_whose_newest_items_no_longer_name_it_says_nothing():
    """The index keeps 64 of a visitor's items, and the items keep the visitor."""
    catalog = stocked("old", *(f"i{n}" for n in range(70)))
    for at, item_id in enumerate(["old", *(f"i{n}" for n in range(70))]):
        catalog.put_knowledge(item_id, taught(at, users={"u": at}))
    index = catalog.knowledge.neighbour_index

    assert not count_together(catalog.find("old"), index, len(catalog)).any()
    assert count_together(catalog.find("i69"), index, len(catalog)).sum() == 63
