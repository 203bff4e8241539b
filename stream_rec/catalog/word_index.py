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
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.arrays import grow
from stream_rec.catalog.count_lists import (
    MOST,
    CountLists,
    empty_lists,
    ensure_lists,
    find,
    pack,
    remove,
    replace,
    set_count,
)
from stream_rec.embedding.text import MAX_ATTRIBUTE_CHARS, MAX_ATTRIBUTES
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
        self._ids: dict[str, int] = {}
        """By word. An id is given to another word when no item has its word any more."""
        self._spellings: list[str] = []
        """By id."""
        self._free: list[int] = []
        self._postings = empty_lists()
        """By word id, the rows of the items that have it and how often."""
        self._entries = empty_lists()
        """By row, the ids of its item's words and how often it has them: the same turned round."""
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
        return len(self._ids)

    @property
    def n_bytes(self) -> int:
        """Memory of all arrays; a word costs some 120 bytes besides."""
        arrays = (*self._postings, *self._entries, self._lengths, self._scores)
        return sum(array.nbytes for array in arrays)

    def put(self, row: int, item: Item) -> None:
        """Take the new or changed record of an item."""
        found = count_words(item)
        try:
            word_ids = list(map(self._ids.__getitem__, found))
        except KeyError:
            word_ids = list(map(self._id_of, found))
            self._postings = ensure_lists(self._postings, len(self._spellings))
        if row >= len(self._lengths):
            self._lengths = grow(self._lengths, row + 1, fill=-1)
            self._scores = grow(self._scores, row + 1)
            self._entries = ensure_lists(self._entries, row + 1)
        self._leave(row)
        self._exchange(row, np.array(word_ids, dtype=np.int32), np.array(list(found.values()), dtype=np.uint8))
        self._lengths[row] = length = sum(found.values())
        self._n += 1
        self._total += length

    def delete(self, row: int) -> None:
        """Forget an item, if it is here."""
        if self._leave(row):
            self._exchange(row, _NO_IDS, _NO_COUNTS)

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
            self._postings,
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
        return _score(self._postings.sizes, self._entries, self._lengths, self._n, mean, word_ids, rows)

    def weigh(self, query: str) -> float:
        """Return what a query's words are worth together: the sum of their rarities, an item's score with each once."""
        return sum(_rarity(self._n, int(self._postings.sizes[word_id])) for word_id in self._words_of(query))

    def _words_of(self, query: str) -> NDArray[np.int32]:
        """Return the ids of a query's words that items have, the rarest first, ties by spelling: ids have a history."""
        asked = islice(dict.fromkeys(split_words(query[:LONGEST_QUERY])), MOST_OF_QUERY)
        known = [(self._postings.sizes[self._ids[word]], word) for word in asked if word in self._ids]
        return np.array([self._ids[word] for _, word in sorted(known)], dtype=np.int32)

    def _leave(self, row: int) -> bool:
        """Count an item no more; return whether it was here."""
        length = int(self._lengths[row]) if row < len(self._lengths) else -1
        if length < 0:
            return False
        self._lengths[row] = -1
        self._n -= 1
        self._total -= length
        return True

    def _exchange(self, row: int, word_ids: NDArray[np.int32], counts: NDArray[np.uint8]) -> None:
        """Give an item other words, (w,), with counts, (w,), and forget words that no item has."""
        order = np.argsort(word_ids)
        word_ids, counts = word_ids[order], counts[order]
        while True:
            missing_postings, missing_entries, emptied = _exchange(self._postings, self._entries, row, word_ids, counts)
            if missing_postings:
                self._postings = pack(self._postings, missing_postings)
            elif missing_entries:
                self._entries = pack(self._entries, missing_entries)
            else:
                break
        for word_id in emptied.tolist():
            del self._ids[self._spellings[word_id]]
            self._spellings[word_id] = ""
            self._free.append(word_id)

    def _id_of(self, word: str) -> int:
        word_id = self._ids.get(word)
        if word_id is None:
            if self._free:
                word_id = self._free.pop()
                self._spellings[word_id] = word
            else:
                word_id = len(self._spellings)
                self._spellings.append(word)
            self._ids[word] = word_id
        return word_id


_NO_IDS = np.zeros(0, dtype=np.int32)
_NO_COUNTS = np.zeros(0, dtype=np.uint8)


def count_words(item: Item) -> dict[str, int]:
    """Return how often an item has each of its words: title, id, category, tags, words of attributes, description."""
    found = Counter(split_words(item.title[:LONGEST_TEXT]))
    for word in found:
        found[word] *= TITLE
    rest = " ".join((item.item_id, item.category, *item.tags, *_values_of(item), item.description))
    found.update(split_words(rest[:LONGEST_TEXT]))
    return {word: min(count, MOST) for word, count in islice(found.items(), MOST_PER_ITEM)}


def _values_of(item: Item) -> Iterator[str]:
    """Yield the strings among an item's attributes, ordered by name, those in lists too; no documents and no links."""
    for name in islice(sorted(item.attributes), MAX_ATTRIBUTES) if item.attributes else ():
        value = item.attributes[name]
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, str) and len(one) <= MAX_ATTRIBUTE_CHARS and "://" not in one:
                yield one


@kernel()
def _exchange(
    postings: CountLists, entries: CountLists, row: int, new_ids: NDArray[np.int32], new_counts: NDArray[np.uint8]
) -> tuple[int, int, NDArray[np.int32]]:
    """Give an item other words: in its entry, and in the postings of each that differs.

    Args:
        new_ids: (w,) ascending.

    Returns:
        Room missing in postings, and in entries: 0 and 0 when it is done. Else pack, and call again with the same.
        Then ids of words that no item has now.
    """
    emptied = np.empty(entries.sizes[row], dtype=np.int32)
    n_emptied, new = 0, 0
    start = entries.starts[row]
    for old in range(start, start + entries.sizes[row] + 1):
        is_end = old == start + entries.sizes[row]
        while new < len(new_ids) and (is_end or new_ids[new] <= entries.numbers[old]):
            is_same = not is_end and new_ids[new] == entries.numbers[old] and new_counts[new] == entries.counts[old]
            if not is_same:
                missing = set_count(postings, new_ids[new], row, new_counts[new])
                if missing > 0:
                    return missing, 0, emptied[:0]
            new += 1
        if not is_end and (new == 0 or new_ids[new - 1] != entries.numbers[old]):
            word_id = entries.numbers[old]
            remove(postings, word_id, row)
            if postings.sizes[word_id] == 0:
                emptied[n_emptied] = word_id
                n_emptied += 1
    missing = replace(entries, row, new_ids, new_counts)
    return 0, missing, emptied[:n_emptied]


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
