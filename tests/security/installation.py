"""A pipeline on a secured broker: ``stream-rec`` as each principal, to its end or as a program that runs on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

import msgspec
from click.testing import CliRunner, Result

from stream_rec.cli import cli
from stream_rec.config import Settings, as_toml
from stream_rec.errors import StreamRecError
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.topics.acls import EMBEDDER, WORKER, user_of
from tests.security.secured_broker import SecuredBroker

PROGRAMS = {"worker": WORKER, "embedder": EMBEDDER}


class Program(NamedTuple):
    """A worker or an embedder that runs."""

    process: subprocess.Popen[bytes]
    ready_file: Path
    log: Path

    def is_ready(self) -> bool:
        """Whether it has its partitions and their state; fails where it has ended."""
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8", errors="replace")[-5000:]
        return self.ready_file.exists()

    def stop(self) -> int:
        """Have it end, and return its exit code; it may have ended before."""
        self.process.terminate()
        return self.process.wait(30)


class Installation:
    """A secured broker, a folder, and the settings file of each principal."""

    def __init__(
        self, broker: SecuredBroker, directory: Path, settings: Settings, mechanism: str = "SCRAM-SHA-512"
    ) -> None:
        self.broker = broker
        self.mechanism = mechanism
        self.directory = directory
        self.programs: dict[str, Program] = {}
        self._settings = settings

    def kafka(self, principal: str, **changed: object) -> KafkaSettings:
        """Return the settings with which a principal logs in."""
        mine = self._settings.kafka
        logged_in = self.broker.as_user(user_of(principal, self._settings), self.mechanism)
        same = {"partitions": mine.partitions, "topic_prefix": mine.topic_prefix}
        return msgspec.structs.replace(logged_in, **(same | changed))

    def command(self, principal: str, *arguments: str, **changed: object) -> list[str]:
        """Return a call of ``stream-rec`` as a principal."""
        return [sys.executable, "-m", "stream_rec", *self._arguments(principal, arguments, changed)]

    def run(self, principal: str, *arguments: str, **changed: object) -> subprocess.CompletedProcess[str]:
        """Run ``stream-rec`` as a principal, to its end."""
        command = self.command(principal, *arguments, **changed)
        return subprocess.run(command, capture_output=True, text=True, env=_environ(), timeout=120, check=False)

    def call(self, principal: str, *arguments: str) -> Result:
        """Run ``stream-rec`` as a principal in this process, which saves the second that its imports take."""
        cleared = dict.fromkeys(os.environ.keys() - _environ().keys())
        return CliRunner().invoke(cli, self._arguments(principal, arguments, {}), env=cleared)

    def refusal(self, principal: str, *arguments: str) -> StreamRecError:
        """Return the error that ``stream-rec`` ends with as a principal: of this its users see the message alone."""
        result = self.call(principal, *arguments)
        assert isinstance(result.exception, StreamRecError), (result.output, repr(result.exception))
        return result.exception

    def start(self, role: str) -> None:
        """Start a worker or an embedder, as its principal; it logs all it can."""
        log = self.directory / f"{role}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(PROGRAMS[role], "--log-level", "debug", role),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environ(),
                start_new_session=True,
            )
        self.programs[role] = Program(process, self.directory / role / f"{role}-1" / "ready", log)

    def _arguments(self, principal: str, arguments: tuple[str, ...], changed: dict[str, object]) -> list[str]:
        sections: dict[str, object] = {"kafka": self.kafka(principal, **changed)}
        for role in PROGRAMS:
            data_dir = str(self.directory / role)
            sections[role] = msgspec.structs.replace(getattr(self._settings, role), data_dir=data_dir)
        file = self.directory / f"{principal}.toml"
        settings = msgspec.structs.replace(self._settings, **sections)
        file.write_text(as_toml(msgspec.to_builtins(settings)), encoding="utf-8")
        return ["--config", str(file), *arguments]


@contextmanager
def service(
    installation: Installation, principal: str, directory: Path, *arguments: str, status_interval_s: float = 1.0
) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Run a service, and give what asks an address of it; it ends as it was told to. Its log is ``directory/log``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def answered(path: str) -> dict[str, Any]:
        assert process.poll() is None, (directory / "log").read_text()
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                return json.load(answer)
        except URLError:
            return {}

    command = installation.command(principal, *arguments, "--port", str(port))
    environ = os.environ | {"STREAM_REC_TELEMETRY_STATUS_INTERVAL_S": str(status_interval_s)}
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory, env=environ)
    try:
        yield answered
    finally:
        process.terminate()
        assert process.wait(30) == 0, (directory / "log").read_text()


def _environ() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("STREAM_REC_") and k != "KAFKA_BOOTSTRAP"}
