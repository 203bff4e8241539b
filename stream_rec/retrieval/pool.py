"""A pool: the items that one list may be made of, where that is not all that is listed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.retrieval.ruled import WEEK

MOST_POPULAR = 200
"""Candidates of a pool besides what sources propose: a filter leaves few of those, and a list is to be filled."""


class Take(Enum):
    """Which items of a pool are candidates."""

    PROPOSED = "what sources propose, and the most popular of the rest"
    RELATED = "what follows from the user's history alone"
    ANSWERS = "what fits the user's search"
    ALL = "every one"


@dataclass(frozen=True, slots=True)
class Pool:
    """Items that may be candidates."""

    is_in: NDArray[np.bool_]
    """(n,) by row, all of them listed."""
    take: Take = Take.PROPOSED

    def rows(self) -> NDArray[np.int64]:
        """Return its rows, ascending."""
        return np.flatnonzero(self.is_in)


def find_popular(pool: Pool, is_own: NDArray[np.bool_], catalog: Catalog) -> NDArray[np.int64]:
    """Return the rows of a pool that are most popular at a half-life of a week, those without events last.

    Args:
        is_own: (>= n,) by row, what the user had: other sources say whether it is proposed again.
    """
    rows = np.flatnonzero(pool.is_in & ~is_own[: len(pool.is_in)])
    levels = catalog.knowledge.levels[rows, WEEK]
    if len(rows) > MOST_POPULAR:
        rows = rows[np.argpartition(-levels, MOST_POPULAR)[:MOST_POPULAR]]
    return rows
