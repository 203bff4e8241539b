"""Source `similar`, on vectors in the plane."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.retrieval.scratch import TEXT
from stream_rec.retrieval.similar import DECAY, ITEMS, add_similar
from tests.catalog.stock import embedded, stocked
from tests.catalog.whitened import whitened
from tests.retrieval.columns import column, rows_of, scratch_for


def test_text_neighbours_count_by_similarity():
    """The n-th last item counts 0.8 ** n; what is no nearer than a right angle counts next to nothing, never less."""
    catalog = stocked("a", "b", "c", "d", "e")
    vectors = np.array([[1, 0], [0, 1], [1, 1], [-1, 0]]) / np.sqrt([[1], [1], [2], [1]])
    for item_id, vector in zip("abcd", vectors):
        catalog.put_embedding(item_id, embedded(vector))
    scratch = scratch_for(catalog)
    add_similar(scratch, rows_of(catalog, "a", "b", "e"), catalog.spaces.similar()[0])
    a, b, c, d = whitened(vectors)

    def near(one, other):
        return max(one @ other, 1e-6)

    assert max(a @ b, a @ d, b @ d) < 0.2 < 0.5 < min(a @ c, b @ c)
    assert column(scratch, catalog, TEXT) == pytest.approx(
        {"a": DECAY * 1e-6, "b": 1e-6, "c": near(a, c) + DECAY * near(b, c), "d": 1e-6 + DECAY * near(b, d)}, rel=1e-2
    )


def test_each_space_has_its_column():
    """What is near by meaning need not share words."""
    catalog = stocked("a", "b", "c")
    for item_id, vector, second in [("a", [1, 0], [1, 0]), ("b", [1, 0.1], [-1, 0]), ("c", [-1, 0], [1, 0.1])]:
        catalog.put_embedding(item_id, embedded(vector, second=second))
    scratch = scratch_for(catalog)
    for space, similar in enumerate(catalog.spaces.similar()):
        add_similar(scratch, rows_of(catalog, "a"), similar, space)
    first, second = column(scratch, catalog, TEXT), column(scratch, catalog, TEXT + 1)

    assert first["b"] > 0.9 > 1e-5 > first["c"]
    assert second["c"] > 0.9 > 1e-5 > second["b"]


def test_only_the_last_items_are_looked_at():
    """Of 13 recent items the first one is too long ago; nor does an item without text propose anything."""
    recent = [f"r{n}" for n in range(ITEMS + 1)]
    catalog = stocked(*recent, "x")
    catalog.put_embedding(recent[-1], embedded([1, 0]))
    catalog.put_embedding("x", embedded([1, 0]))
    scratch = scratch_for(catalog)
    add_similar(scratch, rows_of(catalog, *recent), catalog.spaces.similar()[0])
    assert scratch.n_touched == 0

    add_similar(scratch, rows_of(catalog, *recent[1:]), catalog.spaces.similar()[0])
    assert column(scratch, catalog, TEXT) == pytest.approx({"x": DECAY ** (ITEMS - 1)}, rel=1e-5)


def test_items_without_any_text_propose_nothing():
    """Before the first vector has come."""
    catalog = stocked("a", "b")
    scratch = scratch_for(catalog)
    add_similar(scratch, rows_of(catalog, "a", "b"), catalog.spaces.similar()[0])

    assert scratch.n_touched == 0
