"""What fuzzing found, or reading for it. Each of these once raised something else, or led to lists of no numbers."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from stream_rec.catalog import factors
from stream_rec.catalog.factors import MalformedShift
from stream_rec.config import Settings, as_toml, load
from stream_rec.errors import FileProblem, SettingsError, StateVersionError
from stream_rec.events.validate import InputLimits
from stream_rec.knowledge import signal as signals
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.bounds import MOST_VISITS
from stream_rec.logs.log import read_events
from stream_rec.ranking import merge
from stream_rec.ranking.merge import MalformedContribution
from stream_rec.replay import vector_cache
from stream_rec.topics import definition
from stream_rec.user import state as user_state
from stream_rec.user.entries import Entry, ProfileEntry, WeeklyCount
from tests.catalog.stock import taught
from tests.fuzz.valid import COLD, OF

N_SUMS = len(merge.nothing(COLD).sums)
A_MINUTE = 60_000
"""Times of an item: its first and its last event."""


def visit(visitor: int, seen_ms: int = A_MINUTE) -> bytes:
    return struct.pack("<qQ", seen_ms, visitor)


@pytest.mark.parametrize("decode", [user_state.decode, item_state.decode, signals.decode])
def test_text_that_is_no_utf_8_is_refused(decode):
    """A worker took the UnicodeDecodeError for a fault of its own, and ended."""
    whole = {
        user_state.decode: user_state.encode(
            user_state.UserState(weekly_counts=[WeeklyCount(1, "item", (1, 0, 0), 1)])
        ),
        item_state.decode: item_state.encode(item_state.ItemState(predecessors={"item": 1})),
        signals.decode: signals.encode([signals.Signal("item", 0, 0, 0)]),
    }[decode]
    decode(whole)

    with pytest.raises(StateVersionError, match="utf-8"):
        decode(whole.replace(b"item", b"ite\xff"))


@pytest.mark.parametrize(
    "changed",
    [
        {"counts": (-3, 0, 0)},
        {"counts": (2**64 - 1, 0, 0)},
        {"sums": [1.0] * 6},
        {"sums": []},
        {"sums": [0.0, *[1.0] * 6]},
        {"sums": [float("nan"), *[1.0] * 6]},
        {"sums": [float("inf"), *[1.0] * 6]},
        {"first_ms": None},
        {"last_ms": None},
        {"first_ms": A_MINUTE + 1},
        {"last_ms": 2**63},
        {"predecessors": {"a": 2**64 - 1}},
        {"watermarks": {-1: 3}},
        {"repeats": -1},
        {"shown": [0] * 7},
        {"shown": [0] * 9},
        {"shown": [-1, *[0] * 7]},
        {"chosen": [0] * 7},
        {"chosen": [2**63, *[0] * 7]},
        {"visits": visit(1) + b"\0"},
        {"visits": visit(1) + visit(1, A_MINUTE + 1)},
        {"visits": b"".join(map(visit, range(MOST_VISITS + 1)))},
    ],
    ids=str,
)
def test_what_no_item_can_have_is_refused(changed: dict[str, Any]):
    """A catalog takes a state as it is: it would compute with this, or be left in pieces by the one that comes next."""
    state = taught(A_MINUTE)
    assert item_state.decode(item_state.encode(state)) == state

    with pytest.raises(StateVersionError):
        item_state.decode(item_state.encode(msgspec.structs.replace(state, **changed)))


ENTRY = Entry(A_MINUTE, "e", "a", 0, None, 0, 0)


@pytest.mark.parametrize(
    "changed",
    [
        {"counts": (0, -9, 0)},
        {"recent_events": [msgspec.structs.replace(ENTRY, kind=3)]},
        {"recent_events": [msgspec.structs.replace(ENTRY, timestamp_ms=-(2**62))]},
        {"recent_events": [msgspec.structs.replace(ENTRY, item_id="a" * 257)]},
        {"pending": [msgspec.structs.replace(ENTRY, offset=2**64 - 1)]},
        {"weekly_counts": [WeeklyCount(0, "a", (-1, 0, 0), 0)]},
        {"offsets": {6: 1}},
        {"released": {0: -1}},
        {"arrivals": 2**64 - 1},
        {"first_ms": -1},
        {"profile": ProfileEntry(0, ["x"] * 17)},
        {"profile": ProfileEntry(0, [], "no language")},
        {"profile": ProfileEntry(0, [], "", 88)},
    ],
    ids=str,
)
def test_what_no_user_can_have_is_refused(changed: dict[str, Any]):
    """Fewer than no events have no logarithm, another source has no topic, a number over 64 bits cannot be written."""
    state = user_state.UserState(recent_events=[ENTRY], counts=(1, 0, 0))
    assert user_state.decode(user_state.encode(state)) == state

    with pytest.raises(StateVersionError):
        user_state.decode(user_state.encode(msgspec.structs.replace(state, **changed)))


@pytest.mark.parametrize(
    "changed",
    [
        {"item_id": ""},
        {"kind": 4},
        {"kind": 5},
        {"partition": 2**62},
        {"offset": -1},
        {"seen_ms": 2**63},
        {"pairs": [("b", 2**63)]},
        {"visitor": -1},
        {"shown": 8},
        {"shown": -2},
        {"chosen": [(0, 2**63)]},
    ],
    ids=str,
)
def test_what_no_event_teaches_is_refused(changed: dict[str, Any]):
    """What cannot be applied must not reach the states of the other items in the message."""
    signal = signals.Signal("a", 0, 1, 2, A_MINUTE, [("b", 12)], 7)
    assert signals.decode(signals.encode([signal])) == [signal]

    with pytest.raises(StateVersionError):
        signals.decode(signals.encode([msgspec.structs.replace(signal, **changed)]))


@pytest.mark.parametrize(
    "changed",
    [
        {"shift": 3e38},
        {"squares": 3e38},
        {"sums": np.array([*[0.0] * (N_SUMS - 8), *[1.0] * 4, *[-60.0] * 4])},
        {"sums": np.array([1e308, *[0.0] * (N_SUMS - 1)])},
        {"sums": np.array([*[0.0] * (N_SUMS - 9), -1e308, *[0.0] * 8])},
        {"n_choices": 2**64 - 1},
    ],
    ids=str,
)
def test_what_no_worker_learns_is_refused(changed: dict[str, Any]):
    """Finite each by itself, but scores, shares and counts of the merged head were not."""
    nothing = merge.nothing(COLD)
    arrays = {name: value + nothing.shift if isinstance(value, float) else value for name, value in changed.items()}
    contribution = msgspec.structs.replace(nothing, **arrays)

    with pytest.raises(MalformedContribution):
        merge.decode(merge.encode(contribution, OF), COLD, OF)


def test_a_move_farther_than_any_worker_makes_is_refused():
    """Of the largest half-precision numbers two workers' sum is written as infinite."""
    with pytest.raises(MalformedShift, match="farther than 10"):
        factors.decode(factors.encode(np.full(factors.DIMENSIONS, 60_000.0)))


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_time_of_endless_digits_is_a_bad_line(tmp_path: Path, sign: str):
    """In milliseconds it has more digits than Python prints, and that ended the reading of the whole log."""
    event = f'{{"event_type": "view", "user_id": "u", "item_id": "i", "timestamp": {sign}{"9" * 4299}}}\n'
    (tmp_path / "log.jsonl").write_text(event)
    (line,) = read_events(tmp_path / "log.jsonl", limits=InputLimits(), received_ms=A_MINUTE)

    assert line.reason == "bad_timestamp"
    assert len(line.detail) < 200


TOML = ("a = " + "[" * 5000, "a = " + "9" * 5000, "a = " + "{a=" * 2000)


@pytest.mark.parametrize("text", TOML, ids=["lists", "digits", "tables"])
def test_toml_that_python_gives_up_on_is_refused(tmp_path: Path, text: str):
    """Its parser recurses, and Python reads no integer of more than 4300 digits."""
    file = tmp_path / "views.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match="is not TOML"):
        load(file, environ={})
    with pytest.raises(FileProblem, match="no topic definition"):
        definition._read(file)


def test_a_topic_definition_that_is_no_utf_8_is_refused(tmp_path: Path):
    """Named, with the file."""
    (tmp_path / "views.toml").write_bytes(b'name = "\xff"')

    with pytest.raises(FileProblem, match="no topic definition"):
        definition._read(tmp_path / "views.toml")


def test_a_retention_of_endless_digits_is_refused(tmp_path: Path):
    """Python would not turn it into a number."""
    text = (definition.FOLDER / "views.toml").read_text(encoding="utf-8")
    (tmp_path / "views.toml").write_text(text.replace('"7d"', f'"{"9" * 5000}d"'), encoding="utf-8")

    with pytest.raises(FileProblem, match="retention"):
        definition._read(tmp_path / "views.toml")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("kafka", "sasl_password", "\U0001f511"),
        ("kafka", "sasl_username", "a\x7f"),
        ("worker", "batch_wait_s", float("inf")),
    ],
)
def test_settings_shown_as_toml_can_be_read_again(tmp_path: Path, section: str, key: str, value: object):
    """JSON escapes differ from TOML's beyond 16 bits, and JSON has no word for infinity."""
    settings = load(environ={}, flags={f"{section}.{key}": value})
    (tmp_path / "again.toml").write_text(as_toml(msgspec.to_builtins(settings)), encoding="utf-8")

    assert settings != Settings()
    assert load(tmp_path / "again.toml", environ={}) == settings


def test_a_cache_packed_in_an_unknown_way_is_embedded_again(tmp_path: Path):
    """Whatever the zip reader raises, a cache costs time only."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("version.npy", b"")
    data = file.getvalue().replace(b"PK\1\2\x14\x03\x14\0\0\0\0\0", b"PK\1\2\x14\x03\x14\0\0\0\x63\0")
    (tmp_path / "cache.npz").write_bytes(data)

    assert vector_cache.read(tmp_path / "cache.npz") == ("", {})
