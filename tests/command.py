"""`stream-rec` as a program of its own, with nothing of the caller's environment that would name another Kafka."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NOWHERE = "127.0.0.1:1"
"""Where no broker is."""
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("KAFKA_", "STREAM_REC_"))}
"""The environment without our settings."""


def command(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `stream-rec` in a directory of its own, and return how it ended and what it said."""
    return subprocess.run(
        [sys.executable, "-m", "stream_rec", *arguments],
        env=CLEAN | environ,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )
