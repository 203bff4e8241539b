"""Which items come while simulated users do, and when: a catalog in which there is always something to find out.

An item that the log's first events do not know, and later ones do, is new. Some of them, drawn with the seed, come one
after the other in the order of their first events, evenly over the first half of the visits: what is found out of them
can pay in the second. The other new items, and those that nobody ever came to, are not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_rec.errors import FileProblem
from stream_rec.evaluation.simulated_visits import Visits
from stream_rec.events.interaction import LoggedEvent

ARRIVING = 0.5
"""Share of the time of all visits in which items come."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Items that come, in order of time."""

    item_ids: list[str]
    times_ms: NDArray[np.int64]
    """(a,) ascending."""


NO_ARRIVALS = Arrivals([], np.zeros(0, np.int64))


def split_items(
    events: Sequence[LoggedEvent], item_ids: Sequence[str], n_warm: int, n_new: int, *, seed: int
) -> tuple[list[str], list[str]]:
    """Return the items that are there from the beginning, and ``n_new`` that come later, by their first event.

    Args:
        events: All of the log, in order of time.
        n_warm: How many of them the recommender learns from beforehand.

    Raises:
        FileProblem: the log has not so many new items.

    Example:
        >>> from stream_rec.events.interaction import Interaction, Kind
        >>> chosen = [Interaction(f"e{n}", "ann", name, timestamp_ms=n) for n, name in enumerate("teapot")]
        >>> events = [LoggedEvent(Kind.VIEW, event) for event in chosen]
        >>> split_items(events, list("aceopt"), n_warm=2, n_new=3, seed=0)
        (['c', 'e', 't'], ['a', 'p', 'o'])
    """
    is_item = set(item_ids)
    known = {event.item_id for _, event in events[:n_warm]} & is_item
    later = (event.item_id for _, event in events[n_warm:])
    new = list(dict.fromkeys(item_id for item_id in later if item_id in is_item and item_id not in known))
    if len(new) < n_new:
        raise FileProblem(
            f"{n_new} items are to come, the log has {len(new)} new ones after a warm-up of {n_warm} events; "
            "let fewer come or give a shorter warm-up"
        )
    drawn = np.sort(np.random.default_rng([seed, n_new]).permutation(len(new))[:n_new])
    coming = [new[index] for index in drawn.tolist()]
    is_coming = set(coming)
    return [item_id for item_id in item_ids if item_id not in is_coming], coming


def plan_arrivals(item_ids: Sequence[str], visits: Visits) -> Arrivals:
    """Return when each of some items comes, in the order given, the first one with the first visit."""
    begin_ms, end_ms = int(visits.times_ms[0]), int(visits.times_ms[-1])
    shares = np.arange(len(item_ids)) / max(1, len(item_ids))
    return Arrivals(list(item_ids), begin_ms + (ARRIVING * (end_ms - begin_ms) * shares).astype(np.int64))
