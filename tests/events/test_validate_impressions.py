"""Bad impressions are data too: each ends in a named reason, never in an exception."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events import validate
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.partition import Place
from stream_rec.events.source import Source
from stream_rec.events.validate import DAY_MS, InputLimits, Rejection

NOW_MS = 1_700_000_000_000
LIMITS = InputLimits()
REASONS = {
    "too_large",
    "empty",
    "not_json",
    "wrong_type",
    "bad_id",
    "bad_timestamp",
    "key_mismatch",
    "wrong_partition",
    "bad_impression",
}


def shown(item_id: object = "i1", position: object = 1, **others: object) -> dict[str, object]:
    """Return one item of an impression; ``...`` leaves a field out."""
    fields = {"item_id": item_id, "position": position, **others}
    return {name: value for name, value in fields.items() if value is not ...}


def record(**changes: object) -> bytes:
    """Return a good record with some fields changed; ``...`` leaves one out."""
    fields = {"event_id": "s1", "user_id": "u1", "list_id": "l1", "items": [shown()], "timestamp_ms": NOW_MS} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def checked(value: bytes | None, key: bytes | None = b"u1", limits: InputLimits = LIMITS) -> Impression | Rejection:
    return validate.impression(key, value, received_ms=NOW_MS, limits=limits)


def many(n: int) -> list[dict[str, object]]:
    return [shown(f"i{number}", number + 1) for number in range(n)]


def test_a_good_record_is_an_impression():
    """With all it says."""
    items = [shown("i1", 3, propensity=0.25), shown("i2", 100_000)]

    assert checked(record(items=items, surface="home")) == Impression(
        "s1", "u1", "l1", [ShownItem("i1", 3, 0.25), ShownItem("i2", 100_000)], NOW_MS, "home"
    )


@pytest.mark.parametrize(
    "value",
    [
        record(mood="fine"),
        record(items=[shown(colour="red")]),
        record(items=many(200)),
        record(items=[shown("i2", 2), shown("i1", 1)]),
        record(list_id=""),
        record(list_id="l" * 256, surface="s" * 64),
        record(items=[shown(propensity=None)]),
        record(items=[shown(propensity=1)]),
        record(items=[shown(propensity=5e-324)]),
        record(items=[shown("é" * 128)]),
    ],
)
def test_what_is_unusual_is_taken(value: bytes):
    """Fields of newer apps, the longest list, slots in any order, a list of somebody else, any propensity above 0."""
    assert isinstance(checked(value), Impression)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "not_json"),
        (b"home", "not_json"),
        (record()[:-1], "not_json"),
        (record().replace(b'"i1"', b'"\xff"'), "not_json"),
        (record(items=[shown(propensity=float("nan"))]), "not_json"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (record(event_id=...), "wrong_type"),
        (record(user_id=...), "wrong_type"),
        (record(list_id=...), "wrong_type"),
        (record(list_id=None), "wrong_type"),
        (record(list_id="l" * 257), "wrong_type"),
        (record(surface="s" * 65), "wrong_type"),
        (record(timestamp_ms=...), "wrong_type"),
        (record(timestamp_ms="now"), "wrong_type"),
        (record(items=...), "wrong_type"),
        (record(items=None), "wrong_type"),
        (record(items={}), "wrong_type"),
        (record(items=["i1"]), "wrong_type"),
        (record(items=[["i1", 1]]), "wrong_type"),
        (record(items=[shown(item_id=...)]), "wrong_type"),
        (record(items=[shown(item_id=7)]), "wrong_type"),
        (record(items=[shown(position=...)]), "wrong_type"),
        (record(items=[shown(position="1")]), "wrong_type"),
        (record(items=[shown(position=1.5)]), "wrong_type"),
        (record(items=[shown(position=None)]), "wrong_type"),
        (record(items=[shown(propensity="0.5")]), "wrong_type"),
        (record(items=[]), "bad_impression"),
        (record(items=many(201)), "bad_impression"),
        (record(items=[shown("i1", 1), shown("i2", 2), shown("i1", 3)]), "bad_impression"),
        (record(items=[shown("i1", 2), shown("i2", 2)]), "bad_impression"),
        (record(items=[shown(position=0)]), "bad_impression"),
        (record(items=[shown(position=-1)]), "bad_impression"),
        (record(items=[shown(position=100_001)]), "bad_impression"),
        (record(items=[shown(position=2**63)]), "bad_impression"),
        (record(items=[shown(position=2**64)]), "bad_impression"),
        (record(items=[shown(position=10**400)]), "bad_impression"),
        (record(items=[shown(propensity=0)]), "bad_impression"),
        (record(items=[shown(propensity=0.0)]), "bad_impression"),
        (record(items=[shown(propensity=-0.5)]), "bad_impression"),
        (record(items=[shown(propensity=1.0000001)]), "bad_impression"),
        (record(items=[shown(propensity=2)]), "bad_impression"),
        (record(event_id=""), "bad_id"),
        (record(event_id="s" * 257), "bad_id"),
        (record(event_id="s\0"), "bad_id"),
        (record(user_id=""), "bad_id"),
        (record(items=[shown(""), shown("i2", 2)]), "bad_id"),
        (record(items=[shown(), shown("", 2)]), "bad_id"),
        (record(items=[shown("a\0b")]), "bad_id"),
        (record(items=[shown("i" * 257)]), "bad_id"),
        (record(items=[shown("é" * 129)]), "bad_id"),
        (record(timestamp_ms=-1), "bad_timestamp"),
        (record(timestamp_ms=NOW_MS + DAY_MS + 1), "bad_timestamp"),
        (record(timestamp_ms=NOW_MS // 1000), "bad_timestamp"),
        (record(timestamp_ms=NOW_MS * 1000), "bad_timestamp"),
        (record(items=[shown("i" * 65_536)]), "too_large"),
    ],
)
def test_bad_values_have_a_reason(value: bytes | None, reason: str):
    """One of the names in the docs."""
    answer = checked(value)

    assert isinstance(answer, Rejection) and (answer.reason, bool(answer.detail)) == (reason, True), answer


@pytest.mark.parametrize("key", [None, b"", b"u2", b"\xff", b"u1 "])
def test_the_key_must_be_the_user(key: bytes | None):
    """It decides the partition, and so whose state it is."""
    assert checked(record(), key).reason == "key_mismatch"
    assert checked(record(user_id="*"), b"*").reason == "bad_id"


def test_an_impression_belongs_into_the_partition_of_its_key():
    """As all that a user does."""
    answers = [
        validate.impression(b"u1", record(), received_ms=NOW_MS, limits=LIMITS, place=Place(partition, 2))
        for partition in (0, 1)
    ]

    assert sorted(getattr(answer, "reason", "taken") for answer in answers) == ["taken", "wrong_partition"]


def test_what_stands_on_its_topic_is_read_as_an_impression():
    """And nothing else is: an interaction there has no items."""
    view = b'{"event_id":"e1","user_id":"u1","item_id":"i1","timestamp_ms":1700000000000}'
    read = [
        validate.event(Source.IMPRESSION, b"u1", value, received_ms=NOW_MS, limits=LIMITS) for value in (record(), view)
    ]

    assert (read[0], read[1].reason) == (checked(record()), "wrong_type")


odd = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        ["", "\0", "i1", "i" * 300, 0, 1, -1, 2**63, 2**64, 10**400, 0.5, 1e-400, 1e308, [], {}, "\ud800"]
    )
)
odd_items = st.lists(
    odd
    | st.dictionaries(st.sampled_from(["item_id", "position", "propensity", "more"]), odd)
    | st.fixed_dictionaries(
        {"item_id": st.sampled_from(["i1", "i2", "i3"]), "position": st.integers(-1, 4)},
        optional={"propensity": st.none() | st.floats(-0.5, 1.5), "more": odd},
    ),
    max_size=5,
)


@settings(max_examples=500, deadline=None)
@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "event_id": odd,
            "user_id": odd,
            "list_id": odd,
            "items": odd_items | odd | st.just(many(201)),
            "timestamp_ms": odd,
            "surface": odd,
        },
    )
)
def test_any_json_ends_in_an_answer(fields: dict[str, object]):
    """A reason that is documented, or an impression that is as it says it is."""
    answer = checked(json.dumps(fields, default=str).encode() if fields else record(**fields))
    good = checked(record(**fields))

    for each in (answer, good):
        if isinstance(each, Rejection):
            assert each.reason in REASONS
            msgspec.json.encode(each)
            continue
        assert 1 <= len(each.items) <= 200
        assert len({item.item_id for item in each.items}) == len({i.position for i in each.items}) == len(each.items)
        assert all(1 <= item.position <= 100_000 and item.item_id for item in each.items)
        assert all(item.propensity is None or 0 < item.propensity <= 1 for item in each.items)
        assert checked(msgspec.json.encode(each)) == each


@settings(max_examples=300, deadline=None)
@given(key=st.none() | st.binary(max_size=9), value=st.none() | st.binary(max_size=200), cut=st.integers(0, 200))
def test_any_bytes_end_in_an_answer(key: bytes | None, value: bytes | None, cut: int):
    """Bytes of no sense, and a good record cut anywhere with something else behind."""
    assert isinstance(checked(value, key), Rejection)
    answer = checked(record()[:cut] + (value or b""), b"u1")

    assert isinstance(answer, Impression) or answer.reason in REASONS
