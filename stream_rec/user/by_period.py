"""Counts by period and item, bounded: the same set whatever order they came in.

Kept are the newest period, and every earlier one as long as all together stay within the bound. Both only become
stricter as counts come in, so a period or item once dropped would be dropped in any order of arrival. A single period
over the bound keeps the items with the smallest digests: an arbitrary choice, but the same in any order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from stream_rec.user import seen


class ByPeriod(Protocol):
    """A count of one item in one period."""

    @property
    def period(self) -> int: ...
    @property
    def item_id(self) -> str: ...


C = TypeVar("C", bound=ByPeriod)


def find(counts: Sequence[C], period: int, item_id: str) -> C | None:
    """Return the count of an item in a period, None where there is none.

    Args:
        counts: Ordered by (period, item_id).
    """
    index = _index_of(counts, period, item_id)
    if index < len(counts) and counts[index].period == period and counts[index].item_id == item_id:
        return counts[index]
    return None


def put(counts: Sequence[C], first: int, new: Iterable[C], bound: int, salt: str = "") -> tuple[list[C], int]:
    """Return the counts with some of one period more, or in place of the same items' in it, and the first period left.

    Args:
        counts: Ordered by (period, item_id).
        first: Periods before this one have left for good; that of ``new`` is none of them.
        salt: Of the digests: with another one, other items of a period over the bound are kept.
    """
    kept = list(counts)
    for count in new:
        index = _index_of(kept, count.period, count.item_id)
        if index < len(kept) and kept[index].period == count.period and kept[index].item_id == count.item_id:
            kept[index] = count
        else:
            kept.insert(index, count)
    while len(kept) > bound and (oldest := kept[0].period) != kept[-1].period:
        kept, first = [c for c in kept if c.period != oldest], oldest + 1
    if len(kept) > bound:
        smallest = sorted(kept, key=lambda c: seen.digest_of(salt + c.item_id))[:bound]
        item_ids = {count.item_id for count in smallest}
        kept = [count for count in kept if count.item_id in item_ids]
    return kept, first


def _index_of(counts: Sequence[C], period: int, item_id: str) -> int:
    return bisect_left(counts, (period, item_id), key=lambda c: (c.period, c.item_id))
