"""Running time, on a clock and threads of the test's own, and once on real ones."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stream_rec.runtime.running_time import THREADS, RunningTime, waited_s
from tests.hogs import hogs, one_cpu


class World:
    """A clock, and how long each thread has waited for a CPU."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: dict[str, float] = {"1": 7.0}
        self.time = RunningTime(3.0, clock=lambda: self.now, waits=lambda: dict(self.waits))

    def passes(self, seconds: float, **waits: float) -> float:
        """Let time pass in which threads waited; return the running time."""
        self.now += seconds
        for thread, waited in waits.items():
            self.waits[thread[1:]] = self.waits.get(thread[1:], 0.0) + waited
        return self.time()


def test_a_process_that_runs_as_it_wishes_has_all_the_time() -> None:
    """It is then the clock's time, whatever there was before."""
    world = World()
    assert [world.passes(1.0), world.passes(2.0), world.passes(0.5)] == [1.0, 3.0, 3.5]


def test_the_thread_that_has_waited_longest_counts() -> None:
    """Any of them may be the one that is waited for; a new one counts too, and one that has ended does not."""
    world = World()
    assert world.passes(1.0, t1=0.25, t2=0.75) == 0.25
    del world.waits["2"]
    assert world.passes(1.0, t1=0.5) == 0.75


def test_more_waiting_than_time_takes_nothing_back() -> None:
    """Statistics are a little behind now and then."""
    world = World()
    assert [world.passes(1.0, t1=1.5), world.passes(1.0)] == [0.0, 1.0]


def test_a_process_that_was_stopped_had_no_time() -> None:
    """Nobody waits for a CPU then; the look comes late, and only what was planned may have been running time."""
    assert World().passes(60.0) == 3.0


@pytest.mark.slow
@pytest.mark.skipif(not THREADS.exists(), reason="only Linux says how long a thread has waited")
def test_linux_says_how_long_a_starved_thread_waited() -> None:
    """Beside hogs on its CPU a busy process waits most of the time, and its running time says so."""
    code = (
        "import time; from stream_rec.runtime.running_time import RunningTime\n"
        "ran, began = RunningTime(3.0), time.monotonic()\n"
        "while time.monotonic() - began < 2.0: pass\n"
        "print(ran())"
    )
    with one_cpu(), hogs(4, 30.0):
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert float(said.stdout) < 1.2
    assert str(os.getpid()) in waited_s()
