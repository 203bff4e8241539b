"""A Redis and a PostgreSQL for tests: servers of their own on free ports, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "a secret/of:the@sink"
USER = "lists"
START_S = 60.0
_BINARIES = "/usr/lib/postgresql/*/bin"
"""Where Debian keeps PostgreSQL's programs, beside the path."""


def miss(what: str) -> None:
    """Skip a test, but where CI=true fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def find_program(name: str, package: str) -> str:
    """Return the path of a server's program; where it is missing the test is skipped, or fails."""
    folders = [os.environ.get("PATH", ""), *(str(path) for path in sorted(Path("/").glob(_BINARIES[1:]), reverse=True))]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        miss(f"{name} is not there: apt-get install {package}")
    return str(found)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Server:
    """A server that runs, or does not just now."""

    def __init__(self, url: str, command: list[str], accepts: Callable[[], bool], **options: object) -> None:
        self.url, self._command, self._accepts, self._options = url, command, accepts, options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it answers."""
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, start_new_session=True, **self._options
        )
        deadline = time.monotonic() + START_S
        while not self._accepts():
            assert self.process.poll() is None and time.monotonic() < deadline, f"{self._command[0]} did not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it, and all that it has started, as a power cut would."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextmanager
def redis_server(*options: str) -> Iterator[Server]:
    """Run a Redis that asks for a password and writes every change to its disk."""
    program, port = find_program("redis-server", "redis-server"), free_port()
    with tempfile.TemporaryDirectory(prefix="stream-rec-redis-", ignore_cleanup_errors=True) as folder:
        keeps = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--requirepass", PASSWORD]
        server = Server(f"redis://127.0.0.1:{port}/0", [*command, *keeps, *options], lambda: _answers_redis(port))
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _answers_redis(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
            asked.sendall(b"PING\r\n")
            return asked.recv(100).startswith(b"-NOAUTH")
    except OSError:
        return False


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """Run a PostgreSQL with the user ``lists``, its password and a database of that name; never as root."""
    initdb, postgres = find_program("initdb", "postgresql"), find_program("postgres", "postgresql")
    port, as_user = free_port(), []
    with tempfile.TemporaryDirectory(prefix="stream-rec-postgresql-", ignore_cleanup_errors=True) as folder:
        password = Path(folder, "password")
        password.write_text(PASSWORD)
        if os.geteuid() == 0:
            nobody = _find_user("postgres", "nobody")
            as_user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
            for path in (folder, password):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        data = f"{folder}/data"
        make = [initdb, "-D", data, "-U", USER, "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "-N"]
        subprocess.run([*as_user, *make, "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
        quiet = ["-c", "listen_addresses=127.0.0.1", "-c", "logging_collector=off", "-c", "log_min_messages=panic"]
        command = [*as_user, postgres, "-D", data, "-p", str(port), "-k", folder, *quiet]
        url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        server = Server(url, command, lambda: _answers_postgresql(url), cwd=folder, stderr=subprocess.DEVNULL)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _find_user(*names: str) -> pwd.struct_passwd:
    known = {user.pw_name: user for user in pwd.getpwall()}
    return next(known[name] for name in names if name in known)


def _answers_postgresql(url: str) -> bool:
    psycopg = pytest.importorskip("psycopg", reason="needs the extra `sink`")
    try:
        psycopg.connect(url, password=PASSWORD, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
