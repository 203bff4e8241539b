"""Logs to run: made from a seed, so that a failure can be run again, and long enough to be interrupted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from stream_rec.client import EventProducer
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search
from stream_rec.events.source import Source, UserEvent
from stream_rec.fields.read import Record, split_record

ALL_KINDS = (Kind.VIEW, Kind.CLICK, Kind.PURCHASE)
MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
COUNTRIES = ("FR", "JP", "BR")
"""Each user's is one; `session`, which events say too, is not declared."""
QUERIES = ("cheaper", "in blue", "for two", "ein Geschenk", "quieter")

Logged = Record | Profile
"""One line of a log, or a profile."""


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
        context = {"country": COUNTRIES[user % len(COUNTRIES)], "session": f"s{number}"}
        event = Interaction(f"e{number}", f"user-{user}", f"item-{item}", int(now_ms[user]), context=context)
        kind = kinds[min(int(rng.geometric(0.6)) - 1, len(kinds) - 1)]
        log.append((event.timestamp_ms, number, LoggedEvent(kind, event)))
    return [logged for _, _, logged in sorted(log, key=lambda entry: entry[:2])]


def with_impressions(log: Sequence[Logged], *, seed: int, share: float = 0.3, n_items: int = 20) -> list[Logged]:
    """Return a log, in the order of time, in which users are shown items before some of their events.

    Most often the item of the event is among them, and most often it is not too late to be a choice; some stand far
    down.

    Args:
        n_items: Others are drawn from so many.
    """
    rng = np.random.default_rng(seed)
    lines: list[tuple[int, int, Logged]] = []
    for number, logged in enumerate(log):
        _, event = sent_as(logged)
        lines.append((event.timestamp_ms, 2 * number, logged))
        if isinstance(logged, LoggedEvent) and rng.random() < share:
            before_ms = int(rng.choice([0, 1, MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, 40 * MINUTE_MS]))
            others = [f"item-{other}" for other in rng.choice(n_items, 4, replace=False).tolist()]
            chosen = [logged.event.item_id] if rng.random() < 0.8 else []
            item_ids = list(dict.fromkeys([*others[:2], *chosen, *others[2:]]))
            first = int(rng.choice([1, 1, 1, 9, 30]))
            items = [ShownItem(item_id, position) for position, item_id in enumerate(item_ids, first)]
            shown = Impression(f"i{number}", event.user_id, f"list-{number}", items, event.timestamp_ms - before_ms)
            lines.append((shown.timestamp_ms, 2 * number + 1, shown))
    return [line for _, _, line in sorted(lines, key=lambda line: line[:2])]


def with_searches(log: Sequence[LoggedEvent], *, seed: int, share: float = 0.3) -> list[Logged]:
    """Return a log, in the order of time, in which users search: in few words, so that many ask the same.

    Most searches come before one of the user's events, some minutes or at its very time; some are about an item, which
    may be that of the event, and name a word of one or none.
    """
    rng = np.random.default_rng(seed)
    lines: list[tuple[int, int, Logged]] = []
    for number, logged in enumerate(log):
        event = logged.event
        lines.append((event.timestamp_ms, 2 * number, logged))
        if rng.random() < share:
            before_ms = int(rng.choice([0, 1, MINUTE_MS, 10 * MINUTE_MS, 40 * MINUTE_MS]))
            query = str(rng.choice([*QUERIES, event.item_id]))
            item_id = [None, event.item_id, log[number // 2].event.item_id][int(rng.integers(3))]
            search = Search(f"s{number}", event.user_id, query, event.timestamp_ms - before_ms, item_id)
            lines.append((search.timestamp_ms, 2 * number + 1, search))
    return [line for _, _, line in sorted(lines, key=lambda line: line[:2])]


def with_profiles(log: Sequence[Logged], *, seed: int, share: float = 0.05) -> list[Logged]:
    """Return a log, in the order of time, in which users say something of themselves before some of their events."""
    rng = np.random.default_rng(seed)
    lines: list[Logged] = []
    for number, line in enumerate(log):
        if rng.random() < share:
            _, event = sent_as(line)
            interests = [f"group-{group}" for group in rng.choice(10, int(rng.integers(0, 3)), replace=False).tolist()]
            language, birth_year = str(rng.choice(["", "de", "fr"])), int(rng.integers(1940, 2010))
            lines.append(Profile(event.user_id, event.timestamp_ms, [*interests, f"no {number}"], language, birth_year))
        lines.append(line)
    return lines


def sent_as(line: Logged) -> tuple[Source, UserEvent]:
    """Return of which source a line is, and what is sent there."""
    return (Source.PROFILE, line) if isinstance(line, Profile) else split_record(line)


def put(producer: EventProducer, log: Iterable[Logged]) -> None:
    """Send events, searches, impressions and profiles."""
    for line in log:
        if isinstance(line, Search):
            producer.send_search(line)
        elif isinstance(line, Impression):
            producer.send_impression(line)
        elif isinstance(line, Profile):
            producer.send_profile(line)
        else:
            producer.send_interaction(line.kind, line.event)


def send(producer: EventProducer, log: Iterable[Logged]) -> None:
    """Send all of it, and wait until the broker has them."""
    put(producer, log)
    producer.flush()


def catalog_of(log: Iterable[Logged]) -> list[Item]:
    """Return a record for each item of a log, in words of its own and of a group of ten."""
    item_ids = sorted({line.event.item_id for line in log if isinstance(line, LoggedEvent)})
    return [Item(item_id, title=f"{item_id} group-{number // 10}") for number, item_id in enumerate(item_ids)]
