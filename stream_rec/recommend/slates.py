"""The message for a list, and the names of lists and policies."""

from __future__ import annotations

import hashlib

import msgspec

from stream_rec.events.slate import AsOf, Slate, SlateItem
from stream_rec.ranking.policy import HeadConfig, RankingConfig
from stream_rec.user.ratings import NO_RATINGS, RatingsConfig

LIST_ID_BYTES = 12
"""Of the digest that a list is named by."""


def policy_name(config: RankingConfig, head: HeadConfig, ratings: RatingsConfig = NO_RATINGS) -> str:
    """Return the policy's name: it changes with every setting that changes lists."""
    settings = msgspec.json.encode([config, head, ratings] if ratings.in_lists else [config, head])
    return "softmax-" + hashlib.blake2b(settings, digest_size=4).hexdigest()


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
    list_id = hashlib.blake2b(msgspec.json.encode(unnamed), digest_size=LIST_ID_BYTES).hexdigest()
    return msgspec.structs.replace(unnamed, list_id=list_id)
