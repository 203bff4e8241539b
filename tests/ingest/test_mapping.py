"""What records of other systems become: events and items of ours, or why not."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events import validate
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.ingest.foreign_record import ForeignRecord
from stream_rec.ingest.formats import JsonDecoder, read_content
from stream_rec.ingest.mapping import Mapped, Mapper
from stream_rec.ingest_settings import AdoptedTopic

NOW = 1_800_000_000_000
LIMITS = InputLimits()


def mapped(value: Any, *, key: bytes | None = None, headers: dict[str, bytes] | None = None, **says: Any) -> Mapped:
    """Return what a record is, whose topic settings say so much of."""
    topic = msgspec.convert({"name": "shop", **says}, AdoptedTopic).resolved("shop")
    data = None if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
    record = ForeignRecord("shop", 2, 7, NOW - 5000, key, data, headers or {})
    content = read_content(record, JsonDecoder(), LIMITS)
    return (
        Mapped(rejection=content) if isinstance(content, Rejection) else Mapper(topic, LIMITS).map(record, content, NOW)
    )


def made(value: Any, **says: Any) -> list[tuple[str, str, Any]]:
    """Return the topic, key and value of all that a record is."""
    found = mapped(value, **says)
    assert found.rejection is None, found.rejection
    return [(m.topic, m.key.decode(), None if m.value is None else json.loads(m.value)) for m in found.made]


def rejected(value: Any, **says: Any) -> tuple[str, str]:
    found = mapped(value, **says)
    assert found.rejection is not None
    return found.rejection.reason, found.rejection.detail


def test_fields_stand_where_settings_say():
    """An id that is a number is a text of ours, and the record's place is the event's id."""
    click = {
        "user": {"id": 5},
        "product": {"sku": "a-1"},
        "at": "2024-05-01T12:00:00Z",
        "name": "add_to_cart",
        "p": "3.5",
    }
    fields = {"user_id": "user.id", "item_id": "product.sku", "timestamp": "at", "event_type": "name", "value": "p"}

    assert made(click, fields=fields, types={"add_to_cart": "click"}) == [
        (
            "clicks",
            "5",
            {
                "event_id": f"shop-2-7-{NOW - 5000}",
                "user_id": "5",
                "item_id": "a-1",
                "timestamp_ms": 1714564800000,
                "value": 3.5,
                "context": {"action": "add_to_cart"},
            },
        )
    ]


def test_of_several_places_the_first_counts_that_holds_something():
    fields = {"user_id": ("user_id", "visitor"), "context.device": "ua.device"}
    [(_, key, event)] = made(
        {"user_id": None, "visitor": "v9", "item_id": "a", "ua": {"device": "tv"}}, fields=fields, event_type="view"
    )
    assert key == "v9" and event["context"] == {"device": "tv"}
    assert event["timestamp_ms"] == NOW - 5000  # as the record has it


def test_an_order_is_a_purchase_of_each_of_its_lines():
    order = {
        "id": "o1",
        "customer": "ann",
        "at": 1714564800,
        "lines": [{"sku": "a", "eur": 2}, {"sku": "b"}, {"eur": 1}],
    }
    fields = {"event_id": "id", "user_id": "customer", "timestamp": "at", "item_id": "each.sku", "value": "each.eur"}
    found = mapped(order, fields=fields, each="lines", event_type="purchase")

    events = [json.loads(m.value) for m in found.made]
    assert [(e["event_id"], e["item_id"], e.get("value")) for e in events] == [("o1-1", "a", 2.0), ("o1-2", "b", None)]
    assert found.rejection.reason == "missing_field"
    assert found.rejection.detail.startswith("of 3 elements no. 3 unused: missing: item_id; looked for")


def test_types_that_nobody_named_are_rejected_or_ignored_as_told():
    scroll = {"user_id": "ann", "item_id": "a", "event_type": "scroll"}
    reason, detail = rejected(scroll)
    assert reason == "unknown_event_type" and "other_types" in detail
    assert mapped(scroll, other_types="ignore") == Mapped()
    assert mapped(scroll, types={"scroll": "ignore"}) == Mapped()
    assert rejected({"user_id": "ann", "item_id": "a"})[1].startswith("the record says no type")


def test_what_is_missing_is_said_with_where_it_was_looked_for():
    reason, detail = rejected({"uid": 4, "item_id": "a"}, event_type="view", fields={"user_id": "user.id"})
    assert reason == "missing_field"
    assert detail == "missing: user_id; looked for user_id in user.id; the record has uid, item_id"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1714564800, 1714564800000),
        (1714564800.25, 1714564800250),
        (1714564800000, 1714564800000),
        (1714564800000000, 1714564800000),
        ("1714564800", 1714564800000),
        ("2024-05-01T14:00:00+02:00", 1714564800000),
    ],
)
def test_times_are_of_any_unit(time: Any, expected: int):
    [(_, _, event)] = made({"user_id": "a", "item_id": "b", "timestamp": time}, event_type="view")
    assert event["timestamp_ms"] == expected


def test_a_time_in_the_future_is_no_time():
    assert (
        rejected(
            {"user_id": "a", "item_id": "b", "timestamp": 1714564800e3},
            event_type="view",
            fields={"timestamp": "nowhere"},
        )[0]
        == "missing_field"
    )
    assert rejected({"user_id": "a", "item_id": "b", "timestamp": NOW * 3}, event_type="view")[0] == "bad_timestamp"


class TestCloudEvents:
    ATTRIBUTES: ClassVar[dict[str, Any]] = {
        "specversion": "1.0",
        "id": "9",
        "source": "/web",
        "type": "shop.viewed",
        "time": "2024-05-01T12:00:00Z",
    }
    TYPES: ClassVar[dict[str, Any]] = {"shop.viewed": "view"}

    def test_structured(self):
        event = self.ATTRIBUTES | {"data": {"user_id": "ann", "item_id": "a"}}
        [(topic, key, value)] = made(event, envelope="cloudevents", types=self.TYPES)
        assert (topic, key) == ("views", "ann")
        assert value["event_id"] == "/web#9" and value["timestamp_ms"] == 1714564800000

    def test_binary(self):
        """The same event."""
        headers = {f"ce_{name}": text.encode() for name, text in self.ATTRIBUTES.items()}
        [binary] = made({"user_id": "ann", "item_id": "a"}, envelope="cloudevents", types=self.TYPES, headers=headers)
        structured = self.ATTRIBUTES | {"data": {"user_id": "ann", "item_id": "a"}}
        assert [binary] == made(structured, envelope="cloudevents", types=self.TYPES)

    def test_neither(self):
        assert "no CloudEvent" in rejected({"user_id": "ann"}, envelope="cloudevents")[1]


class TestDebezium:
    SAYS: ClassVar[dict[str, Any]] = {
        "holds": "items",
        "envelope": "debezium",
        "fields": {"item_id": "id", "title": "name", "available": "stock"},
    }
    ROW: ClassVar[dict[str, Any]] = {"id": 5, "name": "Blue teapot", "stock": 0}

    def test_a_row_is_an_item(self):
        for change in (
            {"op": "c", "before": None, "after": self.ROW, "source": {"table": "products"}},
            {"schema": {}, "payload": {"op": "u", "before": None, "after": self.ROW}},
            {**self.ROW, "__deleted": "false", "__op": "u"},
        ):
            assert made(change, **self.SAYS) == [
                ("items", "5", {"item_id": "5", "title": "Blue teapot", "available": False})
            ]

    def test_a_deleted_row_is_a_deleted_item(self):
        """Whether its row comes with it, its key alone, or neither value."""
        key = b'{"schema":{},"payload":{"id":5}}'
        gone = [("items", "5", None)]
        assert made({"op": "d", "before": self.ROW, "after": None}, **self.SAYS) == gone
        assert made({"op": "d", "before": None, "after": None}, key=key, **self.SAYS) == gone
        assert made(None, key=key, **self.SAYS) == gone
        assert made({**self.ROW, "__deleted": "true"}, **self.SAYS) == gone

    def test_other_changes_are_named(self):
        assert "op='t'" in rejected({"op": "t", "before": None, "after": None}, **self.SAYS)[1]

    def test_a_deleted_user_is_an_erasure_request(self):
        says = {"holds": "forget", "envelope": "debezium", "fields": {"user_id": "id"}}
        assert mapped({"op": "u", "before": None, "after": {"id": 5}}, **says) == Mapped()
        [(topic, key, value)] = made({"op": "d", "before": {"id": 5}, "after": None}, **says)
        assert (topic, key, value["user_id"]) == ("forget", "5", "5")


class TestUserBehaviorInsights:
    QUERY: ClassVar[dict[str, Any]] = {
        "application": "primary-search",
        "query_id": "q1",
        "client_id": "c1",
        "user_query": "blue teapot",
        "timestamp": "2024-05-01T12:00:00Z",
        "query_response_hit_ids": ["a", "b", "a"],
    }
    EVENT: ClassVar[dict[str, Any]] = {
        "application": "primary-search",
        "action_name": "add_to_cart",
        "query_id": "q1",
        "client_id": "c1",
        "session_id": "s1",
        "timestamp": "2024-05-01T12:00:05Z",
        "event_attributes": {"object": {"object_id": "b"}, "position": {"ordinal": 2}},
    }

    def test_a_query_is_a_search_and_what_was_shown(self):
        search, impression = made(self.QUERY, holds="ubi_queries")
        assert search[:2] == ("searches", "c1") and search[2]["query"] == "blue teapot"
        assert impression[:2] == ("impressions", "c1") and impression[2]["list_id"] == "q1"
        assert [(i["item_id"], i["position"]) for i in impression[2]["items"]] == [("a", 1), ("b", 2)]
        assert [topic for topic, _, _ in made(self.QUERY, holds="ubi_queries", results_shown=False)] == ["searches"]
        assert [topic for topic, _, _ in made(self.QUERY | {"user_query": ""}, holds="ubi_queries")] == ["impressions"]

    def test_an_action_is_an_event(self):
        [(topic, key, event)] = made(self.EVENT, holds="ubi_events")
        assert (topic, key, event["item_id"]) == ("clicks", "c1", "b")
        assert event["context"] == {"session": "s1", "query_id": "q1", "action": "add_to_cart"}
        assert made(self.EVENT | {"user_id": "ann"}, holds="ubi_events")[0][1] == "ann"
        [(topic, _, shown)] = made(self.EVENT | {"action_name": "impression"}, holds="ubi_events")
        assert topic == "impressions" and shown["items"] == [{"item_id": "b", "position": 2}]

    def test_other_actions_are_left_out_unless_named(self):
        hover = self.EVENT | {"action_name": "product_hover"}
        assert mapped(hover, holds="ubi_events") == Mapped()
        assert made(hover, holds="ubi_events", types={"product_hover": "view"})[0][0] == "views"


def test_items_have_attributes_relations_and_tags():
    row = {"sku": 1, "name": "Pot", "tags": "tea, blue", "brand": {"name": "Acme"}, "goes_with": "7", "props": {"w": 2}}
    fields = {
        "item_id": "sku", "title": "name", "attributes": "props", "attributes.brand": "brand.name",
        "relations.goes_with": "goes_with",
    }  # fmt: skip
    [(topic, key, item)] = made(row, holds="items", fields=fields)
    assert (topic, key) == ("items", "1")
    assert item == {
        "item_id": "1", "title": "Pot", "tags": ["tea", "blue"], "attributes": {"w": 2, "brand": "Acme"},
        "relations": {"goes_with": ["7"]},
    }  # fmt: skip


scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=8)
names = st.sampled_from(
    ["user_id", "item_id", "event_type", "timestamp", "timestamp_ms", "value", "query", "items", "context", "op",
     "before", "after", "payload", "schema", "specversion", "type", "id", "data", "tags", "available", "title",
     "attributes", "relations", "vectors", "interests", "query_response_hit_ids", "user_query", "action_name"]
)  # fmt: skip
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=12
)


@settings(max_examples=400, deadline=None)
@given(
    value=st.dictionaries(names, values, max_size=8) | values,
    key=st.none() | st.sampled_from([b"ann", b'{"id":5}', b"", b"\xff"]),
    holds=st.sampled_from(["events", "items", "profiles", "forget", "ubi_events", "ubi_queries"]),
    envelope=st.sampled_from(["none", "cloudevents", "debezium"]),
    each=st.sampled_from(["", "items"]),
)
def test_whatever_comes_is_ours_or_rejected(value: Any, key: bytes | None, holds: str, envelope: str, each: str):
    """Nothing raises, and what is made passes the checks of its topic."""
    found = mapped(value, key=key, holds=holds, envelope=envelope, each=each, event_type="view")
    for m in found.made:
        if (source := SOURCE_OF_TOPIC.get(m.topic)) is not None:
            checked = validate.event(source, m.key, m.value, received_ms=NOW, limits=LIMITS)
        elif m.topic == "items":
            checked = validate.item_record(m.key, m.value, limits=LIMITS)
        else:
            checked = validate.forget(m.key, m.value, limits=LIMITS)
        assert not isinstance(checked, Rejection), (m, checked)
