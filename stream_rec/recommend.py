"""From a user's state and the catalog to a ranked list: the one way to make a list, in production and in replay."""

from __future__ import annotations

import hashlib

import msgspec
import numpy as np

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.events.slate import AsOf, Reason, Slate, SlateItem
from stream_rec.ranking.blend import contributions
from stream_rec.ranking.policy import RankingConfig
from stream_rec.retrieval.candidates import CandidateSet, fuse
from stream_rec.retrieval.followers import followers
from stream_rec.retrieval.repeat import repeat
from stream_rec.retrieval.similar import similar
from stream_rec.retrieval.trending import trending
from stream_rec.user.advance import Arrival
from stream_rec.user.state import Entry, UserState
from stream_rec.user.taste import recent_items


def recommend(user: UserState, catalog: Catalog, config: RankingConfig, *, now_ms: int) -> list[SlateItem]:
    """Return the best items for a user now, at most ``config.n``, best first.

    Reads only. The same arguments give the same list. A user without history gets what is trending.

    Args:
        now_ms: Event time, not the clock's: lists of a replayed log are those of its own time.
    """
    recent = recent_items(user, config.recent_items)
    candidates = retrieve(user, recent, catalog, config, now_ms)
    parts = contributions(candidates, config)
    scores = parts.sum(axis=1)
    best = np.lexsort((candidates.rows, -scores))[: config.n]
    return [_explained(candidates, parts, scores, int(place), recent, catalog) for place in best if scores[place] > 0]


def answer(
    last: Arrival,
    user: UserState,
    catalog: Catalog,
    config: RankingConfig,
    *,
    policy: str,
    generated_at_ms: int | None = None,
) -> Slate:
    """Return the list that goes out on ``last``, the newest arrival in ``user``.

    Args:
        policy: ``config.policy``, a digest that is not made for each list.
        generated_at_ms: The clock's time; None for that of the events, as a replay has no other.
    """
    event = last.event
    now_ms = max(event.timestamp_ms, catalog.knowledge.newest_ms)
    return slate(
        event.user_id,
        recommend(user, catalog, config, now_ms=now_ms),
        policy=policy,
        generated_at_ms=now_ms if generated_at_ms is None else generated_at_ms,
        as_of=AsOf(last.kind.topic, last.partition, last.offset, event.event_id, event.timestamp_ms),
        seen={Kind(source).topic: offset for source, offset in sorted(user.offsets.items())},
    )


def retrieve(
    user: UserState, recent: list[Entry], catalog: Catalog, config: RankingConfig, now_ms: int
) -> CandidateSet:
    """Return the union of all sources' candidates that may be shown."""
    candidates = fuse(
        {
            "followers": followers(recent, catalog, config.recency),
            "similar": similar(recent, catalog, config.recency),
            "trending": trending(catalog, config.trending_items),
            "repeat": repeat(user, recent, catalog, now_ms),
        }
    )
    return candidates.keep(catalog.is_listed[candidates.rows])


def slate(
    user_id: str,
    items: list[SlateItem],
    *,
    policy: str,
    generated_at_ms: int,
    as_of: AsOf | None = None,
    seen: dict[str, int] | None = None,
) -> Slate:
    """Return the message for a list. Its id is a digest of the rest, so equal ids mean equal lists."""
    unnamed = Slate(
        list_id="",
        user_id=user_id,
        generated_at_ms=generated_at_ms,
        as_of=as_of,
        seen=seen or {},
        policy=policy,
        items=items,
    )
    list_id = hashlib.blake2b(msgspec.json.encode(unnamed), digest_size=12).hexdigest()
    return msgspec.structs.replace(unnamed, list_id=list_id)


def _explained(
    candidates: CandidateSet, parts: np.ndarray, scores: np.ndarray, place: int, recent: list[Entry], catalog: Catalog
) -> SlateItem:
    """Return one item with its score, where that came from, and the event behind the strongest source."""
    strongest = int(parts[place].argmax())
    evidence = int(candidates.evidence[place, strongest])
    item_id = catalog.item_ids[candidates.rows[place]]
    reason = Reason(kind=candidates.sources[strongest])
    if evidence >= 0:
        entry = recent[evidence]
        reason = Reason(reason.kind, entry.item_id, entry.event_id, Kind(entry.kind).label)
    elif reason.kind == "repeat":  # its event is too long ago to be in the ring
        reason = Reason(reason.kind, item_id)
    return SlateItem(
        item_id=item_id,
        score=round(float(scores[place]), 6),
        propensity=1.0,
        sources={
            source: round(float(part), 6) for source, part in zip(candidates.sources, parts[place].tolist()) if part > 0
        },
        reason=reason,
    )
