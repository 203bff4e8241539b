"""`replay --recording` and `produce RECORDING`, without a broker; `record` is in ``tests/kafka/test_record.py``."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream_rec.cli import cli
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.partition import partition_of
from stream_rec.logs.recording import encode_line
from stream_rec.replay.recorded import place_entries

VIEWS = [LoggedEvent(Kind.VIEW, Interaction(f"e{number}", "ann", "tea", 1_000 * number)) for number in range(1, 4)]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"".join(map(encode_line, place_entries([Item("tea", "Tea"), Item("pot", "Pot"), *VIEWS], 4))))
    return path


def run(*words: object) -> Result:
    result = CliRunner().invoke(cli, list(map(str, words)))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def replay(recording: Path, *words: object) -> Result:
    place = ["--out", recording.parent / "lists.jsonl", "--cache", recording.parent, "--encoder", "hashing"]
    return run("replay", "--recording", recording, *place, *words)


def test_a_recording_is_replayed(recording: Path) -> None:
    """One list for each record of a user, as of its place; --limit counts records."""
    assert replay(recording).exit_code == 0
    lists = [json.loads(line) for line in (recording.parent / "lists.jsonl").read_text().splitlines()]
    assert [made["as_of"]["offset"] for made in lists] == [0, 1, 2]
    assert {made["as_of"]["partition"] for made in lists} == {partition_of(b"ann", 4)}
    assert {item["item_id"] for item in lists[-1]["items"]} == {"tea", "pot"}

    assert replay(recording, "--limit", 3).exit_code == 0
    assert len((recording.parent / "lists.jsonl").read_text().splitlines()) == 1


def test_a_packed_one_is_replayed(recording: Path) -> None:
    """As all logs are."""
    packed = recording.with_suffix(".gz")
    packed.write_bytes(gzip.compress(recording.read_bytes()))

    assert replay(packed).exit_code == 0


def test_bad_lines_are_counted(recording: Path) -> None:
    """Once, though it is read twice; the others are replayed, and the exit code is 1."""
    recording.write_bytes(recording.read_bytes() + b"no JSON\n")
    result = replay(recording)

    assert result.exit_code == 1
    assert "run.jsonl:6: not_json" in result.stderr and "skipped 1 bad line" in result.stderr
    assert len((recording.parent / "lists.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--recording", "x.jsonl", "--items", "i.jsonl"], "a recording has all of it: leave out --items"),
        (["--recording", "x.jsonl", "--critiques", "cheaper"], "leave out --critiques"),
        (["--items", "i.jsonl"], "give --items and --events, or --recording"),
        ([], "give --items and --events, or --recording"),
    ],
)
def test_one_or_the_other(words: list[str], said: str) -> None:
    """The call is wrong, and nothing is written."""
    result = run("replay", "--out", "-", *words)

    assert (result.exit_code, said in result.stderr) == (2, True)


@pytest.mark.parametrize("option", ["--items", "--shift-to-now", "--critiques=cheaper"])
def test_a_recording_is_sent_as_it_is(recording: Path, option: str) -> None:
    """Options that change records are refused, before a broker is looked for."""
    result = run("produce", recording, option)

    assert (result.exit_code, "a recording is sent as it is" in result.stderr) == (2, True)
