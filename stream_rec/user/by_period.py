"""Counts by period and item, bounded: the same set whatever order they came in.

Kept are the newest period, and every earlier one as long as all together stay within the bound. Both only become
stricter as counts come in, so a period or item once dropped would be dropped in any order of arrival. A single period
over the bound keeps the items with the smallest digests: an arbitrary choice, but the same in any order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
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


def put(counts: Sequence[C], first: int, count: C, bound: int) -> tuple[list[C], int, bool]:
    """Return the counts with one more, or another in place of the same item's in that period.

    Args:
        counts: Ordered by (period, item_id).
        first: Periods before this one have left for good; that of ``count`` is none of them.

    Returns:
        The counts, the first period still in them, and whether ``count`` is among them.
    """
    kept = list(counts)
    index = _index_of(counts, count.period, count.item_id)
    if index < len(kept) and kept[index].period == count.period and kept[index].item_id == count.item_id:
        kept[index] = count
    else:
        kept.insert(index, count)
    if len(kept) <= bound:
        return kept, first, True
    oldest = kept[0].period
    if oldest == kept[-1].period:
        dropped = max(kept, key=lambda c: seen.digest_of(c.item_id))
        kept.remove(dropped)
        return kept, first, dropped.item_id != count.item_id
    return [c for c in kept if c.period != oldest], oldest + 1, count.period != oldest


def _index_of(counts: Sequence[C], period: int, item_id: str) -> int:
    return bisect_left(counts, (period, item_id), key=lambda c: (c.period, c.item_id))
