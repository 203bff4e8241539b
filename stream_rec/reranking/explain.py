"""Explanations: for each item of a list, what speaks for it most and the user's own event behind that.

What speaks for an item is read off the linear expert: weight times input, over the average candidate, summed by group
of features. Only groups that can be shown for this item count: nobody is told "because you bought it" of a new thing,
nor that a thing is new where everything is. What has evidence is said before what has none, and ``catalog`` is said
where nothing is true.
"""

from __future__ import annotations

import numba
import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.events.slate import Reason, SlateItem
from stream_rec.ranking.features import GROUPS, INPUT_GROUP, NAMES
from stream_rec.ranking.head import Head, Scored
from stream_rec.reranking.explore import Explored
from stream_rec.retrieval.candidates import Candidates
from stream_rec.user.past import Past

RECENT = 12
"""Recent items among which the evidence is looked for."""
LEAST_SIMILARITY = 0.3
"""Cosine below which two texts are not called similar."""
NEWS_SHARE = 0.5
"""Where a larger share of the listed items is fresh, being so is no reason."""
KINDS = tuple(GROUPS)
_OF_GROUP = (INPUT_GROUP[:, None] == np.arange(len(KINDS))).astype(np.float32)
_NAMES = (*KINDS, "explore", "category", "catalog")
"""Of all kinds of reasons, by number."""
_NUMBERS = (
    *map(_NAMES.index, ("trending", "fresh", "successors", "neighbours", "similar", "repeat")),
    *map(_NAMES.index, ("explore", "category", "catalog")),
    *map(NAMES.index, ("stan", "own", "unseen")),
)
_WITHOUT_EVIDENCE = {_NAMES.index(kind): Reason(kind) for kind in ("explore", "trending", "fresh", "catalog")}
_LABELS = tuple(kind.label for kind in Kind)
_NO_VECTORS = np.zeros((0, 0), dtype=np.float32)


def explained(
    past: Past, candidates: Candidates, scored: Scored, head: Head, catalog: Catalog, shown: Explored
) -> list[SlateItem]:
    """Return the list's items with score, propensity, contributions and reason."""
    places = shown.places
    if not len(places):
        return []
    rows = candidates.rows[places]
    parts = (head.contributions(scored, places) @ _OF_GROUP).astype(np.float64)
    successors, space = catalog.knowledge.successors, catalog.embeddings.active
    kinds, evidence = _kinds(
        parts,
        scored.inputs.items,
        places,
        shown.is_exploring,
        rows,
        past.recent_rows,
        successors.rows,
        successors.weights,
        successors.n,
        successors.total,
        space.vectors if space is not None else _NO_VECTORS,
        catalog.categories.first_of(rows),
        catalog.categories.first_of(past.recent_rows[:RECENT]),
        len(catalog.fresh) <= NEWS_SHARE * catalog.n_listed,
        _NUMBERS,
    )
    item_ids = [catalog.item_ids[row] for row in rows.tolist()]
    own = past.counts_of({item_ids[at] for at in np.flatnonzero(kinds == _NAMES.index("repeat")).tolist()})
    return [
        SlateItem(
            item_id,
            score,
            propensity,
            {kind: part for kind, part in zip(KINDS, item_parts) if part > 0},
            _WITHOUT_EVIDENCE.get(kind) or _reason(_NAMES[kind], item_id, place, past, own.get(item_id)),
        )
        for item_id, score, propensity, item_parts, kind, place in zip(
            item_ids,
            np.exp(scored.log_p[places]).round(7).tolist(),
            shown.propensities.round(6).tolist(),
            parts.round(4).tolist(),
            kinds.tolist(),
            evidence.tolist(),
        )
    ]


def _reason(kind: str, item_id: str, place: int, past: Past, own: tuple[list[int], int] | None) -> Reason:
    """Return the reason, with the recent item at ``place`` as evidence where there is one.

    Args:
        own: How often by kind, and when last, the user had the item of a ``repeat``.
    """
    if kind != "repeat":
        if place < 0:
            return Reason(kind)
        entry = past.recent[place]
        return Reason(kind, entry.item_id, entry.event_id, _LABELS[entry.kind])
    counts, last_ms = own
    if place < 0:  # too long ago to be a recent event
        return Reason(kind, item_id, times=sum(counts), last_ms=last_ms)
    entry = past.recent[place]
    times = max(1, counts[entry.kind])
    return Reason(kind, entry.item_id, entry.event_id, _LABELS[entry.kind], times, entry.timestamp_ms)


@numba.njit(cache=True)
def _kinds(
    parts,
    items,
    places,
    is_exploring,
    rows,
    recent,
    successor_rows,
    weights,
    n_successors,
    total,
    vectors,
    categories,
    recent_categories,
    is_news,
    numbers,
):
    """Return for each row the kind to say, and the place in ``recent`` of its evidence, -1 for none.

    What speaks for the item comes first, the most of it; then what has evidence at all; then a shared category; then
    what is true of the item alone. Texts are compared only where their similarity would be said. ``numbers`` is an
    argument because numba's cache would keep it as it was when another file has changed it.
    """
    trending, fresh, successors, neighbours, similar, repeat, explore, category, nothing, stan, own, unseen = numbers
    kinds, evidence = np.full(len(rows), explore), np.full(len(rows), -1)
    for at in range(len(rows)):
        if is_exploring[at]:
            continue
        item = items[places[at]]
        led = _heaviest_lead(rows[at], recent[:RECENT], successor_rows, weights, n_successors, total)
        said = parts[at].copy()
        is_own = item[own] > 0.0
        if item[unseen] != 0.0:
            said[trending] = -np.inf
        if (item[unseen] == 0.0 and item[unseen + 1] == 0.0) or is_own or not is_news:
            said[fresh] = -np.inf
        if led < 0:
            said[successors] = -np.inf
        if item[stan] <= 0.0:
            said[neighbours] = -np.inf
        if not is_own:
            said[repeat] = -np.inf
        nearest = -1
        kind = said.argmax()
        if kind == similar or said[kind] <= 0.0:
            nearest = _nearest_text(rows[at], recent[:RECENT], vectors)
            if nearest < 0:
                said[similar] = -np.inf
                kind = said.argmax()
        if said[kind] <= 0.0:
            alone = said.copy()
            said[trending] = said[fresh] = -np.inf
            kind = said.argmax()
            if said[kind] == -np.inf:
                kind = nothing
                for place in range(len(recent_categories)):
                    if recent[place] != rows[at] and categories[at] >= 0 and recent_categories[place] == categories[at]:
                        kind, evidence[at] = category, place
                        break
                if item[unseen + 1] != 0.0 and alone[trending] < 0.0:
                    alone[trending] = -np.inf  # a few events, and fewer than others have
                if kind == nothing and max(alone[trending], alone[fresh]) > -np.inf:
                    kind = trending if alone[trending] >= alone[fresh] else fresh
        kinds[at] = kind
        if kind == successors:
            evidence[at] = led
        elif kind == neighbours:
            evidence[at] = led if led >= 0 else _newest_other(rows[at], recent)
        elif kind == similar:
            evidence[at] = nearest
        elif kind == repeat:
            for place in range(len(recent)):
                if recent[place] == rows[at]:
                    evidence[at] = place
                    break
    return kinds, evidence


@numba.njit(cache=True)
def _newest_other(row, recent):
    """Return the place of the newest recent item that is another one than ``row``, or -1."""
    for place in range(len(recent)):
        if recent[place] != row:
            return place
    return -1


@numba.njit(cache=True)
def _heaviest_lead(row, recent, successor_rows, weights, n_successors, total):
    """Return the place of the recent item that most often leads to ``row``, the newer ones counting more; or -1.

    No item leads to itself.
    """
    led, heaviest, decay = -1, 0.0, 1.0
    for place in range(len(recent)):
        if recent[place] == row:
            decay *= 0.8
            continue
        for at in range(n_successors[recent[place]]):
            if successor_rows[recent[place], at] == row:
                share = decay * weights[recent[place], at] / total[recent[place]]
                if share > heaviest:
                    led, heaviest = place, share
                break
        decay *= 0.8
    return led


@numba.njit(cache=True, fastmath=True)
def _nearest_text(row, recent, vectors):
    """Return the place of the recent item with the nearest text, or -1 where none is near: no item is near itself."""
    nearest, most = -1, LEAST_SIMILARITY
    for place in range(len(recent)):
        if recent[place] != row and recent[place] < len(vectors) and row < len(vectors):
            similarity = np.float32(0.0)
            for d in range(vectors.shape[1]):
                similarity += vectors[row, d] * vectors[recent[place], d]
            if similarity > most or (nearest < 0 and similarity >= most):
                nearest, most = place, similarity
    return nearest
