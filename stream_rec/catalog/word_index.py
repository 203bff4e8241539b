"""The word index: which items have which words, and how well they match a query. Updated in place by one owner.

Every list is sorted and holds what is there now, nothing stale: an item that comes again changes what differs. So the
same items have the same scores, and are found in the same order, whatever was put, changed and deleted before.

With 20 words an item, one of them its own, an item costs 500 bytes (benchmarks/word_index.py, a million items).

Source:
    Robertson, Zaragoza. The Probabilistic Relevance Framework: BM25 and Beyond. FnTIR 3(4), 2009.
    Counting the title more than once: Robertson, Zaragoza, Taylor. Simple BM25 Extension to Multiple Weighted Fields.
    CIKM 2004. The 1 in ln(1 + ...) is Lucene's: a word that most items have scores little instead of less than 0.
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.count_lists import MOST, CountLists, find
from stream_rec.catalog.facts import read_facts
from stream_rec.catalog.inverted_index import InvertedIndex
from stream_rec.embedding.text import MAX_ATTRIBUTES
from stream_rec.events.item import Item
from stream_rec.kernel import kernel
from stream_rec.words import split_words

K1, B = 1.2, 0.75
"""How soon more of a word counts no more, and how much longer items are marked down: what the source advises."""
TITLE = 2
"""A word in the title counts as so many elsewhere."""
MOST_PER_ITEM = 256
"""Distinct words of an item, the title's first: a bound on memory."""
LONGEST_TEXT = 10_000
"""Characters read of a title, and of all else together: a bound on the time."""
MOST_OF_QUERY = 16
"""Distinct words of a query, its first."""
LONGEST_QUERY = 1_000
"""Characters read of a query."""
MOST_READ = 50_000
"""Postings read for a query, those of its rarest words; what they find is scored by its other words too."""


class WordIndex:
    """Words of items by catalog row, and the rows by word."""

    def __init__(self) -> None:
        self._index = InvertedIndex()
        self._lengths = np.zeros(0, dtype=np.int32)
        """(>= n,) sum of the counts of an item, -1 where there is none."""
        self._n = self._total = 0
        """Items, and the sum of their lengths."""
        self._scores = np.zeros(0)
        """(>= n,) zero outside of a search."""

    def __len__(self) -> int:
        """Return the number of items."""
        return self._n

    @property
    def n_words(self) -> int:
        """Number of distinct words that items have."""
        return len(self._index)

    @property
    def n_bytes(self) -> int:
        """Memory of all arrays; a word costs some 120 bytes besides."""
        return self._index.n_bytes + self._lengths.nbytes + self._scores.nbytes

    def put(self, row: int, item: Item) -> None:
        """Take the new or changed record of an item."""
        found = count_words(item)
        if row >= len(self._lengths):
            self._lengths = grow(self._lengths, row + 1, fill=-1)
            self._scores = grow(self._scores, row + 1)
        self._leave(row)
        self._index.put(row, found)
        self._lengths[row] = length = sum(found.values())
        self._n += 1
        self._total += length

    def delete(self, row: int) -> None:
        """Forget an item, if it is here."""
        if self._leave(row):
            self._index.delete(row)

    def search(self, query: str, k: int, is_listed: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the listed items that match a query best, and how well.

        Args:
            k: How many at most, above 0.
            is_listed: (n,) by row; rows beyond it are not listed.

        Returns:
            Rows and scores, (m,), m <= k, all scores above 0, best first, ties by row.
        """
        word_ids = self._words_of(query)
        if not len(word_ids):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        return _search(
            self._index.postings,
            self._lengths,
            self._n,
            self._total / self._n,
            word_ids,
            MOST_READ,
            k,
            is_listed,
            self._scores,
        )

    def score(self, query: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return how well items match a query, (r,), 0 where not at all, for ``rows``, (r,), in any order."""
        word_ids = self._words_of(query)
        if not len(word_ids):
            return np.zeros(len(rows), dtype=np.float32)
        mean = self._total / self._n
        return _score(self._index.postings.sizes, self._index.entries, self._lengths, self._n, mean, word_ids, rows)

    def weigh(self, query: str) -> float:
        """Return what a query's words are worth together: the sum of their rarities, an item's score with each once."""
        return sum(_rarity(self._n, int(self._index.postings.sizes[word_id])) for word_id in self._words_of(query))

    def _words_of(self, query: str) -> NDArray[np.int32]:
        """Return the ids of a query's words that items have, the rarest first, ties by spelling: ids have a history."""
        asked = islice(dict.fromkeys(split_words(query[:LONGEST_QUERY])), MOST_OF_QUERY)
        known = [(self._index.postings.sizes[self._index.ids[word]], word) for word in asked if word in self._index.ids]
        return np.array([self._index.ids[word] for _, word in sorted(known)], dtype=np.int32)

    def _leave(self, row: int) -> bool:
        """Count an item no more; return whether it was here."""
        length = int(self._lengths[row]) if row < len(self._lengths) else -1
        if length < 0:
            return False
        self._lengths[row] = -1
        self._n -= 1
        self._total -= length
        return True


def count_words(item: Item) -> dict[str, int]:
    """Return how often an item has each of its words: title, id, category, tags, words of attributes, description."""
    found = Counter(split_words(item.title[:LONGEST_TEXT]))
    for word in found:
        found[word] *= TITLE
    facts = (text for _, text in read_facts(item, MAX_ATTRIBUTES)) if item.attributes else ()
    rest = " ".join((item.item_id, item.category, *item.tags, *facts, item.description))
    found.update(split_words(rest[:LONGEST_TEXT]))
    return {word: min(count, MOST) for word, count in islice(found.items(), MOST_PER_ITEM)}


@kernel()
def _rarity(n: int, n_with: int) -> float:
    """Return the inverse document frequency of a word that ``n_with`` of ``n`` items have."""
    return math.log(1.0 + (n - n_with + 0.5) / (n_with + 0.5))


@kernel()
def _weight(rarity: float, count: int, length: int, mean: float) -> float:
    """Return what a word that stands ``count`` times in an item of some length adds to its score."""
    return rarity * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / mean))


@kernel()
def _search(
    postings: CountLists,
    lengths: NDArray[np.int32],
    n: int,
    mean: float,
    word_ids: NDArray[np.int32],
    most_read: int,
    k: int,
    is_listed: NDArray[np.bool_],
    scores: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return rows and scores as ``WordIndex.search`` does.

    Args:
        lengths: (>= n,) of items, ``mean`` over all ``n`` items that are here.
        word_ids: (w,) of the query, the rarest first.
        most_read: Postings; of one word that has more the last are read, those of the newest rows.
        scores: (>= n,) workspace, zero before and after.
    """
    rarities = np.array([_rarity(n, postings.sizes[word_id]) for word_id in word_ids])
    starts, sizes = postings.starts[word_ids], postings.sizes[word_ids]
    n_read, n_postings = 1, min(int(sizes[0]), most_read)
    while n_read < len(word_ids) and n_postings + sizes[n_read] <= most_read:
        n_postings += int(sizes[n_read])
        n_read += 1
    touched = np.empty(n_postings, dtype=np.int32)
    n_touched = 0
    for each in range(n_read):
        end = starts[each] + sizes[each]
        for index in range(end - min(int(sizes[each]), most_read), end):
            row = postings.numbers[index]
            if row < len(is_listed) and is_listed[row]:
                if scores[row] == 0.0:
                    touched[n_touched] = row
                    n_touched += 1
                scores[row] += _weight(rarities[each], postings.counts[index], lengths[row], mean)
    for each in range(n_read, len(word_ids)):
        index, end, before = int(starts[each]), int(starts[each] + sizes[each]), -1
        for row in touched[:n_touched]:
            if row < before:  # rows ascend in what one word found
                index = int(starts[each])
            before = row
            index = find(postings, index, end, row)
            if index < end and postings.numbers[index] == row:
                scores[row] += _weight(rarities[each], postings.counts[index], lengths[row], mean)
    most, n_best = min(n_touched, k), 0
    rows, values = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.float32)
    for index in range(n_touched):
        row = int(touched[index])
        score = np.float32(scores[row])
        scores[row] = 0.0
        slot = n_best
        while slot > 0 and (values[slot - 1] < score or (values[slot - 1] == score and rows[slot - 1] > row)):
            slot -= 1
        if slot == most:
            continue
        n_best = min(n_best + 1, most)
        for later in range(n_best - 1, slot, -1):
            values[later], rows[later] = values[later - 1], rows[later - 1]
        values[slot], rows[slot] = score, row
    return rows, values


@kernel()
def _score(
    n_with: NDArray[np.int32],
    entries: CountLists,
    lengths: NDArray[np.int32],
    n: int,
    mean: float,
    word_ids: NDArray[np.int32],
    rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return scores as ``WordIndex.score`` does; ``n_with``, (words,), says how many items have each word."""
    rarities = np.array([_rarity(n, n_with[word_id]) for word_id in word_ids])
    scores = np.zeros(len(rows), dtype=np.float32)
    for index in range(len(rows)):
        row = rows[index]
        if row < len(lengths):
            start, end = int(entries.starts[row]), int(entries.starts[row] + entries.sizes[row])
            score = 0.0
            for each in range(len(word_ids)):
                place = find(entries, start, end, word_ids[each])
                if place < end and entries.numbers[place] == word_ids[each]:
                    score += _weight(rarities[each], entries.counts[place], lengths[row], mean)
            scores[index] = score
    return scores
