"""Pairs: which items a user came to after which others, as changes of integer weights.

Two events of a user at most ``WINDOW`` places apart make a pair; the nearer, the heavier. The sum over all pairs is a
function of the order of events in time alone, ties (the lines of one purchase) as they stand in the log: an event that
arrives late adds its own pairs and corrects those that now lie one place further apart. (As far as
the recent events reach: pairs with others stay as they were.)
"""

from __future__ import annotations

from collections import defaultdict

from stream_rec.user.entries import Entry

WINDOW = 12
"""Places; 12 did best for co-visits on the three logs (window 12, last and recent items)."""


WEIGHTS = (0, *range(WINDOW, 0, -1), 0)
"""Weight of a pair by the places between its events: 12 for neighbours down to 1, then 0."""


def changes(recent_events: list[Entry], index: int) -> dict[tuple[str, str], int]:
    """Return how pair weights change because the event at ``index`` of ``recent_events``, in log order, came in.

    Returns:
        (earlier item, later item) to change of weight. Without a late event that is: the events before the new one.
    """
    changed: dict[tuple[str, str], int] = defaultdict(int)
    new = recent_events[index].item_id
    for distance in range(1, WINDOW + 1):
        if index >= distance:
            changed[recent_events[index - distance].item_id, new] += WEIGHTS[distance]
        if index + distance < len(recent_events):
            changed[new, recent_events[index + distance].item_id] += WEIGHTS[distance]
    for before in range(max(0, index - WINDOW), index):
        for after in range(index + 1, min(len(recent_events), before + 1 + WINDOW + 1)):
            distance = after - before  # one more than it was without the new event
            changed[recent_events[before].item_id, recent_events[after].item_id] += (
                WEIGHTS[distance] - WEIGHTS[distance - 1]
            )
    return {pair: change for pair, change in changed.items() if change and pair[0] != pair[1]}


def before_newest(sequence: list[Entry], item_id: str) -> list[tuple[str, int]]:
    """Return (earlier item, weight) for an event with ``item_id`` after all of ``sequence``, the nearest first.

    It is what ``changes`` says of the last place, which is what nearly every event asks, in a quarter of the time.
    """
    weights: dict[str, int] = {}
    for entry, weight in zip(reversed(sequence), range(WINDOW, 0, -1)):
        weights[entry.item_id] = weights.get(entry.item_id, 0) + weight
    weights.pop(item_id, None)
    return list(weights.items())
