"""Impressions in the logs that commands read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_rec.kafka_settings import KafkaSettings
from tests.cli.test_produce import sent
from tests.cli.test_searches import run
from tests.client import fresh_topics
from tests.evaluation.logs import impression_line, many_rows, search_line, write_events, write_items


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a file of an event, an impression, a search, and another event."""
    shown = impression_line("u", ["a", "b"], 2, list_id="l", surface="home")
    return write_events(tmp_path / "log.jsonl", [("u", "a", 1), shown, search_line("u", "cup", 3), ("u", "b", 4)])


def test_a_replay_makes_a_list_for_each_impression(tmp_path: Path, log: Path):
    """As for each event; the last list knows of it."""
    items = write_items(tmp_path / "items.jsonl", ["a", "b"])
    files = ["--items", items, "--events", log, "--out", tmp_path / "out", "--cache", tmp_path / "cache"]
    result = run("replay", *files, "--encoder", "hashing")
    lists = [json.loads(line) for line in (tmp_path / "out").read_bytes().splitlines()]

    assert result.exit_code == 0, result.output
    assert [(made["as_of"]["topic"], made["as_of"]["event_id"]) for made in lists] == [
        ("views", "log-1"), ("impressions", "log-2"), ("searches", "log-3"), ("views", "log-4"),
    ]  # fmt: skip
    assert lists[-1]["seen"] == {"views": 1, "searches": 0, "impressions": 0}


@pytest.mark.slow
def test_what_impressions_bring_takes_two_commands(tmp_path: Path):
    """The second is compared with the first, and says in what they differ; the page counts them."""
    rows = [row for user, item, at in many_rows() for row in (impression_line(user, [item], at), (user, item, at))]
    events = write_events(tmp_path / "shown.jsonl", rows)
    items = write_items(tmp_path / "items.jsonl", [f"i{n}" for n in range(12)])
    files = ["--items", items, "--events", events, "--cache", tmp_path / "cache", "--encoder", "hashing"]
    judged = ["evaluate", *files, "--baselines", "none", "--no-control"]
    first = run(*judged, "--json", tmp_path / "ignored.json", "--ignore-impressions")
    again = run(*judged, "--json", tmp_path / "told.json", "--report", tmp_path, "--against", tmp_path / "ignored.json")
    ignored, told = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("ignored", "told"))

    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert ignored["protocol"]["n_impressions"] == told["protocol"]["n_impressions"] == 120
    assert ignored["protocol"]["digest"] == told["protocol"]["digest"]
    assert ignored["protocol"]["ignores_impressions"] and "ignores_impressions" not in told["protocol"]
    assert told["against"]["settings"] == {"impressions.ignores_impressions": {"base": True, "value": None}}
    assert ignored["results"]["stream_rec"]["ndcg"] != told["results"]["stream_rec"]["ndcg"]
    assert "<dt>impressions</dt><dd>120</dd>" in (tmp_path / "index.html").read_text()


@pytest.mark.kafka
def test_impressions_go_to_their_topic(bootstrap: str, log: Path):
    """Counted beside the others; a backfill sends those that are not there yet."""
    kafka: KafkaSettings = fresh_topics(bootstrap)
    result = run("produce", log, "--limit", 2, kafka=kafka)
    rest = run("backfill", "--events", log, "--behind", 0, kafka=kafka)
    again = run("backfill", "--events", log, "--behind", 0, kafka=kafka)

    assert (result.exit_code, rest.exit_code, again.exit_code) == (0, 0, 0), result.output + rest.output
    assert "1 to impressions, 1 to views" in result.stdout
    assert "sent 2 events" in rest.stdout and "2 were already there" in rest.stdout
    assert "4 were already there" in again.stdout
    assert sent(kafka, "impressions") == [
        {
            "event_id": "log-2",
            "user_id": "u",
            "list_id": "l",
            "items": [{"item_id": "a", "position": 1}, {"item_id": "b", "position": 2}],
            "timestamp_ms": 2000,
            "surface": "home",
        }
    ]
