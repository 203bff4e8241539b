"""Queries: what users chose after they had asked for something, as sums that fade, kept with the item that was chosen.

A query is a number, made of its words whatever their order; asked about an item ("like this one, but cheaper") it is
one more number. The text itself never leaves the state of the user who typed it.
"""

from __future__ import annotations

from stream_rec.knowledge.fading import number_of
from stream_rec.words import split_words


def numbers_of(query: str, item_id: str | None) -> list[int]:
    """Return the numbers of what was asked, the most special last; none where the query has no word."""
    words = " ".join(sorted(set(split_words(query))))
    if not words:
        return []
    return [number_of(words)] if item_id is None else [number_of(words), number_of(f"{words}\0{item_id}")]
