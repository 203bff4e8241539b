"""What is proposed for topics of others: mappings that the records themselves go through."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from stream_rec.ingest.foreign_record import ForeignRecord
from stream_rec.ingest.formats import JsonDecoder
from stream_rec.ingest.propose import Proposal, propose
from tests.ingest.test_mapping import NOW, TestUserBehaviorInsights, values


def proposed(name: str, *records: Any, headers: dict[str, bytes] | None = None) -> Proposal | str:
    sample = [
        ForeignRecord(name, 0, offset, NOW - 1000, None, json.dumps(value).encode(), headers or {})
        for offset, value in enumerate(records)
    ]
    return propose(name, sample, JsonDecoder(), "json", NOW)


def says(proposal: Proposal | str) -> dict[str, Any]:
    assert isinstance(proposal, Proposal), proposal
    assert not proposal.rejected
    return msgspec.to_builtins(proposal.topic)


def test_a_stream_of_several_types():
    events = [
        {"name": name, "session": {"id": "s1", "visitor_id": "v1"}, "product": {"sku": "a"}, "at": 1714564800 + n}
        for n, name in enumerate(["product_viewed", "added_to_cart", "removed_from_cart", "order_paid", "scrolled"])
    ]
    proposal = proposed("shop.web.clickstream", *events)

    assert says(proposal) == {
        "name": "shop.web.clickstream",
        "holds": "events",
        "fields": {"user_id": "session.visitor_id", "item_id": "product.sku", "timestamp": "at", "event_type": "name"},
        "types": {
            "added_to_cart": "click",
            "order_paid": "purchase",
            "product_viewed": "view",
            "removed_from_cart": "ignore",
            "scrolled": "ignore",
        },
    }
    assert (proposal.n_made, proposal.n_ignored) == (3, 2)
    assert proposal.unsure_types == ["removed_from_cart", "scrolled"]


def test_who_is_known_by_name_counts_before_a_browser():
    """Both are taken where one is not always there."""
    events = [
        {"visitor": "v", "customer": None, "item_id": "a", "ts": 1714564800},
        {"visitor": "w", "customer": "ann", "item_id": "b", "ts": 1714564801},
    ]
    assert says(proposed("views", *events))["fields"]["user_id"] == ("customer", "visitor")
    assert says(proposed("views", *events[1:]))["fields"]["user_id"] == "customer"


def test_orders_with_lines():
    order = {"order_no": "7", "customer": {"id": 5}, "created_at": "2024-05-01T12:00:00Z",
             "lines": [{"product_id": 1, "price": 2.5}, {"product_id": 2, "price": 1}]}  # fmt: skip
    assert says(proposed("orders", order)) == {
        "name": "orders",
        "holds": "events",
        "event_type": "purchase",
        "each": "lines",
        "fields": {
            "user_id": "customer.id", "item_id": "each.product_id", "timestamp": "created_at", "value": "each.price",
        },
    }  # fmt: skip


def test_products_of_a_database():
    row = {"id": 5, "name": "Blue teapot", "price": 34.9, "stock": 3, "brand": {"name": "Acme"}}
    change = {"schema": {}, "payload": {"op": "c", "before": None, "after": row, "source": {"table": "products"}}}
    assert says(proposed("db.public.products", change)) == {
        "name": "db.public.products",
        "holds": "items",
        "envelope": "debezium",
        "fields": {"item_id": "id", "title": "name", "available": "stock", "attributes.price": "price"},
    }


def test_cloud_events():
    event = {"specversion": "1.0", "id": "1", "source": "/web", "type": "com.shop.product.viewed",
             "time": "2024-05-01T12:00:00Z", "data": {"userId": "ann", "sku": "a"}}  # fmt: skip
    assert says(proposed("events", event)) == {
        "name": "events",
        "holds": "events",
        "envelope": "cloudevents",
        "fields": {"user_id": "userId", "item_id": "sku"},
        "types": {"com.shop.product.viewed": "view"},
    }


@pytest.mark.parametrize(("holds", "record"), [("ubi_queries", "QUERY"), ("ubi_events", "EVENT")])
def test_user_behavior_insights(holds: str, record: str):
    topic = says(proposed("search-insights", getattr(TestUserBehaviorInsights, record)))
    assert topic == {"name": "search-insights", "holds": holds}


def test_what_is_neither_is_said():
    assert proposed("payments", {"iban": "DE1", "sum": 4}) == (
        "nothing in its records looks like a user and an item: iban, sum"
    )
    assert proposed("numbers", 1, 2) == "no record is an object with fields"
    assert proposed("nothing") == "it is empty"


@settings(max_examples=200, deadline=None)
@given(values, values)
def test_whatever_stands_there_something_is_said(one: Any, other: Any):
    """A proposal or a reason, and no error."""
    assert isinstance(proposed("topic", one, other), Proposal | str)
