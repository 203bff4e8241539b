"""Source `similar`, on vectors in the plane."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.retrieval.scratch import TEXT
from stream_rec.retrieval.similar import DECAY, ITEMS, add_similar
from tests.catalog.stock import embedded, stocked
from tests.retrieval.columns import column, rows_of, scratch_for


def test_text_neighbours_count_by_similarity():
    """The n-th last item counts 0.8 ** n; what is no nearer than a right angle counts next to nothing, never less."""
    catalog = stocked("a", "b", "c", "d", "e")
    for item_id, vector in {"a": [1, 0], "b": [0, 1], "c": [1, 1], "d": [-1, 0]}.items():
        catalog.put_embedding(item_id, embedded(vector))
    scratch = scratch_for(catalog)
    add_similar(scratch, rows_of(catalog, "a", "b", "e"), catalog.similar)
    near = np.sqrt(0.5)

    assert column(scratch, catalog, TEXT) == pytest.approx(
        {"a": DECAY * 1e-6, "b": 1e-6, "c": near + DECAY * near, "d": (1 + DECAY) * 1e-6}, rel=1e-4
    )


def test_only_the_last_items_are_looked_at():
    """Of 13 recent items the first one is too long ago; nor does an item without text propose anything."""
    recent = [f"r{n}" for n in range(ITEMS + 1)]
    catalog = stocked(*recent, "x")
    catalog.put_embedding(recent[-1], embedded([1, 0]))
    catalog.put_embedding("x", embedded([1, 0]))
    scratch = scratch_for(catalog)
    add_similar(scratch, rows_of(catalog, *recent), catalog.similar)
    assert scratch.n_touched == 0

    add_similar(scratch, rows_of(catalog, *recent[1:]), catalog.similar)
    assert column(scratch, catalog, TEXT) == pytest.approx({"x": DECAY ** (ITEMS - 1)}, rel=1e-5)


def test_items_without_any_text_propose_nothing():
    """Before the first vector has come."""
    catalog = stocked("a", "b")
    scratch = scratch_for(catalog)
    add_similar(scratch, rows_of(catalog, "a", "b"), catalog.similar)

    assert scratch.n_touched == 0
