"""Slots: positions of a list in steps, as coarse as counts of how users look at them may be."""

from __future__ import annotations

from bisect import bisect_right

SLOTS = (1, 2, 3, 4, 5, 7, 11, 21)
"""The first position of each slot, counted from 1; the last slot has no end."""
N_SLOTS = len(SLOTS)


def slot_of(position: int) -> int:
    """Return the slot, from 0, of a position.

    >>> [slot_of(position) for position in (1, 2, 5, 6, 7, 20, 21, 500)]
    [0, 1, 4, 4, 5, 6, 7, 7]

    Raises:
        ValueError: the position is below 1.
    """
    if position < 1:
        raise ValueError(f"positions are counted from 1, got {position}")
    return bisect_right(SLOTS, position) - 1


def usual_examination(position: int) -> float:
    """Return how likely an item at a position is looked at, of one at the first, where nothing is known."""
    return float(position**-0.5)
