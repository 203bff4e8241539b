"""One worked record per topic, as an app sees it: in the AsyncAPI document and in the tests."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Example(Struct, frozen=True):
    """A record: its key, and its value as JSON."""

    key: str
    value: dict[str, Any]


_VIEW = {"event_id": "v-81", "user_id": "u-7", "item_id": "i-42", "timestamp_ms": 1767225600000}
_AS_OF = {
    "topic": "views",
    "partition": 2,
    "offset": 4711,
    "event_id": "e-90210",
    "timestamp_ms": 1767225600000,
}
_TRENDING = {
    "item_id": "i-77",
    "score": 0.5,
    "propensity": 1.0,
    "sources": {"trending": 0.5},
    "reason": {"kind": "trending"},
}

EXAMPLES = {
    "views": Example("u-7", _VIEW | {"value": 34.5, "context": {"device": "phone", "session": "s-3"}}),
    "clicks": Example("u-7", _VIEW | {"event_id": "c-82", "context": {"list_id": "3fb0c1d2"}}),
    "purchases": Example("u-7", _VIEW | {"event_id": "p-83", "value": 19.9, "context": {"order": "o-1009"}}),
    "impressions": Example(
        "u-7",
        {
            "event_id": "s-84",
            "user_id": "u-7",
            "list_id": "3fb0c1d2",
            "items": [{"item_id": "i-42", "position": 1}, {"item_id": "i-9", "position": 2}],
            "timestamp_ms": 1767225600000,
            "surface": "home",
        },
    ),
    "searches": Example(
        "u-7",
        {
            "event_id": "q-85",
            "user_id": "u-7",
            "query": "cheaper, with a hood",
            "timestamp_ms": 1767225600000,
            "item_id": "i-42",
        },
    ),
    "profiles": Example(
        "u-7",
        {
            "user_id": "u-7",
            "timestamp_ms": 1767225600000,
            "interests": ["hiking with kids", "rain gear"],
            "language": "de",
            "birth_year": 1988,
        },
    ),
    "forget": Example("u-7", {"user_id": "u-7", "timestamp_ms": 1767225600000, "request_id": "3f2a"}),
    "receipts": Example(
        "3f2a", {"request_id": "3f2a", "forgotten_at_ms": 1767225600040, "n_events": 83, "n_items": 41}
    ),
    "items": Example(
        "i-42",
        {
            "item_id": "i-42",
            "title": "Rain jacket",
            "description": "Light, waterproof, with taped seams.",
            "category": "clothing/jackets",
            "tags": ["outdoor", "rain"],
            "attributes": {"brand": "Acme", "price": 119.0},
            "relations": {"goes_with": ["i-9"]},
        },
    ),
    "rules": Example(
        "no-more-acme",
        {
            "rule_id": "no-more-acme",
            "action": "cap",
            "author": "ann@example.org",
            "reason": "Acme had half of every list",
            "target": {"attributes": {"brand": "Acme"}},
            "count": 3,
            "ends_ms": 1769904000000,
        },
    ),
    "recommendations": Example(
        "u-7",
        {
            "list_id": "3fb0c1d2",
            "user_id": "u-7",
            "generated_at_ms": 1767225600012,
            "as_of": _AS_OF,
            "seen": {"views": 4711, "clicks": 310},
            "policy": "default",
            "items": [
                {
                    "item_id": "i-9",
                    "score": 1.25,
                    "propensity": 1.0,
                    "sources": {"similar": 0.75, "trending": 0.5},
                    "reason": {"kind": "similar", "item_id": "i-42", "event_id": "v-81", "event_kind": "view"},
                },
                _TRENDING,
            ],
        },
    ),
    "surfaces": Example(
        "u-7",
        {
            "user_id": "u-7",
            "generated_at_ms": 1767225600012,
            "as_of": _AS_OF,
            "seen": {"views": 4711, "clicks": 310},
            "policy": "default",
            "surfaces": [
                {"surface": "popular", "list_id": "91c02b7e", "items": [_TRENDING]},
                {"surface": "again", "list_id": "0c4d11aa", "items": []},
            ],
        },
    ),
    "rejected": Example(
        "u-7",
        {
            "origin": {"topic": "views", "partition": 2, "offset": 4712},
            "reason": "not_json",
            "detail": "JSON is malformed: invalid character (byte 0)",
            "head": "b29wcw==",
        },
    ),
    "status": Example(
        "worker/worker-1",
        {
            "role": "worker",
            "instance_id": "worker-1",
            "version": "0.2.0",
            "started_ms": 1767222000000,
            "written_ms": 1767225600000,
            "state": "ready",
            "partitions": [0, 1, 2],
            "taken": {"views": 4711, "clicks": 310},
            "lag": {"views": 2, "clicks": 0},
            "rejected": {"not_json": 1},
            "lists": 4380,
            "judged": {
                "lists": {"n": 2400, "hits": 610, "dcg": 301.5},
                "popularity": {"n": 2400, "hits": 212, "dcg": 98.25},
            },
            "items": 980,
            "embedded": 980,
        },
    ),
}
"""By topic, without prefix."""
