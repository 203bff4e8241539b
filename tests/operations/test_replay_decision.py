"""Which rejected records can be sent again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_rec.events.rejected import Origin, Rejected
from stream_rec.events.validate import InputLimits
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.operations.rejections import DeadLetter, Replays, origin_of, path_of
from stream_rec.operations.replay_decision import ReplayDecider, ReplayDecision, Resend, Skipped, choose
from tests.operations.test_rejections import record

KAFKA = KafkaSettings(topic_prefix="p-")
NOW_MS = 1_800_000_000_000
DAY_MS = 86_400_000


def dead_letter(path: str, *, key: bytes | None = b"ann", rejected_ms: int = 0) -> DeadLetter:
    """Return a rejection."""
    return DeadLetter(Rejected(origin_of(path), "empty", "", b""), key, rejected_ms, 0, b"{}", None)


def event(**changed: Any) -> bytes:
    """Return a good event of ann's, but for what is changed."""
    return json.dumps({"event_id": "e", "user_id": "ann", "item_id": "i", "timestamp_ms": NOW_MS, **changed}).encode()


def search(**changed: Any) -> bytes:
    """Return a good search of ann's, but for what is changed."""
    return json.dumps({"event_id": "s", "user_id": "ann", "query": "tea", "timestamp_ms": NOW_MS, **changed}).encode()


def profile(**changed: Any) -> bytes:
    """Return a good profile of ann's, but for what is changed."""
    return json.dumps({"user_id": "ann", "timestamp_ms": NOW_MS, "interests": ["tea"], **changed}).encode()


def decide(
    path: str,
    source: Any,
    *,
    superseded: bool = False,
    again: bool = False,
    limits: InputLimits | None = None,
) -> ReplayDecision:
    """Decide about one dead letter."""
    decider = ReplayDecider(KAFKA, limits or InputLimits(), NOW_MS, sends_rejected_again=again)
    return decider.decide(dead_letter(path), source, is_superseded=superseded)


def decide_repair(path: str, value: bytes | None, *, key: bytes | None = b"ann") -> ReplayDecision:
    """Decide about a value given by hand."""
    return ReplayDecider(KAFKA, InputLimits(), NOW_MS).decide_repair(dead_letter(path, key=key), value)


def why(found: ReplayDecision) -> str:
    """Return the reason, or nothing for what is sent."""
    return found.rejection.reason if isinstance(found, Skipped) else ""


def test_a_record_that_is_good_now_is_sent_unchanged():
    """Key, value and headers as they were, and where it came from."""
    value = event(timestamp_ms=NOW_MS + DAY_MS)
    found = decide("p-views/0/17", record(value, trace="t7"))

    assert isinstance(found, Resend)
    assert (found.key, found.value) == (b"ann", value)
    assert found.headers == [("trace", b"t7"), ("replay-of", b"p-views/0/17")]


@pytest.mark.parametrize(
    ("path", "source", "reason"),
    [
        ("p-views/0/1", record(event(timestamp_ms=NOW_MS + DAY_MS + 1)), "bad_timestamp"),
        ("p-clicks/0/1", record(b"click!"), "not_json"),
        ("p-views/0/1", record(event(), key=b"bob"), "key_mismatch"),
        ("p-views/0/1", record(None), "empty"),
        ("p-items/0/1", record(b'{"item_id":"i"}', key=b"j"), "key_mismatch"),
        ("p-items/0/1", record(None, key=b"\xff"), "bad_id"),
        ("p-items/0/1", record(None, key=b"i"), ""),
        ("p-forget/0/1", record(b'{"user_id":"ann","timestamp_ms":1}'), ""),
        ("p-forget/0/1", record(b'{"user_id":"bob","timestamp_ms":1}'), "key_mismatch"),
        ("p-purchases/0/1", None, "gone"),
        ("p-searches/0/1", record(search()), ""),
        ("p-searches/0/1", record(search(query=" ")), "bad_query"),
        ("p-searches/0/1", record(search(), key=b"bob"), "key_mismatch"),
        ("p-searches/0/1", record(event()), "wrong_type"),
        ("p-profiles/0/1", record(profile()), ""),
        ("p-profiles/0/1", record(None), ""),
        ("p-profiles/0/1", record(None, key=b"*"), "bad_id"),
        ("p-profiles/0/1", record(profile(), key=b"bob"), "key_mismatch"),
        ("p-profiles/0/1", record(profile(interests=[" "])), "bad_profile"),
        ("p-item-signals/0/1", record(b"", key=None), "not_replayable"),
        ("views/0/1", record(event()), "not_replayable"),
    ],
)
def test_what_the_worker_would_reject_is_not_sent(path: str, source: Any, reason: str):
    """By its own checks and with its reasons; what belongs to another pipeline, or is internal, is left alone."""
    assert why(decide(path, source)) == reason


def test_the_limits_of_now_decide():
    """A record that was too large is sent when the limit was raised, and only then."""
    source = record(event(context={"note": "x" * 1000}))

    assert why(decide("p-views/0/1", source, limits=InputLimits(record_bytes=1000))) == "too_large"
    assert why(decide("p-views/0/1", source, limits=InputLimits(record_bytes=2000))) == ""


def test_an_item_or_profile_that_was_replaced_since_is_not_brought_back():
    """The old description would undo the new one; a repair is what its owner says now."""
    source = record(b'{"item_id":"i"}', key=b"i")

    assert why(decide("p-items/0/1", source, superseded=True)) == "superseded"
    assert why(decide("p-profiles/0/1", record(profile()), superseded=True)) == "superseded"
    assert why(decide("p-profiles/0/1", record(None), superseded=True)) == "superseded"
    assert why(decide_repair("p-items/0/1", b'{"item_id":"i"}')) == ""


def test_of_compacted_topics_the_newest_record_counts():
    """Of all others each record does, however many follow it."""
    decider = ReplayDecider(KAFKA, InputLimits(), NOW_MS)
    names = ("items", "profiles", "views", "searches", "impressions", "forget")

    assert [name for name in names if decider.is_compacted(Origin(f"p-{name}", 0, 1))] == ["items", "profiles"]
    assert not decider.is_compacted(Origin("items", 0, 1))


def test_a_second_sending_that_was_rejected_too_is_not_sent_without_end():
    """Each run would add one more, where this command's settings are not the worker's."""
    source = record(event(), replay_of="p-views/0/1")

    assert why(decide("p-views/0/5", source)) == "rejected_again"
    once_more = decide("p-views/0/5", source, again=True)
    assert isinstance(once_more, Resend)
    assert once_more.headers == [("replay-of", b"p-views/0/5")]


def test_a_repair_is_keyed_with_its_id():
    """As the SDK does: the key of the rejected record may be what was wrong. It need not be there any more."""
    found = decide_repair("p-views/0/1", event(), key=b"bob")
    asked = decide_repair("p-searches/0/1", search(item_id="i"), key=b"bob")
    item = decide_repair("p-items/0/1", b'{"item_id":"i","user_id":5}', key=b"j")
    deletion = decide_repair("p-items/0/1", None, key=b"j")
    said = decide_repair("p-profiles/0/1", profile(), key=b"bob")
    taken_back = decide_repair("p-profiles/0/1", None, key=b"bob")

    assert isinstance(found, Resend) and (found.key, found.value) == (b"ann", event())
    assert isinstance(asked, Resend) and (asked.key, asked.value) == (b"ann", search(item_id="i"))
    assert isinstance(item, Resend) and item.key == b"i"
    assert isinstance(deletion, Resend) and (deletion.key, deletion.value) == (b"j", None)
    assert isinstance(said, Resend) and (said.key, said.value) == (b"ann", profile())
    assert isinstance(taken_back, Resend) and (taken_back.key, taken_back.value) == (b"bob", None)


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"{", "not_json"), (b"[]", "wrong_type"), (event(user_id=5), "wrong_type"), (event(user_id=""), "bad_id")],
)
def test_a_repair_that_repairs_nothing_is_not_sent(value: bytes, reason: str):
    """The reason is that of the value, not of a key that could not be made from it."""
    assert why(decide_repair("p-views/0/1", value)) == reason


def test_the_oldest_are_chosen_and_the_rest_is_counted():
    """Those sent again before take no place; the chosen come in the order in which they are read fastest."""
    replayed = Replays()
    replayed.add(Origin("v", 0, 1))
    times = {"v/0/1": 1, "v/1/2": 2, "v/0/30": 3, "v/0/4": 4, "v/0/5": 5}
    chosen = choose([dead_letter(path, rejected_ms=ms) for path, ms in reversed(times.items())], replayed, 3)

    assert [path_of(each.origin) for each in chosen.dead_letters] == ["v/0/4", "v/0/30", "v/1/2"]
    assert (chosen.n_replayed, chosen.n_more) == (1, 1)
