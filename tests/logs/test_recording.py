"""A recording is read as it was written, and its lines are those of logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_rec.errors import FileProblem
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.logs.content import find_content
from stream_rec.logs.log import BadLine, read_events, read_items
from stream_rec.logs.recording import (
    SOURCE_TOPICS,
    Recorded,
    RecordPlace,
    check_record,
    encode_line,
    is_recording,
    read_recording,
)

LIMITS = InputLimits()
NOW_MS = 1_714_564_800_000
CONTEXT = {"device": "phone", "café": [1, 2.5, None]}
VALUES = [
    ("items", "tea", Item("tea", "Tea", tags=["hot"], attributes={"price": 2.5}, available=False, boost=2.0)),
    ("items", "pot", None),
    ("rules", "r1", Rule("r1", "ban", "ann", "why", Target(item_ids=["tea"]), ends_ms=NOW_MS)),
    ("rules", "r2", None),
    ("views", "ann", Interaction("e1", "ann", "tea", NOW_MS, 2.5, CONTEXT)),
    ("clicks", "ann", Interaction("e2", "ann", "tea", NOW_MS)),
    ("purchases", "bob", Interaction("e3", "bob", "tea", NOW_MS)),
    ("searches", "ann", Search("e4", "ann", "red 🍷", NOW_MS, "tea", {"page": 1})),
    ("impressions", "ann", Impression("e5", "ann", "l1", [ShownItem("tea", 3, 0.5)], NOW_MS, "home")),
    ("profiles", "ann", Profile("ann", NOW_MS, ["tea"], "de", 1980)),
    ("profiles", "bob", None),
]
RECORDS = [
    Recorded(RecordPlace(topic, number % 3, 7 * number, NOW_MS + number), key, value)
    for number, (topic, key, value) in enumerate(VALUES)
]


def write(path: Path, records: list[Recorded]) -> Path:
    path.write_bytes(b"".join(map(encode_line, records)))
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Every kind of record of every source topic, with its place; deletions too."""
    assert {record.place.topic for record in RECORDS} == set(SOURCE_TOPICS)
    path = write(tmp_path / "all.jsonl", RECORDS)

    assert list(read_recording(path, limits=LIMITS)) == RECORDS
    assert is_recording(path, limits=LIMITS)


def test_a_recording_of_events_is_a_log_of_events(tmp_path: Path) -> None:
    """So that `evaluate` and whatever else reads logs takes it."""
    records = [record for record in RECORDS if record.place.topic in SOURCE_TOPICS[2:] and record.key == "ann"][:4]
    path = write(tmp_path / "events.jsonl", records)

    assert find_content(path, limits=LIMITS) == "events"
    read = list(read_events(path, limits=LIMITS, received_ms=NOW_MS))
    assert [getattr(each, "event", each) for each in read] == [record.value for record in records]


def test_a_recording_of_items_is_a_file_of_items(tmp_path: Path) -> None:
    """But for those that are deleted."""
    path = write(tmp_path / "items.jsonl", RECORDS[:1])

    assert find_content(path, limits=LIMITS) == "items"
    assert list(read_items(path, limits=LIMITS)) == [RECORDS[0].value]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"recorded": None}, "wrong_type"),
        ({"recorded": {"topic": "lists", "partition": 0, "offset": 0, "received_ms": 0}}, "unknown_topic"),
        ({"user_id": 7}, "missing_field"),
        ({"item_id": 7}, "wrong_type"),
        ({"timestamp_ms": NOW_MS * 1000}, "bad_timestamp"),
    ],
)
def test_a_line_that_cannot_be_used_is_data(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    """It is named by its number and a reason, and reading goes on."""
    good = encode_line(RECORDS[4])
    path = tmp_path / "bad.jsonl"
    path.write_bytes(good + json.dumps(json.loads(good) | change).encode() + b"\n" + b"no JSON\n" + good)

    read = list(read_recording(path, limits=LIMITS))

    assert [each.reason if isinstance(each, BadLine) else "" for each in read] == ["", reason, "not_json", ""]
    assert [each.line for each in read if isinstance(each, BadLine)] == [2, 3]


def test_a_log_is_no_recording(tmp_path: Path) -> None:
    """The error says what was expected."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"event_type": "view", "user_id": "ann", "item_id": "tea", "timestamp": 1000}\n')

    assert not is_recording(path, limits=LIMITS)
    with pytest.raises(FileProblem, match="no recording, as `stream-rec record` writes it"):
        read_recording(path, limits=LIMITS)


def test_a_record_of_the_largest_size_is_read_again(tmp_path: Path) -> None:
    """Its line is longer than the record: the place stands in it."""
    item = Item("tea", "é" * 9_000, "x" * 47_000)
    record = Recorded(RecordPlace("items", 0, 0, NOW_MS), "tea", item)

    assert list(read_recording(write(tmp_path / "large.jsonl", [record]), limits=LIMITS)) == [record]


def test_a_record_that_the_pipeline_rejects_is_rejected() -> None:
    """With the reason that it has on the topic `rejected`."""
    rejected = check_record(RecordPlace("views", 0, 0, NOW_MS), b"bob", b'{"event_id": "e"}', LIMITS)

    assert isinstance(rejected, Rejection) and rejected.reason == "wrong_type"
