"""Logs to run: made from a seed, so that a failure can be run again, and long enough to be interrupted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_rec.client import EventProducer
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item

ALL_KINDS = (Kind.VIEW, Kind.CLICK, Kind.PURCHASE)
MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS


def zipf_log(
    *, n_events: int, n_users: int, n_items: int, seed: int, kinds: Sequence[Kind] = ALL_KINDS, evenness: float = 0.0
) -> list[LoggedEvent]:
    """Return events in the order of time: a few busy users and items and many quiet ones, in sessions, over weeks.

    Args:
        evenness: Added to each user's rank: the larger, the less the busy ones stand out.
    """
    rng = np.random.default_rng(seed)
    user_weights = 1 / (np.arange(1, n_users + 1) + evenness)
    item_weights = 1 / np.arange(1, n_items + 1)
    users = rng.choice(n_users, n_events, p=user_weights / user_weights.sum())
    items = rng.choice(n_items, n_events, p=item_weights / item_weights.sum())
    log: list[tuple[int, int, LoggedEvent]] = []
    now_ms = 1_700_000_000_000 + rng.integers(0, DAY_MS, n_users)
    last_item = np.zeros(n_users, dtype=int)
    for number, (user, item) in enumerate(zip(users.tolist(), items.tolist())):
        new_session = rng.random() < 0.2
        now_ms[user] += rng.integers(DAY_MS // 2, 3 * DAY_MS) if new_session else rng.integers(0, 5 * MINUTE_MS)
        item = int(last_item[user]) if rng.random() < 0.15 else item  # the same item again
        last_item[user] = item
        event = Interaction(f"e{number}", f"user-{user}", f"item-{item}", int(now_ms[user]))
        kind = kinds[min(int(rng.geometric(0.6)) - 1, len(kinds) - 1)]
        log.append((event.timestamp_ms, number, LoggedEvent(kind, event)))
    return [logged for _, _, logged in sorted(log, key=lambda entry: entry[:2])]


def send(producer: EventProducer, log: Sequence[LoggedEvent]) -> None:
    """Send events and wait until the broker has them."""
    for logged in log:
        producer.send_interaction(logged.kind, logged.event)
    producer.flush()


def catalog_of(log: Sequence[LoggedEvent]) -> list[Item]:
    """Return a record for each item of a log, in words of its own and of a group of ten."""
    item_ids = sorted({logged.event.item_id for logged in log})
    return [Item(item_id, title=f"{item_id} group-{number // 10}") for number, item_id in enumerate(item_ids)]
