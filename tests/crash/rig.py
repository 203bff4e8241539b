"""What a fault may lay hands on: a supervised pipeline under load, the broker, and the wire between them."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from stream_rec.client.connect import connect
from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable
from stream_rec.testing.pipeline import Child
from tests.crash import shop
from tests.crash.broker import Broker, SecondBroker
from tests.crash.lists import Absence, Lists
from tests.crash.load import Load
from tests.crash.supervisor import SupervisedPipeline, Supervisor
from tests.kafka.logs import Logged
from tests.kafka.outcome import open_records
from tests.kafka.settings import quick_settings, with_pushed

SESSION_TIMEOUT_S = 6.0
DISK_BYTES = 2 << 30
ASK_TIMEOUT_S = 90.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Durations:
    """How long each fault lasts."""

    unreachable_s: float = 60.0
    slow_s: float = 20.0
    frozen_process_s: float = SESSION_TIMEOUT_S + 4.0
    frozen_broker_s: float = 40.0
    """Longer than a request may take."""
    refusal_s: float = 8.0
    few_replicas_s: float = 35.0
    """Longer than a produce request is repeated."""
    full_disk_s: float = 10.0
    busy_events: int = 10_000


SHORT = Durations(
    unreachable_s=12.0,
    slow_s=5.0,
    frozen_broker_s=8.0,
    refusal_s=3.0,
    few_replicas_s=5.0,
    full_disk_s=4.0,
    busy_events=2_000,
)
"""For a quick look: some timeouts are then not reached."""


class NotHere(Exception):
    """This machine does not allow the fault."""


class Over(Exception):
    """The run was broken off."""


class Rig:
    """A pipeline of two workers, an embedder and two ingest processes, under load as soon as ``load`` is started."""

    def __init__(self, broker: Broker, log: list[Logged], rate: float, durations: Durations, directory: Path) -> None:
        """Say what is to run; nothing runs yet.

        Args:
            directory: An empty one, for state and logs.
        """
        self.broker = broker
        self._directory = directory
        self.durations = durations
        self._log = log
        self._rate = rate
        self._stack = ExitStack()
        self._over = threading.Event()
        self.strikes: defaultdict[str, list[Absence]] = defaultdict(list)
        """By the thread that a fault happens in."""
        self._hands: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @property
    def supervisor(self) -> Supervisor:
        """Who starts again what ended."""
        return self.running.supervisor

    @property
    def settings(self) -> Settings:
        """The pipeline's settings, but with the broker's direct address."""
        kafka = msgspec.structs.replace(self.running.settings.kafka, bootstrap=self.broker.direct)
        return msgspec.structs.replace(self.running.settings, kafka=kafka)

    def child(self, name: str) -> Child:
        """Return a process as it is now."""
        return self.running.children[name]

    def state_dir(self, worker: str) -> Path:
        """Return where a worker keeps its state."""
        return self.running.directory / "worker" / worker

    def strike(self) -> None:
        """Begin to measure how long users have no lists."""
        self.strikes[threading.current_thread().name].append(self.lists.expect())

    def pause(self, seconds: float) -> None:
        """Let time pass; raises ``Over`` if the run is broken off meanwhile."""
        if self._over.wait(seconds):
            raise Over

    def wait_until(self, fact: Callable[[], object], timeout_s: float = 120.0) -> None:
        """Return when ``fact()`` is true.

        Raises:
            TimeoutError: it was not, for so long.
            Over: the run is broken off.
        """
        deadline = time.monotonic() + timeout_s
        while not fact():
            if time.monotonic() > deadline:
                raise TimeoutError(f"it did not happen within {timeout_s:g} s")
            self.pause(0.1)

    def break_off(self) -> None:
        """Have every fault that is under way end now."""
        self._over.set()
        self.load.stop()

    def settle(self, timeout_s: float) -> None:
        """Return when all that was sent is taken, and all that it caused."""
        self.load.finish()
        self.wait_until(lambda: not self.ask(lambda client: shop.open_orders(client, self.settings)), timeout_s)
        self.running.wait_until_settled(timeout_s)
        self.wait_until(lambda: not open_records(self.running), timeout_s)

    @contextmanager
    def hands_on(self, targets: frozenset[str]) -> Iterator[None]:
        """Wait until no other fault works on one of ``targets``, and keep others off."""
        with ExitStack() as stack:
            for target in sorted(targets):
                stack.enter_context(self._hands[target])
            yield

    @contextmanager
    def topic_config(self, topics: list[str], key: str, value: str, usual: str) -> Iterator[None]:
        """Have topics, by their full names, another setting while the block runs."""
        self._alter(topics, key, value)
        try:
            yield
        finally:
            self._alter(topics, key, usual)

    @contextmanager
    def second_replica(self, topic: str) -> Iterator[SecondBroker]:
        """Have a second broker, with a replica of each partition of a topic, while the block runs."""
        partitions = [TopicPartition(topic, number) for number in range(self.settings.kafka.partitions)]
        with self.broker.second() as second:
            self.ask(
                lambda client: client.alter_partition_reassignments(dict.fromkeys(partitions, (1, second.node_id)))
            )
            self.wait_until(lambda: all(len(found) == 2 for found in self.ask(lambda client: _in_sync(client, topic))))
            try:
                yield second
            finally:
                self.ask(lambda client: client.alter_partition_reassignments(dict.fromkeys(partitions, (1,))))
        # Until then clients are sent to it.
        self.wait_until(lambda: _is_alone(self.ask(KafkaAdminClient.describe_cluster)))

    def ask(self, question: Callable[[KafkaAdminClient], T]) -> T:
        """Return the answer of the broker to an administrator; one that is away is waited for."""
        deadline = time.monotonic() + ASK_TIMEOUT_S
        while True:
            try:
                client = connect(KafkaAdminClient, self.settings.kafka, request_timeout_ms=10_000)
                try:
                    return question(client)
                finally:
                    client.close()
            except (KafkaError, BrokerUnavailable):
                if time.monotonic() > deadline or self._over.is_set():
                    raise
                time.sleep(0.2)

    def resize_disk(self, worker: str, n_bytes: int) -> None:
        """Give the disk under a worker's state another size.

        Raises:
            NotHere: no disk of its own could be made for it.
        """
        if worker not in self._disks:
            raise NotHere("mount refused: a small disk needs root and the permission to mount")
        _mount("-o", f"remount,size={n_bytes}", str(self._disks[worker]))

    def fill_disk(self, worker: str) -> None:
        """Leave a page of room on the disk under a worker's state; raises as ``resize_disk`` does."""
        page = 4096
        for tries_left in reversed(range(20)):
            used = shutil.disk_usage(self.state_dir(worker)).used
            try:
                return self.resize_disk(worker, -(-used // page) * page + page)
            except NotHere:
                if worker not in self._disks or not tries_left:
                    raise  # else it has been written to in between

    def __enter__(self) -> Rig:
        quick = quick_settings(
            user={
                "recent_events": 1024,
                "recent_searches": 256,
                "recent_impressions": 64,
                "weekly_counts": 4096,
                "shown_counts": 4096,
                "context_keys": "country,device,hour,surface",  # what profiles say depends on the order between topics
            },
            embedder={"encoder": "random+hashing"},
            ratings={"scale": "1,5", "events": "view,purchase", "in_lists": True},
            worker={"session_timeout_s": SESSION_TIMEOUT_S, "default_list_interval_s": 1.0, "ready_timeout_s": 90.0},
        )
        settings = with_pushed(quick)
        with ExitStack() as stack:
            self._disks = _small_disks(self._directory / "worker", stack)
            pipeline = SupervisedPipeline(self.broker.through_wire, settings, workers=2, directory=self._directory)
            pipeline.settings = shop.adopting(pipeline.settings)
            self.running = stack.enter_context(pipeline)
            self.ask(lambda client: shop.make_topic(client, self.settings.kafka))
            for started in [self.running.start_ingest(f"ingest-{n}", wait=False) for n in (1, 2)]:
                started.wait_until_ready()
            self.lists = Lists(self.settings.kafka)
            stack.callback(self.lists.close)
            self.load = Load(self.settings.kafka, self._log, self._rate, self.lists.delivered)
            stack.callback(self.load.close)
            self.lists.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _alter(self, topics: list[str], key: str, value: str) -> None:
        changes = [ConfigResource(ConfigResourceType.TOPIC, topic, {key: value}) for topic in topics]
        self.ask(lambda client: client.alter_configs(changes))


def _small_disks(parent: Path, stack: ExitStack) -> dict[str, Path]:
    """Return a disk in memory under the state of each worker, where this machine lets us."""
    disks = {}
    for name in ("worker-1", "worker-2"):
        directory = parent / name
        directory.mkdir(parents=True)
        with suppress(NotHere):
            _mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "stream-rec-crash", str(directory))
            stack.callback(subprocess.run, ["umount", "-l", str(directory)], check=False)
            disks[name] = directory
    return disks


def _is_alone(cluster: dict[str, Any]) -> bool:
    """Whether only one broker of a cluster lives."""
    return sum(not broker["is_fenced"] for broker in cluster["brokers"]) == 1


def _in_sync(client: KafkaAdminClient, topic: str) -> list[list[int]]:
    """Return the replicas in sync of each partition."""
    return [partition["isr_nodes"] for partition in client.describe_topics([topic])[0]["partitions"]]


def _mount(*arguments: str) -> None:
    try:
        subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotHere(f"mount {' '.join(arguments)}: {getattr(error, 'stderr', error)}") from error
