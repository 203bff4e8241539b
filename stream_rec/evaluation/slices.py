"""Parts of the scored events that are looked at by themselves: new users, new items, repeats, kinds, halves, searches.

"Earlier" is before the event's group: what the method could know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.evaluation.scan import ScannedLog
from stream_rec.evaluation.schedule import Schedule
from stream_rec.events.interaction import Kind
from stream_rec.events.source import Source

Masks = dict[str, NDArray[np.bool_]]
"""Which of the scored events are in a part, by the part's name."""
NEW = 5
"""Users and items with fewer earlier events are new."""
BUCKETS = (0, 1, 5, 20)
"""Where the buckets of earlier events begin: 0, 1 to 4, 5 to 19, 20 and more."""
STEPS = (0, 1, 2, 3, 5, 10, 20, 50)
"""Where the steps of the cold-start curves begin."""
AGES_MS = {
    "none": -1,
    "under 1 h": 0,
    "under 1 d": 3_600_000,
    "under 7 d": 86_400_000,
    "under 30 d": 7 * 86_400_000,
    "under 90 d": 30 * 86_400_000,
    "older": 90 * 86_400_000,
}
"""Steps of an item's age, which begins with its first event: what it is called and where it begins; -1 is no event."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What had happened before each scored event's group; arrays by scored event."""

    of_user: NDArray[np.int64]
    """Events of the same user."""
    of_item: NDArray[np.int64]
    """Events with the same item."""
    of_pair: NDArray[np.int64]
    """Events of the same user with the same item."""
    item_age_ms: NDArray[np.int64]
    """Time since the item's first event; -1 where there is none."""


def count_earlier(log: ScannedLog, plan: Schedule) -> Earlier:
    """Count what came before each scored event."""
    users, items = log.users.astype(np.int64), log.items.astype(np.int64)
    group_of = plan.group_of_event()
    scored = slice(plan.first_scored, None)
    of_item = count_before(items, group_of)
    first_ms = np.full(len(log.item_ids), np.iinfo(np.int64).max)
    np.minimum.at(first_ms, items, log.times_ms)
    age_ms = np.where(of_item > 0, log.times_ms - first_ms[items], -1)
    return Earlier(
        of_user=count_before(users, group_of)[scored],
        of_item=of_item[scored],
        of_pair=count_before(users * len(log.item_ids) + items, group_of)[scored],
        item_age_ms=age_ms[scored],
    )


def count_before(keys: NDArray[np.int64], group_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each event how many events with the same key stand in earlier groups.

    Args:
        group_of: (events,) number of each event's group, ascending.

    Example:
        Three groups; the events of one group do not count for each other.

        >>> count_before(np.array([7, 7, 7, 8, 7]), group_of=np.array([0, 0, 1, 1, 2]))
        array([0, 0, 2, 0, 3])
    """
    order = np.argsort(keys, kind="stable")
    sorted_keys, sorted_groups = keys[order], group_of[order]
    positions = np.arange(len(keys))
    is_new_key = np.append(True, sorted_keys[1:] != sorted_keys[:-1])
    is_new_run = is_new_key | np.append(True, sorted_groups[1:] != sorted_groups[:-1])
    first_of_key = np.maximum.accumulate(np.where(is_new_key, positions, 0))
    first_of_run = np.maximum.accumulate(np.where(is_new_run, positions, 0))
    counts = np.empty(len(keys), np.int64)
    counts[order] = first_of_run - first_of_key
    return counts


def slice_events(before: Earlier, kinds: NDArray[np.int8], is_listed: NDArray[np.bool_]) -> Masks:
    """Return (scored events,) bool by the slice's name.

    Args:
        kinds: ``Kind`` of each scored event.
        is_listed: Whether each scored event's item may be shown at all.
    """
    masks: Masks = {}
    for name, counts in (("user", before.of_user), ("item", before.of_item)):
        masks[f"{name}<{NEW}"] = counts < NEW
        masks |= {f"{name}={label}": mask for label, mask in split_steps(counts, BUCKETS).items()}
    masks["pair=seen"], masks["pair=new"] = before.of_pair > 0, before.of_pair == 0
    masks |= {f"kind={kind.label}": kinds == kind for kind in Kind}
    masks["item=unlisted"] = ~is_listed
    return masks


def split_by_search(log: ScannedLog, plan: Schedule) -> Masks:
    """Return which scored events come after a search: it is the newest thing that the user did before the group.

    Newest is by time, then as the log stands. Users who did nothing before are in the other part. Where a log has no
    searches there is neither.
    """
    is_search = log.unscored.sources == Source.SEARCH
    if not is_search.any():
        return {}
    scored = plan.bounds[plan.n_warm_groups : -1]
    users = log.users[scored]
    searched = _find_newest(log.unscored.users[is_search], log.unscored.indices[is_search], users, scored + 1)
    happened = _find_newest(log.users, np.arange(len(log)), users, scored)
    # A search at an event's index comes before that event, so what is newer has the higher index.
    is_after = np.repeat(searched > happened, np.diff(plan.bounds[plan.n_warm_groups :]))
    return {"after=search": is_after, "after=event": ~is_after}


def _find_newest(
    users: NDArray[np.int32], indices: NDArray[np.int64], whose: NDArray[np.int32], before: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return for each asked user the highest index below ``before`` of something of that user; -1 where there is none.

    Args:
        users: (things,) the user of each; -1 is nobody.
        indices: (things,) from 0.
        whose: (m,) the users that are asked for.
        before: (m,)

    Example:
        >>> _find_newest(np.array([0, 1, 0]), np.array([2, 3, 4]), np.array([0, 0, 1]), np.array([9, 4, 3]))
        array([ 4,  2, -1])
    """
    stride = 1 + max(int(indices.max(initial=0)), int(before.max(initial=0)))
    keys = np.sort(users.astype(np.int64) * stride + indices)
    at = np.searchsorted(keys, whose.astype(np.int64) * stride + before) - 1
    found = np.where(at >= 0, keys[at], -1)
    return np.where(found // stride == whose, found % stride, -1)


def split_halves(plan: Schedule) -> Masks:
    """Return which scored events are in the first and which in the second half; no group is split.

    Settings are chosen on the first half and reported on the second.
    """
    n_events = int(plan.bounds[-1])
    middle = plan.first_scored + (n_events - plan.first_scored) / 2
    is_first = plan.bounds[plan.group_of_event()[plan.first_scored :]] < middle
    return {"first": is_first, "second": ~is_first}


def split_steps(values: NDArray[np.int64], begins: tuple[int, ...]) -> Masks:
    """Return which values lie in each step, by its label.

    Example:
        >>> split_steps(np.array([0, 3, 25]), (0, 1, 5))
        {'0': array([ True, False, False]), '1-4': array([False,  True, False]), '5+': array([False, False,  True])}
    """
    ends = (*begins[1:], None)
    masks = {}
    for begin, end in zip(begins, ends):
        label = f"{begin}+" if end is None else str(begin) if end == begin + 1 else f"{begin}-{end - 1}"
        masks[label] = (values >= begin) & (values < end if end is not None else True)
    return masks


def split_ages(age_ms: NDArray[np.int64]) -> Masks:
    """Return which ages lie in each of ``AGES_MS``."""
    begins = list(AGES_MS.values())
    step_of = np.searchsorted(begins, age_ms, side="right") - 1
    return {label: step_of == number for number, label in enumerate(AGES_MS)}
