"""Features: what the heads know of each candidate, as named numbers at the time of the list.

Each is divided by its largest among the candidates, so that it means the same in every catalog and for every user;
amounts come once more as a logarithm, which tells the small ones apart. What was kept and what was tried in vain, with
its numbers: docs/concepts/ranking.md.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numba
import numpy as np

from stream_rec.catalog import bpr
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.fresh import EVENTS as FRESH_EVENTS
from stream_rec.knowledge.popularity import HALF_LIVES_MS, HOUR_MS
from stream_rec.retrieval.candidates import Candidates
from stream_rec.retrieval.scratch import AFTER, LAST, RECENT, STAN, WIDE
from stream_rec.user.past import Past

DAY_MS = 24 * HOUR_MS
GROUPS: dict[str, tuple[str, ...]] = {
    "trending": (
        *(f"popularity_{round(half_life / HOUR_MS)}h" for half_life in HALF_LIVES_MS),
        "popularity",
        "seen_1h_ago",
        "seen_1d_ago",
        "seen_7d_ago",
        "conversion",
        "repeat_rate",
    ),
    "fresh": ("age_6h", "age_2d", "age_14d", "age_60d", "unseen", "few_events"),
    "successors": ("follows_last", "follows_recent", "precedes_last", "follows_recent_cosine", "follows_wide_cosine"),
    "neighbours": ("stan", "stan_after", "affinity"),
    "similar": ("text_last", "text_taste"),
    "repeat": (
        "own_count",
        "own_1d_ago",
        "own_14d_ago",
        "own_60d_ago",
        "own_place",
        "own_order",
        "own",
        "own_due",
        "own_repeat_rate",
    ),
}
"""Features by what they tell; the names of the groups are the kinds of ``Reason``."""
NAMES = tuple(name for names in GROUPS.values() for name in names)
N = len(NAMES)
GROUP_OF = np.repeat(np.arange(len(GROUPS)), [len(names) for names in GROUPS.values()])
NOT_AMOUNTS = {"unseen", "few_events", "own", "own_place", "text_last", "text_taste", "conversion"}
LOGGED = np.array([place for place, name in enumerate(NAMES) if name not in NOT_AMOUNTS])
INPUTS = N + len(LOGGED)
"""Features and logarithms together: what a head sees of a candidate."""
INPUT_NAMES = (*NAMES, *(f"log_{NAMES[place]}" for place in LOGGED))
INPUT_GROUP = np.concatenate([GROUP_OF, GROUP_OF[LOGGED]])

HISTORY = (1, 5, 20)
"""Weights differ by length of history: no events, fewer than 5, fewer than 20, more."""
CONTEXT = len(HISTORY) + 1 + 6


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the heads see of one list to be made."""

    items: np.ndarray
    """(k, INPUTS) float32 by candidate."""
    context: np.ndarray
    """(CONTEXT,) float32 what is the same for all of them: the user."""
    history: int
    """Which of the four lengths of history."""

    def fresh(self) -> np.ndarray:
        """Return the places of the candidates with fewer than ``FRESH_EVENTS`` events, ascending."""
        return np.flatnonzero(self.items[:, _UNSEEN : _UNSEEN + 2].any(axis=1))

    def keep(self, places: np.ndarray) -> Inputs:
        """Return the candidates at ``places``."""
        return Inputs(self.items.take(places, axis=0), self.context, self.history)


def inputs(candidates: Candidates, past: Past, catalog: Catalog, now_ms: int) -> Inputs:
    """Return what the heads see of ``candidates``."""
    knowledge = catalog.knowledge
    space = catalog.embeddings.active
    items = np.zeros((len(candidates), INPUTS), dtype=np.float32)
    _of_item(
        items,
        candidates.rows,
        knowledge.levels,
        knowledge.counts,
        knowledge.repeats,
        knowledge.first_ms,
        knowledge.last_ms,
        _HALF_LIVES,
        float(now_ms),
    )
    last_row = int(past.recent_rows[0]) if len(past.recent_rows) else -1
    successors = knowledge.successors
    _of_sources(
        items,
        candidates.rows,
        candidates.values,
        successors.rows,
        successors.weights,
        successors.n,
        successors.total,
        successors.total_before,
        last_row,
        space.vectors if space is not None else _NO_VECTORS,
        candidates.last,
        candidates.taste,
    )
    items[:, _AFFINITY] = bpr.affinities(candidates.user, candidates.rows, catalog.factors)
    _of_own(
        items,
        candidates.rows,
        past.own_rows,
        past.own_counts,
        past.own_first_ms,
        past.own_last_ms,
        past.recent_rows,
        float(now_ms),
    )
    _scale(items)
    return Inputs(items, _context(past, catalog, now_ms), bisect_right(HISTORY, past.n_events))


def _context(past: Past, catalog: Catalog, now_ms: int) -> np.ndarray:
    """Return what is known of the user; shares are drawn towards what is usual among all users."""
    knowledge = catalog.knowledge
    usual = (knowledge.n_repeats + 1) / (knowledge.n_events + 5)
    history = [0.0] * (len(HISTORY) + 1)
    history[bisect_right(HISTORY, past.n_events)] = 1.0
    return np.array(
        [
            *history,
            math.log1p(past.n_events) / 5,
            1.0,
            (past.n_repeats + 2 * usual) / (past.n_counted + 2),
            math.log1p(max(0, now_ms - past.last_ms) / 1000) / 15 if past.last_ms is not None else 1.2,
            math.log1p(past.n_events / max(past.group_size, 1.0)) / 4,
            math.log1p(past.group_size) / 4,
        ],
        dtype=np.float32,
    )


_HALF_LIVES = np.array(HALF_LIVES_MS, dtype=np.float64)
_NO_VECTORS = np.zeros((0, 0), dtype=np.float32)
_POPULARITY, _SEEN_1H, _CONVERSION, _REPEAT_RATE = map(
    NAMES.index, ("popularity", "seen_1h_ago", "conversion", "repeat_rate")
)
_AGE_6H, _UNSEEN = map(NAMES.index, ("age_6h", "unseen"))
_FOLLOWS_LAST, _STAN, _AFFINITY, _TEXT_LAST, _OWN = map(
    NAMES.index, ("follows_last", "stan", "affinity", "text_last", "own_count")
)
TINY = 1e-20
"""Below it a feature counts as absent: 1 over the smallest float32 is infinite."""
_PRIOR = 3.0
"""Events that a rate is drawn towards 0 with."""


@numba.njit(cache=True)
def _of_item(items, rows, levels, counts, repeats, first_ms, last_ms, half_lives, now_ms):
    """Popularity, age and rates. An event later than ``now_ms`` counts as if it were now."""
    for place in range(len(rows)):
        row = rows[place]
        n_events = counts[row, 0] + counts[row, 1] + counts[row, 2]
        if n_events == 0:
            items[place, _UNSEEN] = 1.0
            continue
        now = max(now_ms, last_ms[row])
        for h in range(len(half_lives)):
            items[place, h] = 2.0 ** (levels[row, h] - now / half_lives[h])
        items[place, _POPULARITY] = n_events
        idle = now - last_ms[row]
        items[place, _SEEN_1H] = np.exp(-idle / HOUR_MS)
        items[place, _SEEN_1H + 1] = np.exp(-idle / DAY_MS)
        items[place, _SEEN_1H + 2] = np.exp(-idle / (7 * DAY_MS))
        items[place, _CONVERSION] = (counts[row, 1] + counts[row, 2]) / n_events
        items[place, _REPEAT_RATE] = repeats[row] / (n_events + _PRIOR)
        age = now - first_ms[row]
        items[place, _AGE_6H] = np.exp(-age / (DAY_MS / 4))
        items[place, _AGE_6H + 1] = np.exp(-age / (2 * DAY_MS))
        items[place, _AGE_6H + 2] = np.exp(-age / (14 * DAY_MS))
        items[place, _AGE_6H + 3] = np.exp(-age / (60 * DAY_MS))
        if n_events < FRESH_EVENTS:
            items[place, _UNSEEN + 1] = 1.0


@numba.njit(cache=True, fastmath=True)
def _of_sources(items, rows, values, successor_rows, weights, n, total, total_before, last_row, vectors, last, taste):
    """Co-visits, session kNN and text."""
    for place in range(len(rows)):
        row = rows[place]
        popular = np.sqrt(1.0 + total_before[row] + total[row])
        items[place, _FOLLOWS_LAST] = values[place, LAST]
        items[place, _FOLLOWS_LAST + 1] = values[place, RECENT]
        if last_row >= 0 and total[row] > 0.0:
            for at in range(n[row]):
                if successor_rows[row, at] == last_row:
                    items[place, _FOLLOWS_LAST + 2] = weights[row, at] / total[row]
                    break
        items[place, _FOLLOWS_LAST + 3] = values[place, RECENT] / popular
        items[place, _FOLLOWS_LAST + 4] = values[place, WIDE] / popular
        items[place, _STAN] = values[place, STAN]
        items[place, _STAN + 1] = values[place, AFTER]
        if last_row >= 0 and row < len(vectors):
            near_last, near_taste = np.float32(0.0), np.float32(0.0)
            for d in range(len(last)):
                near_last += vectors[row, d] * last[d]
                near_taste += vectors[row, d] * taste[d]
            items[place, _TEXT_LAST] = near_last
            items[place, _TEXT_LAST + 1] = near_taste


@numba.njit(cache=True)
def _of_own(items, rows, own_rows, own_counts, own_first_ms, own_last_ms, recent_rows, now_ms):
    """What the user did with the item before: how often, how long ago, and whether it is due again."""
    latest = np.argsort(-own_last_ms)
    n_later = 0  # different times of later items: orders ago, or events
    for at in range(len(own_rows)):
        k = latest[at]
        if at and own_last_ms[k] < own_last_ms[latest[at - 1]]:
            n_later += 1
        place = np.searchsorted(rows, own_rows[k])
        if place == len(rows) or rows[place] != own_rows[k]:
            continue
        age = max(now_ms - own_last_ms[k], 0.0)
        items[place, _OWN] = np.log1p(own_counts[k])
        items[place, _OWN + 1] = np.exp(-age / DAY_MS)
        items[place, _OWN + 2] = np.exp(-age / (14 * DAY_MS))
        items[place, _OWN + 3] = np.exp(-age / (60 * DAY_MS))
        items[place, _OWN + 5] = 1.0 / (1.0 + n_later)
        items[place, _OWN + 6] = 1.0
        if own_counts[k] >= 2:
            gap = (own_last_ms[k] - own_first_ms[k]) / (own_counts[k] - 1) + 1000.0
            items[place, _OWN + 7] = np.exp(-abs(age - gap) / gap)
        items[place, _OWN + 8] = items[place, _REPEAT_RATE]
    for k in range(len(recent_rows)):
        place = np.searchsorted(rows, recent_rows[k])
        if place < len(rows) and rows[place] == recent_rows[k]:
            items[place, _OWN + 4] = 1.0 / (1.0 + k)


def _scale(items: np.ndarray) -> None:
    """Divide each feature by its largest size, and add the logarithms, at most 1 too."""
    _divide_by_largest(items)
    logarithms = items.take(LOGGED, axis=1)  # numpy's logarithms come eight at once, numba's one by one
    logarithms *= 50.0
    logarithms += 1.0
    np.log(logarithms, out=logarithms)
    np.multiply(logarithms, np.float32(1 / np.log(51.0)), out=items[:, N:])


@numba.njit(cache=True, fastmath=True)
def _divide_by_largest(items):
    scale = np.zeros(N, dtype=np.float32)
    for place in range(items.shape[0]):
        for f in range(N):
            size = abs(items[place, f])
            if size > scale[f]:
                scale[f] = size
    for f in range(N):
        scale[f] = np.float32(1.0) / scale[f] if scale[f] > TINY else np.float32(0.0)
    for place in range(items.shape[0]):
        for f in range(N):
            items[place, f] *= scale[f]
