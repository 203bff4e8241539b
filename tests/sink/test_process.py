"""A sink as a process on a real Kafka: whatever is killed, at whatever moment, its target is equal to the topics."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stream_rec.broker.lifecycle import start_broker, stop_broker
from stream_rec.config import BrokerSettings, Settings, override
from stream_rec.sink.known_targets import new_target
from stream_rec.testing.pipeline import RunningPipeline
from tests.command import command
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings, with_pushed
from tests.kafka.test_telemetry import free_port, statuses
from tests.sink.conftest import settings_for
from tests.sink.fakes import list_of, surfaces_of
from tests.sink.held import Store, new_store
from tests.sink.running import Topics, reached, running
from tests.sink.servers import Server, postgresql_server, redis_server

pytestmark = [pytest.mark.kafka, pytest.mark.thorough]

USERS = [f"user-{n}" for n in range(40)] + ["*"]
KILLS = 8


@pytest.fixture
def topics(bootstrap: str, store: Store) -> Iterator[Topics]:
    """Topics, whose lists are to be in ``store``."""
    made = Topics(bootstrap, store.settings.table, store.settings)
    try:
        yield made
    finally:
        made.close()


def write(topics: Topics, rng: random.Random, n: int, first: int = 0) -> None:
    """Write lists and surfaces, and delete some, in a drawn order."""
    for number in range(first, first + n):
        user = rng.choice(USERS)
        topic = "recommendations" if rng.random() < 0.8 else "surfaces"
        made = (list_of if topic == "recommendations" else surfaces_of)(user, "cup", at_ms=1_700_000_000_000 + number)
        topics.put(topic, user, None if rng.random() < 0.15 else made)


class Writing:
    """Somebody who writes lists all the while, in a thread."""

    def __init__(self, topics: Topics, rng: random.Random) -> None:
        self._topics, self._rng = topics, rng
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        n = 0
        while not self._is_over.wait(0.02):
            write(self._topics, self._rng, 25, n)
            n += 25

    def __enter__(self) -> Writing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._topics.flush()


def wait_until_reached(topics: Topics, more: int) -> None:
    """Return when the target has so many more offsets than now."""
    lists = topics.settings.kafka.topic("recommendations")
    target = new_target(topics.settings.sink)
    target.open()
    with closing(target):
        goal = reached(target.read_bookmark(), lists) + more
        wait_until(lambda: reached(target.read_bookmark(), lists) >= goal)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_after_any_kill_the_target_is_equal_to_the_topics(topics: Topics, store: Store, tmp_path: Path, seed: int):
    """Killed after a drawn number of offsets, while they come in: in the middle of a batch as well as between two."""
    rng = random.Random(seed)
    topics.settings = override(topics.settings, {"sink.batch_records": 20})
    with running(topics.settings, tmp_path) as sink, Writing(topics, rng):
        for _ in range(KILLS):
            wait_until_reached(topics, rng.randint(1, 120))
            sink.kill()
            sink.start()
    with running(topics.settings, tmp_path) as sink:
        newest = topics.newest()
        wait_until(lambda: store.held() == newest)
        sink.wait_until_ready()
        wait_until(lambda: not any(value for name, value in sink.metrics.items() if "_lag_records" in name))
        assert sink.stop() == 0

    assert len(newest) > 20 and "begins_anew" not in sink.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis", "postgresql"])
def test_a_target_that_is_killed_is_waited_for(bootstrap: str, tmp_path: Path, kind: str):
    """It says why in its log and at /readyz, ends nothing and skips nothing; so it does where it begins without one."""
    rng = random.Random(3)
    with {"redis": redis_server, "postgresql": postgresql_server}[kind]() as server:
        settings = settings_for(server, timeout_s=2.0)
        server.kill()
        with closing(Topics(bootstrap, settings.table, settings)) as topics, running(topics.settings, tmp_path) as sink:
            wait_until(lambda: "does not do it" in sink.why)
            assert sink.ask("/healthz") == (200, '{"status":"ok"}') and sink.ask("/readyz")[0] == 503
            server.start()
            sink.wait_until_ready()
            with Writing(topics, rng):
                for _ in range(3):
                    wait_until_reached(topics, rng.randint(1, 80))
                    server.kill()
                    wait_until(lambda: "does not do it" in sink.why)
                    server.start()
                    sink.wait_until_ready()
            newest = topics.newest()
            store = new_store(settings)
            wait_until(lambda: store.held() == newest)
            store.close()
            failures = sink.metrics["stream_rec_target_failures_total"]
            assert sink.stop() == 0

    assert len(newest) > 20 and failures >= 4
    assert sink.log.read_text().count("sink_waits seconds=") == failures


def test_an_erased_user_is_gone_from_the_target(bootstrap: str, store: Store, tmp_path: Path):
    """List and surfaces; the others' stay, and what the worker publishes is there as it stands on the topics."""
    with RunningPipeline(bootstrap, with_pushed(quick_settings())) as pipeline, pipeline.producer() as producer:
        flags = {f"sink.{name}": getattr(store.settings, name) for name in ("url", "password", "prefix", "table")}
        for user in ("ann", "bob"):
            producer.view(user, "teapot")
        producer.flush()
        with running(override(pipeline.settings, flags), tmp_path) as sink:
            wait_until(lambda: {("recommendations", "ann"), ("surfaces", "ann")} <= store.held().keys())
            producer.forget("ann")
            producer.flush()
            wait_until(lambda: "ann" not in {user for _, user in store.held()})
            pipeline.wait_until_settled()
            newest = {
                (topic, key): value
                for topic in ("recommendations", "surfaces")
                for key, value in pipeline.read_compacted(topic).items()
            }
            wait_until(lambda: store.held() == newest)
            assert {user for _, user in newest} == {"bob", "*"}
            assert sink.metrics["stream_rec_deleted_total{recommendations}"] >= 1
            wait_until(lambda: statuses(pipeline)["sink/sink-1"].state == "ready")
            assert sink.stop() == 0
            last = statuses(pipeline)["sink/sink-1"]

    assert (last.state, last.lag) == ("stopping", {"recommendations": 0, "surfaces": 0})
    assert last.written["surfaces"] >= 2 and last.deleted["surfaces"] >= 1 and not last.target_failures


@pytest.mark.slow
def test_a_topic_that_is_made_again_is_read_again(topics: Topics, store: Store, tmp_path: Path):
    """While the sink runs, and while it does not."""
    with running(topics.settings, tmp_path) as sink:
        write(topics, random.Random(4), 300)
        newest = topics.newest()
        wait_until(lambda: store.held() == newest)
        topics.make_again("recommendations")
        for n in range(400):  # more than there were before
            topics.put("recommendations", f"new-{n % 7}", list_of(f"new-{n % 7}", at_ms=n))
        newest = topics.newest()
        wait_until(lambda: store.held() == newest, 120)
        assert sink.stop() == 0
    topics.make_again("recommendations")
    topics.put("recommendations", "other", list_of("other"))
    topics.flush()
    with running(topics.settings, tmp_path) as sink:
        newest = topics.newest()
        wait_until(lambda: store.held() == newest)
        assert sink.stop() == 0

    assert ("recommendations", "other") in newest and sink.log.read_text().count("begins_anew") == 2


def test_a_target_that_has_lost_everything_is_filled_again(topics: Topics, store: Store, tmp_path: Path):
    """As a Redis without a disk, started anew: its bookmark is gone, too."""
    write(topics, random.Random(5), 200)
    with running(topics.settings, tmp_path) as sink:
        newest = topics.newest()
        wait_until(lambda: store.held() == newest)
        store.forget_all()
        wait_until(lambda: store.held() == newest)
        sink.wait_until_ready()
        assert sink.stop() == 0


@pytest.mark.slow
def test_a_second_sink_stands_by_and_takes_over(topics: Topics, store: Store, tmp_path: Path):
    """Both are started at once; one says that it stands by, and is ready to. When the other is killed it goes on."""
    rng = random.Random(6)
    with (
        running(topics.settings, tmp_path, "sink-1") as one,
        running(topics.settings, tmp_path, "sink-2") as two,
        Writing(topics, rng),
    ):
        wait_until(lambda: any(sink.said("stands_by") for sink in (one, two)))
        standing, copying = (one, two) if one.said("stands_by") else (two, one)
        copying.wait_until_ready()
        wait_until_reached(topics, 100)
        standing.wait_until_ready()
        assert not standing.said("takes_over")
        copying.kill()
        wait_until(lambda: standing.said("takes_over"))
        wait_until_reached(topics, 100)
        copying.start()
        wait_until(lambda: one.said("stands_by") + two.said("stands_by") == 2)
        assert standing.process.poll() is None
    with running(topics.settings, tmp_path):
        newest = topics.newest()
        wait_until(lambda: store.held() == newest)


@pytest.mark.slow
def test_a_broker_that_goes_away_is_waited_for(redis_one: Server, tmp_path: Path):
    """The sink says so, and has what came in between once the broker is back; nothing is read anew."""
    broker = BrokerSettings(data_dir=str(tmp_path / "broker"), port=free_port(), preferred_port=0, controller_port=0)
    settings = settings_for(redis_one)
    store = new_store(settings)
    try:
        bootstrap = start_broker(Settings(broker=broker), {}).bootstrap
        with closing(Topics(bootstrap, settings.table, settings)) as topics, running(topics.settings, tmp_path) as sink:
            write(topics, random.Random(7), 100)
            newest = topics.newest()
            wait_until(lambda: store.held() == newest)
            sink.wait_until_ready()
            stop_broker(broker)
            wait_until(lambda: sink.ask("/readyz")[0] == 503)
            assert sink.ask("/healthz")[0] == 200
            start_broker(Settings(broker=broker), {})
            write(topics, random.Random(8), 100, 1000)
            newest = topics.newest()
            wait_until(lambda: store.held() == newest)
            sink.wait_until_ready()
            assert sink.metrics["stream_rec_target_failures_total"] == 0
            assert sink.stop() == 0
    finally:
        stop_broker(broker)
        store.close()

    assert "begins_anew" not in sink.log.read_text() and "sink_waits" in sink.log.read_text()


def test_what_is_wrong_is_said_before_anything_starts(bootstrap: str, tmp_path: Path):
    """No target, no topics, a password where it would be shown."""
    pytest.importorskip("redis")
    kafka = ("--bootstrap", bootstrap, "--topic-prefix", "nobody-has-this-")

    for arguments, exit_code, words in (
        ((), 2, "sink.url is not set"),
        (("--url", "redis://:hunter2@127.0.0.1:1"), 2, "flag --url: the URL holds a password"),
        (("--url", "redis://127.0.0.1:1"), 1, "there is no topic nobody-has-this-recommendations"),
    ):
        ended = command(*kafka, "sink", *arguments, cwd=tmp_path)
        assert (ended.returncode, words in ended.stderr) == (exit_code, True), ended.stderr
        assert "hunter2" not in ended.stderr


def test_a_target_of_another_pipeline_ends_it(topics: Topics, bootstrap: str, store: Store, tmp_path: Path):
    """With exit code 2: a person must say where the lists go."""
    with running(topics.settings, tmp_path) as sink:
        sink.wait_until_ready()
    with (
        closing(Topics(bootstrap, f"{store.settings.table}b", store.settings)) as others,
        running(others.settings, tmp_path) as sink,
    ):
        assert sink.process.wait(60) == 2

    assert "give it another sink.prefix or sink.table" in sink.log.read_text()
    assert "Traceback" not in sink.log.read_text()
