"""Published lists without the items that may no longer be shown, made of their bytes: they are only cut."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import compress

import msgspec
from msgspec import Raw, Struct

from stream_rec.recommend.slates import LIST_ID_BYTES


class _Cut(Struct):
    """A ``Slate`` of which only the items' ends are known."""

    list_id: str
    user_id: Raw
    generated_at_ms: int
    as_of: Raw
    seen: Raw
    policy: Raw
    items: list[Raw]


class _CutSurface(Struct):
    """A ``PushedSurface``, likewise."""

    surface: Raw
    list_id: str
    items: list[Raw]


class _CutSurfaces(Struct):
    """A record of ``Surfaces``, likewise."""

    user_id: Raw
    generated_at_ms: int
    as_of: Raw
    seen: Raw
    policy: Raw
    surfaces: list[_CutSurface]


def remove_items(published: bytes, is_kept: Sequence[bool], *, generated_at_ms: int) -> bytes:
    """Return the list that takes the place of a published one; both as they are on the topic.

    What it was made on and has seen stays; so do scores and propensities of the items that are left. Its id is that
    which ``slates.slate`` would give it.

    Args:
        is_kept: Of each item in turn.

    Raises:
        msgspec.MsgspecError: that is no list.
    """
    cut = _CUT.decode(published)
    cut.list_id, cut.generated_at_ms = "", generated_at_ms
    cut.items = list(compress(cut.items, is_kept))
    cut.list_id = _digest(cut)
    return msgspec.json.encode(cut)


def remove_from_surfaces(published: bytes, is_kept: Sequence[bool], *, generated_at_ms: int) -> bytes:
    """Return the record of pushed surfaces that takes the place of a published one, as ``remove_items`` does.

    All its lists have new ids: they are of one time.

    Args:
        is_kept: Of each item of all lists in turn.

    Raises:
        msgspec.MsgspecError: those are no surfaces.
    """
    record = _SURFACES.decode(published)
    record.generated_at_ms = generated_at_ms
    is_left = iter(is_kept)
    for each in record.surfaces:
        each.items = [item for item in each.items if next(is_left)]
        named = _Cut("", record.user_id, generated_at_ms, record.as_of, record.seen, record.policy, each.items)
        each.list_id = _digest(named)
    return msgspec.json.encode(record)


def _digest(unnamed: _Cut) -> str:
    return hashlib.blake2b(msgspec.json.encode(unnamed), digest_size=LIST_ID_BYTES).hexdigest()


_CUT = msgspec.json.Decoder(_Cut)
_SURFACES = msgspec.json.Decoder(_CutSurfaces)
