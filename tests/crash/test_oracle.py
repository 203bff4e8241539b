"""The oracle of the crash matrix: worked examples, and that it can find fault."""

from __future__ import annotations

import json
from types import SimpleNamespace

from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.search import Search
from tests.crash import oracle


def sent(
    event_id: str, *, user: str = "ann", item: str = "a", kind: Kind = Kind.VIEW, at_ms: int = 0, **context: str
) -> LoggedEvent:
    """Return an event as the load sent it."""
    return LoggedEvent(kind, Interaction(event_id, user, item, at_ms, context=context))


def record(key: str, value: object) -> SimpleNamespace:
    """Return a record of a topic."""
    return SimpleNamespace(key=key.encode(), value=None if value is None else json.dumps(value).encode())


def test_an_event_sent_twice_is_one_and_that_of_another_user_is_another():
    """The same id of the same user counts once, however far apart it was sent."""
    log = [sent("e1"), sent("e2"), sent("e1"), sent("e1", user="ben")]

    assert oracle.count_by_user(log) == {("ann", 0): 2, ("ben", 0): 1}
    assert oracle.count_by_item(log) == {("a", 0): 3}


def test_a_search_is_no_event_and_counts_once_by_its_id():
    """However often it was sent; of another user, or with another id, it is another."""
    asked = [Search("s1", "ann", "tea", 0), Search("s2", "ann", "tea", 0, "a"), Search("s1", "ben", "tea", 0)]

    assert oracle.count_by_user([*asked, sent("e1")]) == {("ann", 0): 1}
    assert oracle.searches_by_user([*asked, sent("e1"), *asked]) == {
        ("ann", "s1", "tea"): 1,
        ("ann", "s2", "tea"): 1,
        ("ben", "s1", "tea"): 1,
    }


def test_an_impression_is_no_event_and_counts_once_by_its_id():
    """For each of its items, ten of a day of one user; however often it was sent."""

    def shown(event_id: str, *item_ids: str, user: str = "ann", at_ms: int = 0) -> Impression:
        return Impression(event_id, user, "", list(map(ShownItem, item_ids, range(1, 9))), at_ms)

    log = [shown("s1", "a", "b"), shown("s2", "b"), shown("s1", "a", "b", user="ben"), sent("e1")]
    assert oracle.count_by_user(log) == {("ann", 0): 1}
    assert oracle.impressions_by_user([*log, *log]) == {
        ("ann", "s1", ("a", "b")): 1,
        ("ann", "s2", ("b",)): 1,
        ("ben", "s1", ("a", "b")): 1,
    }
    assert oracle.shown_by_item([*log, *log]) == {"a": 2, "b": 3}
    many = [shown(f"s{n}", "a") for n in range(12)] + [shown("next", "a", at_ms=oracle.DAY_MS)]
    assert oracle.shown_by_item(many) == {"a": 11}


def test_ten_alike_a_week_count_for_an_item():
    """What one user does over and over counts for the user alone; in the next week it counts again."""
    log = [sent(f"e{n}") for n in range(12)] + [sent("next", at_ms=oracle.WEEK_MS), sent("c", kind=Kind.CLICK)]

    assert oracle.count_by_user(log) == {("ann", 0): 13, ("ann", 1): 1}
    assert oracle.count_by_item(log) == {("a", 0): 11, ("a", 1): 1}


def test_ratings_are_views_and_purchases_with_a_value_on_the_scale():
    """Each once for the user; for the item as far as its event counts."""

    def rated(event_id: str, value: float | None, kind: Kind = Kind.VIEW, user: str = "ann") -> LoggedEvent:
        return LoggedEvent(kind, Interaction(event_id, user, "a", 0, value=value))

    log = [
        *(rated(f"e{n}", 4.5) for n in range(12)),
        *(rated("low", 0.5), rated("none", None), rated("click", 3.0, Kind.CLICK)),
        *(rated("bought", 4.5, Kind.PURCHASE), rated("other", 1.0, user="ben")),
    ]
    by_user = {("ann", "count"): 13, ("ann", "sum"): 58_500, ("ben", "count"): 1, ("ben", "sum"): 1000}
    assert oracle.ratings_by_user([*log, *log]) == by_user
    assert oracle.ratings_by_item([*log, *log]) == {("a", "count"): 12, ("a", "sum"): 50_500}


def test_events_count_for_the_country_that_they_say():
    """As far as they count for the item; those that say none count for none."""
    log = [sent(f"e{n}", country="FR") for n in range(12)] + [
        sent("b", user="ben", country="JP"),
        sent("c", user="cem"),
    ]

    assert oracle.count_by_country([*log, *log]) == {("a", "FR"): 10, ("a", "JP"): 1}


def test_the_newest_list_and_the_newest_item_decide_what_is_shown_though_gone():
    """An item that came back, a list that was replaced or deleted, and bad records of items are no fault."""
    items = [
        record("a", {"item_id": "a", "available": False}),
        record("b", None),
        record("c", {"item_id": "c", "available": False}),
        record("c", {"item_id": "c"}),
        record("a", {"title": "rejected"}),
        record("a", {"item_id": "c", "available": False}),
        SimpleNamespace(key=b"\xff", value=b"{"),
        SimpleNamespace(key=None, value=b'{"item_id":"c","available":false}'),
    ]
    lists = [
        record("ann", {"items": [{"item_id": "a"}, {"item_id": "b"}, {"item_id": "c"}]}),
        record("ben", {"items": [{"item_id": "a"}]}),
        record("ben", {"items": [{"item_id": "c"}]}),
        record("cem", {"items": [{"item_id": "b"}]}),
        record("cem", None),
    ]

    assert oracle.shown_though_gone(items, [], lists) == {"ann": ["a", "b"]}
    surfaces = [record("ann", {"surfaces": [{"items": []}, {"items": [{"item_id": "c"}, {"item_id": "b"}]}]})]
    assert oracle.shown_though_gone(items, [], surfaces) == {"ann": ["b"]}
    bans = [
        record("banned", {"rule_id": "banned", "target": {"item_ids": ["a"]}}),
        record("banned", {"rule_id": "banned", "target": {"item_ids": ["c"]}}),
        record("spared", {"rule_id": "spared", "target": {"item_ids": ["d"]}}),
        record("spared", None),
    ]
    assert oracle.shown_though_gone(items, bans, lists) == {"ann": ["a", "b", "c"], "ben": ["c"]}
