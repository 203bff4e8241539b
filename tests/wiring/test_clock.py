"""A clock that is far off is named; the worker does not end in something else an hour or a week later."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import msgspec
import pytest
from aiokafka.errors import InvalidTimestampError

from stream_rec.config import KafkaSettings, Settings
from stream_rec.errors import ClockOff
from stream_rec.topics import admin
from stream_rec.wiring.batch import Batch, Send
from stream_rec.wiring.clock import MOST_OFF_MS, require_same_time
from tests.command import CLEAN

NOW_MS = 1_800_000_000_000
DAY_S = 86_400
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, t);
    if (id == CLOCK_REALTIME) t->tv_sec += atol(getenv("CLOCK_OFF_S"));
    return failed;
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


@pytest.mark.kafka
@pytest.mark.parametrize(("off_s", "said"), [(30 * DAY_S, "ahead of"), (-30 * DAY_S, "behind")])
def test_a_worker_30_days_off_ends_and_says_so(bootstrap: str, tmp_path: Path, off_s: int, said: str):
    """On a real broker, before it takes a record; without a traceback."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no C compiler to make a wrong clock with")
    (tmp_path / "clock.c").write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", "clock.so", "clock.c", "-ldl"], cwd=tmp_path, check=True)
    kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:10]}-")
    admin.create(msgspec.structs.replace(Settings(), kafka=kafka))
    wrong = {"CLOCK_OFF_S": str(off_s), "LD_PRELOAD": str(tmp_path / "clock.so")}

    ended = subprocess.run(
        [sys.executable, "-m", "stream_rec", "worker", "--bootstrap", bootstrap, "--topic-prefix", kafka.topic_prefix],
        env=CLEAN | wrong,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )

    assert ended.returncode == 1
    assert f"clock_off why=the clock of this machine is 30.0 days {said} the broker's" in ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
