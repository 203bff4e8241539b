"""How a process ends."""

from __future__ import annotations

import subprocess
import sys
import time

HANGS = """
import threading, time
from stream_rec.runtime.ending import bound_exit
threading.Thread(target=time.sleep, args=(60,), name="forgotten").start()
bound_exit({seconds})
"""


def test_an_interpreter_that_does_not_end_is_ended_and_says_what_keeps_it():
    """A library's thread, say, for which Python waits without end."""
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", HANGS.format(seconds=0.5)], capture_output=True, text=True)

    assert ended.returncode == 1 and time.monotonic() - began < 30
    assert "Timeout (0:00:00.500000)!" in ended.stderr and "threading.py" in ended.stderr


def test_one_that_ends_in_time_says_nothing():
    """And without a standard error it ends as well."""
    code = "import sys; {first}; from stream_rec.runtime.ending import bound_exit; bound_exit()"
    for first in ("pass", "sys.stderr.close()", "sys.stderr = None"):
        ended = subprocess.run([sys.executable, "-c", code.format(first=first)], capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, ""), first
