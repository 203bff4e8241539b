"""One process at a time."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

from stream_rec.file_lock import only_one


def test_a_lock_lets_one_in_at_a_time(tmp_path: Path):
    """The second caller of two enters when the first has left."""
    entered = threading.Event()

    def second() -> None:
        with only_one(tmp_path / "lock", waiting_for="test"):
            entered.set()

    thread = threading.Thread(target=second)
    with only_one(tmp_path / "lock", waiting_for="test"):
        thread.start()
        assert not entered.wait(0.2)
    thread.join(10)
    assert entered.is_set()


def test_a_lock_ends_with_its_process(tmp_path: Path):
    """A start that was killed does not lock out the next one."""
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    with subprocess.Popen(
        ["python3", "-c", code, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        holder.kill()

    began = time.monotonic()
    with only_one(tmp_path / "lock", waiting_for="test"):
        assert time.monotonic() - began < 5
