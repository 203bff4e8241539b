"""Source `related`: items that have something in common with the user's recent ones, over one step in the graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.count_lists import CountLists
from stream_rec.catalog.graph import MOST_MEMBERS, Graph
from stream_rec.kernel import kernel
from stream_rec.retrieval.scratch import RELATED, Scratch, touch

ITEMS, DECAY = 12, 0.8
"""Recent items looked at, and how much less each earlier one counts than the one after it."""


def add_related(scratch: Scratch, recent_rows: NDArray[np.int64], graph: Graph) -> None:
    """Add, for each item with an entity in common, how rare that is: 1 / sqrt(others that have it)."""
    scratch.n_touched = _add(
        scratch.values,
        scratch.is_touched,
        scratch.touched,
        scratch.n_touched,
        recent_rows[:ITEMS],
        graph.index.entries,
        graph.index.postings,
    )


@kernel()
def _add(
    values: NDArray[np.float32],
    is_touched: NDArray[np.bool_],
    touched: NDArray[np.int64],
    n_touched: int,
    recent: NDArray[np.int64],
    entries: CountLists,
    postings: CountLists,
) -> int:
    """Add to the columns of ``values``, one for each kind of edge, in place; return how many rows are touched now.

    Args:
        recent: (r,) rows of the user's recent items, newest first; the first four as of ``Scratch``.
        entries: By row, the entities and the kinds of the edges, and ``postings``: by entity, the rows.
    """
    weight = np.float32(1.0)
    for row in recent:
        if row < len(entries.sizes):
            start = entries.starts[row]
            for edge in range(start, start + entries.sizes[row]):
                entity = entries.numbers[edge]
                n_others = postings.sizes[entity] - 1
                if n_others == 0 or n_others >= MOST_MEMBERS:
                    continue
                column = RELATED + entries.counts[edge] - 1
                share = weight / np.sqrt(np.float32(n_others))
                first = postings.starts[entity]
                for index in range(first, first + n_others + 1):
                    other = postings.numbers[index]
                    if other != row:
                        n_touched = touch(other, is_touched, touched, n_touched)
                        values[other, column] += share
        weight *= np.float32(DECAY)
    return n_touched
