"""Told to stop, `evaluate` takes its processes and its files with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.command import CLEAN
from tests.evaluation.logs import many_rows, write_events, write_items

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_of_an_evaluation_is_left(tmp_path: Path, number: int):
    """Each method runs in a process of its own, on files of tens of megabytes."""
    (tmp_path / "temporary").mkdir()
    items = write_items(tmp_path / "items.jsonl", [f"i{n}" for n in range(6)])
    events = write_events(tmp_path / "events.jsonl", many_rows())
    command = ["evaluate", "--items", str(items), "--events", str(events), "--encoder", "hashing"]
    started = subprocess.Popen(
        [sys.executable, "-m", "stream_rec", *command, "--baselines", "popularity"],
        cwd=tmp_path,
        env=CLEAN | {"TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not (children := [c for c in psutil.Process(started.pid).children() if "spawn_main" in str(c.cmdline())]):
            assert started.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(started.pid, number)

        assert started.wait(20) == 130
        assert psutil.wait_procs(children, timeout=10)[1] == []
        assert list((tmp_path / "temporary").iterdir()) == []
    finally:
        started.kill()
        started.wait()
