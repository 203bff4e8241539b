"""Every malformed input that the contract names, each with the reason by which it is rejected."""

from __future__ import annotations

import json
import time

DAY_MS = 86_400_000
ANN = b"ann"


def event(**changed: object) -> bytes:
    """Return a good event of ann's, but for what is changed; ``...`` leaves a field out."""
    fields = {"event_id": "bad", "user_id": "ann", "item_id": "teapot", "timestamp_ms": 1_700_000_000_000, **changed}
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def bad_events(*, record_bytes: int) -> list[tuple[str, bytes | None, bytes | None]]:
    """Return (reason, key, value) of inputs that are no events. ``record_bytes``: the largest value that is taken."""
    return [
        ("not_json", ANN, b"click!"),
        ("not_json", ANN, b'{"event_id":"e1"'),
        ("not_json", ANN, b"\xff\xfe\x00"),
        ("not_json", ANN, b""),
        ("not_json", ANN, event(value=float("nan"))),
        ("wrong_type", ANN, b"[]"),
        ("wrong_type", ANN, b"null"),
        ("wrong_type", ANN, event(timestamp_ms="yesterday")),
        ("wrong_type", ANN, event(item_id=7)),
        ("wrong_type", ANN, event(value="9.99")),
        ("wrong_type", ANN, event(context=[1])),
        ("wrong_type", ANN, event(event_id=...)),
        ("wrong_type", ANN, event(user_id=...)),
        ("wrong_type", ANN, event(item_id=...)),
        ("wrong_type", ANN, event(timestamp_ms=...)),
        ("bad_id", ANN, event(event_id="")),
        ("bad_id", ANN, event(user_id="")),
        ("bad_id", ANN, event(item_id="")),
        ("bad_id", ANN, event(item_id="x" * 257)),
        ("bad_id", ANN, event(item_id="\u00e9" * 129)),
        ("bad_id", ANN, event(item_id="a\0b")),
        ("bad_id", b"*", event(user_id="*")),
        ("bad_timestamp", ANN, event(timestamp_ms=-1)),
        ("bad_timestamp", ANN, event(timestamp_ms=time.time_ns() // 1_000_000 + 2 * DAY_MS)),
        ("too_large", ANN, event(context={"note": "x" * record_bytes})),
        ("empty", ANN, None),
        ("key_mismatch", None, event()),
        ("key_mismatch", b"bob", event()),
        ("key_mismatch", b"", event()),
    ]


def bad_searches(*, record_bytes: int) -> list[tuple[str, bytes | None, bytes | None]]:
    """Return (reason, key, value) of inputs that are no searches; ``record_bytes`` as of ``bad_events``."""

    def search(**changed: object) -> bytes:
        return event(**{"item_id": ..., "query": "copper teapot", **changed})

    now_ms = time.time_ns() // 1_000_000
    return [
        ("not_json", ANN, b"copper teapot"),
        ("not_json", ANN, b'{"event_id":"s1","query":"tea'),
        ("not_json", ANN, b""),
        ("not_json", ANN, search().replace(b"copper", b"\xff")),
        ("wrong_type", ANN, b"null"),
        ("wrong_type", ANN, b'["copper teapot"]'),
        ("wrong_type", ANN, search(query=7)),
        ("wrong_type", ANN, search(query=None)),
        ("wrong_type", ANN, search(query=["copper", "teapot"])),
        ("wrong_type", ANN, search(query=...)),
        ("wrong_type", ANN, search(event_id=...)),
        ("wrong_type", ANN, search(user_id=...)),
        ("wrong_type", ANN, search(timestamp_ms=...)),
        ("wrong_type", ANN, search(timestamp_ms="now")),
        ("wrong_type", ANN, search(item_id=7)),
        ("wrong_type", ANN, search(context="none")),
        ("bad_query", ANN, search(query="")),
        ("bad_query", ANN, search(query=" \t\n\u3000")),
        ("bad_query", ANN, search(query="x" * 2001)),
        ("bad_id", ANN, search(event_id="")),
        ("bad_id", ANN, search(event_id="s" * 257)),
        ("bad_id", ANN, search(event_id="s\0")),
        ("bad_id", ANN, search(user_id="")),
        ("bad_id", ANN, search(item_id="")),
        ("bad_id", ANN, search(item_id="a\0b")),
        ("bad_id", ANN, search(item_id="\u00e9" * 129)),
        ("bad_id", b"*", search(user_id="*")),
        ("bad_timestamp", ANN, search(timestamp_ms=-1)),
        ("bad_timestamp", ANN, search(timestamp_ms=now_ms + 2 * DAY_MS)),
        ("bad_timestamp", ANN, search(timestamp_ms=now_ms // 1000)),
        ("bad_timestamp", ANN, search(timestamp_ms=now_ms * 1000)),
        ("too_large", ANN, search(context={"note": "x" * record_bytes})),
        ("empty", ANN, None),
        ("key_mismatch", None, search()),
        ("key_mismatch", b"bob", search()),
        ("key_mismatch", b"", search()),
    ]


def bad_impressions(*, record_bytes: int) -> list[tuple[str, bytes | None, bytes | None]]:
    """Return (reason, key, value) of inputs that are no impressions; ``record_bytes`` as of ``bad_events``."""

    def impression(**changed: object) -> bytes:
        return event(**{"item_id": ..., "list_id": "ann@7", "items": [shown()], **changed})

    def shown(item_id: object = "teapot", position: object = 1, **others: object) -> dict[str, object]:
        fields = {"item_id": item_id, "position": position, **others}
        return {name: value for name, value in fields.items() if value is not ...}

    now_ms = time.time_ns() // 1_000_000
    return [
        ("not_json", ANN, b"home page"),
        ("not_json", ANN, b""),
        ("not_json", ANN, impression().replace(b"teapot", b"\xff")),
        ("wrong_type", ANN, b"null"),
        ("wrong_type", ANN, event()),
        ("wrong_type", ANN, impression(items=...)),
        ("wrong_type", ANN, impression(items="teapot")),
        ("wrong_type", ANN, impression(items=["teapot"])),
        ("wrong_type", ANN, impression(items=[shown(item_id=...)])),
        ("wrong_type", ANN, impression(items=[shown(position=...)])),
        ("wrong_type", ANN, impression(items=[shown(position="first")])),
        ("wrong_type", ANN, impression(items=[shown(propensity="all")])),
        ("wrong_type", ANN, impression(list_id=...)),
        ("wrong_type", ANN, impression(list_id="l" * 257)),
        ("wrong_type", ANN, impression(event_id=...)),
        ("wrong_type", ANN, impression(user_id=...)),
        ("wrong_type", ANN, impression(timestamp_ms=...)),
        ("wrong_type", ANN, impression(surface="s" * 65)),
        ("bad_impression", ANN, impression(items=[])),
        ("bad_impression", ANN, impression(items=[shown(), shown("kettle", 2), shown("teapot", 3)])),
        ("bad_impression", ANN, impression(items=[shown(), shown("kettle", 1)])),
        ("bad_impression", ANN, impression(items=[shown(position=0)])),
        ("bad_impression", ANN, impression(items=[shown(position=100_001)])),
        ("bad_impression", ANN, impression(items=[shown(propensity=0)])),
        ("bad_impression", ANN, impression(items=[shown(propensity=1.5)])),
        ("bad_id", ANN, impression(event_id="")),
        ("bad_id", ANN, impression(event_id="s\0")),
        ("bad_id", ANN, impression(user_id="")),
        ("bad_id", ANN, impression(items=[shown("")])),
        ("bad_id", ANN, impression(items=[shown("a\0b")])),
        ("bad_id", ANN, impression(items=[shown("\u00e9" * 129)])),
        ("bad_id", b"*", impression(user_id="*")),
        ("bad_timestamp", ANN, impression(timestamp_ms=-1)),
        ("bad_timestamp", ANN, impression(timestamp_ms=now_ms + 2 * DAY_MS)),
        ("bad_timestamp", ANN, impression(timestamp_ms=now_ms // 1000)),
        ("too_large", ANN, impression(context={"note": "x" * record_bytes})),
        ("empty", ANN, None),
        ("key_mismatch", None, impression()),
        ("key_mismatch", b"bob", impression()),
    ]


def bad_profiles(*, record_bytes: int) -> list[tuple[str, bytes | None, bytes | None]]:
    """Return (reason, key, value) of inputs that are no profiles; ``record_bytes`` as of ``bad_events``.

    The broker takes none without a key: it compacts.
    """

    def profile(**changed: object) -> bytes:
        return event(**{"event_id": ..., "item_id": ..., "interests": ["tea"], **changed})

    now_ms = time.time_ns() // 1_000_000
    return [
        ("not_json", ANN, b"tea"),
        ("not_json", ANN, b""),
        ("not_json", ANN, profile().replace(b"tea", b"\xff")),
        ("wrong_type", ANN, b"null"),
        ("wrong_type", ANN, profile(interests="tea")),
        ("wrong_type", ANN, profile(interests=[7])),
        ("wrong_type", ANN, profile(language=7)),
        ("wrong_type", ANN, profile(birth_year="1988")),
        ("wrong_type", ANN, profile(user_id=...)),
        ("wrong_type", ANN, profile(timestamp_ms=...)),
        ("bad_profile", ANN, profile(interests=[" "])),
        ("bad_profile", ANN, profile(interests=["x" * 101])),
        ("bad_profile", ANN, profile(interests=["x"] * 17)),
        ("bad_profile", ANN, profile(language="none of them")),
        ("bad_profile", ANN, profile(birth_year=88)),
        ("bad_profile", ANN, profile(birth_year=2999)),
        ("bad_id", b"", profile(user_id="")),
        ("bad_id", b"*", profile(user_id="*")),
        ("bad_id", b"x" * 257, None),
        ("bad_id", b"\xff", None),
        ("bad_timestamp", ANN, profile(timestamp_ms=-1)),
        ("bad_timestamp", ANN, profile(timestamp_ms=now_ms // 1000)),
        ("too_large", ANN, profile(note="x" * record_bytes)),
        ("key_mismatch", b"bob", profile()),
    ]


def bad_items(*, record_bytes: int) -> list[tuple[str, bytes | None, bytes | None]]:
    """Return (reason, key, value) of inputs that are no items. The broker takes none without a key: it compacts."""
    return [
        ("not_json", b"teapot", b"teapot"),
        ("wrong_type", b"teapot", b'{"item_id":"teapot","title":5}'),
        ("wrong_type", b"teapot", b'{"title":"Teapot"}'),
        ("wrong_type", b"teapot", b'{"item_id":"teapot","vectors":{"image":["a"]}}'),
        ("bad_id", b"", b'{"item_id":""}'),
        ("bad_vector", b"teapot", b'{"item_id":"teapot","vectors":{"image":[0,0]}}'),
        ("bad_id", b"x" * 257, None),
        ("bad_id", b"\xff", None),
        ("too_large", b"teapot", json.dumps({"item_id": "teapot", "title": "x" * record_bytes}).encode()),
        ("key_mismatch", b"kettle", b'{"item_id":"teapot"}'),
    ]


def bad_rules(*, record_bytes: int) -> list[tuple[str, bytes | None, bytes | None]]:
    """Return (reason, key, value) of inputs that are no rules. The broker takes none without a key: it compacts."""

    def rule(**changed: object) -> bytes:
        fields = {
            "rule_id": "r",
            "action": "ban",
            "author": "ann",
            "reason": "a test",
            "target": {"tag": "x"},
            **changed,
        }
        return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()

    return [
        ("not_json", b"r", b"ban it"),
        ("wrong_type", b"r", rule(action="hide")),
        ("wrong_type", b"r", rule(author=...)),
        ("wrong_type", b"r", rule(reason="")),
        ("wrong_type", b"r", rule(action="boost", factor=1000, ends_ms=5)),
        ("bad_rule", b"r", rule(target=...)),
        ("bad_rule", b"r", rule(action="boost", factor=2)),
        ("bad_rule", b"r", rule(action="cap")),
        ("bad_rule", b"r", rule(slot=1)),
        ("bad_rule", b"r", rule(action="pin", slot=1)),
        ("bad_rule", b"r", rule(starts_ms=5, ends_ms=5)),
        ("bad_rule", b"r", rule(scope={})),
        ("bad_rule", b"r", rule(scope={"arm": {"experiment": "a", "percent": [50, 10]}})),
        ("wrong_type", b"r", rule(scope={"segment": {"age": 3}})),
        ("wrong_type", b"r", rule(scope={"arm": {"experiment": "a", "percent": [0, 101]}})),
        ("bad_id", b"", rule(rule_id="")),
        ("bad_id", b"r", rule(target={"item_ids": ["a\0b"]})),
        ("bad_id", b"\xff", None),
        ("too_large", b"r", rule(reason="x" * record_bytes)),
        ("key_mismatch", b"s", rule()),
    ]
