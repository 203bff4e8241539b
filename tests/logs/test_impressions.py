"""Impressions in logs: what users were shown, as lines of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.source import Source
from stream_rec.events.validate import InputLimits
from stream_rec.fields.read import split_record
from stream_rec.logs.content import find_content
from stream_rec.logs.log import BadLine, read_events

LIMITS = InputLimits()
NOW_MS = 1_700_000_000_000
SHOWN = {"event_type": "impression", "user_id": "u", "items": ["a", "b"], "timestamp": 5}
VIEW = {"event_type": "view", "user_id": "u", "item_id": "i", "timestamp": 5}
BOTH = [ShownItem("a", 1), ShownItem("b", 2)]


@pytest.fixture
def log(tmp_path: Path):
    """Write lines to a file, or a table's rows, and return what is read there."""

    def read(*lines: dict | str) -> list:
        path = tmp_path / "shop"
        path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines), encoding="utf-8")
        return list(read_events(path, limits=LIMITS, received_ms=NOW_MS))

    return read


def test_an_impression_is_a_line_of_its_own(log):
    """As on its topic, and with ids alone in the order shown; a list's id, a surface and an event's need not be."""
    of_topic = {"items": [{"item_id": "a", "position": 7, "propensity": 0.5}], "list_id": "l", "surface": "home"}
    read = log(SHOWN, SHOWN | of_topic | {"event_id": "e"}, SHOWN | {"items": ["b", {"item_id": "a", "position": 9}]})

    assert read == [
        Impression("shop-1", "u", "", BOTH, 5000),
        Impression("e", "u", "l", [ShownItem("a", 7, 0.5)], 5000, "home"),
        Impression("shop-3", "u", "", [ShownItem("b", 1), ShownItem("a", 9)], 5000),
    ]
    assert [split_record(one) for one in read] == [(Source.IMPRESSION, one) for one in read]


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"items": None}, "missing_field", "missing: items; found: event_type, user_id, timestamp"),
        ({"items": None, "slate": ["a"]}, "missing_field", "missing: items (did you mean slate?); found: "),
        ({"items": None, "item_id": "a"}, "missing_field", "missing: items; found: "),
        ({"items": None, "user_id": None}, "missing_field", "missing: user_id, items; found: event_type, timestamp"),
        ({"timestamp": None}, "missing_field", "missing: timestamp or timestamp_ms; found: "),
        ({"items": "a"}, "wrong_type", 'items is "a", expected a list of item ids, or of objects with item_id and'),
        ({"items": ["a", 5]}, "wrong_type", "`$.items[1]`"),
        ({"items": [{"item_id": "a"}]}, "wrong_type", "missing required field `position` - at `$.items[0]`"),
        ({"surface": 5}, "wrong_type", "`$.surface`"),
        ({"list_id": ["l"], "user_id": 5}, "wrong_type", 'list_id is ["l"], expected a text'),
        ({"items": []}, "bad_impression", "length >= 1"),
        ({"items": [str(n) for n in range(201)]}, "bad_impression", "length <= 200"),
        ({"items": [{"item_id": "a", "position": 0}]}, "bad_impression", "`$.items[0].position`"),
        ({"items": ["a", "a"]}, "bad_impression", "item 'a' is shown in two slots"),
        ({"items": ["a", {"item_id": "b", "position": 1}]}, "bad_impression", "two items are shown in one slot"),
        ({"items": ["a", ""]}, "bad_id", "`$.items[1].item_id`"),
        ({"user_id": "*"}, "bad_id", "user_id '*'"),
        ({"timestamp": -1}, "bad_timestamp", "before 1970"),
        ({"event_type": "impressions"}, "unknown_event_type", "did you mean 'impression'?"),
        ({"event_type": "shown"}, "unknown_event_type", "did you mean 'impression'?"),
        ({"event_type": "shown", "user_id": None}, "missing_field", "missing: user_id; found: event_type, items"),
        ({"event_type": "view"}, "missing_field", "missing: item_id; found: event_type, user_id, items, timestamp"),
    ],
)
def test_a_bad_impression_says_what_to_do(log, fields, reason, words):
    """What is missing, what is probably meant, and what its topic would not take."""
    [bad] = log({name: value for name, value in (SHOWN | fields).items() if value is not None})

    assert (bad.reason, words in bad.detail) == (reason, True), bad.detail


@pytest.mark.parametrize("value", ["red", 5, None, {"a": []}])
def test_other_events_may_have_fields_of_these_names(log, value):
    """Whatever they hold: as any field that an event does not have, they are left out."""
    [logged] = log(VIEW | {"items": value, "list_id": value, "surface": value})

    assert logged == LoggedEvent(Kind.VIEW, Interaction("shop-1", "u", "i", 5000))


def test_impressions_in_a_table(log):
    """Ids in the order shown, or JSON where they stand elsewhere."""
    of_json = '"[{""item_id"": ""a"", ""position"": 9}]"'
    rows = log(
        "event_type,user_id,item_id,items,surface,timestamp", "impression,u,,a|b,home,5", "view,u,i,,,5",
        f"impression,u,,{of_json},,5", "impression,u,i,,,5", "impression,u,,7,,5",
    )  # fmt: skip

    assert rows == [
        Impression("shop-2", "u", "", BOTH, 5000, "home"),
        LoggedEvent(Kind.VIEW, Interaction("shop-3", "u", "i", 5000)),
        Impression("shop-4", "u", "", [ShownItem("a", 9)], 5000),
        BadLine(5, "missing_field", "missing: items; found: event_type, user_id, item_id, timestamp"),
        Impression("shop-6", "u", "", [ShownItem("7", 1)], 5000),
    ]


def test_a_table_of_impressions_alone_needs_no_column_for_items(log):
    """Where there is one for what was shown; nor does one of searches besides."""
    assert log("event_type;user_id;items;timestamp", "impression;u;a|b;5") == [
        Impression("shop-2", "u", "", BOTH, 5000)
    ]
    assert len(log("event_type;user_id;items;query;timestamp", "impression;u;a;;5", "search;u;;cup;5")) == 2


def test_impressions_are_seen_to_be_events(tmp_path: Path):
    """Never sent as items."""
    (tmp_path / "x").write_text(json.dumps(SHOWN))

    assert find_content(tmp_path / "x", limits=LIMITS) == "events"
