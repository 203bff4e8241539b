"""The development broker in a container, through testcontainers; it outlives the process that starts it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_rec.broker.data_dir import HOST, BrokerState, choose_ports, forget_state, write_state
from stream_rec.broker.jars import NEEDS_EXTRA
from stream_rec.client.reachable import answers
from stream_rec.config import BrokerSettings
from stream_rec.errors import BrokerUnavailable

if TYPE_CHECKING:
    from docker.models.containers import Container

CLIENT_PORT = 9092
"""Inside the container."""

DATA = "/var/lib/kafka/data"
"""Inside the container: a named volume, so that the topics outlive the container."""

CLUSTER_ID = "c3RyZWFtLXJlYy1kZXYtMQ"
"""Of every broker in a container; one that a volume has already is kept."""

STOP_TIMEOUT_S = 20

logger = logging.getLogger(__name__)


def start_docker(settings: BrokerSettings, data_dir: Path) -> BrokerState:
    """Start Kafka in a container and return when it answers. The caller holds the lock of ``data_dir``.

    Raises:
        BrokerUnavailable: the extra or the engine is missing, the image cannot be had, the port is taken, or Kafka
            did not answer in time; the message ends with the last lines of its log.
    """
    name = _name(data_dir)
    with _engine() as engine:
        _remove(engine, name)  # of a start that was killed, or of a container that ended by itself
        ports = choose_ports(data_dir, client=settings.port, controller=0, preferred=settings.preferred_port)
        try:
            container = _create(settings, name, ports.client)
        except BrokerUnavailable:
            _remove(engine, name)  # it can be made and not start, as when the engine itself finds the port taken
            raise
        state = BrokerState(kind="docker", bootstrap=f"{HOST}:{ports.client}", container_id=container.id)
        write_state(data_dir, state)
        logger.info("started_container name=%s id=%s image=%s", name, container.short_id, container.image.tags[:1])
        try:
            await_container(state, settings.start_timeout_s)
        except BaseException:  # Ctrl-C too
            _remove(engine, name)
            forget_state(data_dir)
            raise
    return state


def await_container(state: BrokerState, timeout_s: float) -> None:
    """Return when the Kafka in the container answers.

    Raises:
        BrokerUnavailable: the container ended, or does not answer within ``timeout_s``.
    """
    deadline = time.monotonic() + timeout_s
    with _engine() as engine:
        while not answers(state.bootstrap, timeout_s=2):
            if not _is_running(engine, state):
                raise BrokerUnavailable(f"the Kafka container ended while it started; {_last_lines(engine, state)}")
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"the Kafka container does not answer at {state.bootstrap} after {timeout_s:g} s (setting [broker] "
                    f"start_timeout_s); {_last_lines(engine, state)}"
                )
            time.sleep(0.2)


def is_container_running(state: BrokerState) -> bool:
    """Whether the container runs; False also where the engine is gone."""
    with contextlib.suppress(BrokerUnavailable), _engine() as engine:
        return _is_running(engine, state)
    return False


def stop_docker(state: BrokerState) -> None:
    """Stop the container and remove it; its volume, with the topics, stays."""
    with _engine() as engine, contextlib.suppress(_not_found()):
        container = engine.containers.get(state.container_id)
        container.stop(timeout=STOP_TIMEOUT_S)
        container.remove(v=True)  # v: the unnamed volumes only


def remove_volume(data_dir: Path) -> None:
    """Remove the topics of the container that was started in ``data_dir`` and is stopped now."""
    with _engine() as engine, contextlib.suppress(_not_found()):
        engine.volumes.get(_name(data_dir)).remove()


def container_environment(settings: BrokerSettings, port: int) -> dict[str, str]:
    """Return Kafka's settings as variables of the official image, which our own image understands too.

    With one of them set the image takes no default of its own, so this is the whole configuration. Clients come in
    by the host's port; the broker speaks with itself by a listener of its own, as the host's address means the
    container from the inside.
    """
    return {
        "CLUSTER_ID": CLUSTER_ID,
        "KAFKA_HEAP_OPTS": f"-Xms{min(256, settings.heap_mb)}m -Xmx{settings.heap_mb}m",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{CLIENT_PORT},CONTROLLER://localhost:9093,INTERNAL://localhost:9094",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port},INTERNAL://localhost:9094",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LOG_DIRS": DATA,
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_LOG_CLEANER_BACKOFF_MS": "1000",
    }


def _create(settings: BrokerSettings, name: str, port: int) -> Container:
    """Create the container and start it, with no Ryuk beside it, which would end it together with this process."""
    from docker.errors import APIError, DockerException
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    image = f"{settings.image}:{settings.kafka_version}"
    was_disabled = testcontainers_config.ryuk_disabled
    testcontainers_config.ryuk_disabled = True
    try:
        container = DockerContainer(image, env=container_environment(settings, port), name=name)
        container.with_volume_mapping(name, DATA, "rw")
        # with_bind_ports would open the port, which asks for no password, to the network
        container.ports[f"{CLIENT_PORT}/tcp"] = (HOST, port)  # type: ignore[assignment]
        logger.info("starting_container image=%s", image)
        return container.start().get_wrapped_container()
    except (APIError, DockerException) as error:
        raise BrokerUnavailable(
            f"the container engine could not run {image} ({error}): if it cannot pull the image, set [broker] image "
            "to one it has, or leave out --docker"
        ) from error
    finally:
        testcontainers_config.ryuk_disabled = was_disabled


@contextlib.contextmanager
def _engine() -> Iterator[Any]:
    """Open the container engine that testcontainers would use, as docker's own client.

    Raises:
        BrokerUnavailable: the extra is missing, or no engine answers.
    """
    try:
        from docker.errors import DockerException
        from testcontainers.core.docker_client import DockerClient
    except ImportError as error:
        raise BrokerUnavailable(NEEDS_EXTRA) from error
    try:
        engine = DockerClient().client
        engine.ping()
    except (DockerException, OSError) as error:
        raise BrokerUnavailable(
            f"no container engine answers ({error}): start Docker, or Podman's service with DOCKER_HOST set to its "
            "socket, or leave out --docker"
        ) from error
    with contextlib.closing(engine):
        yield engine


def _not_found() -> type[Exception]:
    """The engine's error for what is not there; where the extra is missing there is nothing to catch."""
    try:
        from docker.errors import NotFound
    except ImportError:
        return BrokerUnavailable
    not_found: type[Exception] = NotFound
    return not_found


def _name(data_dir: Path) -> str:
    """Name of container and volume: one per data directory."""
    return f"stream-rec-broker-{hashlib.sha256(str(data_dir).encode()).hexdigest()[:10]}"


def _remove(engine: Any, name: str) -> None:
    with contextlib.suppress(_not_found()):
        engine.containers.get(name).remove(force=True, v=True)  # v: the unnamed volumes only


def _is_running(engine: Any, state: BrokerState) -> bool:
    with contextlib.suppress(_not_found()):
        return str(engine.containers.get(state.container_id).status) == "running"
    return False


def _last_lines(engine: Any, state: BrokerState, n: int = 15) -> str:
    """Return the last lines of the container's log, for an error message."""
    with contextlib.suppress(_not_found()):
        log = engine.containers.get(state.container_id).logs(tail=n).decode(errors="replace")
        return f"its log ends with:\n{log}"
    return "its log is gone"
