from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from stream_rec.broker.data_dir import (
    BrokerState,
    choose_ports,
    forget_state,
    is_running,
    live_process,
    read_state,
    write_state,
)
from stream_rec.config import BrokerSettings
from stream_rec.errors import BrokerUnavailable


def local(pid: int, created_s: float) -> BrokerState:
    return BrokerState(kind="local", bootstrap="127.0.0.1:9092", pid=pid, created_s=created_s)


def this_process() -> BrokerState:
    return local(os.getpid(), psutil.Process().create_time())


def listening() -> socket.socket:
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def test_a_state_survives_its_file(tmp_path: Path):
    """What was written is what is read, and nothing is read once it is forgotten."""
    state = BrokerState(kind="docker", bootstrap="127.0.0.1:5", container_id="c0ffee")

    write_state(tmp_path, state)
    assert read_state(tmp_path) == state

    forget_state(tmp_path)
    assert read_state(tmp_path) is None
    forget_state(tmp_path)


@pytest.mark.parametrize("content", ["", "{", '{"kind": "local"}', '{"kind": "moon", "bootstrap": ""}'])
def test_a_broken_state_file_counts_as_none(tmp_path: Path, content: str):
    """A file that a crash left half written must not stop the next start."""
    (tmp_path / "broker.json").write_text(content)

    assert read_state(tmp_path) is None


def test_a_live_process_is_running():
    """A pid with the start time that was noted is our broker."""
    assert is_running(this_process())


def test_a_reused_pid_is_not_our_broker():
    """After a reboot the pid can belong to any other program, which `stop` must not end."""
    state = this_process()

    assert live_process(local(state.pid, state.created_s - 100)) is None


def test_a_stale_pid_is_not_running():
    """A process that has ended is not a broker, also while its parent has not asked for its exit code."""
    process = subprocess.Popen(["sleep", "600"])
    state = local(process.pid, psutil.Process(process.pid).create_time())
    assert is_running(state)

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is a zombie
    assert not is_running(state)

    process.wait()
    assert not is_running(state)


def test_a_container_runs_while_its_port_takes_connections():
    """A container's broker is found without asking the engine."""
    with listening() as server:
        state = BrokerState(kind="docker", bootstrap=f"127.0.0.1:{server.getsockname()[1]}", container_id="c0ffee")
        assert is_running(state)

    assert not is_running(state)


def test_free_ports_are_kept(tmp_path: Path):
    """Clients that noted the address find the broker there after a restart."""
    first = choose_ports(tmp_path, client=0, controller=0)

    assert first.client != first.controller
    assert choose_ports(tmp_path, client=0, controller=0) == first


def test_a_kept_port_that_is_taken_now_is_replaced(tmp_path: Path):
    """Nobody asked for the kept port, so a free one is as good."""
    first = choose_ports(tmp_path, client=0, controller=0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first.client))
        other.listen()
        second = choose_ports(tmp_path, client=0, controller=0)

    assert second.client != first.client
    assert second.controller == first.controller


def test_the_preferred_port_is_taken_where_it_is_free_and_then_kept(tmp_path: Path):
    """Every snippet says 9092; who cannot have it is given another, and keeps that."""
    with listening() as server:
        preferred = server.getsockname()[1]
        other = choose_ports(tmp_path / "other", client=0, controller=0, preferred=preferred)

    assert other.client != preferred
    assert choose_ports(tmp_path / "new", client=0, controller=0, preferred=preferred).client == preferred
    assert choose_ports(tmp_path / "other", client=0, controller=0, preferred=preferred) == other
    assert BrokerSettings().preferred_port == 9092


def test_a_port_that_was_asked_for_wins_over_the_kept_one(tmp_path: Path):
    """A setting is stronger than what the last start happened to take."""
    kept = choose_ports(tmp_path, client=0, controller=0)
    with listening() as server:
        free = server.getsockname()[1]

    assert choose_ports(tmp_path, client=free, controller=0).client == free
    assert choose_ports(tmp_path, client=0, controller=0).client == free != kept.client


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(tmp_path: Path):
    """Another port than the one asked for would be a surprise."""
    with listening() as server, pytest.raises(BrokerUnavailable, match=r"taken by another program.*\[broker\] port"):
        choose_ports(tmp_path, client=server.getsockname()[1], controller=0)

    assert not (tmp_path / "ports.json").exists()
