"""Searches in the logs that commands read."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream_rec.cli import cli
from stream_rec.kafka_settings import KafkaSettings
from tests.cli.test_produce import sent
from tests.client import fresh_topics
from tests.evaluation.logs import search_line, write_events, write_items

VIEW = {"event_type": "view", "user_id": "u", "item_id": "a", "event_id": "e", "timestamp": 1, "source_type": "nicer"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a file of one event, which a critique came of, a search, and another event."""
    return write_events(tmp_path / "log.jsonl", [json.dumps(VIEW), search_line("u", "blue cup", 2), ("u", "b", 3)])


def run(*arguments: object, kafka: KafkaSettings | None = None) -> Result:
    """Call a command."""
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix] if kafka else []
    return CliRunner().invoke(cli, [*address, *map(str, arguments)])


@pytest.fixture
def replayed(tmp_path: Path, log: Path):
    """Replay the log and return what each list was made on, with the last list, and what the command said."""
    items = write_items(tmp_path / "items.jsonl", ["a", "b"])

    def replay(*arguments: object):
        files = ["--items", items, "--events", log, "--out", tmp_path / "out", "--cache", tmp_path / "cache"]
        result = run("replay", *files, "--encoder", "hashing", *arguments)
        assert result.exit_code == 0, result.output
        lists = [json.loads(line) for line in (tmp_path / "out").read_bytes().splitlines()]
        return [(made["as_of"]["topic"], made["as_of"]["event_id"]) for made in lists], lists[-1], result

    return replay


def test_a_replay_makes_a_list_for_each_search(replayed):
    """As for each event."""
    made_on, last, _ = replayed()

    assert made_on == [("views", "e"), ("searches", "log-2"), ("views", "log-3")]
    assert last["seen"] == {"views": 1, "searches": 0}


def test_a_replay_with_critiques(replayed):
    """Each right behind its event; they count to the limit; a word that no event has is named."""
    made_on, _, result = replayed("--critiques", "nicer,quieter", "--limit", 3)

    assert made_on == [("views", "e"), ("searches", "e-asked"), ("searches", "log-2")]
    assert "no event that was read has the source_type quieter" in result.stderr


def test_items_have_no_critiques(tmp_path: Path):
    """Said before any broker is asked."""
    result = run("produce", write_items(tmp_path / "items.jsonl", ["a"]), "--critiques", "nicer")

    assert result.exit_code == 2
    assert "--critiques are for events" in result.stderr


@pytest.mark.kafka
def test_searches_go_to_their_topic(bootstrap: str, log: Path):
    """Counted beside the others."""
    kafka = fresh_topics(bootstrap)
    result = run("produce", log, "--critiques", "nicer,quieter", kafka=kafka)

    assert result.exit_code == 0, result.output
    assert "delivered 4 records" in result.stdout and "2 to searches, 2 to views" in result.stdout
    assert "no event that was read has the source_type quieter" in result.stderr
    assert sent(kafka, "searches") == [
        {"event_id": "e-asked", "user_id": "u", "query": "nicer", "timestamp_ms": 1000, "item_id": "a"},
        {"event_id": "log-2", "user_id": "u", "query": "blue cup", "timestamp_ms": 2000},
    ]


@pytest.mark.kafka
def test_searches_are_shifted_and_paced_with_the_events(bootstrap: str, log: Path):
    """The last thing happens now, the gaps stay; at a speed each happens when it is sent."""
    kafka = fresh_topics(bootstrap)
    assert run("produce", log, "--shift-to-now", kafka=kafka).exit_code == 0
    times = [message["timestamp_ms"] for topic in ("views", "searches") for message in sent(kafka, topic)]

    assert [moment - times[0] for moment in times] == [0, 2000, 1000]
    assert 0 <= time.time() * 1000 - times[1] < 30_000
    kafka = fresh_topics(bootstrap)
    assert run("produce", log, "--shift-to-now", "--speed", 10, "--limit", 2, kafka=kafka).exit_code == 0
    [view], [search] = sent(kafka, "views"), sent(kafka, "searches")
    assert 90 < search["timestamp_ms"] - view["timestamp_ms"] < 5000


@pytest.mark.kafka
def test_a_backfill_sends_searches_that_are_not_there_yet(bootstrap: str, log: Path):
    """As with events: what stands on the topic counts as sent, by user and id."""
    kafka = fresh_topics(bootstrap)
    first = run("backfill", "--events", log, "--behind", 0, kafka=kafka)
    again = run("backfill", "--events", log, "--behind", 0, kafka=kafka)

    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert "sent 3 events" in first.stdout and "1 to searches" in first.stdout
    assert "3 were already there" in again.stdout
    assert len(sent(kafka, "searches")) == 1
