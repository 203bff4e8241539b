"""`stream-rec snapshot export|import`: what is refused. The move itself is in tests/kafka/test_snapshot.py."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from stream_rec.cli import cli
from stream_rec.client.connect import connect
from stream_rec.errors import FileProblem, NewerVersion, NotAtRest, StreamRecError, TopicsInUse
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.snapshot import restore
from tests.client import fresh_topics

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "snapshot-1.bin"
NO_KAFKA = KafkaSettings(bootstrap="127.0.0.1:1", partitions=2)


def run(kafka: KafkaSettings, *arguments: object) -> Result:
    """Call the command."""
    address = ["--bootstrap", kafka.bootstrap, "--topic-prefix", kafka.topic_prefix]
    environ = {"STREAM_REC_KAFKA_PARTITIONS": str(kafka.partitions)}
    return CliRunner().invoke(cli, [*address, "snapshot", *map(str, arguments)], env=environ)


def assert_refused(result: Result, kind: type[StreamRecError], words: str, *, code: int) -> None:
    """Assert that a command ended with an error that the command line makes into this exit code."""
    assert isinstance(result.exception, kind), result.output
    assert words in str(result.exception)
    assert result.exception.exit_code == code


def test_a_damaged_file_is_refused_before_any_broker_is_asked(tmp_path: Path):
    """Cut off, changed, missing, of a newer version: exit code 2, and nothing is written."""
    whole, file = GOLDEN.read_bytes(), tmp_path / "s"
    file.write_bytes(whole[:-100])
    assert_refused(run(NO_KAFKA, "import", file), FileProblem, "or its end is missing", code=2)
    file.write_bytes(whole[:300] + b"\xff" + whole[301:])
    assert_refused(run(NO_KAFKA, "import", file), FileProblem, "get the whole file again", code=2)
    assert_refused(run(NO_KAFKA, "import", tmp_path / "none"), FileProblem, "give a file that exists", code=2)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.json", '{"format": "stream-rec snapshot", "version": 4}')
    assert_refused(run(NO_KAFKA, "import", file), NewerVersion, "has version 4, this program reads up to 3", code=2)


def test_the_exit_code_is_said(tmp_path: Path):
    """The message alone, without a traceback."""
    command = [sys.executable, "-m", "stream_rec", "snapshot", "import", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr.startswith("error: "), "Traceback" in done.stderr) == (2, True, False)


@pytest.fixture
def kafka(bootstrap: str) -> KafkaSettings:
    return fresh_topics(bootstrap)


def n_records(kafka: KafkaSettings, topic: str) -> int:
    """Return how many records a topic has."""
    consumer = connect(KafkaConsumer, kafka, group_id=None)
    ends = consumer.end_offsets([TopicPartition(kafka.topic(topic), number) for number in range(kafka.partitions)])
    consumer.close()
    return sum(ends.values())


def put(kafka: KafkaSettings, topic: str, value: bytes = b"{}") -> None:
    """Write a record."""
    producer = connect(KafkaProducer, kafka)
    producer.send(kafka.topic(topic), key=b"k", value=value).get(10)
    producer.close()


@pytest.mark.kafka
@pytest.mark.parametrize("topic", ["stream-rec-user-state-changelog", "item-signals", "item-knowledge"])
def test_topics_that_hold_records_are_refused(kafka: KafkaSettings, topic: str):
    """A worker has run there, or another import; nothing is added."""
    put(kafka, topic)

    assert_refused(run(kafka, "import", GOLDEN), TopicsInUse, f"{kafka.topic(topic)} (1); delete them", code=1)
    assert (n_records(kafka, topic), n_records(kafka, "items")) == (1, 0)


@pytest.mark.kafka
def test_a_group_that_has_read_is_refused(kafka: KafkaSettings):
    """It would go on where it was, behind the first events of topics that were made anew."""
    client = connect(KafkaAdminClient, kafka)
    place = {TopicPartition(kafka.topic("clicks"), 0): OffsetAndMetadata(3, "", -1)}
    client.alter_group_offsets(kafka.topic("stream-rec"), place)
    client.close()

    assert_refused(run(kafka, "import", GOLDEN), TopicsInUse, "has read topics of this name before", code=1)
    assert n_records(kafka, "items") == 0


@pytest.mark.kafka
def test_events_that_nobody_has_taken_are_not_forgotten(kafka: KafkaSettings, tmp_path: Path):
    """They are in no state: not at rest, unless that is wanted."""
    put(kafka, "clicks")

    result = run(kafka, "export", tmp_path / "s")
    assert_refused(result, NotAtRest, f"no worker has taken: 1 of {kafka.topic('clicks')};", code=1)
    assert list(tmp_path.iterdir()) == []
    live = run(kafka, "export", tmp_path / "s", "--live")
    assert (live.exit_code, "0 user-state" in live.output, "taken live" in live.output) == (0, True, True)
    assert_refused(run(kafka, "export", tmp_path / "s", "--live"), FileProblem, "is there already", code=2)
    assert "taken live: 0 items" in run(kafka, "import", tmp_path / "s", "--dry-run").output


@pytest.mark.kafka
def test_a_worker_that_starts_during_an_import_is_noticed(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch):
    """It has claimed its changelogs, and what came later does not count: the topics cannot be used."""
    require_empty = restore.require_empty

    def then_a_worker_starts(settings):
        require_empty(settings)
        put(kafka, "stream-rec-user-state-changelog")

    monkeypatch.setattr("stream_rec.cli.snapshot.require_empty", then_a_worker_starts)

    result = run(kafka, "import", GOLDEN)

    assert_refused(result, NotAtRest, f"others wrote to {kafka.topic('stream-rec-user-state-changelog')}", code=1)
