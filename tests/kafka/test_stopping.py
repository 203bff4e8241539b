"""Worker and embedder told to stop at a terminal: whatever became of those who read what they log."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from stream_rec.config import Settings
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.topics import admin
from tests.command import CLEAN

pytestmark = pytest.mark.kafka

PIPE_BYTES = 4096
ROLES = ("worker", "embedder")


class Logging:
    """A worker or an embedder whose output goes into a pipe, as before `| tee log`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def wait_until_ready(self) -> None:
        """Read what it says until it is ready."""
        assert any(b" ready instance=" in line for line in self.process.stdout)

    def fill_pipe(self) -> None:
        """Read no more, and return when lines wait in its pipe, which is too small for those that stopping makes."""
        fcntl.fcntl(self.process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        wait_for(lambda: self._n_unread() > 0)

    def _n_unread(self) -> int:
        return struct.unpack("i", fcntl.ioctl(self.process.stdout, termios.FIONREAD, b"\0\0\0\0"))[0]


@contextmanager
def logging_to_a_pipe(role: str, bootstrap: str, directory: Path, level: str = "info") -> Iterator[Logging]:
    """Run a worker or an embedder on topics of its own."""
    prefix = f"t{uuid.uuid4().hex[:10]}-"
    kafka = KafkaSettings(bootstrap=bootstrap, topic_prefix=prefix, partitions=1)
    admin.create(msgspec.structs.replace(Settings(), kafka=kafka))
    process = subprocess.Popen(
        [sys.executable, "-m", "stream_rec", "--log-level", level, role, "--data-dir", str(directory / "data")],
        cwd=directory,
        env=CLEAN
        | {
            "STREAM_REC_KAFKA_BOOTSTRAP": bootstrap,
            "STREAM_REC_KAFKA_TOPIC_PREFIX": prefix,
            "STREAM_REC_KAFKA_PARTITIONS": "1",
            "STREAM_REC_EMBEDDER_ENCODER": "hashing",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    )
    try:
        yield Logging(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_for(fact: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Return when it is so."""
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["ctrl-c", "terminal closed"])
@pytest.mark.parametrize("role", ROLES)
def test_a_dead_pipe_stops_no_one_from_stopping(bootstrap: str, tmp_path: Path, role: str, number: int):
    """Ctrl-C ends `tee` first, and a terminal that is closed takes no more output: both end with 0 all the same."""
    with logging_to_a_pipe(role, bootstrap, tmp_path) as run:
        run.wait_until_ready()
        run.process.stdout.close()
        os.kill(run.process.pid, number)

        assert run.process.wait(20) == 0


@pytest.mark.parametrize("role", ROLES)
def test_a_second_ctrl_c_ends_what_waits_for_its_log_to_be_read(bootstrap: str, tmp_path: Path, role: str):
    """At once, with what it holds: it is taken again."""
    with logging_to_a_pipe(role, bootstrap, tmp_path, level="debug") as run:
        run.wait_until_ready()
        run.fill_pipe()
        began = time.monotonic()

        def has_ended() -> bool:
            run.process.send_signal(signal.SIGINT)  # two that come close together are one
            return run.process.poll() is not None

        wait_for(has_ended)

        assert run.process.returncode == 130
        assert time.monotonic() - began < 5


def test_told_to_stop_the_watchdog_ends_what_waits_for_its_log_to_be_read(bootstrap: str, tmp_path: Path):
    """Nor does the watchdog wait for its own line to be read."""
    with logging_to_a_pipe("worker", bootstrap, tmp_path, level="debug") as run:
        run.wait_until_ready()
        run.fill_pipe()
        run.process.terminate()

        assert run.process.wait(30) == 75
