"""Candidates: the union of what all sources propose, from which lists are ranked and the head learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog import bpr
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import NONE, Active
from stream_rec.embedding.item_embedding import ALL_SPACES
from stream_rec.kernel import kernel
from stream_rec.retrieval.asked import Asked
from stream_rec.retrieval.fresh import find_nearest, find_nearest_in_each, find_newcomers, find_without_events
from stream_rec.retrieval.interests import Interests
from stream_rec.retrieval.neighbours import Meeting, add_neighbours
from stream_rec.retrieval.pool import Pool, Take, find_popular
from stream_rec.retrieval.related import add_related
from stream_rec.retrieval.repeat import find_repeats
from stream_rec.retrieval.ruled import Exclusions, find_demanded
from stream_rec.retrieval.scratch import (
    AFTER,
    EDGES,
    LAST,
    RECENT,
    RECENT_COSINE,
    RELATED,
    SKNN,
    STAN,
    TEXT,
    WIDE,
    WIDE_COSINE,
    Scratch,
)
from stream_rec.retrieval.similar import add_similar
from stream_rec.retrieval.successors import add_successors
from stream_rec.user.history import History

SOURCES = (
    *("successors", "neighbours", "similar", "trending", "repeat", "fresh", "rules", "asked", "interest"),
    "related",
)
"""Bit ``1 << index`` of ``Candidates.sources`` stands for a source."""
SUCCESSORS, NEIGHBOURS, SIMILAR, TRENDING, REPEAT, FRESH, RULES, ASKED, INTEREST, RELATED_ITEMS = range(len(SOURCES))
FILLER = len(SOURCES)
"""No source: what no source proposes."""
BEST = (
    (LAST, 40, SUCCESSORS),
    (RECENT, 40, SUCCESSORS),
    (WIDE, 40, SUCCESSORS),
    (RECENT_COSINE, 30, SUCCESSORS),
    (WIDE_COSINE, 30, SUCCESSORS),
    (SKNN, 30, NEIGHBOURS),
    (STAN, 40, NEIGHBOURS),
    (AFTER, 40, NEIGHBOURS),
    *((RELATED + kind, 20, RELATED_ITEMS) for kind in range(EDGES)),
    *((TEXT + space, 20, SIMILAR) for space in range(ALL_SPACES)),
)
"""Candidates taken from each column, and for which source."""
OWN_BEST = tuple((column, 10, REPEAT) for column, *_ in BEST)
"""The same for what the user had, beside the latest and most frequent of it."""
LEAST_REPEATS = 0.01
"""Share of all events that are repeats: where it is less, as with films, nothing else is proposed again."""
FRESH_BEST = tuple((TEXT + space, 15, FRESH) for space in range(ALL_SPACES))
"""The same for fresh items, of those without events, and as many of the rest."""
FRESH_RELATED = tuple((RELATED + kind, 10, FRESH) for kind in range(EDGES))
"""The same by what they have in common with the recent items, however many are fresh."""
SEARCHED, NEIGHBOURS_HAVE = 500, 0.25
"""Fresh items are searched for among all that are fresh if these are no more than that, or a smaller share of the
catalog. Otherwise the text neighbours of the recent items have enough of them, and are at hand."""
MOST_TRENDING = 30
"""Candidates taken at each half-life of popularity."""
MOST_FILLERS = 200
"""Items without events that may fill up a list, where fewer are proposed than it needs: as many as a list may have."""
MOST_UNKNOWN = 5
"""Events of a user from which on history says enough: what is popular in the user's contexts is not proposed then."""
MOST_IN_CONTEXT = 30
"""Candidates taken in each context."""
MOST_RELATED = 20
"""Items of a pool whose text is nearest to the last item, in each space."""
TASTE_ITEMS, TASTE_DECAY = 20, 0.8
"""Recent items whose vectors make the user's taste, and how much less each earlier one counts."""


class Workspace:
    """What one process needs for making lists, one after the other."""

    def __init__(self) -> None:
        self.scratch = Scratch()
        self.meeting = Meeting()


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items that a list may be made of. Its scratch values are good until the next ``retrieve``."""

    rows: NDArray[np.int64]
    """(k,) int64 rows of the catalog, ascending, all listed."""
    sources: NDArray[np.int64]
    """(k,) int64 bits of the sources that proposed each."""
    values: NDArray[np.float32]
    """(k, columns) float32 each source's score, see ``scratch.py``."""
    taste: NDArray[np.float32]
    """(spaces, c) unit vectors of the user's recent items, zero where there is none."""
    last: NDArray[np.float32]
    """(spaces, c) vectors of the last item, zero where there is none."""
    user: NDArray[np.float32]
    """(DIMENSIONS,) the user's factors, zero for a user without own items."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_filler(self) -> NDArray[np.bool_]:
        """(k,) bool: nothing speaks for it, it only fills up what would be too short a list."""
        return np.equal(self.sources, 1 << FILLER)


def retrieve(
    history: History,
    catalog: Catalog,
    workspace: Workspace,
    *,
    own_slot: int,
    now_ms: int,
    rules: Active = NONE,
    exclusions: Exclusions | None = None,
    asked: Asked | None = None,
    interests: Interests | None = None,
    contexts: Sequence[int] = (),
    pool: Pool | None = None,
) -> Candidates:
    """Return the union of all sources' proposals.

    Args:
        rules: Those of the time, and ``exclusions``: what they keep from the user; None without rules.
        asked: What the user asks for now, and ``interests``: what a new user says to like.
        contexts: ``ContextNumbers`` of the request.
        own_slot: The user's own in ``catalog.knowledge.neighbour_index``, -1 where there is none.
        pool: What may be proposed; None for all that is listed.
    """
    scratch, knowledge = workspace.scratch, catalog.knowledge
    scratch.begin(len(catalog))
    taste, last = compute_tastes(history.recent_rows, catalog)
    if len(history.recent_rows):
        add_successors(scratch, history.recent_rows, knowledge.successors)
        add_neighbours(scratch, workspace.meeting, history.recent_rows, knowledge.neighbour_index, own_slot, now_ms)
        for space, similar in enumerate(catalog.spaces.similar()):
            if not similar.is_empty:
                add_similar(scratch, history.recent_rows, similar, space)
        add_related(scratch, history.recent_rows, catalog.graph)
        scratch.set_own(history.own_rows)
    if pool is None:
        is_listed = catalog.is_listed
        _choose_by_history(scratch, history, catalog, taste, last, is_listed, now_ms)
        scratch.choose_first(knowledge.trending(is_listed), MOST_TRENDING, TRENDING)
        _choose_by_time(scratch, catalog, is_listed)
        if history.n_events < MOST_UNKNOWN:
            _choose_by_context(scratch, contexts, catalog, is_listed)
    else:
        is_listed = pool.is_in
        _choose_of_pool(scratch, history, catalog, taste, last, pool, now_ms)
    if asked is not None:
        scratch.choose(asked.rows, ASKED, is_listed)
    if interests is not None and (pool is None or pool.take not in (Take.RELATED, Take.ANSWERS)):
        scratch.choose(interests.rows, INTEREST, is_listed)
    if exclusions is not None:
        demanded = find_demanded(rules, exclusions, scratch.chosen[: scratch.n_chosen], catalog, is_listed)
        scratch.choose(demanded, RULES, is_listed)
    rows = np.sort(scratch.chosen[: scratch.n_chosen])
    user = bpr.fold_in(history, catalog.factors)
    return Candidates(rows, scratch.sources[rows], scratch.values.take(rows, axis=0), taste, last, user)


def add_fillers(candidates: Candidates, history: History, catalog: Catalog) -> Candidates:
    """Return candidates and, besides them, items that nothing proposes, as nobody has come to them yet."""
    known = np.concatenate((candidates.rows, history.own_rows))
    fillers = np.setdiff1d(find_without_events(catalog, MOST_FILLERS), known)
    rows = np.concatenate((candidates.rows, fillers))
    sources = np.concatenate((candidates.sources, np.full(len(fillers), 1 << FILLER)))
    values = np.pad(candidates.values, ((0, len(fillers)), (0, 0)))
    order = np.argsort(rows)
    return replace(candidates, rows=rows[order], sources=sources[order], values=values[order])


def _choose_by_history(
    scratch: Scratch,
    history: History,
    catalog: Catalog,
    taste: NDArray[np.float32],
    last: NDArray[np.float32],
    is_listed: NDArray[np.bool_],
    now_ms: int,
) -> None:
    """Propose what follows from a user's history, as far as it is listed; nothing without history.

    Args:
        taste: (spaces, c), and ``last``: (spaces, c), as of ``Candidates``.
        is_listed: (n,) by row.
    """
    if not len(history.recent_rows):
        return
    knowledge = catalog.knowledge
    scratch.choose_best(BEST, is_listed)
    repeats = find_repeats(history, now_ms)
    scratch.choose(repeats, REPEAT, is_listed)
    if len(repeats) < len(history.own_rows) and knowledge.n_repeats > LEAST_REPEATS * knowledge.n_events:
        scratch.choose_best(OWN_BEST, is_listed, own=True)
    for fresh in (catalog.fresh.unseen, catalog.fresh.seen):
        is_fresh = fresh.is_in[: len(is_listed)] & is_listed
        if len(fresh) <= SEARCHED or len(fresh) < NEIGHBOURS_HAVE * len(catalog):
            scratch.choose(find_nearest(fresh.rows(), catalog, taste, last), FRESH, is_listed)
        else:
            scratch.choose_best(FRESH_BEST, is_fresh)
        scratch.choose_best(FRESH_RELATED, is_fresh)


def _choose_by_time(scratch: Scratch, catalog: Catalog, is_listed: NDArray[np.bool_]) -> None:
    """Propose what has just appeared, or is on its way up."""
    scratch.choose(catalog.fresh.rising(catalog.knowledge.levels), FRESH, is_listed)
    scratch.choose(find_newcomers(catalog), FRESH, is_listed)


def _choose_by_context(
    scratch: Scratch, contexts: Sequence[int], catalog: Catalog, is_listed: NDArray[np.bool_]
) -> None:
    """Propose what is most popular in each context: all that is known of who is new."""
    known = catalog.knowledge.contexts
    for number in filter(None, contexts):
        scratch.choose(known.find_popular(number, is_listed, MOST_IN_CONTEXT), TRENDING, is_listed)


def _choose_of_pool(
    scratch: Scratch,
    history: History,
    catalog: Catalog,
    taste: NDArray[np.float32],
    last: NDArray[np.float32],
    pool: Pool,
    now_ms: int,
) -> None:
    """Propose what is to be taken of a pool, but for answers; as ``_choose_by_history`` otherwise."""
    match pool.take:
        case Take.ALL:
            scratch.choose(pool.rows(), TRENDING, pool.is_in)
        case Take.PROPOSED:
            _choose_by_history(scratch, history, catalog, taste, last, pool.is_in, now_ms)
            scratch.choose(find_popular(pool, scratch.is_own, catalog), TRENDING, pool.is_in)
            _choose_by_time(scratch, catalog, pool.is_in)
        case Take.RELATED if len(history.recent_rows):
            scratch.choose_best(BEST, pool.is_in)
            scratch.choose(find_nearest_in_each(last, pool.rows(), catalog, MOST_RELATED), SIMILAR, pool.is_in)


def compute_tastes(recent_rows: NDArray[np.int64], catalog: Catalog) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the unit vectors of the recent items' text, (spaces, c), the newer the heavier, and those of the last."""
    return _tastes(recent_rows[:TASTE_ITEMS], catalog.spaces.vectors())


@kernel(fastmath=True)
def _tastes(rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the tastes, (spaces, c) of unit length, and the vectors of the first row; zero where there is none.

    Args:
        rows: (r,) newest first.
        vectors: (>= n, spaces, c) by row.
    """
    shape = vectors.shape[1:]
    taste, last = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    for space in range(shape[0]):
        if len(rows):
            for d in range(shape[1]):
                last[space, d] = vectors[rows[0], space, d]
        weight = np.float32(1.0)
        for row in rows:
            for d in range(shape[1]):
                taste[space, d] += weight * vectors[row, space, d]
            weight *= np.float32(TASTE_DECAY)
        length = np.float32(0.0)
        for d in range(shape[1]):
            length += taste[space, d] * taste[space, d]
        if length > 0.0:
            root = np.sqrt(length)
            for d in range(shape[1]):
                taste[space, d] /= root
    return taste, last
