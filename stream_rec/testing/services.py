"""`stream-rec serve` and `stream-rec dashboard` beside a pipeline under test, as processes of their own."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from stream_rec.broker.data_dir import free_port
from stream_rec.config import Settings, override
from stream_rec.testing.choice import write_settings
from stream_rec.testing.pipeline import end_of_log

START_S = 120.0
END_S = 15.0


@contextmanager
def running_service(
    settings: Settings, folder: Path, *arguments: str, role: Literal["serve", "dashboard"] = "serve"
) -> Iterator[str]:
    """Run a service on a port that is free, and give its address once it is ready. It ends when the context does.

    Args:
        settings: Of the pipeline, ``RunningPipeline.settings``; the port is put in.
        folder: For its settings, its log and what it keeps on disk, where the settings do not say otherwise.
        arguments: More of the command's, as ``--ranks``.

    Raises:
        RuntimeError: it ended, took too long, or did not end as it was told to; the message ends with its log.
    """
    flags: dict[str, object] = {f"{role}.port": free_port()}
    if getattr(settings, role).data_dir == getattr(Settings(), role).data_dir:
        flags[f"{role}.data_dir"] = str(folder / role)
    file, log = folder / f"{role}.toml", folder / f"{role}.log"
    write_settings(override(settings, flags), file)
    address = f"http://127.0.0.1:{flags[f'{role}.port']}"
    command = [sys.executable, "-m", "stream_rec", "--config", str(file), role, *arguments]
    with log.open("ab") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + START_S
            while not _is_ready(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{role} is not ready; the end of its log:\n{end_of_log(log)}")
                time.sleep(0.05)
            yield address
            process.send_signal(signal.SIGTERM)
            if code := process.wait(END_S):
                raise RuntimeError(f"{role} ended with exit code {code}; the end of its log:\n{end_of_log(log)}")
        finally:
            process.kill()


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError, http.client.HTTPException):
        return False
