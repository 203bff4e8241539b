"""Bad input is data: every bad record ends in a reason, never in an exception."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stream_rec.events import validate
from stream_rec.events.interaction import Interaction
from stream_rec.events.item import Item
from stream_rec.events.partition import Place
from stream_rec.events.validate import DAY_MS, InputLimits, Rejection

NOW_MS = 1_700_000_000_000
LIMITS = InputLimits()


def record(**changes) -> bytes:
    """Return a good record with some fields changed; ``...`` leaves one out."""
    fields = {"event_id": "e1", "user_id": "u1", "item_id": "i1", "timestamp_ms": NOW_MS} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def checked(value: bytes | None, key: bytes | None = b"u1", limits: InputLimits = LIMITS) -> Interaction | Rejection:
    return validate.interaction(key, value, received_ms=NOW_MS, limits=limits)


def test_a_good_record_is_an_interaction():
    """With all it says."""
    event = checked(record(value=2.5, context={"device": "phone"}))

    assert event == Interaction("e1", "u1", "i1", NOW_MS, 2.5, {"device": "phone"})


def test_what_is_nested_is_taken_as_deep_by_every_python():
    """100 levels: brackets in texts are none, and a level that was left is none either."""
    deep = b'{"a":' * 99 + b'["{[[[[", 1]' + b"}" * 99
    assert checked(record(context="C").replace(b'"C"', deep)).reason == "not_json"  # the record itself is a level
    assert isinstance(checked(record(context="C").replace(b'"C"', deep[5:-1])), Interaction)
    assert isinstance(checked(record(context={"a": [{"b": [[]]}] * 300, 'quoted \\" [': "[" * 500})), Interaction)


def test_fields_of_newer_apps_are_passed_over():
    """An app may send more than this program knows."""
    assert isinstance(checked(record(mood="fine")), Interaction)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "not_json"),
        (b"click u1 i1", "not_json"),
        (b"\xff\xfe\x00", "not_json"),
        (record()[:-1], "not_json"),
        (record() + b"x", "not_json"),
        (record().replace(b'"e1"', b'"e\xff"'), "not_json"),
        (record().replace(b'"e1"', b'"\\ud800"'), "not_json"),
        (record(context="C").replace(b'"C"', b'{"a":' * 100 + b"1" + b"}" * 100), "not_json"),
        (b"[]", "wrong_type"),
        (b"null", "wrong_type"),
        (b'"u1"', "wrong_type"),
        (record(event_id=...), "wrong_type"),
        (record(user_id=...), "wrong_type"),
        (record(item_id=...), "wrong_type"),
        (record(timestamp_ms=...), "wrong_type"),
        (record(event_id=None), "wrong_type"),
        (record(item_id=7), "wrong_type"),
        (record(timestamp_ms="yesterday"), "wrong_type"),
        (record(timestamp_ms=1.5), "wrong_type"),
        (record(timestamp_ms=None), "wrong_type"),
        (record(value="much"), "wrong_type"),
        (record(context=[]), "wrong_type"),
        (record(event_id=""), "bad_id"),
        (record(user_id=""), "bad_id"),
        (record(item_id=""), "bad_id"),
        (record(item_id="a\0b"), "bad_id"),
        (record(timestamp_ms=-1), "bad_timestamp"),
        (record(timestamp_ms=NOW_MS + DAY_MS + 1), "bad_timestamp"),
        (record(timestamp_ms=10**400), "bad_timestamp"),
        (record(timestamp_ms=-(10**400)), "bad_timestamp"),
        (record(timestamp_ms=NOW_MS * 1000), "bad_timestamp"),
        (record(timestamp_ms=NOW_MS // 1000), "bad_timestamp"),
        (record().replace(str(NOW_MS).encode(), b"9" * 5000), "wrong_type"),
    ],
)
def test_bad_values_have_a_reason(value, reason):
    """One word to count by, and what came."""
    rejection = checked(value)

    assert isinstance(rejection, Rejection)
    assert rejection.reason == reason
    assert rejection.detail


@pytest.mark.parametrize(
    ("number", "reason"),
    [(b"NaN", "not_json"), (b"Infinity", "not_json"), (b"-Infinity", "not_json"), (b"1e999", "wrong_type")],
)
def test_numbers_that_are_not_finite_are_refused(number, reason):
    """A NaN would spread through every sum that it enters."""
    assert checked(record(value=1).replace(b'"value": 1', b'"value": ' + number)).reason == reason


def test_an_id_is_measured_in_bytes():
    """256 bytes of UTF-8 fit: 128 letters of two bytes, not 129. Keys and states are bytes."""
    assert isinstance(checked(record(item_id="é" * 128)), Interaction)
    assert checked(record(item_id="é" * 129)).reason == "bad_id"
    assert isinstance(checked(record(item_id="i" * 256)), Interaction)
    assert checked(record(item_id="i" * 257)).reason == "bad_id"


def test_an_event_may_lie_in_the_future_as_far_as_clocks_differ():
    """Up to the limit it counts, one millisecond later it does not; 1970 itself is old, not wrong."""
    assert isinstance(checked(record(timestamp_ms=NOW_MS + DAY_MS)), Interaction)
    assert isinstance(checked(record(timestamp_ms=0)), Interaction)


def test_how_far_in_the_past_an_event_may_lie_is_for_the_settings_to_say():
    """To the millisecond, before the broker's time; whoever sends live events alone need not believe in others."""
    limits = InputLimits(past_ms=7 * DAY_MS)

    assert isinstance(checked(record(timestamp_ms=NOW_MS - 7 * DAY_MS), limits=limits), Interaction)
    rejection = checked(record(timestamp_ms=NOW_MS - 7 * DAY_MS - 1), limits=limits)
    assert rejection.reason == "bad_timestamp"
    assert "7.0 days in the past; limits.past_ms allows 7.0" in rejection.detail
    assert isinstance(checked(record(timestamp_ms=0), limits=InputLimits(past_ms=NOW_MS)), Interaction)


def test_a_record_too_large_is_not_even_read():
    """One byte over the limit."""
    value = record()
    limits = InputLimits(record_bytes=len(value))

    assert isinstance(checked(value, limits=limits), Interaction)
    assert checked(value + b" ", limits=limits).reason == "too_large"


@pytest.mark.parametrize("key", [None, b"", b"u2", b"u1 ", b"\xff"])
def test_the_key_must_be_the_user(key):
    """The key decided the partition: under another one the event would reach another state."""
    rejection = checked(record(), key=key)

    assert rejection.reason == "key_mismatch"
    assert "'u1'" in rejection.detail


def test_nobody_is_called_as_the_default_list():
    """``*`` is the key of the default list."""
    assert checked(record(user_id="*"), key=b"*").reason == "bad_id"


@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused(brackets):
    """In known and unknown fields, without ever reaching the end of the stack."""
    opening, closing = brackets
    deep = opening * 10_000 + b"1" + closing * 10_000
    for field in (b'"context": {"a": ' + deep + b"}", b'"mood": ' + deep):
        assert checked(record()[:-1] + b", " + field + b"}").reason == "not_json"


@settings(max_examples=300, deadline=None)
@given(key=st.none() | st.binary(max_size=8), value=st.none() | st.binary(max_size=80))
@example(key=b"u1", value=b"{}")
def test_any_bytes_end_in_an_answer(key, value):
    """Random bytes never raise."""
    assert isinstance(checked(value, key=key), Rejection)


@settings(max_examples=300, deadline=None)
@given(
    fields=st.dictionaries(
        st.sampled_from(["event_id", "user_id", "item_id", "timestamp_ms", "value", "context"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers()),
    )
)
def test_any_json_ends_in_an_answer(fields):
    """Wrong types in any field never raise."""
    assert isinstance(checked(record(**fields)), Interaction | Rejection)


def test_an_item_is_checked_like_an_event():
    """Id, key, types and size; its other fields may be left out."""
    assert validate.item(b"i1", b'{"item_id": "i1"}', limits=LIMITS) == Item("i1")
    assert validate.item(b"i2", b'{"item_id": "i1"}', limits=LIMITS).reason == "key_mismatch"
    assert validate.item(None, b'{"item_id": "i1"}', limits=LIMITS).reason == "key_mismatch"
    assert validate.item(b"", b'{"item_id": ""}', limits=LIMITS).reason == "bad_id"
    assert validate.item(b"i1", b'{"item_id": "i1", "tags": "red"}', limits=LIMITS).reason == "wrong_type"
    assert validate.item(b"i1", b"{", limits=LIMITS).reason == "not_json"
    assert validate.item(b"i1", b" " * 70_000, limits=LIMITS).reason == "too_large"


@pytest.mark.parametrize(
    ("vectors", "detail"),
    [
        ('{"image": []}', "vectors.image has 0 numbers, expected 1 to 4096"),
        (json.dumps({"image": [1] * 4097}), "vectors.image has 4097 numbers, expected 1 to 4096"),
        ('{"image": [1], "audio": [0, 0.0]}', "vectors.audio has a length of 0, which has no direction"),
        ('{"image": [1.7e308, 1.7e308]}', "vectors.image has a length of inf, which has no direction"),
        (json.dumps({f"v{n}": [1] for n in range(9)}), "9 vectors, expected at most 8"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused(vectors: str, detail: str):
    """With what was expected; others are taken as they are."""
    record = f'{{"item_id": "i1", "vectors": {vectors}}}'.encode()
    assert validate.item(b"i1", record, limits=LIMITS) == Rejection("bad_vector", detail)

    good = b'{"item_id": "i1", "vectors": {"image": [0, -2.5]}}'
    assert validate.item(b"i1", good, limits=LIMITS) == Item("i1", vectors={"image": [0, -2.5]})


def test_the_key_of_a_deleted_item_is_checked_too():
    """A null value has nothing else that says which item it deletes."""
    assert validate.id_in_key("é1".encode(), limits=LIMITS) == "é1"
    assert validate.id_in_key(b"\xff", limits=LIMITS).reason == "bad_id"
    assert validate.id_in_key(b"", limits=LIMITS).reason == "bad_id"
    assert validate.id_in_key(None, limits=LIMITS).reason == "bad_id"
    assert validate.id_in_key(b"i" * 257, limits=LIMITS).reason == "bad_id"


@pytest.mark.parametrize(
    ("timestamp_ms", "hint"),
    [
        (1_000_000_000, "looks like seconds: multiply by 1000"),
        (NOW_MS // 1000, "looks like seconds: multiply by 1000"),
        ((NOW_MS + DAY_MS) // 1000, "looks like seconds: multiply by 1000"),
        (NOW_MS * 1000, "looks like microseconds: divide by 1000"),
        (NOW_MS * 1_000_000, "looks like nanoseconds: divide by 1000000"),
        (NOW_MS * 10, "days in the future; milliseconds since 1970 expected"),
        (999_999_999, None),
        ((NOW_MS + DAY_MS) // 1000 + 1, None),
    ],
)
def test_a_time_in_another_unit_is_rejected_with_the_remedy(timestamp_ms: int, hint: str | None):
    """Seconds would be taken for January 1970, without a word. What cannot be seconds may be an old event."""
    found = checked(record(timestamp_ms=timestamp_ms))

    if hint is None:
        assert isinstance(found, Interaction)
    else:
        assert found.reason == "bad_timestamp" and hint in found.detail


def test_the_default_list_is_no_user():
    """The key of the default list: nobody acts under it, and nobody has it forgotten."""
    request = b'{"user_id": "*", "timestamp_ms": 5}'

    assert checked(record(user_id="*"), key=b"*").reason == "bad_id"
    assert validate.forget(b"*", request, limits=LIMITS).reason == "bad_id"


def test_a_record_belongs_into_the_partition_of_its_key():
    """Of every topic that is keyed; the rejection says what to set. murmur2("u1") is in partition 0 of 2."""
    request = b'{"user_id": "u1", "timestamp_ms": 5}'

    def all_checked(place: Place | None) -> list[object]:
        return [
            validate.interaction(b"u1", record(), received_ms=NOW_MS, limits=LIMITS, place=place),
            validate.forget(b"u1", request, limits=LIMITS, place=place),
            validate.item(b"u1", b'{"item_id": "u1"}', limits=LIMITS, place=place),
            validate.id_in_key(b"u1", limits=LIMITS, place=place),
        ]

    assert not any(isinstance(one, Rejection) for one in [*all_checked(Place(0, 2)), *all_checked(None)])
    for rejection in all_checked(Place(1, 2)):
        assert rejection.reason == "wrong_partition"
        assert "partition 1, its key belongs to 0 of 2" in rejection.detail
        assert "partitioner=murmur2_random" in rejection.detail
