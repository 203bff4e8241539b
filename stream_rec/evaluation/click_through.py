"""Click-through: how much of what was shown was chosen, of each arm of a simulation, and how much more in one of two.

An empty list was not shown: it counts in nothing but its own number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_rec.evaluation.bootstrap import Change, estimate_changes
from stream_rec.evaluation.simulation import NOTHING, ShownLists

LISTS_AT_ONCE = 1_000
"""Of each point over time."""


class ClickThrough(Struct, frozen=True):
    """What the lists of one arm brought."""

    n_lists: int
    """Those with something in them."""
    n_empty: int
    chosen_per_list: float
    expected_per_list: float
    """How many were to be expected of these lists: as ``chosen_per_list``, without the luck of each visit."""
    chosen_per_look: float
    """Share of the slots that were looked at."""
    by_slot: list[float]
    """Share of the lists in which each slot was chosen, looked at or not; those that reach so far."""
    looked_at: list[float]
    """Share of the lists in which each slot was looked at."""
    over_time: list[float]
    """Chosen per list, of each ``LISTS_AT_ONCE`` visits; 0 where none was shown anything."""
    tired_share: float
    """Share of the slots looked at whose item the user had grown tired of."""
    had_share: float
    """Share of the slots looked at whose item the user had chosen lately."""
    coverage: float
    """Share of the catalog that was in some list."""
    list_ms: float
    """CPU time of a list, on average."""
    impress_ms: float
    """That of taking what was shown, per list; 0 of an arm that does not hear."""
    learn_ms: float
    """That of taking what was chosen, per list."""


def measure_click_through(lists: ShownLists, n_items: int) -> ClickThrough:
    """Return what the lists of one arm brought.

    Args:
        n_items: Of the catalog.
    """
    is_shown = lists.items != NOTHING
    is_list = is_shown[:, 0] if is_shown.shape[1] else np.zeros(len(is_shown), bool)
    is_seen = is_shown & (np.arange(is_shown.shape[1]) < lists.depths[:, None])
    n_lists, n_seen, n_in_slot = max(1, int(is_list.sum())), max(1, int(is_seen.sum())), is_shown.sum(axis=0)
    return ClickThrough(
        n_lists=int(is_list.sum()),
        n_empty=int((~is_list).sum()),
        chosen_per_list=float(lists.is_chosen.sum() / n_lists),
        expected_per_list=float(lists.expected.sum() / n_lists),
        chosen_per_look=float(lists.is_chosen.sum() / n_seen),
        by_slot=(lists.is_chosen.sum(axis=0) / np.maximum(1, n_in_slot)).tolist(),
        looked_at=(is_seen.sum(axis=0) / np.maximum(1, n_in_slot)).tolist(),
        over_time=_average_over_time(lists.is_chosen.sum(axis=1), is_list),
        tired_share=float(lists.is_tired[is_seen].sum() / n_seen),
        had_share=float(lists.is_had[is_seen].sum() / n_seen),
        coverage=len(np.unique(lists.items[is_shown])) / n_items,
        list_ms=lists.list_ns / 1e6 / n_lists,
        impress_ms=lists.impress_ns / 1e6 / n_lists,
        learn_ms=lists.learn_ns / 1e6 / n_lists,
    )


def compare_click_through(users: NDArray[np.int64], base: ShownLists, other: ShownLists, *, seed: int) -> Change | None:
    """Return how choices per list differ, by drawing users; None where no visit has lists of both.

    ``relative`` is the ratio of both less 1.

    Args:
        users: (v,) of the visits, which are those of both arms.
    """
    return _compare(users, base, other, (base.is_chosen, other.is_chosen), seed)


def compare_expected(users: NDArray[np.int64], base: ShownLists, other: ShownLists, *, seed: int) -> Change | None:
    """Return the same of the choices that were to be expected of the lists: arms differ by less luck."""
    return _compare(users, base, other, (base.expected, other.expected), seed)


def _compare(
    users: NDArray[np.int64], base: ShownLists, other: ShownLists, worths: Sequence[NDArray[Any]], seed: int
) -> Change | None:
    is_both = (base.items != NOTHING).any(axis=1) & (other.items != NOTHING).any(axis=1)
    if not is_both.any():
        return None
    before, after = (each.sum(axis=1)[None, is_both].astype(np.float64) for each in worths)
    masks = {"all": np.ones(int(is_both.sum()), bool)}
    [change] = estimate_changes(users[is_both], before, after, masks, seed=seed)["all"]
    return change


def _average_over_time(n_chosen: NDArray[np.int64], is_list: NDArray[np.bool_]) -> list[float]:
    starts = np.arange(0, len(n_chosen), LISTS_AT_ONCE)
    if not len(starts):
        return []
    n_lists = np.add.reduceat(is_list.astype(np.int64), starts)
    averages: list[float] = (np.add.reduceat(n_chosen, starts) / np.maximum(1, n_lists)).tolist()
    return averages
