"""What one data directory remembers of its broker: ``broker.json`` while one runs, ``ports.json`` for good."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import psutil
from msgspec import Struct

from stream_rec.errors import BrokerUnavailable
from stream_rec.private_folder import make_private

HOST = "127.0.0.1"
"""The development broker has no passwords, so it listens on this machine only."""

SAME_START_S = 2.0
"""Two readings of one process's start time differ by less than this, also after the clock was set a little."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


class BrokerState(Struct, frozen=True, kw_only=True):
    """A broker that we started, as ``broker.json`` keeps it."""

    kind: Literal["local", "docker"]
    bootstrap: str
    log_path: str = ""
    """File of the Java process's output; empty with docker, where the container keeps it."""
    pid: int = 0
    created_s: float = 0.0
    """When the process began, seconds since 1970: tells a reused pid from ours."""
    container_id: str = ""


class Ports(Struct, frozen=True, kw_only=True):
    """The ports a data directory's broker was given at its first start."""

    client: int
    controller: int


def read_state(data_dir: Path) -> BrokerState | None:
    """Return what ``broker.json`` says, or None where there is none or it is no such file."""
    return _read(data_dir / "broker.json", BrokerState)


def write_state(data_dir: Path, state: BrokerState) -> None:
    """Keep ``state`` in ``broker.json``, in one step."""
    _write(data_dir / "broker.json", state)


def forget_state(data_dir: Path) -> None:
    """Remove ``broker.json``; the data and the ports stay."""
    (data_dir / "broker.json").unlink(missing_ok=True)


def live_process(state: BrokerState) -> psutil.Process | None:
    """Return the process of a local broker, or None where it has ended, also where its pid is another's now."""
    try:
        process = psutil.Process(state.pid)
        ours = abs(process.create_time() - state.created_s) < SAME_START_S
        return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # denied: the pid is another user's now
        return None


def is_running(state: BrokerState) -> bool:
    """Whether the broker is there: its process lives, or its container's port takes connections. It may not answer."""
    if state.kind == "local":
        return live_process(state) is not None
    host, _, port = state.bootstrap.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def choose_ports(data_dir: Path, *, client: int, controller: int, preferred: int = 0) -> Ports:
    """Return the ports to start with and keep them: those asked for, else those of the last start, else free ones.

    Args:
        client: Port that clients use; 0 leaves it to us. ``controller`` likewise.
        preferred: Of clients, at the first start, where it is free; 0: none is.

    Raises:
        BrokerUnavailable: a port that was asked for is taken.
    """
    for port, setting in ((client, "port"), (controller, "controller_port")):
        if port and not _is_free(port):
            raise BrokerUnavailable(
                f"port {port} of {HOST} is taken by another program: stop that one, or set [broker] {setting} "
                "to another port (0 takes a free one)"
            )
    kept = _read(data_dir / "ports.json", Ports) or Ports(client=0, controller=0)
    client = client or _keep_or_choose_port(kept.client or preferred, avoid=controller)
    ports = Ports(client=client, controller=controller or _keep_or_choose_port(kept.controller, avoid=client))
    if kept.client and kept.client != ports.client:
        logger.warning("broker_port_changed was=%d now=%d", kept.client, ports.client)
    _write(data_dir / "ports.json", ports)
    return ports


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):  # a broken file is as good as none: the next start writes it anew
        return None


def _write(path: Path, value: Struct) -> None:
    if not path.parent.exists():
        make_private(path.parent)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(value)))
    draft.replace(path)


def _keep_or_choose_port(kept: int, *, avoid: int) -> int:
    if kept and kept != avoid and _is_free(kept):
        return kept
    while (port := free_port()) == avoid:
        pass
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: closing connections do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port of this machine that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
