"""Where no broker is, every command says so in one line and at once, before it does or writes anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_rec.addresses import EXPECTED
from tests.command import NOWHERE, command

EVENT = {"event_id": "e1", "user_id": "ann", "item_id": "tea", "timestamp": 1_700_000_000_000, "kind": "click"}

COMMANDS = {
    "watch": ["watch", "ann", "--once"],
    "user forget": ["user", "forget", "ann", "--yes"],
    "rejected list": ["rejected", "list"],
    "rejected show": ["rejected", "show", "views/0/17"],
    "rejected replay": ["rejected", "replay"],
    "produce": ["produce", "events.jsonl"],
    "backfill": ["backfill", "--events", "events.jsonl"],
    "snapshot export": ["snapshot", "export", "states.snapshot"],
    "topics check": ["topics", "check"],
    "topics create": ["topics", "create"],
}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_no_broker_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    """kafka-python's own errors, two for each of its tries, would hide what to do; and nothing is left behind."""
    (tmp_path / "events.jsonl").write_text(json.dumps(EVENT) + "\n")

    done = command("--bootstrap", NOWHERE, *arguments, cwd=tmp_path)

    assert done.returncode == 75, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: no Kafka broker answers at {NOWHERE}"), done.stderr
    assert "stream-rec broker start" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["events.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        (["topics", "check"], "host:99999"),
        (["worker"], "host"),
        (["embedder"], "a:1,,b:2"),
        (["broker", "start"], "kafka://host:9092"),
    ],
)
def test_an_address_that_is_none_is_one_line(tmp_path: Path, arguments: list[str], address: str) -> None:
    """A person must look: exit code 2, what came, and what was expected; no traceback. All: tests/test_addresses.py."""
    done = command(*arguments, cwd=tmp_path, KAFKA_BOOTSTRAP=address)

    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: variable KAFKA_BOOTSTRAP: {EXPECTED}, came {address!r}"), done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
