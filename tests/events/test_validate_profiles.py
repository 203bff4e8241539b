"""Bad profiles are data too: each ends in a named reason, never in an exception."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.profile import Profile, year_of
from stream_rec.events.source import Source
from stream_rec.events.validate import DAY_MS, InputLimits, Rejection

NOW_MS = 1_700_000_000_000
LIMITS = InputLimits()
REASONS = {
    *("too_large", "not_json", "wrong_type", "bad_id", "bad_timestamp", "key_mismatch", "wrong_partition"),
    "bad_profile",
}


def record(**changes: object) -> bytes:
    """Return a good record with some fields changed; ``...`` leaves one out."""
    fields = {"user_id": "u1", "timestamp_ms": NOW_MS, "interests": ["jazz"], "language": "de"} | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


def checked(value: bytes | None, key: bytes | None = b"u1", limits: InputLimits = LIMITS) -> Profile | Rejection:
    return validate.profile(key, value, received_ms=NOW_MS, limits=limits)


def test_a_good_record_is_a_profile():
    """With all it says."""
    value = record(interests=["jazz", "hiking"], birth_year=1988)

    assert checked(value) == Profile("u1", NOW_MS, ["jazz", "hiking"], "de", 1988)


@pytest.mark.parametrize(
    "value",
    [
        record(mood="fine"),
        record(interests=...),
        record(language=...),
        record(language="", interests=[]),
        record(language="zh-Hant-TW"),
        record(interests=["jazz", "jazz"]),
        record(interests=["é" * 100] * 16),
        record(birth_year=None),
        record(birth_year=1900),
        record(birth_year=2023),
    ],
)
def test_what_is_unusual_is_taken(value: bytes):
    """Fields of newer apps, nothing said of something, the largest there is, who was born this year."""
    assert isinstance(checked(value), Profile)


@pytest.mark.parametrize(
    ("reason", "value"),
    [
        ("bad_profile", record(interests=[""])),
        ("bad_profile", record(interests=[" \t\u3000"])),
        ("bad_profile", record(interests=["x" * 101])),
        ("bad_profile", record(interests=["x"] * 17)),
        ("bad_profile", record(language="german, I think")),
        ("bad_profile", record(language="d")),
        ("bad_profile", record(language="de-" + "x" * 40)),
        ("bad_profile", record(birth_year=88)),
        ("bad_profile", record(birth_year=2024)),
        ("bad_profile", record(birth_year=-1)),
        ("wrong_type", record(birth_year="1988")),
        ("wrong_type", record(birth_year=1988.5)),
        ("wrong_type", record(interests="jazz")),
        ("wrong_type", record(interests=[7])),
        ("wrong_type", record(language=None)),
        ("wrong_type", record(user_id=...)),
        ("wrong_type", record(timestamp_ms=...)),
        ("bad_id", record(user_id="")),
        ("bad_timestamp", record(timestamp_ms=NOW_MS + 2 * DAY_MS)),
        ("bad_timestamp", record(timestamp_ms=NOW_MS // 1000)),
        ("not_json", b"jazz"),
        ("not_json", b""),
        ("too_large", record(note="x" * LIMITS.record_bytes)),
    ],
)
def test_what_is_wrong_has_a_name(reason: str, value: bytes):
    """And says what is wrong."""
    rejection = checked(value)

    assert isinstance(rejection, Rejection) and rejection.reason == reason and rejection.detail


def test_whose_it_is_says_the_key():
    """A profile under another key would be another user's; of nobody there is none."""
    assert checked(record(), b"u2").reason == checked(record(), None).reason == "key_mismatch"
    assert checked(record(user_id="*"), b"*").reason == "bad_id"


def test_nothing_takes_the_profile_back():
    """At no time; under a key that is none it is rejected."""
    assert checked(None) == Profile("u1", 0) and checked(None).is_empty
    assert [checked(None, key).reason for key in (None, b"", b"\xff", b"*", b"x" * 257)] == ["bad_id"] * 5
    place = Place(0, 2)
    keys = [f"u{number}".encode() for number in range(20)]
    placed = [validate.profile(key, None, received_ms=NOW_MS, limits=LIMITS, place=place) for key in keys]
    assert {getattr(each, "reason", "taken") for each in placed} == {"taken", "wrong_partition"}


def test_a_year_is_that_of_the_broker():
    """Whoever is born this year is, whatever the app's clock says."""
    assert (year_of(NOW_MS), year_of(0)) == (2023, 1970)
    assert checked(record(birth_year=2023, timestamp_ms=NOW_MS + DAY_MS)).birth_year == 2023


@settings(max_examples=300, deadline=None)
@given(value=st.none() | st.binary(max_size=60), key=st.none() | st.binary(max_size=10))
def test_any_bytes_are_a_profile_or_a_named_rejection(value: bytes | None, key: bytes | None):
    """Whatever stands there."""
    found = validate.event(Source.PROFILE, key, value, received_ms=NOW_MS, limits=LIMITS)

    assert isinstance(found, Profile) or found.reason in REASONS


@settings(max_examples=300, deadline=None)
@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "interests": st.lists(st.text(max_size=101), max_size=17) | st.none() | st.integers(),
            "language": st.text(max_size=40) | st.none(),
            "birth_year": st.integers() | st.floats(allow_nan=False) | st.none() | st.text(max_size=3),
            "timestamp_ms": st.integers() | st.none(),
        },
    )
)
def test_any_object_is_a_profile_within_bounds_or_a_named_rejection(fields: dict[str, object]):
    """What is taken keeps the contract."""
    found = checked(msgspec.json.encode({"user_id": "u1", "timestamp_ms": NOW_MS} | fields))

    if isinstance(found, Rejection):
        assert found.reason in REASONS
    else:
        assert len(found.interests) <= 16 and all(0 < len(each.strip()) <= 100 for each in found.interests)
        assert found.birth_year is None or 1900 <= found.birth_year <= 2023
        assert len(found.language) <= 35 and found.language.isascii()
