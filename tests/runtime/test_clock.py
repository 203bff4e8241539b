"""A clock that is far off is named; the worker does not end in something else an hour or a week later."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import InvalidTimestampError
from aiokafka.structs import RecordMetadata

from stream_rec.config import Settings
from stream_rec.errors import ClockOff
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.batch import Batch, Send
from stream_rec.runtime.changelog_topic import LOG_APPEND_TIME, State
from stream_rec.runtime.clock import MOST_OFF_MS, require_same_time
from stream_rec.runtime.database import Partition
from stream_rec.runtime.table import Table
from stream_rec.testing.pipeline import RunningPipeline
from stream_rec.topics import admin
from tests.command import CLEAN
from tests.kafka.logs import send, zipf_log
from tests.kafka.outcome import assert_same_as_replay
from tests.kafka.settings import quick_settings

NOW_MS = 1_800_000_000_000
DAY_S = 86_400
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, t);
    if (id == CLOCK_REALTIME && !access(getenv("CLOCK_OFF_FILE"), F_OK)) t->tv_sec += atol(getenv("CLOCK_OFF_S"));
    return failed;
}
int gettimeofday(struct timeval *t, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *to) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (to) *to = t.tv_sec;
    return t.tv_sec;
}
"""


@pytest.mark.parametrize("off_ms", [0, MOST_OFF_MS, -MOST_OFF_MS])
def test_up_to_an_hour_is_no_reason(off_ms: int):
    """The broker takes such records."""
    require_same_time(NOW_MS, NOW_MS + off_ms)


@pytest.mark.parametrize(
    ("off_ms", "said"), [(30 * DAY_S * 1000, "30.0 days ahead of"), (-MOST_OFF_MS - 1, "1.0 hours behind")]
)
def test_a_clock_that_is_off_is_named(off_ms: int, said: str, caplog: pytest.LogCaptureFixture):
    """By how much, in which direction, what both say, and what to do."""
    with pytest.raises(ClockOff, match=said) as caught:
        require_same_time(NOW_MS, NOW_MS + off_ms)

    assert "2027-01-15 08:00:00 UTC there" in str(caught.value)
    assert "NTP" in str(caught.value)
    assert f"clock_off why={caught.value}" in caplog.text


def test_a_record_refused_for_its_time_names_the_clock():
    """The embedder writes no claim that would tell it the broker's time."""

    class Refusing:
        async def send(self, *_: object, **__: object) -> asyncio.Future[None]:
            refused = asyncio.get_running_loop().create_future()
            refused.set_exception(InvalidTimestampError())
            return refused

    with pytest.raises(ClockOff, match="ahead of the broker's by more than it allows"):
        asyncio.run(Batch([], None, Refusing()).commit(sends=[Send("item-embeddings", b"tea", b"")]))


def test_a_clock_that_jumps_is_named_before_anything_else_is_sent(tmp_path: Path):
    """Each state that is written tells the broker's time; signals from 30 days ago would be dropped unread."""
    sent: list[str] = []

    class LongAgo:
        async def send(self, topic: str, *_: object, **__: object) -> asyncio.Future[RecordMetadata]:
            sent.append(topic)
            taken = asyncio.get_running_loop().create_future()
            taken.set_result(RecordMetadata(topic, 0, TopicPartition(topic, 0), 0, NOW_MS, LOG_APPEND_TIME, 0))
            return taken

    table = Table("user-state", "app", tmp_path, LongAgo(), KafkaSettings())
    partition = table._partitions[0] = Partition(tmp_path / "0")
    batch = Batch([], table, LongAgo())

    with pytest.raises(ClockOff, match="the broker's: it is"):
        asyncio.run(batch.commit(states=[State(0, b"ann", b"1")], sends=[Send("item-signals", b"tea", b"")]))

    assert sent == ["app-user-state-changelog"]
    assert partition.get(b"ann") is None


@pytest.fixture
def wrong_clock(tmp_path: Path) -> Callable[[int], dict[str, str]]:
    """What makes a process's clock so many seconds wrong, as soon as there is a file ``wrong``."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no C compiler to make a wrong clock with")
    (tmp_path / "clock.c").write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", "clock.so", "clock.c", "-ldl"], cwd=tmp_path, check=True)
    preload, switch = str(tmp_path / "clock.so"), str(tmp_path / "wrong")
    return lambda off_s: {"CLOCK_OFF_S": str(off_s), "CLOCK_OFF_FILE": switch, "LD_PRELOAD": preload}


@pytest.mark.kafka
@pytest.mark.parametrize(("off_s", "said"), [(30 * DAY_S, "ahead of"), (-30 * DAY_S, "behind")])
def test_a_worker_30_days_off_ends_and_says_so(bootstrap: str, tmp_path: Path, wrong_clock, off_s: int, said: str):
    """On a real broker, before it takes a record; without a traceback."""
    kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:10]}-")
    admin.create(msgspec.structs.replace(Settings(), kafka=kafka))
    (tmp_path / "wrong").touch()

    ended = subprocess.run(
        [sys.executable, "-m", "stream_rec", "worker", "--bootstrap", bootstrap, "--topic-prefix", kafka.topic_prefix],
        env=CLEAN | wrong_clock(off_s),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )

    assert ended.returncode == 1
    assert f"clock_off why=the clock of this machine is 30.0 days {said} the broker's" in ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr


@pytest.mark.kafka
@pytest.mark.parametrize(("off_s", "said"), [(30 * DAY_S, "ahead of"), (-30 * DAY_S, "behind")])
def test_a_clock_that_jumps_while_a_worker_runs_is_named(
    bootstrap: str, tmp_path: Path, wrong_clock, off_s: int, said: str, monkeypatch: pytest.MonkeyPatch
):
    """In one line, with the exit code of the start; the next worker with a right clock goes on."""
    log = zipf_log(n_events=300, n_users=20, n_items=20, seed=3)
    for name, value in wrong_clock(off_s).items():
        monkeypatch.setenv(name, value)

    with RunningPipeline(bootstrap, quick_settings(user={"recent_events": 1024}), embedder=False) as running:
        with running.producer() as producer:
            send(producer, log[:150])
            running.wait_until_settled()
            (tmp_path / "wrong").touch()
            send(producer, log[150:])
        worker = running.children["worker-1"]
        code, said_by_it = worker.process.wait(30), worker.log.read_text()
        (tmp_path / "wrong").unlink()
        running.start_worker()
        running.wait_until_settled()

        assert code == 1, said_by_it
        assert f"clock_off why=the clock of this machine is 30.0 days {said} the broker's" in said_by_it
        assert "Traceback" not in said_by_it, said_by_it
        assert_same_as_replay(running, log)
