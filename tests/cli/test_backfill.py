"""`stream-rec backfill`."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.cli import cli
from stream_rec.client import EventProducer
from stream_rec.client.reader import TopicReader
from stream_rec.errors import FileProblem, TopicMismatch
from stream_rec.events.interaction import KIND_OF_TOPIC
from stream_rec.kafka_settings import KafkaSettings
from tests.client import fresh_topics

pytestmark = pytest.mark.kafka

OLD_MS = 1_500_000_000_000


def line(number: int, user_id: str = "ann", event_type: str = "click", **changed: object) -> dict[str, object]:
    """Return a line of a log, but for what is changed."""
    event = {"event_type": event_type, "event_id": f"e{number}", "user_id": user_id, "item_id": f"i{number}"}
    return {**event, "timestamp_ms": OLD_MS + number, **changed}


def log(path: Path, *lines: dict[str, object] | str) -> Path:
    """Write a log, packed."""
    text = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    path.write_bytes(gzip.compress(text.encode()))
    return path


def address(kafka: KafkaSettings) -> list[str]:
    return ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix, "backfill"]


def run(kafka: KafkaSettings, file: Path, *arguments: object) -> Result:
    """Call the command, which waits for no worker."""
    environ = {"STREAM_REC_KAFKA_PARTITIONS": str(kafka.partitions)}
    command = [*address(kafka), "--events", str(file), "--behind", "0", *map(str, arguments)]
    return CliRunner().invoke(cli, command, env=environ)


def records(kafka: KafkaSettings) -> dict[str, ConsumerRecord]:
    """Return what stands on the topics of events, by event_id; assert that nothing stands there twice."""
    found: dict[str, ConsumerRecord] = {}
    for topic in KIND_OF_TOPIC:
        reader = TopicReader(kafka, topic)
        for record in reader.read_to_end(20):
            event_id = json.loads(record.value)["event_id"]
            assert event_id not in found
            found[event_id] = record
        reader.close()
    return found


@pytest.fixture
def kafka(bootstrap: str) -> KafkaSettings:
    return fresh_topics(bootstrap)


def test_only_what_is_missing_is_sent(kafka: KafkaSettings, tmp_path: Path):
    """Keyed by user, with its own time and a header; what live apps, or the log itself, said before is left out."""
    with EventProducer(kafka) as producer:
        producer.click("ann", "i1", event_id="e1", timestamp_ms=OLD_MS + 1)
        producer.purchase("bob", "i2", event_id="e2")
    file = log(
        tmp_path / "history.jsonl.gz",
        *(line(1), line(2, "bob", "purchase"), line(3), line(3), line(4, "bob", "view"), line(1, "eve", event_id="e9")),
    )

    result = run(kafka, file)

    assert (result.exit_code, result.exception) == (0, None), result.output
    assert "sent 3 events" in result.output and "2 to clicks, 1 to views; 3 were already there" in result.output
    found = records(kafka)
    assert found.keys() == {"e1", "e2", "e3", "e4", "e9"}
    assert (found["e3"].topic, found["e3"].key) == (kafka.topic("clicks"), b"ann")
    assert found["e3"].headers == [("backfill", b"history.jsonl.gz")] and found["e1"].headers == []
    assert json.loads(found["e3"].value)["timestamp_ms"] == OLD_MS + 3
    assert (found["e4"].topic, found["e3"].partition) == (kafka.topic("views"), found["e1"].partition)

    again = run(kafka, file)

    assert (again.exit_code, "sent 0 events" in again.output, "6 were already there" in again.output) == (0, True, True)


def test_the_same_event_id_of_another_user_is_another_event(kafka: KafkaSettings, tmp_path: Path):
    """A user's state tells its events apart by id, and knows no other user's."""
    with EventProducer(kafka) as producer:
        producer.click("ann", "i1", event_id="e1")

    assert "sent 1 events" in run(kafka, log(tmp_path / "h.gz", line(1, "bob"))).output


def test_what_was_rejected_is_not_there(kafka: KafkaSettings, tmp_path: Path):
    """A record that the worker did not take as an event is no reason to leave the event out."""
    from kafka import KafkaProducer

    raw = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    raw.send(kafka.topic("clicks"), key=b"bob", value=json.dumps(line(1)).encode()).get(10)
    raw.close()

    assert "sent 1 events" in run(kafka, log(tmp_path / "h.gz", line(1))).output


def test_bad_lines_are_named_and_counted(kafka: KafkaSettings, tmp_path: Path):
    """All else is sent; the exit code says that something was not."""
    file = log(
        tmp_path / "h.gz",
        *(line(1), "{", line(2, event_type="look"), line(3, timestamp_ms=10**15), line(4, timestamp_ms=-1), line(5)),
    )

    result = run(kafka, file)

    assert result.exit_code == 1
    assert "sent 2 events" in result.output
    assert f"skipped {file}:2: not_json" in result.output
    assert "skipped 4 bad lines: 2 bad_timestamp, 1 not_json, 1 unknown_event_type" in result.output
    assert records(kafka).keys() == {"e1", "e5"}


def test_a_dry_run_sends_nothing(kafka: KafkaSettings, tmp_path: Path):
    """It counts what would be sent, each event once."""
    result = run(kafka, log(tmp_path / "h.gz", line(1), line(2), line(2)), "--dry-run")

    assert (result.exit_code, "would send 2 events: 2 to clicks; 1 were" in result.output) == (0, True), result.output
    assert records(kafka) == {}


def test_who_was_forgotten_does_not_come_back(kafka: KafkaSettings, tmp_path: Path):
    """Events of the generation that was to be forgotten are left out; a later one is of a new one."""
    with EventProducer(kafka) as producer:
        producer.forget("ann")
    later_ms = time.time_ns() // 1_000_000 + 60_000
    file = log(tmp_path / "h.gz", line(1), line(2, timestamp_ms=later_ms), line(3, "bob"))

    result = run(kafka, file)

    assert "1 left out, of users who were forgotten" in result.output
    assert records(kafka).keys() == {"e2", "e3"}


def test_a_limit(kafka: KafkaSettings, tmp_path: Path):
    """Only the first events are looked at."""
    assert "sent 2 events" in run(kafka, log(tmp_path / "h.gz", *map(line, range(5))), "--limit", 2).output


def test_without_workers_it_waits_and_ctrl_c_ends_it(kafka: KafkaSettings, tmp_path: Path):
    """Nobody takes what is sent: after a little it stops sending. Ctrl-C says how far it came; the next run goes on."""
    file = log(tmp_path / "h.gz", *map(line, range(500)))
    arguments = [sys.executable, "-m", "stream_rec", *address(kafka), "--events", str(file), "--behind", "50"]
    environ = {**os.environ, "STREAM_REC_KAFKA_PARTITIONS": str(kafka.partitions)}
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environ)
    n_sent, since = 0, time.monotonic()
    while not n_sent or time.monotonic() - since < 1.0:
        assert time.monotonic() - since < 30, "nothing was sent"
        if len(records(kafka)) != n_sent:
            n_sent, since = len(records(kafka)), time.monotonic()
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=20)[0]

    assert process.returncode == 130
    assert f"stopped by Ctrl-C; sent {n_sent:,} events" in output
    assert n_sent < 250

    assert f"sent {500 - n_sent:,} events" in run(kafka, file).output
    assert len(records(kafka)) == 500


def test_wrong_calls(bootstrap: str, tmp_path: Path):
    """A file that is not there, topics that are not there."""
    nowhere = KafkaSettings(bootstrap=bootstrap, topic_prefix="nowhere-")

    assert isinstance(run(nowhere, tmp_path / "missing").exception, FileProblem)
    assert isinstance(run(nowhere, log(tmp_path / "h.gz", line(1))).exception, TopicMismatch)
    assert CliRunner().invoke(cli, ["backfill"]).exit_code == 2
