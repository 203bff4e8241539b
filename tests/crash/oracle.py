"""An oracle that counts by itself: sets and counters over what was sent, JSON as it lies in the topics.

It shares no idea with stream-rec: what it expects follows from the contract alone. One ``event_id`` of one user is one
event, search or impression, wherever in time it belongs and however often it was sent. Of one user's events of one kind
with one item ten a week count for the item, of one user's impressions of it ten a day. A list shows nothing that is
sold out, deleted or banned.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable

from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Kind, LoggedEvent
from stream_rec.events.profile import Profile
from stream_rec.events.search import Search
from tests.kafka.logs import Logged

WEEK_MS = 7 * 24 * 3600 * 1000
A_WEEK = 10
"""Events of one user, kind and item that count for the item."""
DAY_MS = 24 * 3600 * 1000
A_DAY = 10
"""Impressions of one item to one user that count for the item."""


def count_by_user(sent: Iterable[Logged]) -> Counter[tuple[str, int]]:
    """Return how many events of each user and kind there are."""
    return Counter((event.user_id, int(kind)) for kind, event in _distinct(sent))


def count_by_item(sent: Iterable[Logged]) -> Counter[tuple[str, int]]:
    """Return how many events of each item and kind count for it."""
    alike = Counter(
        (event.user_id, int(kind), event.item_id, event.timestamp_ms // WEEK_MS) for kind, event in _distinct(sent)
    )
    counts: Counter[tuple[str, int]] = Counter()
    for (_, kind, item_id, _), n in alike.items():
        counts[item_id, kind] += min(n, A_WEEK)
    return counts


def count_by_country(sent: Iterable[Logged]) -> Counter[tuple[str, str]]:
    """Return how many events of each item and country count for it. Nobody here is in two countries."""
    alike = Counter(
        (event.user_id, int(kind), event.item_id, event.timestamp_ms // WEEK_MS, event.context["country"])
        for kind, event in _distinct(sent)
        if "country" in event.context
    )
    counts: Counter[tuple[str, str]] = Counter()
    for (_, _, item_id, _, country), n in alike.items():
        counts[item_id, country] += min(n, A_WEEK)
    return counts


def ratings_by_user(sent: Iterable[Logged]) -> Counter[tuple[str, str]]:
    """Return of each user how many views and purchases have a value from 1 to 5, and their sum in thousandths."""
    ratings: Counter[tuple[str, str]] = Counter()
    for kind, event in _distinct(sent):
        if kind != Kind.CLICK and event.value is not None and 1 <= event.value <= 5:
            ratings[event.user_id, "count"] += 1
            ratings[event.user_id, "sum"] += int(1000 * event.value)
    return ratings


def ratings_by_item(sent: Iterable[Logged]) -> Counter[tuple[str, str]]:
    """Return the same of each item, of the events that count for it. Nobody here rates an item now so, now so."""
    alike: dict[tuple[str, int, str, int], list[float]] = defaultdict(list)
    for kind, event in _distinct(sent):
        if kind != Kind.CLICK and event.value is not None and 1 <= event.value <= 5:
            alike[event.user_id, int(kind), event.item_id, event.timestamp_ms // WEEK_MS].append(event.value)
    ratings: Counter[tuple[str, str]] = Counter()
    for (_, _, item_id, _), values in alike.items():
        counted = values[:A_WEEK]
        ratings[item_id, "count"] += len(counted)
        ratings[item_id, "sum"] += int(1000 * sum(counted))
    return ratings


def searches_by_user(sent: Iterable[Logged]) -> Counter[tuple[str, str, str]]:
    """Return user, id and query of each search, once each. Nobody here has more of them than are kept."""
    asked = {(line.user_id, line.event_id): line.query for line in sent if isinstance(line, Search)}
    return Counter((user_id, event_id, query) for (user_id, event_id), query in asked.items())


def impressions_by_user(sent: Iterable[Logged]) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """Return user, id and items of each impression, once each. Nobody here has more of them than are kept."""
    return Counter(
        (line.user_id, line.event_id, tuple(shown.item_id for shown in line.items)) for line in _impressions(sent)
    )


def shown_by_item(sent: Iterable[Logged]) -> Counter[str]:
    """Return how often each item was shown, as far as that counts for it."""
    alike = Counter(
        (line.user_id, shown.item_id, line.timestamp_ms // DAY_MS)
        for line in _impressions(sent)
        for shown in line.items
    )
    counts: Counter[str] = Counter()
    for (_, item_id, _), n in alike.items():
        counts[item_id] += min(n, A_DAY)
    return counts


def profiles_by_user(sent: Iterable[Logged]) -> Counter[tuple[str, tuple[str, ...], str, int | None]]:
    """Return user, interests, language and year of birth of each user's last profile. Nobody here takes one back."""
    last = {line.user_id: line for line in sent if isinstance(line, Profile)}
    return Counter((user, tuple(each.interests), each.language, each.birth_year) for user, each in last.items())


def shown_though_gone(
    items: Iterable[ConsumerRecord], rules: Iterable[ConsumerRecord], lists: Iterable[ConsumerRecord]
) -> dict[str, list[str]]:
    """Return by user what the newest list, or surfaces, show though it is sold out, deleted or banned; users without
    any are left out.

    Args:
        items, rules, lists: All records of the topics, of each partition in order.
    """
    gone = {
        record.key: record.value is None or json.loads(record.value).get("available") is False
        for record in items
        if record.value is None or _is_item(record.key, record.value)
    }
    in_force = {record.key: record.value for record in rules}
    bans = [json.loads(in_force[key]) for key in (b"banned", b"spared") if in_force.get(key) is not None]
    gone |= {item_id.encode(): True for ban in bans for item_id in ban["target"]["item_ids"]}
    newest = {record.key.decode(): record.value for record in lists}
    shown = {
        user_id: [
            item["item_id"]
            for made in (json.loads(value),)
            for each in made.get("surfaces", [made])
            for item in each["items"]
            if gone.get(item["item_id"].encode())
        ]
        for user_id, value in newest.items()
        if value is not None
    }
    return {user_id: item_ids for user_id, item_ids in shown.items() if item_ids}


def _distinct(sent: Iterable[Logged]) -> Iterable[LoggedEvent]:
    """Return each event once; searches and impressions are none."""
    events = (line for line in sent if isinstance(line, LoggedEvent))
    return {(logged.event.user_id, logged.event.event_id): logged for logged in events}.values()


def _impressions(sent: Iterable[Logged]) -> Iterable[Impression]:
    """Return each impression once."""
    return {(line.user_id, line.event_id): line for line in sent if isinstance(line, Impression)}.values()


def _is_item(key: bytes | None, value: bytes) -> bool:
    """Return whether a record is an item, and not what faults put there to be rejected."""
    try:
        return json.loads(value)["item_id"].encode() == key and len(value) < 65_536
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
