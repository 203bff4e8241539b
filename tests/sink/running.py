"""`stream-rec sink` as a process, on topics of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import UnknownTopicOrPartitionError

from stream_rec.client.connect import connect
from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings, as_toml, override
from stream_rec.sink_settings import SinkSettings
from stream_rec.topics import admin
from tests.command import CLEAN
from tests.kafka.outcome import wait_until
from tests.kafka.test_telemetry import ask, free_port, read_metrics


class RunningSink:
    """One process, as its probes, its log and its end show it."""

    def __init__(self, settings: Settings, folder: Path, name: str = "sink-1") -> None:
        self.port = free_port()
        flags = {"telemetry.port": self.port, "telemetry.status_interval_s": 0.2, "sink.instance_id": name}
        self.settings = override(settings, flags)
        self.log = folder / f"{name}.log"
        file = folder / f"{name}.toml"
        values = msgspec.to_builtins(self.settings)
        self._environ = CLEAN | {"STREAM_REC_SINK_PASSWORD": values["sink"].pop("password")}
        file.write_text(as_toml(values))
        self._command = [sys.executable, "-m", "stream_rec", "--config", str(file), "sink"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self._command, stdout=output, stderr=output, env=self._environ)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def ask(self, path: str) -> tuple[int, str]:
        """Return what it answers; 0 where it does not. Fails where it has ended."""
        assert self.process.poll() is None, self.log.read_text()
        return ask(self.port, path)

    @property
    def why(self) -> str:
        """Why it is not ready; "" where it is, or does not answer."""
        return json.loads(self.ask("/readyz")[1] or "{}").get("why", "")

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        wait_until(lambda: self.ask("/readyz")[0] == 200, timeout_s)

    def said(self, event: str) -> int:
        """Return how often its log has this."""
        assert self.process.poll() is None, self.log.read_text()
        return self.log.read_text().count(f" {event} ") + self.log.read_text().count(f" {event}\n")

    @property
    def metrics(self) -> dict[str, float]:
        return read_metrics(self.port)


@contextmanager
def running(settings: Settings, folder: Path, name: str = "sink-1") -> Iterator[RunningSink]:
    """Start a sink, and give it at once; it is killed at the end where it was not stopped."""
    sink = RunningSink(settings, folder, name)
    sink.start()
    try:
        yield sink
    finally:
        sink.kill()


class Topics:
    """The topics of a pipeline without a worker: a test writes what one would."""

    def __init__(self, bootstrap: str, name: str, sink: SinkSettings) -> None:
        flags = {"kafka.bootstrap": bootstrap, "kafka.topic_prefix": f"{name}-", "kafka.partitions": 2}
        self.settings = msgspec.structs.replace(override(Settings(), flags), sink=sink)
        admin.create(self.settings)
        self._producer = connect(KafkaProducer, self.settings.kafka, acks="all", linger_ms=5)

    def put(self, topic: str, user_id: str, value: bytes | None) -> None:
        self._producer.send(self.settings.kafka.topic(topic), key=user_id.encode(), value=value)

    def flush(self) -> None:
        self._producer.flush(60)

    def newest(self) -> dict[tuple[str, str], bytes]:
        """Return what the topics say, by topic and user."""
        self.flush()
        found: dict[tuple[str, str], bytes] = {}
        for topic in ("recommendations", "surfaces"):
            with closing(TopicReader(self.settings.kafka, topic)) as reader:
                for record in reader.read_to_end(60.0):
                    found.pop((topic, record.key.decode()), None)
                    if record.value is not None:
                        found[topic, record.key.decode()] = record.value
        return found

    def make_again(self, topic: str) -> None:
        """Delete a topic, and make it anew."""
        self.flush()
        with closing(connect(KafkaAdminClient, self.settings.kafka)) as client:
            client.delete_topics([self.settings.kafka.topic(topic)])
        wait_until(lambda: self._creates(self.settings.kafka.topic(topic)))

    def _creates(self, name: str) -> bool:
        try:
            return name in admin.create(self.settings)
        except UnknownTopicOrPartitionError:
            return False

    def close(self) -> None:
        self._producer.close()


def reached(bookmark: bytes | None, topic: str) -> int:
    """Return how many offsets of a topic, by its full name, are before a bookmark."""
    if bookmark is None:
        return 0
    partitions = json.loads(bookmark)["readings"].get(topic, {}).get("partitions", {})
    return sum(next_offset for next_offset, _ in partitions.values())
