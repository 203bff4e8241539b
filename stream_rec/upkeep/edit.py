"""A published list without the items that may no longer be shown, made of its bytes: they are only cut."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import compress

import msgspec
from msgspec import Raw, Struct

from stream_rec.recommend import LIST_ID_BYTES


class _Cut(Struct):
    """A ``Slate`` of which only the items' ends are known."""

    list_id: str
    user_id: Raw
    generated_at_ms: int
    as_of: Raw
    seen: Raw
    policy: Raw
    items: list[Raw]


def remove_items(published: bytes, is_kept: Sequence[bool], *, generated_at_ms: int) -> bytes:
    """Return the list that takes the place of a published one; both as they are on the topic.

    What it was made on and has seen stays; so do scores and propensities of the items that are left. Its id is that
    which ``recommend.slate`` would give it.

    Args:
        is_kept: Of each item in turn.

    Raises:
        msgspec.MsgspecError: that is no list.
    """
    cut = _CUT.decode(published)
    cut.list_id, cut.generated_at_ms = "", generated_at_ms
    cut.items = list(compress(cut.items, is_kept))
    cut.list_id = hashlib.blake2b(msgspec.json.encode(cut), digest_size=LIST_ID_BYTES).hexdigest()
    return msgspec.json.encode(cut)


_CUT = msgspec.json.Decoder(_Cut)
