"""Keys by row and rows by key, whatever was put and deleted before."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.inverted_index import InvertedIndex

ROWS = 6
keys = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), st.integers(1, 255))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, ROWS - 1), st.none() | keys), max_size=30))
def test_both_ways_say_the_same(history):
    """And a key that no item has any more is forgotten."""
    index, left = InvertedIndex(), dict[int, dict[str, int]]()
    for row, counts in history:
        if counts is None:
            index.delete(row)
            left.pop(row, None)
        else:
            index.put(row, counts)
            left[row] = counts

    for row in range(ROWS + 2):
        start = index.entries.starts[row] if row < len(index.entries.starts) else 0
        ids = index.keys_of(row)
        counts = index.entries.counts[start : start + len(ids)].tolist()
        assert dict(zip(map(index.key_of, ids.tolist()), counts)) == left.get(row, {})
    for key in "abcdef":
        assert index.rows_of(key).tolist() == sorted(row for row, counts in left.items() if key in counts)
    assert len(index) == len({key for counts in left.values() for key in counts})
