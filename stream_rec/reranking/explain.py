"""Explanations: for each item of a list, what speaks for it most and the user's own event behind that.

What speaks for an item is read off the linear expert: weight times input, over the average candidate, summed by group
of features. Only groups that can be shown for this item count: nobody is told "because you bought it" of a new thing,
nor that a thing is new where everything is. What has evidence is said before what has none, and ``catalog`` is said
where nothing is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.graph import describe
from stream_rec.events.interaction import Kind
from stream_rec.events.slate import Reason, SlateItem
from stream_rec.events.source import Source
from stream_rec.kernel import kernel
from stream_rec.ranking import asked, interests
from stream_rec.ranking.asked import AskedInputs
from stream_rec.ranking.features import GROUPS, INPUT_GROUP, NAMES
from stream_rec.ranking.head import Head
from stream_rec.ranking.interests import InterestInputs
from stream_rec.ranking.linear_head import LinearHead
from stream_rec.ranking.mixture import Scored
from stream_rec.reranking.explore import Explored
from stream_rec.retrieval.candidates import Candidates
from stream_rec.user.entries import SearchEntry
from stream_rec.user.history import History

RECENT = 12
"""Recent items among which the evidence is looked for."""
LEAST_SIMILARITY = 0.35
"""Cosine of whitened vectors below which two texts are not called similar: one pair in 300 to 1,000 is as near. By eye
four such pairs in five share a thing, a motif or their genres; at .3 two in three; at .2 a word at most."""
NEWS_SHARE = 0.5
"""Where a larger share of the listed items is fresh, being so is no reason."""
KINDS = tuple(GROUPS)
_OF_GROUP = (INPUT_GROUP[:, None] == np.arange(len(KINDS))).astype(np.float32)
_NAMES = (*KINDS, "explore", "category", "catalog")
"""Of all kinds of reasons, by number."""


_RELATED = _NAMES.index("related")


class Numbers(NamedTuple):
    """By which number a kernel knows each kind of reason, then the columns of ``Inputs.items`` that it reads.

    An argument, because numba would keep constants as they were when another file has changed them.
    """

    trending: int
    fresh: int
    successors: int
    neighbours: int
    similar: int
    related: int
    repeat: int
    explore: int
    category: int
    catalog: int
    stan: int
    own: int
    unseen: int
    few_events: int
    family: int
    shared: int
    relation: int


_NUMBERS = Numbers(
    *map(_NAMES.index, Numbers._fields[:10]),
    *map(NAMES.index, Numbers._fields[10:]),
)
_WITHOUT_EVIDENCE = {_NAMES.index(kind): Reason(kind) for kind in ("explore", "trending", "fresh", "catalog")}
_LABELS = tuple(kind.label for kind in Kind)


def score_of(log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores that lists show, as of the log-probabilities."""
    score: NDArray[np.float64] = np.exp(log_p).round(7)
    return score


def explain(
    history: History, candidates: Candidates, scored: Scored, head: Head, catalog: Catalog, shown: Explored
) -> list[SlateItem]:
    """Return the list's items with score, propensity, contributions and reason."""
    indices = shown.indices
    if not len(indices):
        return []
    rows = candidates.rows[indices]
    parts = (head.contributions(scored, indices) @ _OF_GROUP).astype(np.float64)
    successors = catalog.knowledge.successors
    kinds, evidence, spaces = _choose_kinds(
        parts,
        scored.inputs.items,
        indices,
        shown.is_exploring,
        rows,
        history.recent_rows,
        successors.rows,
        successors.weights,
        successors.n,
        successors.total,
        catalog.spaces.vectors(),
        catalog.categories.first_of(rows),
        catalog.categories.first_of(history.recent_rows[:RECENT]),
        len(catalog.fresh) <= NEWS_SHARE * catalog.n_listed,
        _NUMBERS,
    )
    item_ids = [catalog.item_ids[row] for row in rows.tolist()]
    own = history.counts_of({item_ids[index] for index in np.flatnonzero(kinds == _NAMES.index("repeat")).tolist()})
    return [
        SlateItem(
            item_id,
            score,
            propensity,
            {kind: part for kind, part in zip(KINDS, item_parts) if part > 0},
            _WITHOUT_EVIDENCE.get(kind)
            or (_relate(row, history, catalog) if kind == _RELATED else None)
            or _reason(_NAMES[kind], item_id, position, history, own.get(item_id), catalog.spaces.modality(space)),
        )
        for row, item_id, score, propensity, item_parts, kind, position, space in zip(
            rows.tolist(),
            item_ids,
            score_of(scored.log_p[indices]).tolist(),
            shown.propensities.round(6).tolist(),
            parts.round(4).tolist(),
            kinds.tolist(),
            evidence.tolist(),
            spaces.tolist(),
        )
    ]


def explain_answers(
    items: list[SlateItem], search: SearchEntry, answers: AskedInputs, head: Head, shown: Explored
) -> list[SlateItem]:
    """Return the list's items with what the user's search has to do with them.

    It is the reason where the item answers it, and it speaks for the item more than anything else does, or nothing else
    is to be said.
    """
    if not items:
        return items
    parts = asked.contributions(head.of_asked, answers, shown.indices).round(4).tolist()
    is_answer = asked.is_answer(answers, shown.indices, LEAST_SIMILARITY)
    reason = Reason("asked", search.item_id, search.event_id, Source.SEARCH.label)
    return [
        _explain(item, "asked", part, reason if says and not is_exploring else None)
        for item, part, says, is_exploring in zip(items, parts, is_answer, shown.is_exploring)
    ]


def explain_interests(
    items: list[SlateItem],
    texts: Sequence[str],
    fits: InterestInputs,
    head: LinearHead,
    history: int,
    shown: Explored,
) -> list[SlateItem]:
    """Return the list's items with what the user says to like has to do with them, as ``explain_answers`` does.

    Args:
        texts: The interests.
        head: The expert for them.
    """
    if not items:
        return items
    parts = interests.contributions(head, fits, history, shown.indices).round(4).tolist()
    may_say = interests.fits(fits, shown.indices, LEAST_SIMILARITY).tolist()
    reasons = [Reason("interest", interest=texts[best]) for best in fits.best[shown.indices].tolist()]
    return [
        _explain(item, "interest", part, reason if says and not is_exploring else None)
        for item, part, reason, says, is_exploring in zip(items, parts, reasons, may_say, shown.is_exploring)
    ]


def _explain(item: SlateItem, kind: str, part: float, reason: Reason | None) -> SlateItem:
    """Return an item with one more part of its score, and with its reason, where nothing says more.

    Args:
        reason: None where it cannot be given.
    """
    if part > 0:
        item = msgspec.structs.replace(item, sources={**item.sources, kind: part})
    is_most = part > 0 and part >= max(item.sources.values())
    if reason is not None and (is_most or item.reason.kind == "catalog"):
        item = msgspec.structs.replace(item, reason=reason)
    return item


def _reason(
    kind: str, item_id: str, position: int, history: History, own: tuple[list[int], int] | None, modality: str | None
) -> Reason:
    """Return the reason, with the recent item at ``position`` as evidence where there is one.

    Args:
        own: How often by kind, and when last, the user had the item of a ``repeat``.
        modality: In which a ``similar`` one is, where it is not by its text.
    """
    if kind != "repeat" or own is None:
        if position < 0:
            return Reason(kind)
        entry = history.recent[position]
        alike = modality if kind == "similar" else None
        return Reason(kind, entry.item_id, entry.event_id, _LABELS[entry.kind], modality=alike)
    counts, last_ms = own
    if position < 0:  # too long ago to be among the recent ones
        return Reason(kind, item_id, times=sum(counts), last_ms=last_ms)
    entry = history.recent[position]
    times = max(1, counts[entry.kind])
    return Reason(kind, entry.item_id, entry.event_id, _LABELS[entry.kind], times, entry.timestamp_ms)


def _relate(row: int, history: History, catalog: Catalog) -> Reason | None:
    """Return what an item has in common with the user's recent ones."""
    common = catalog.graph.find_common(row, history.recent_rows[:RECENT])
    if common is None:
        return None
    position, entity = common
    entry = history.recent[position]
    name, value = describe(entity)
    if name == "category":
        return Reason(name, entry.item_id, entry.event_id, _LABELS[entry.kind])
    name = name or catalog.find_relation(row, int(history.recent_rows[position]), value)
    return Reason("related", entry.item_id, entry.event_id, _LABELS[entry.kind], relation=name, value=value)


@kernel()
def _choose_kinds(
    parts: NDArray[np.float64],
    items: NDArray[np.float32],
    indices: NDArray[np.int64],
    is_exploring: NDArray[np.bool_],
    rows: NDArray[np.int64],
    recent: NDArray[np.int64],
    successor_rows: NDArray[np.int32],
    weights: NDArray[np.float32],
    n_successors: NDArray[np.int32],
    total: NDArray[np.float64],
    vectors: NDArray[np.float32],
    categories: NDArray[np.int64],
    recent_categories: NDArray[np.int64],
    is_news: bool,
    numbers: Numbers,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return for each item of the list the kind to say, the position in ``recent`` of its evidence, -1 for none, and of
    a similar one in which space it is.

    What speaks for the item comes first, the most of it; then what has evidence at all; then a shared category; then
    what is true of the item alone. Texts are compared only where their similarity would be said.

    Args:
        parts: (n, kinds) what speaks for each item, by group of features.
        items: (k, INPUTS) of all candidates, and ``indices``: (n,) which of them are in the list.
        is_exploring: (n,) and ``rows``: (n,) of the catalog, and ``categories``: (n,) -1 for an item without.
        recent: (r,) rows of the user's recent items, newest first, and ``recent_categories``: (<= r,) of the newest.
        successor_rows: To ``total`` as of ``Successors``, by row, and ``vectors``: (>= n, spaces, c).
        is_news: Whether being fresh is a reason.
    """
    kinds, evidence = np.full(len(rows), numbers.explore), np.full(len(rows), -1)
    spaces = np.zeros(len(rows), dtype=np.int64)
    for index in range(len(rows)):
        if is_exploring[index]:
            continue
        row, item = rows[index], items[indices[index]]
        led = _heaviest_lead(row, recent[:RECENT], successor_rows, weights, n_successors, total)
        said = parts[index].copy()
        is_own = item[numbers.own] > 0.0
        is_unseen, has_few_events = item[numbers.unseen] != 0.0, item[numbers.few_events] != 0.0
        if is_unseen:
            said[numbers.trending] = -np.inf
        if not (is_unseen or has_few_events) or is_own or not is_news:
            said[numbers.fresh] = -np.inf
        if led < 0:
            said[numbers.successors] = -np.inf
        if max(item[numbers.family], item[numbers.shared], item[numbers.relation]) <= 0.0 or is_own:
            said[numbers.related] = -np.inf
        if item[numbers.stan] <= 0.0:
            said[numbers.neighbours] = -np.inf
        if not is_own:
            said[numbers.repeat] = -np.inf
        nearest = -1
        kind = said.argmax()
        if kind == numbers.similar or said[kind] <= 0.0:
            nearest, spaces[index] = _find_nearest(row, recent[:RECENT], vectors)
            if nearest < 0:
                said[numbers.similar] = -np.inf
                kind = said.argmax()
        if said[kind] <= 0.0:
            alone = said.copy()
            said[numbers.trending] = said[numbers.fresh] = -np.inf
            kind = said.argmax()
            if said[kind] == -np.inf:
                kind = numbers.catalog
                for position in range(len(recent_categories)):
                    is_shared = categories[index] >= 0 and recent_categories[position] == categories[index]
                    if recent[position] != row and is_shared:
                        kind, evidence[index] = numbers.category, position
                        break
                if has_few_events and alone[numbers.trending] < 0.0:
                    alone[numbers.trending] = -np.inf  # a few events, and fewer than others have
                if kind == numbers.catalog and max(alone[numbers.trending], alone[numbers.fresh]) > -np.inf:
                    is_trending = alone[numbers.trending] >= alone[numbers.fresh]
                    kind = numbers.trending if is_trending else numbers.fresh
        kinds[index] = kind
        if kind == numbers.successors:
            evidence[index] = led
        elif kind == numbers.neighbours:
            evidence[index] = led if led >= 0 else _newest_other(row, recent)
        elif kind == numbers.similar:
            evidence[index] = nearest
        elif kind == numbers.repeat:
            for position in range(len(recent)):
                if recent[position] == row:
                    evidence[index] = position
                    break
    return kinds, evidence, spaces


@kernel()
def _newest_other(row: int, recent: NDArray[np.int64]) -> int:
    """Return the position of the newest of ``recent``, (r,), that is another item than ``row``, or -1."""
    for position in range(len(recent)):
        if recent[position] != row:
            return position
    return -1


@kernel()
def _heaviest_lead(
    row: int,
    recent: NDArray[np.int64],
    successor_rows: NDArray[np.int32],
    weights: NDArray[np.float32],
    n_successors: NDArray[np.int32],
    total: NDArray[np.float64],
) -> int:
    """Return the position of the recent item that most often leads to ``row``, the newer counting more; or -1.

    No item leads to itself.

    Args:
        recent: (r,) rows, newest first; the others as of ``Successors``.
    """
    led, heaviest, decay = -1, 0.0, 1.0
    for position in range(len(recent)):
        if recent[position] == row:
            decay *= 0.8
            continue
        for k in range(n_successors[recent[position]]):
            if successor_rows[recent[position], k] == row:
                share = decay * weights[recent[position], k] / total[recent[position]]
                if share > heaviest:
                    led, heaviest = position, share
                break
        decay *= 0.8
    return led


@kernel(fastmath=True)
def _find_nearest(row: int, recent: NDArray[np.int64], vectors: NDArray[np.float32]) -> tuple[int, int]:
    """Return the position of the recent item that is nearest in any space, or -1 where none is near, and the space.

    No item is near itself.

    Args:
        recent: (r,) rows, newest first.
        vectors: (>= n, spaces, c) by row.
    """
    nearest, nearest_in, most = -1, 0, np.float32(LEAST_SIMILARITY)
    for position in range(len(recent)):
        if recent[position] != row:
            similarity, best = np.float32(-1.0), 0
            for space in range(vectors.shape[1]):
                cosine = np.float32(0.0)
                for d in range(vectors.shape[2]):
                    cosine += vectors[row, space, d] * vectors[recent[position], space, d]
                if cosine > similarity:
                    similarity, best = cosine, space
            if similarity > most or (nearest < 0 and similarity >= most):
                nearest, nearest_in, most = position, best, similarity
    return nearest, nearest_in
