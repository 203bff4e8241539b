"""Source `successors`, on a catalog small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.retrieval.scratch import LAST, RECENT, RECENT_COSINE, WIDE, WIDE_COSINE
from stream_rec.retrieval.successors import FAR, FAR_DECAY, NEAR, NEAR_DECAY, add_successors
from tests.catalog.stock import stocked, taught
from tests.retrieval.columns import column, rows_of, scratch_for


def test_successors_count_by_their_share_the_newer_the_heavier():
    """c came after a in three of four pairs, and in all that came after b; a is the last item, b the one before."""
    catalog = stocked("a", "b", "c", "d")
    catalog.put_knowledge("c", taught(1, predecessors={"a": 3, "b": 7}))
    catalog.put_knowledge("d", taught(1, predecessors={"a": 1}))
    scratch = scratch_for(catalog)
    add_successors(scratch, rows_of(catalog, "a", "b"), catalog.knowledge.successors)

    assert column(scratch, catalog, LAST) == pytest.approx({"c": 0.75, "d": 0.25})
    assert column(scratch, catalog, RECENT) == pytest.approx({"c": 0.75 + NEAR_DECAY, "d": 0.25})
    assert column(scratch, catalog, WIDE) == pytest.approx({"c": 0.75 + FAR_DECAY, "d": 0.25})


def test_what_many_come_to_from_anywhere_counts_less():
    """c and d follow a as often; users came to d eight times from elsewhere, and went on from c three times."""
    catalog = stocked("a", "b", "c", "d", "e")
    catalog.put_knowledge("c", taught(1, predecessors={"a": 2}))
    catalog.put_knowledge("d", taught(1, predecessors={"a": 2, "b": 8}))
    catalog.put_knowledge("e", taught(1, predecessors={"c": 3}))
    scratch = scratch_for(catalog)
    add_successors(scratch, rows_of(catalog, "a"), catalog.knowledge.successors)

    popular = {"c": np.sqrt(1 + 2 + 3), "d": np.sqrt(1 + 10)}
    expected = {item_id: pytest.approx(0.5 / root) for item_id, root in popular.items()}
    assert column(scratch, catalog, RECENT_COSINE) == expected
    assert column(scratch, catalog, WIDE_COSINE) == expected


def test_two_columns_look_back_differently_far():
    """Each of 80 recent items has one successor: the last 12 count as near, the last 64 at all."""
    recent = [f"r{n}" for n in range(80)]
    catalog = stocked(*recent, *(f"f{n}" for n in range(80)))
    for n in range(80):
        catalog.put_knowledge(f"f{n}", taught(1, predecessors={f"r{n}": 2}))
    scratch = scratch_for(catalog)
    add_successors(scratch, rows_of(catalog, *recent), catalog.knowledge.successors)

    assert column(scratch, catalog, LAST) == {"f0": 1.0}
    assert column(scratch, catalog, RECENT) == pytest.approx({f"f{n}": NEAR_DECAY**n for n in range(NEAR)})
    assert column(scratch, catalog, WIDE) == pytest.approx({f"f{n}": FAR_DECAY**n for n in range(FAR)}, rel=1e-5)


def test_an_item_that_nothing_followed_adds_nothing():
    """Nor do no recent items at all."""
    catalog = stocked("a", "b")
    scratch = scratch_for(catalog)
    add_successors(scratch, rows_of(catalog, "a"), catalog.knowledge.successors)
    add_successors(scratch, np.zeros(0, np.int64), catalog.knowledge.successors)

    assert scratch.n_touched == 0
