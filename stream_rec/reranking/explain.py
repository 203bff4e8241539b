"""Explanations: for each item of a list, what speaks for it most and the user's own event behind that.

What speaks for an item is read off the linear expert: weight times input, over the average candidate, summed by group
of features. Only groups that can be shown for this item count: nobody is told "because you bought it" of a new thing.
"""

from __future__ import annotations

import numba
import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.followers import Followers
from stream_rec.events.interaction import Kind
from stream_rec.events.slate import Reason, SlateItem
from stream_rec.ranking.features import GROUPS, INPUT_GROUP, NAMES
from stream_rec.ranking.head import Head, Scored
from stream_rec.reranking.explore import Explored
from stream_rec.retrieval.candidates import Candidates
from stream_rec.user.past import Past

RECENT = 12
"""Recent items among which the evidence is looked for."""
KINDS = tuple(GROUPS)
_OF_GROUP = (INPUT_GROUP[:, None] == np.arange(len(KINDS))).astype(np.float32)
_TRENDING, _FRESH, _FOLLOWERS, _NEIGHBOURS, _SIMILAR, _REPEAT = map(
    KINDS.index, ("trending", "fresh", "followers", "neighbours", "similar", "repeat")
)
_STAN, _TEXT_LAST, _OWN, _UNSEEN = map(NAMES.index, ("stan", "text_last", "own", "unseen"))
_EXPLORE = len(KINDS)
_WITHOUT_EVIDENCE = {_EXPLORE: Reason("explore"), _TRENDING: Reason("trending"), _FRESH: Reason("fresh")}
_LABELS = tuple(kind.label for kind in Kind)
LEAST_SIMILARITY = 0.3
"""Cosine below which two texts are not called similar."""


def explained(
    past: Past, candidates: Candidates, scored: Scored, head: Head, catalog: Catalog, shown: Explored
) -> list[SlateItem]:
    """Return the list's items with score, propensity, contributions and reason."""
    places = shown.places
    if not len(places):
        return []
    rows = candidates.rows[places]
    items = scored.inputs.items
    parts = head.contributions(scored, places) @ _OF_GROUP
    recent = past.recent_rows[:RECENT]
    follows, led = _heaviest_lead(rows, recent, catalog.knowledge.followers)
    alike, nearest = _nearest_text(rows, recent, catalog)
    possible = np.ones_like(parts, dtype=bool)
    possible[:, _FOLLOWERS] = follows
    possible[:, _NEIGHBOURS] = items[places, _STAN] > 0
    possible[:, _SIMILAR] = alike
    possible[:, _REPEAT] = items[places, _OWN] > 0
    possible[:, _FRESH] = items[places, _UNSEEN : _UNSEEN + 2].any(axis=1)
    possible[:, _TRENDING] = items[places, _UNSEEN] == 0
    kinds = np.where(possible, parts, -np.inf).argmax(axis=1)
    own_place = {row: place for place, row in enumerate(past.recent_rows.tolist())}
    evidence = np.where(kinds == _SIMILAR, nearest, np.where(kinds == _FOLLOWERS, led, np.maximum(led, 0)))
    return [
        SlateItem(
            item_id=catalog.item_ids[row],
            score=score,
            propensity=propensity,
            sources={kind: part for kind, part in zip(KINDS, item_parts) if part > 0},
            reason=_reason(kind, catalog.item_ids[row], own_place.get(row, -1) if kind == _REPEAT else place, past),
        )
        for row, score, propensity, item_parts, kind, place in zip(
            rows.tolist(),
            np.exp(scored.log_p[places]).round(7).tolist(),
            shown.propensities.round(6).tolist(),
            parts.round(4).tolist(),
            np.where(shown.is_exploring, _EXPLORE, kinds).tolist(),
            evidence.tolist(),
        )
    ]


def _reason(kind: int, item_id: str, place: int, past: Past) -> Reason:
    """Return the reason, with the recent item at ``place`` as evidence where the kind has one and there is one."""
    if kind in _WITHOUT_EVIDENCE:
        return _WITHOUT_EVIDENCE[kind]
    if 0 <= place < len(past.recent):
        entry = past.recent[place]
        return Reason(KINDS[kind], entry.item_id, entry.event_id, _LABELS[entry.kind])
    return Reason(KINDS[kind], item_id) if kind == _REPEAT else Reason(KINDS[kind])  # too long ago for the ring


def _heaviest_lead(rows: np.ndarray, recent: np.ndarray, followers: Followers) -> tuple[np.ndarray, np.ndarray]:
    """Return whether any recent item leads to each row, and the place of the one that most often does."""
    led = _lead(rows, recent, followers.rows, followers.weights, followers.n, followers.total)
    return led >= 0, led


def _nearest_text(rows: np.ndarray, recent: np.ndarray, catalog: Catalog) -> tuple[np.ndarray, np.ndarray]:
    """Return whether any recent item's text is near each row's, and the place of the nearest."""
    if not len(recent):
        return np.zeros(len(rows), dtype=bool), np.full(len(rows), -1)
    similarities = catalog.embeddings.of(rows) @ catalog.embeddings.of(recent).T
    similarities[rows[:, None] == recent] = -1.0  # an item is not similar to itself
    nearest = similarities.argmax(axis=1)
    return similarities.max(axis=1) >= LEAST_SIMILARITY, nearest


@numba.njit(cache=True)
def _lead(rows, recent, follower_rows, weights, n, total):
    led = np.full(len(rows), -1, dtype=np.int64)
    for k in range(len(rows)):
        heaviest = 0.0
        decay = 1.0
        for place in range(len(recent)):
            row = recent[place]
            for at in range(n[row]):
                if follower_rows[row, at] == rows[k]:
                    share = decay * weights[row, at] / total[row]
                    if share > heaviest:
                        heaviest = share
                        led[k] = place
                    break
            decay *= 0.8
    return led
