"""A real Chromium for tests of pages, and the dashboard as a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from stream_rec.config import Settings, as_toml, override

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Return the path of a Chromium: that of $CHROMIUM, else one on the path; None for Playwright's own."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser. Where there is none a test is skipped, but where CI=true it fails."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        _miss(f"{error.name} is not installed")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=find_chromium(), args=["--no-sandbox"]
            )  # root has none
        except Error as error:
            _miss(f"no Chromium: {str(error)[:300]}")
        try:
            yield browser
        finally:
            browser.close()


def _miss(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@contextmanager
def running_dashboard(settings: Settings, folder: Path) -> Iterator[str]:
    """Run `stream-rec dashboard`, and give its address once it answers; it ends as it was told to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    flags = {"dashboard.port": port, "dashboard.data_dir": str(folder / "dashboard")}
    file = folder / "dashboard.toml"
    file.write_text(as_toml(msgspec.to_builtins(override(settings, flags))))
    command = [sys.executable, "-m", "stream_rec", "--config", str(file), "dashboard"]
    log = folder / "dashboard.log"
    with log.open("ab") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            while not _answers(f"{address}/healthz"):
                assert process.poll() is None, log.read_text()[-3000:]
                time.sleep(0.1)
            yield address
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0, log.read_text()[-3000:]
        finally:
            process.kill()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
