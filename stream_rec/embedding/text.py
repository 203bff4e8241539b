"""The canonical text of an item: what an encoder reads of it, and the hash by which a known text is recognised."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from stream_rec.events.item import Item

HASH_BYTES = 16

MAX_ATTRIBUTES = 16
MAX_ATTRIBUTE_CHARS = 100
"""A longer value is a document or a blob, not a fact about the item."""


def canonical_text(item: Item) -> str:
    """Return the text of an item, one line for each part, or "" where it has nothing to say.

    Short parts stand before the description, because encoders cut long texts at the end. Of the attributes only
    words are taken, ordered by name: a price or a stock level says nothing that an encoder understands, and would
    have the item embedded again at each change. NFC, no control characters, single spaces.
    """
    parts = (item.title, item.category, ", ".join(_tags(item)), *_attributes(item.attributes), item.description)
    return "\n".join(line for line in map(_normal, parts) if line)


def content_hash(text: str) -> bytes:
    """Return the 16 bytes by which a text is recognised."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=HASH_BYTES).digest()


def _normal(text: str) -> str:
    return _BLANK.sub(" ", unicodedata.normalize("NFC", text)).strip()


def _tags(item: Item) -> Iterator[str]:
    """Yield each tag once, in the owner's order, without the category said again."""
    seen = {"", _normal(item.category)}
    for tag in map(_normal, item.tags):
        if tag not in seen:
            seen.add(tag)
            yield tag


def _attributes(attributes: dict[str, Any]) -> Iterator[str]:
    """Yield "name: words" for at most ``MAX_ATTRIBUTES`` attributes."""
    n_left = MAX_ATTRIBUTES
    for name in sorted(attributes):
        words = _words(attributes[name])
        if words and n_left:
            n_left -= 1
            yield f"{name}: {words}"


def _words(value: Any) -> str:
    """Return the words of an attribute's value: a string, or strings in a list; "" for anything else."""
    values = value if isinstance(value, list) else [value]
    words = ", ".join(filter(None, (_normal(v) for v in values if isinstance(v, str) and _HAS_LETTER.search(v))))
    return words if len(words) <= MAX_ATTRIBUTE_CHARS and "://" not in words else ""


# Besides white space: control characters, lone surrogates (no UTF-8 for them), zero-width space and byte order mark.
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b\ufeff\ud800-\udfff]+")
_HAS_LETTER = re.compile(r"[^\W\d_]")
