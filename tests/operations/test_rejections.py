"""What stands on ``rejected``."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.events.rejected import Origin, Rejected
from stream_rec.operations import rejections
from stream_rec.operations.rejections import REPLAYED_TO, DeadLetter, Filter, Rejections, origin_of, path_of


def record(value: Any, *, offset: int = 0, timestamp: int = 0, key: bytes | None = b"ann", **headers: str) -> Any:
    """Return a record as kafka-python gives it."""
    pairs = [(name.replace("_", "-"), text.encode()) for name, text in headers.items()]
    return ConsumerRecord("t", 0, -1, offset, timestamp, 0, key, value, pairs, None, -1, -1, -1)


def rejected(path: str, reason: str = "empty") -> bytes:
    """Return the value of a record of ``rejected``."""
    return msgspec.json.encode(Rejected(origin_of(path), reason, "detail", b"head"))


def paths(dead_letters: list[DeadLetter | None]) -> list[str | None]:
    """Return the origins."""
    return [dead_letter and path_of(dead_letter.origin) for dead_letter in dead_letters]


@pytest.mark.parametrize("text", ["pre-views/3/17", "pre-views[3]@17"])
def test_an_origin_is_read_as_commands_and_as_logs_write_it(text: str):
    """Either can be copied to the command line."""
    assert origin_of(text) == Origin("pre-views", 3, 17)
    assert path_of(origin_of(text)) == "pre-views/3/17"


@pytest.mark.parametrize("text", ["", "views", "views/1", "views/1/-1", "views/x/1", "a b/1/1", "views/1/1\n", "/1/1"])
def test_what_is_no_origin_is_said(text: str):
    """The error shows what one looks like."""
    with pytest.raises(ValueError, match="expected TOPIC/PARTITION/OFFSET, as in views/0/17"):
        origin_of(text)


def test_a_repeat_is_not_a_second_rejection(monkeypatch: pytest.MonkeyPatch):
    """After a crash a rejection may come twice, with the same origin; no more than REMEMBERED origins are kept."""
    monkeypatch.setattr(rejections, "REMEMBERED", 2)
    found = Rejections(Filter())
    came = [found.take(record(rejected(path))) for path in ("v/0/1", "v/0/2", "v/0/1", "v/0/3", "v/0/1")]

    assert paths(came) == ["v/0/1", "v/0/2", None, "v/0/3", "v/0/1"]


def test_a_second_sending_is_noted_and_is_no_rejection():
    """The record that says where one was sent again marks it, whatever the filter; it is counted once."""
    found = Rejections(Filter(reason="empty"))
    value, other = rejected("v/0/1"), rejected("v/0/9", "bad_id")
    came = [found.take(record(value)), *(found.take(record(value, replayed_to="v/0/7")) for _ in range(2))]
    came += [found.take(record(other)), found.take(record(other, replayed_to="v/0/8"))]

    assert paths(came) == ["v/0/1", None, None, None, None]
    assert Origin("v", 0, 1) in found.replays
    assert Origin("v", 0, 9) in found.replays
    assert Origin("v", 0, 2) not in found.replays
    assert Origin("w", 0, 1) not in found.replays
    assert found.replayed_to == Origin("v", 0, 7)
    assert found.counts.rejected == {("v", "empty"): 1}
    assert found.counts.replayed == {("v", "empty"): 1}


@pytest.mark.parametrize(
    "bad",
    [
        record(b"nonsense"),
        record(None),
        record(b"{}"),
        record(rejected("v/0/1"), **{REPLAYED_TO: "nowhere"}),
        record(rejected("v/0/1").replace(b'"offset":1', b'"offset":-1')),
        record(rejected("v/0/1").replace(b'"v"', b'"v v"')),
    ],
)
def test_what_is_no_rejection_is_skipped_and_counted(bad: Any):
    """One foreign record does not end the reading."""
    found = Rejections(Filter())

    assert found.take(bad) is None
    assert (found.n_records, found.n_unreadable) == (1, 1)


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (Filter(), ["views/0/1", "clicks/0/2", "views/0/3"]),
        (Filter(topic="views"), ["views/0/1", "views/0/3"]),
        (Filter(reason="bad_id"), ["clicks/0/2", "views/0/3"]),
        (Filter(since_ms=20), ["clicks/0/2", "views/0/3"]),
        (Filter(until_ms=20), ["views/0/1"]),
        (Filter(origins={Origin("clicks", 0, 2)}), ["clicks/0/2"]),
        (Filter(origins=()), []),
        (Filter(topic="views", reason="bad_id", since_ms=30, until_ms=31), ["views/0/3"]),
    ],
)
def test_a_filter_takes_what_meets_all_it_says(which: Filter, expected: list[str]):
    """A moment itself is since it, and not before it."""
    found = Rejections(which)
    came = [("views/0/1", "empty", 10), ("clicks/0/2", "bad_id", 20), ("views/0/3", "bad_id", 30)]
    dead_letters = [found.take(record(rejected(path, reason), timestamp=ms)) for path, reason, ms in came]

    assert paths([dead_letter for dead_letter in dead_letters if dead_letter]) == expected
