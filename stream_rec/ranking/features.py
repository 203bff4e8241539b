"""Features: what the heads know of each candidate, as named numbers at the time of the list.

Each is divided by its largest among the candidates, so that it means the same in every catalog and for every user, but
for how long ago the user had an item: the latest of long ago is not one of just now. Amounts come once more as a
logarithm, which tells the small ones apart. What was kept and what was tried in vain, with
its numbers: docs/concepts/how-it-learns.md.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog import bpr
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.fresh import EVENTS as FRESH_EVENTS
from stream_rec.embedding.item_embedding import MAX_SPACES
from stream_rec.events.interaction import Kind
from stream_rec.events.item import MAX_MODALITIES
from stream_rec.kernel import kernel
from stream_rec.knowledge.popularity import FIRST_HALF_LIVES_MS, HALF_LIVES_MS, HOUR_MS
from stream_rec.retrieval.candidates import Candidates
from stream_rec.retrieval.scratch import (
    AFTER,
    EDGES,
    LAST,
    NEXT,
    RECENT,
    RECENT_COSINE,
    RELATED,
    SKNN,
    STAN,
    WIDE_COSINE,
)
from stream_rec.user.history import SESSION_BREAK_MS, History

DAY_MS = 24 * HOUR_MS
GROUPS: dict[str, tuple[str, ...]] = {
    "trending": (
        *(f"popularity_{round(half_life / HOUR_MS)}h" for half_life in HALF_LIVES_MS),
        "popularity",
        *(f"first_choice_{round(half_life / HOUR_MS)}h" for half_life in FIRST_HALF_LIVES_MS),
        "seen_1h_ago",
        "seen_1d_ago",
        "seen_7d_ago",
        "conversion",
        "repeat_rate",
    ),
    "fresh": ("age_6h", "age_2d", "age_14d", "age_60d", "unseen", "few_events"),
    "successors": ("follows_last", "follows_recent", "precedes_last", "follows_recent_cosine", "follows_wide_cosine"),
    "neighbours": ("sknn", "stan", "stan_after", "came_next", "affinity"),
    "similar": (
        *(f"text{space}_{of}" for space in range(1, MAX_SPACES + 1) for of in ("last", "taste")),
        *(f"vector{space}_{of}" for space in range(1, MAX_MODALITIES + 1) for of in ("last", "taste")),
        *(f"lacks_vector{space}" for space in range(1, MAX_MODALITIES + 1)),
    ),
    "related": ("family", "shared", "relation"),
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
        "own_category_repeat_rate",
    ),
}
"""Features by what they tell; the names of the groups are the kinds of ``Reason``."""
NAMES = tuple(name for names in GROUPS.values() for name in names)
N = len(NAMES)
GROUP_OF = np.repeat(np.arange(len(GROUPS)), [len(names) for names in GROUPS.values()])
NOT_AMOUNTS = {"unseen", "few_events", "own", "own_place", "conversion", *GROUPS["similar"], *GROUPS["related"]}
AS_THEY_ARE = {"own_1d_ago", "own_14d_ago", "own_60d_ago"}
"""Shares of 1 that are not divided by their largest."""
IS_SCALED = np.array([name not in AS_THEY_ARE for name in NAMES])
LOGGED = np.array([column for column, name in enumerate(NAMES) if name not in NOT_AMOUNTS])
INPUTS = N + len(LOGGED)
"""Features and logarithms together: what a head sees of a candidate."""
INPUT_NAMES = (*NAMES, *(f"log_{NAMES[column]}" for column in LOGGED))
INPUT_GROUP = np.concatenate([GROUP_OF, GROUP_OF[LOGGED]])

HISTORY = (1, 5, 20)
"""Weights differ by length of history: no events, fewer than 5, fewer than 20, more."""
IDLE_S = (1, 60, 1_800, 86_400, 7 * 86_400)
"""Where the steps of the time since a user's last event begin, after 0."""
CONTEXT = len(HISTORY) + 1 + 6 + len(Kind) + 2 + len(IDLE_S) + 2


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the heads see of one list to be made."""

    items: NDArray[np.float32]
    """(k, INPUTS) float32 by candidate."""
    context: NDArray[np.float32]
    """(CONTEXT,) float32 what is the same for all of them: the user."""
    history: int
    """Which of the four lengths of history."""

    def fresh(self) -> NDArray[np.int64]:
        """Return the indices of the candidates with fewer than ``FRESH_EVENTS`` events, ascending."""
        return np.flatnonzero(self.items[:, _UNSEEN] + self.items[:, _FEW_EVENTS])  # neither is below 0

    def keep(self, indices: NDArray[np.int64]) -> Inputs:
        """Return the candidates at ``indices``."""
        return Inputs(self.items.take(indices, axis=0), self.context, self.history)


def compute_inputs(candidates: Candidates, history: History, catalog: Catalog, now_ms: int) -> Inputs:
    """Return what the heads see of ``candidates``."""
    knowledge = catalog.knowledge
    items = np.zeros((len(candidates), INPUTS), dtype=np.float32)
    _of_item(
        items,
        candidates.rows,
        knowledge.levels,
        knowledge.first_levels,
        knowledge.counts,
        knowledge.repeats,
        knowledge.first_ms,
        knowledge.last_ms,
        _HALF_LIVES,
        _FIRST_HALF_LIVES,
        float(now_ms),
    )
    last_row = int(history.recent_rows[0]) if len(history.recent_rows) else -1
    successors = knowledge.successors
    _of_sources(
        items,
        candidates.rows,
        candidates.values,
        successors.rows,
        successors.weights,
        successors.n,
        successors.total,
        last_row,
        catalog.spaces.vectors(),
        candidates.last,
        candidates.taste,
    )
    items[:, _AFFINITY] = bpr.compute_affinities(candidates.user, candidates.rows, catalog.factors)
    _of_own(
        items,
        candidates.rows,
        history.own_rows,
        history.own_counts,
        history.own_first_ms,
        history.own_last_ms,
        np.argsort(-history.own_last_ms),
        history.recent_rows,
        catalog.repeats.rates(catalog.categories.first_of(candidates.rows)),
        float(now_ms),
    )
    _scale(items)
    return Inputs(items, _context(history, catalog, now_ms), bisect_right(HISTORY, history.n_events))


def _context(history: History, catalog: Catalog, now_ms: int) -> NDArray[np.float32]:
    """Return what is known of the user, (CONTEXT,); shares are drawn towards what is usual among all users."""
    knowledge = catalog.knowledge
    usual = (knowledge.n_repeats + 1) / (knowledge.n_events + 5)
    idle_s = max(0, now_ms - history.last_ms) / 1000 if history.last_ms is not None else None
    goes_on = idle_s is not None and idle_s < SESSION_BREAK_MS / 1000
    step = bisect_right(IDLE_S, idle_s) if idle_s is not None else len(IDLE_S) + 1
    return np.array(
        [
            *_one_of(len(HISTORY) + 1, bisect_right(HISTORY, history.n_events)),
            math.log1p(history.n_events) / 5,
            1.0,
            (history.n_repeats + 2 * usual) / (history.n_counted + 2),
            math.log1p(idle_s) / 15 if idle_s is not None else 1.2,
            math.log1p(history.n_events / max(history.group_size, 1.0)) / 4,
            math.log1p(history.group_size) / 4,
            *_one_of(len(Kind), history.last_kind),
            math.log1p(history.session_length) / 3 if goes_on else 0.0,
            float(history.last_is_repeat),
            *_one_of(len(IDLE_S) + 2, step),
        ],
        dtype=np.float32,
    )


def _one_of(n: int, number: int | None) -> list[float]:
    """Return ``n`` numbers, all 0 but a 1 at this index."""
    places = [0.0] * n
    if number is not None:
        places[number] = 1.0
    return places


_HALF_LIVES = np.array(HALF_LIVES_MS, dtype=np.float64)
_FIRST_HALF_LIVES = np.array(FIRST_HALF_LIVES_MS, dtype=np.float64)
_POPULARITY = NAMES.index("popularity")
_FIRST = _POPULARITY + 1
_SEEN_1H, _SEEN_1D, _SEEN_7D, _CONVERSION, _REPEAT_RATE = map(NAMES.index, GROUPS["trending"][-5:])
_AGE_6H, _AGE_2D, _AGE_14D, _AGE_60D, _UNSEEN, _FEW_EVENTS = map(NAMES.index, GROUPS["fresh"])
_FOLLOWS_LAST, _FOLLOWS_RECENT, _PRECEDES_LAST, _FOLLOWS_RECENT_COSINE, _FOLLOWS_WIDE_COSINE = map(
    NAMES.index, GROUPS["successors"]
)
_SKNN, _STAN, _STAN_AFTER, _CAME_NEXT, _AFFINITY = map(NAMES.index, GROUPS["neighbours"])
_RELATED = NAMES.index(GROUPS["related"][0])
_TEXT = NAMES.index(GROUPS["similar"][0])
_LACKS = NAMES.index("lacks_vector1")
(
    _OWN_COUNT,
    _OWN_1D,
    _OWN_14D,
    _OWN_60D,
    _OWN_PLACE,
    _OWN_ORDER,
    _OWN,
    _OWN_DUE,
    _OWN_REPEAT_RATE,
    _OWN_CATEGORY_REPEAT_RATE,
) = map(NAMES.index, GROUPS["repeat"])
# Columns of ``Inputs.items``; those of popularity are the half-lives', from 0 on.

TINY = 1e-20
"""Below it a feature counts as absent: 1 over the smallest float32 is infinite."""
_PRIOR = 3.0
"""Events that a rate is drawn towards 0 with."""


@kernel()
def _of_item(
    items: NDArray[np.float32],
    rows: NDArray[np.int64],
    levels: NDArray[np.float64],
    first_levels: NDArray[np.float64],
    counts: NDArray[np.int64],
    repeats: NDArray[np.int64],
    first_ms: NDArray[np.float64],
    last_ms: NDArray[np.float64],
    half_lives: NDArray[np.float64],
    first_half_lives: NDArray[np.float64],
    now_ms: float,
) -> None:
    """Write popularity, age and rates. An event later than ``now_ms`` counts as if it were now.

    Args:
        items: (k, INPUTS) zero, changed in place.
        rows: (k,) of the candidates; ``levels`` to ``last_ms`` are by row, as of ``Knowledge``.
        half_lives: (h,) milliseconds, of the columns of ``levels``, and ``first_half_lives`` of those of
            ``first_levels``.
    """
    for index in range(len(rows)):
        row = rows[index]
        n_events = counts[row, 0] + counts[row, 1] + counts[row, 2]
        if n_events == 0:
            items[index, _UNSEEN] = 1.0
            continue
        now = max(now_ms, last_ms[row])
        for h in range(len(half_lives)):
            items[index, h] = 2.0 ** (levels[row, h] - now / half_lives[h])
        items[index, _POPULARITY] = n_events
        for h in range(len(first_half_lives)):
            items[index, _FIRST + h] = 2.0 ** (first_levels[row, h] - now / first_half_lives[h])
        idle = now - last_ms[row]
        items[index, _SEEN_1H] = np.exp(-idle / HOUR_MS)
        items[index, _SEEN_1D] = np.exp(-idle / DAY_MS)
        items[index, _SEEN_7D] = np.exp(-idle / (7 * DAY_MS))
        items[index, _CONVERSION] = (counts[row, 1] + counts[row, 2]) / n_events
        items[index, _REPEAT_RATE] = repeats[row] / (n_events + _PRIOR)
        age = now - first_ms[row]
        items[index, _AGE_6H] = np.exp(-age / (DAY_MS / 4))
        items[index, _AGE_2D] = np.exp(-age / (2 * DAY_MS))
        items[index, _AGE_14D] = np.exp(-age / (14 * DAY_MS))
        items[index, _AGE_60D] = np.exp(-age / (60 * DAY_MS))
        if n_events < FRESH_EVENTS:
            items[index, _FEW_EVENTS] = 1.0


@kernel(fastmath=True)
def _of_sources(
    items: NDArray[np.float32],
    rows: NDArray[np.int64],
    values: NDArray[np.float32],
    successor_rows: NDArray[np.int32],
    weights: NDArray[np.float32],
    n: NDArray[np.int32],
    total: NDArray[np.float64],
    last_row: int,
    vectors: NDArray[np.float32],
    last: NDArray[np.float32],
    taste: NDArray[np.float32],
) -> None:
    """Write co-visits, session kNN and text.

    Args:
        items: (k, INPUTS) changed in place.
        rows: (k,) of the candidates, and ``values``: (k, columns) what the sources say of each.
        successor_rows: To ``total`` as of ``Successors``, by row.
        last_row: Of the user's last item, -1 where there is none.
        vectors: (>= n, spaces, c) by row, and ``last`` and ``taste``: (spaces, c) as of ``Candidates``.
    """
    in_use = [space for space in range(len(taste)) if last[space].any() or taste[space].any()]
    for index in range(len(rows)):
        row = rows[index]
        items[index, _FOLLOWS_LAST] = values[index, LAST]
        items[index, _FOLLOWS_RECENT] = values[index, RECENT]
        if last_row >= 0 and total[row] > 0.0:
            for k in range(n[row]):
                if successor_rows[row, k] == last_row:
                    items[index, _PRECEDES_LAST] = weights[row, k] / total[row]
                    break
        items[index, _FOLLOWS_RECENT_COSINE] = values[index, RECENT_COSINE]
        items[index, _FOLLOWS_WIDE_COSINE] = values[index, WIDE_COSINE]
        items[index, _SKNN] = values[index, SKNN]
        items[index, _STAN] = values[index, STAN]
        items[index, _STAN_AFTER] = values[index, AFTER]
        items[index, _CAME_NEXT] = values[index, NEXT]
        for kind in range(EDGES):
            items[index, _RELATED + kind] = values[index, RELATED + kind]
        if last_row >= 0:
            for space in in_use:
                near_last, near_taste = np.float32(0.0), np.float32(0.0)
                for d in range(last.shape[1]):
                    near_last += vectors[row, space, d] * last[space, d]
                    near_taste += vectors[row, space, d] * taste[space, d]
                items[index, _TEXT + 2 * space] = near_last
                items[index, _TEXT + 2 * space + 1] = near_taste
                if space >= MAX_SPACES and not vectors[row, space].any():
                    items[index, _LACKS + space - MAX_SPACES] = 1.0


@kernel()
def _of_own(
    items: NDArray[np.float32],
    rows: NDArray[np.int64],
    own_rows: NDArray[np.int64],
    own_counts: NDArray[np.float64],
    own_first_ms: NDArray[np.float64],
    own_last_ms: NDArray[np.float64],
    latest: NDArray[np.int64],
    recent_rows: NDArray[np.int64],
    category_rates: NDArray[np.float64],
    now_ms: float,
) -> None:
    """Write what the user did with the item before: how often, how long ago, and whether it is due again.

    Args:
        items: (k, INPUTS) changed in place; the column of repeats is there already.
        rows: (k,) of the candidates, ascending.
        own_rows: (o,) to ``recent_rows``, (r,), as of ``History``; ``latest``, (o,), numbers those from the newest on.
        category_rates: (k,) how often items of each candidate's category are repeated.
    """
    n_later = 0  # different times of later items: orders ago, or events
    for number in range(len(own_rows)):
        k = latest[number]
        if number and own_last_ms[k] < own_last_ms[latest[number - 1]]:
            n_later += 1
        index = np.searchsorted(rows, own_rows[k])
        if index == len(rows) or rows[index] != own_rows[k]:
            continue
        age = max(now_ms - own_last_ms[k], 0.0)
        items[index, _OWN_COUNT] = np.log1p(own_counts[k])
        items[index, _OWN_1D] = np.exp(-age / DAY_MS)
        items[index, _OWN_14D] = np.exp(-age / (14 * DAY_MS))
        items[index, _OWN_60D] = np.exp(-age / (60 * DAY_MS))
        items[index, _OWN_ORDER] = 1.0 / (1.0 + n_later)
        items[index, _OWN] = 1.0
        if own_counts[k] >= 2:
            gap = (own_last_ms[k] - own_first_ms[k]) / (own_counts[k] - 1) + 1000.0
            items[index, _OWN_DUE] = np.exp(-abs(age - gap) / gap)
        items[index, _OWN_REPEAT_RATE] = items[index, _REPEAT_RATE]
        items[index, _OWN_CATEGORY_REPEAT_RATE] = category_rates[index]
    for k in range(len(recent_rows)):
        index = np.searchsorted(rows, recent_rows[k])
        if index < len(rows) and rows[index] == recent_rows[k]:
            items[index, _OWN_PLACE] = 1.0 / (1.0 + k)


def _scale(items: NDArray[np.float32]) -> None:
    """Divide each feature by its largest size, but those ``AS_THEY_ARE``, and add the logarithms, at most 1 too."""
    _divide_by_largest(items)
    logarithms = items.take(LOGGED, axis=1)  # numpy's logarithms come eight at once, numba's one by one
    logarithms *= 50.0
    logarithms += 1.0
    np.log(logarithms, out=logarithms)
    np.multiply(logarithms, np.float32(1 / np.log(51.0)), out=items[:, N:])


@kernel(fastmath=True)
def _divide_by_largest(items: NDArray[np.float32]) -> None:
    """Divide each scaled one of the first ``N`` columns of ``items``, (k, INPUTS), by its largest size, in place."""
    scale = np.zeros(N, dtype=np.float32)
    for index in range(items.shape[0]):
        for f in range(N):
            size = abs(items[index, f])
            if size > scale[f]:
                scale[f] = size
    for f in range(N):
        scale[f] = np.float32(1.0) / scale[f] if scale[f] > TINY else np.float32(0.0)
        if not IS_SCALED[f]:
            scale[f] = np.float32(1.0)
    for index in range(items.shape[0]):
        for f in range(N):
            items[index, f] *= scale[f]
