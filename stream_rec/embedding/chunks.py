"""Long texts: a model reads so many tokens at once, a longer text is read in chunks, and its vector is their mean.

A chunk begins where the one before ends, and has the same prefix. Each counts by its tokens, so that a short last one
says little. A text that is read at once has the vector that it would have anyway. What chunks bring, next to a text
that is cut, and next to a title before each: docs/experiments.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray


class Read(NamedTuple):
    """What a tokenizer takes of one text at once."""

    token_ids: list[int]
    end: int | None
    """Characters that it got through, where that is not the whole text."""


Tokenize: TypeAlias = Callable[[list[str]], list[Read]]


class Chunks(Struct, frozen=True):
    """Texts as tokens: the first chunk of each, in the order of the texts, then what longer ones have besides."""

    token_ids: list[list[int]]
    of_text: list[int]
    """Index of the text that each is a chunk of."""


def read_in_chunks(texts: Sequence[str], prefix: str, tokenize: Tokenize, max_chunks: int) -> Chunks:
    """Return the chunks of all texts, at most ``max_chunks`` of each: what is beyond is cut."""
    chunks = Chunks([], [])
    rest = list(enumerate(texts))
    for _ in range(max_chunks):
        reads = tokenize([prefix + text for _, text in rest])
        chunks.token_ids.extend(read.token_ids for read in reads)
        chunks.of_text.extend(index for index, _ in rest)
        ends = [0 if read.end is None else read.end - len(prefix) for read in reads]
        rest = [(index, text[end:]) for (index, text), end in zip(rest, ends) if end > 0]
        if not rest:
            break
    return chunks


def join(vectors: NDArray[np.float32], chunks: Chunks, n_texts: int) -> NDArray[np.float32]:
    """Return the unit vector of each text, (n, d), from those of its chunks, (c, d); NaN where one chunk's is."""
    rows = vectors[:n_texts].copy()
    of_text = np.array(chunks.of_text, np.int64)
    long = np.unique(of_text[n_texts:])
    if len(long):
        sums = np.zeros(rows.shape, np.float64)
        np.add.at(sums, of_text, vectors * np.array([[len(ids)] for ids in chunks.token_ids], np.float64))
        with np.errstate(invalid="ignore", divide="ignore"):
            rows[long] = sums[long] / np.linalg.norm(sums[long], axis=1, keepdims=True)
    return rows
