"""What a source added, by item id."""

from __future__ import annotations

import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.retrieval.scratch import Scratch


def scratch_for(catalog: Catalog) -> Scratch:
    """Return an empty scratch with room for the catalog."""
    scratch = Scratch()
    scratch.begin(len(catalog))
    return scratch


def rows_of(catalog: Catalog, *item_ids: str) -> np.ndarray:
    """Return the rows of some items, as recent items are given: the first one newest."""
    return np.array([catalog.find(item_id) for item_id in item_ids], dtype=np.int64)


def column(scratch: Scratch, catalog: Catalog, number: int) -> dict[str, float]:
    """Return what stands in a column. Every row with a value must be noted as touched, once."""
    touched = scratch.touched[: scratch.n_touched].tolist()
    assert len(set(touched)) == len(touched)
    assert set(np.flatnonzero(scratch.values.any(axis=1)).tolist()) <= set(touched)
    assert np.flatnonzero(scratch.is_touched).tolist() == sorted(touched)
    values = scratch.values[:, number]
    return {catalog.item_ids[row]: float(values[row]) for row in touched if values[row] != 0}
