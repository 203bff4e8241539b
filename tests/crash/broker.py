"""A Kafka that can be killed, frozen and started again on its own data, with two ways in.

The pipeline reaches it through a proxy, whose address the broker tells it (a listener of its own); the test reaches it
directly, so that what is wrong on the wire is wrong for the pipeline alone.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psutil

from stream_rec.broker.data_dir import HOST, BrokerState
from stream_rec.broker.local import start_local, stop_local
from stream_rec.config import BrokerSettings
from tests.crash.proxy import Proxy

PROPERTIES = """\
listeners=PLAINTEXT://{host}:{client},WIRE://{host}:{upstream},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{client},WIRE://{host}:{wire}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,WIRE:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"""
SECOND_PROPERTIES = """\
process.roles=broker
node.id={node_id}
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{client},WIRE://{host}:{wire}
advertised.listeners=PLAINTEXT://{host}:{client},WIRE://{host}:{wire}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,WIRE:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
"""


class Broker:
    """One Kafka and the wire to it; gone with all its data when the context ends."""

    def __init__(self, settings: BrokerSettings | None = None) -> None:
        """Choose ports; nothing runs yet."""
        client, controller, upstream, wire = free_ports(4)
        self._settings = msgspec.structs.replace(settings or BrokerSettings(), port=client, controller_port=controller)
        self._properties = PROPERTIES.format(
            host=HOST, client=client, controller=controller, upstream=upstream, wire=wire
        )
        self.wire = Proxy(upstream, wire)
        self.direct = f"{HOST}:{client}"
        """Address for the test."""
        self.through_wire = f"{HOST}:{wire}"
        """Address for the pipeline."""
        self._stack = ExitStack()
        self._state: BrokerState | None = None

    @property
    def process(self) -> psutil.Process:
        """The Java process."""
        assert self._state is not None
        return psutil.Process(self._state.pid)

    def start(self) -> None:
        """Start it, on the data that it left, and return when it answers."""
        self._state = start_local(self._settings, self._data_dir, extra_properties=self._properties)

    def kill(self) -> None:
        """End it as a crash of its process would: what it gave to the operating system is kept."""
        process = self.process
        process.kill()
        process.wait()

    def freeze(self) -> None:
        """Stop its clockwork; connections stay."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.process.pid, signal.SIGCONT)

    def second(self) -> SecondBroker:
        """Return another broker of the same cluster; nothing of it runs yet."""
        cluster_id = _value("cluster.id", (self._data_dir / "log" / "meta.properties").read_text())
        return SecondBroker(self._settings, self._data_dir / "second", cluster_id)

    def __enter__(self) -> Broker:
        with ExitStack() as stack:
            directory = tempfile.TemporaryDirectory(prefix="stream-rec-crash-", ignore_cleanup_errors=True)
            self._data_dir = Path(stack.enter_context(directory))
            stack.enter_context(self.wire)
            stack.callback(self._end)
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _end(self) -> None:
        if self._state is None:
            return
        if psutil.pid_exists(self._state.pid):
            self.thaw()
        stop_local(self._state)


class SecondBroker:
    """A broker without controller, for replicas; the context ends it and removes its data."""

    node_id = 2

    def __init__(self, first: BrokerSettings, data_dir: Path, cluster_id: str) -> None:
        client, wire = free_ports(2)
        self._settings = msgspec.structs.replace(first, port=client, controller_port=0)
        self._data_dir = data_dir
        self._cluster_id = cluster_id
        self._properties = SECOND_PROPERTIES.format(
            host=HOST, client=client, wire=wire, node_id=self.node_id, controller=first.controller_port
        )

    def kill(self) -> None:
        """End it as a crash would."""
        process = psutil.Process(self._state.pid)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """Tell it to end, so that the cluster knows at once."""
        stop_local(self._state)

    def __enter__(self) -> SecondBroker:
        log_dir = self._data_dir / "log"
        log_dir.mkdir(parents=True)
        # What `StorageTool format` would write, but for the cluster's id, which it would make anew.
        directory_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        (log_dir / "meta.properties").write_text(
            f"version=1\nnode.id={self.node_id}\ncluster.id={self._cluster_id}\ndirectory.id={directory_id}\n"
        )
        self._state = start_local(self._settings, self._data_dir, extra_properties=self._properties)
        return self

    def __exit__(self, *_: object) -> None:
        stop_local(self._state)
        shutil.rmtree(self._data_dir, ignore_errors=True)


def _value(key: str, properties: str) -> str:
    return next(line.partition("=")[2] for line in properties.splitlines() if line.startswith(f"{key}="))


def free_ports(n: int) -> list[int]:
    """Return ports that nobody listens on, all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(n)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]
