"""A whole pipeline on a real broker, as child processes: for tests of apps, our own tests, and the demo.

with RunningPipeline(bootstrap) as pipeline:
    with pipeline.producer() as producer:
        producer.click("ann", "teapot")
    pipeline.wait_until_settled()
    with pipeline.view() as view:
        assert view.own("ann")
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import msgspec
from kafka import KafkaAdminClient
from kafka.consumer.fetcher import ConsumerRecord

from stream_rec.client import EventProducer, RecommendationsView, SurfacesView
from stream_rec.client.connect import connect
from stream_rec.client.reader import TopicReader
from stream_rec.config import Settings
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.knowledge import state as item_state
from stream_rec.knowledge.state import ItemState
from stream_rec.operations.lag import open_records
from stream_rec.runtime.changelog import Reading
from stream_rec.testing.choice import write_settings
from stream_rec.topics import admin as topics
from stream_rec.topics.definition import changelogs, load
from stream_rec.user import state as user_state
from stream_rec.user.state import UserState

TERMINATE_S = 30.0
"""A process that hangs ends by itself before: `watchdog.STOP_S`, and then `ending.LEAVE_S`."""


class Child:
    """One of the pipeline's processes."""

    def __init__(self, role: str, name: str, process: subprocess.Popen[bytes], directory: Path, log: Path) -> None:
        self.role = role
        self.name = name
        self.process = process
        self.directory = directory
        self.log = log

    @property
    def is_ready(self) -> bool:
        """Whether it has its partitions and their state."""
        return (self.directory / "ready").exists()

    def wait_until_ready(self, timeout_s: float = 300.0) -> None:
        """Return when it is ready.

        Raises:
            RuntimeError: it ended, or took too long; the message ends with its log.
        """
        self._wait_for(lambda: self.is_ready, timeout_s, "was not ready")

    def wait_for_log(self, text: str, timeout_s: float = 120.0) -> None:
        """Return when its log holds ``text``; raises as ``wait_until_ready`` does."""
        self._wait_for(lambda: text in self.log.read_text(errors="replace"), timeout_s, f"did not log {text!r}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()
        (self.directory / "ready").unlink(missing_ok=True)

    def stop(self) -> int:
        """Ask it to end, and return its exit code; one that does not listen is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(TERMINATE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode

    def _wait_for(self, fact: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not fact():
            code = self.process.poll()
            if code is not None or time.monotonic() > deadline:
                end = f"ended with exit code {code}" if code is not None else f"{otherwise} within {timeout_s:g} s"
                raise RuntimeError(f"{self.name} {end}; the end of its log:\n{end_of_log(self.log)}")
            time.sleep(0.05)


def end_of_log(log: Path) -> str:
    """Return the last lines of a process's log, which say why it ended."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-25:])


class RunningPipeline:
    """Topics of its own on a broker, and the processes that work on them. Ends all of it when the context does."""

    def __init__(
        self,
        bootstrap: str,
        settings: Settings | None = None,
        *,
        workers: int = 1,
        embedder: bool = True,
        directory: Path | None = None,
    ) -> None:
        """Name what is to run; nothing runs yet.

        Args:
            settings: Kafka's address and prefix are put in; the default encoder is `hashing`, which needs no model.
                With a ``telemetry.port``, the first process has that, and each other one the next.
            directory: For state and logs; a temporary one where none is given.
        """
        base = settings or _with(Settings(), embedder={"encoder": "hashing"})
        self._stack = ExitStack()
        self._n_workers = workers
        self._has_embedder = embedder
        self._given_directory = directory
        prefix = base.kafka.topic_prefix or f"t{uuid.uuid4().hex[:10]}-"
        self.settings = _with(base, kafka={"bootstrap": bootstrap, "topic_prefix": prefix})
        self.children: dict[str, Child] = {}

    def __enter__(self) -> RunningPipeline:
        try:
            self.directory = self._given_directory or Path(
                self._stack.enter_context(tempfile.TemporaryDirectory(prefix="stream-rec-", ignore_cleanup_errors=True))
            )
            self.directory.mkdir(parents=True, exist_ok=True)
            topics.create(self.settings)
            started = [self.start_worker(f"worker-{n + 1}", wait=False) for n in range(self._n_workers)]
            if self._has_embedder:
                started.append(self.start_embedder(wait=False))
            for child in started:
                child.wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._stack.close()

    @property
    def has_embedder(self) -> bool:
        """Whether one was asked for."""
        return self._has_embedder

    def stop(self) -> None:
        """End every process, all at once; the topics stay, and logs and state until the context ends."""
        for child in self.children.values():
            if child.process.poll() is None:
                child.process.terminate()
        for child in self.children.values():
            child.stop()

    def delete_topics(self) -> None:
        """Delete the pipeline's topics, so that nothing stays on a broker that others use too."""
        kafka = self.settings.kafka
        own = {kafka.topic(topic.name) for topic in [*load(), *changelogs(self.settings.worker.app_id)]}
        client = connect(KafkaAdminClient, kafka)
        try:
            client.delete_topics(sorted(own & set(client.list_topics())))
        finally:
            client.close()

    def start_worker(self, name: str = "worker-1", *, wait: bool = True) -> Child:
        """Start a worker, or the same one again after it ended."""
        return self._start("worker", name, wait)

    def start_embedder(self, name: str = "embedder-1", *, wait: bool = True) -> Child:
        """Start an embedder, or the same one again after it ended."""
        return self._start("embedder", name, wait)

    def start_ingest(self, name: str = "ingest-1", *, wait: bool = True) -> Child:
        """Start an ingest process, or the same one again after it ended."""
        return self._start("ingest", name, wait)

    def producer(self) -> EventProducer:
        """Return a producer for the pipeline's topics."""
        return EventProducer(self.settings.kafka)

    def view(self) -> RecommendationsView:
        """Return a view of the pipeline's lists."""
        return RecommendationsView(self.settings.kafka)

    def surfaces_view(self) -> SurfacesView:
        """Return a view of the surfaces that the pipeline pushes."""
        return SurfacesView(self.settings.kafka)

    def wait_until_settled(self, timeout_s: float = 120.0) -> None:
        """Return when every event is taken, and everything that it caused.

        Raises:
            RuntimeError: that took longer; the message says which topic is behind.
        """
        deadline = time.monotonic() + timeout_s
        group = self.settings.kafka.topic(self.settings.worker.app_id)
        client = connect(KafkaAdminClient, self.settings.kafka)
        try:
            # Signals are sent before events are acked: when none is open, all signals are in their topic.
            for names in (list(SOURCE_OF_TOPIC), ["item-signals"]):
                full = [self.settings.kafka.topic(name) for name in names]
                while behind := open_records(client, group, full, self.settings.kafka.partitions):
                    if time.monotonic() > deadline:
                        raise RuntimeError(f"not settled within {timeout_s:g} s; records open: {behind}")
                    self.raise_if_ended()
                    time.sleep(0.1)
        finally:
            client.close()

    def raise_if_ended(self) -> None:
        """Return while every process runs, or ended because it was told to.

        Raises:
            RuntimeError: one ended by itself; the message ends with its log.
        """
        for child in self.children.values():
            if child.process.poll() not in (None, 0, -signal.SIGKILL):
                child.wait_until_ready(0)

    def user_states(self) -> dict[str, UserState]:
        """Return every user's state as the changelog has it."""
        return {key: user_state.decode(value) for key, value in self._table("user-state").items()}

    def item_states(self) -> dict[str, ItemState]:
        """Return every item's state as the changelog has it."""
        return {key: item_state.decode(value) for key, value in self._table("item-state").items()}

    def read_compacted(self, topic: str) -> dict[str, bytes]:
        """Return the last value of each key of a topic, named without prefix."""
        return _last_values(self._read(topic))

    def _table(self, name: str) -> dict[str, bytes]:
        """Return what the worker's table ``name`` holds, as its changelog says."""
        readings: dict[int, Reading] = defaultdict(Reading)
        records = self._read(f"{self.settings.worker.app_id}-{name}-changelog")
        counting = [r for r in records if readings[r.partition].counts(r.key, r.value, r.headers)]
        return _last_values([record for record in counting if not record.key.startswith(b"\0")])

    def _read(self, topic: str) -> list[ConsumerRecord]:
        reader = TopicReader(self.settings.kafka, topic)
        try:
            return reader.read_to_end(60.0)
        finally:
            reader.close()

    def _start(self, role: str, name: str, wait: bool) -> Child:
        settings = _with(
            self.settings,
            worker={"data_dir": str(self.directory / "worker")},
            embedder={"data_dir": str(self.directory / "embedder")},
            ingest={"data_dir": str(self.directory / "ingest")},
        )
        file = self.directory / "settings.toml"
        write_settings(settings, file)
        log = self.directory / f"{name}.log"
        directory = self.directory / role / name
        (directory / "ready").unlink(missing_ok=True)
        environ = {k: v for k, v in os.environ.items() if not k.startswith("STREAM_REC_")}
        if port := self.settings.telemetry.port:  # all read one file
            number = list(dict.fromkeys([*self.children, name])).index(name)
            environ["STREAM_REC_TELEMETRY_PORT"] = str(port + number)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "stream_rec", "--config", str(file), role, "--instance-id", name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ,
                start_new_session=True,  # Ctrl-C is for the parent, which ends its children in order
            )
        child = self.children[name] = Child(role, name, process, directory, log)
        if wait:
            child.wait_until_ready()
        return child


def _last_values(records: Iterable[ConsumerRecord]) -> dict[str, bytes]:
    last: dict[str, bytes] = {}
    for record in records:
        if record.value is None:
            last.pop(record.key.decode(), None)
        else:
            last[record.key.decode()] = record.value
    return last


def _with(settings: Settings, **sections: dict[str, object]) -> Settings:
    """Return the settings with some values of some sections replaced."""
    changed = {
        section: msgspec.structs.replace(getattr(settings, section), **values) for section, values in sections.items()
    }
    return msgspec.structs.replace(settings, **changed)
