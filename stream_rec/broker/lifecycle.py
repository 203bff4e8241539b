"""Find the development broker or start it, stop it, say how it is: what `stream-rec broker` does."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from stream_rec.broker.data_dir import BrokerState, forget_state, is_running, read_state
from stream_rec.broker.find import external_bootstrap
from stream_rec.broker.local import await_answer, kill_local, start_local, stop_local
from stream_rec.client.reachable import answers, require_answering
from stream_rec.config import BrokerSettings, Settings
from stream_rec.errors import StreamRecError
from stream_rec.file_lock import only_one

logger = logging.getLogger(__name__)


class BrokerStatus(Struct, frozen=True, kw_only=True):
    """How a broker is, as plain data."""

    running: bool
    """It answers."""
    kind: Literal["local", "docker", "external", "none"]
    """external: named by the settings or $KAFKA_BOOTSTRAP, not ours."""
    bootstrap: str = ""
    data_dir: str = ""
    pid: int = 0
    container_id: str = ""
    log_path: str = ""
    problem: str = ""
    """Why it does not answer."""


class Started(Struct, frozen=True, kw_only=True):
    """What ``start_broker`` came to."""

    bootstrap: str
    kind: Literal["local", "docker", "external"]
    is_new: bool
    """False: it was running already."""


def start_broker(settings: Settings, environ: Mapping[str, str], *, docker: bool = False) -> Started:
    """Return the broker to use, started where none runs: of several calls at once, one starts it and all find it.

    Raises:
        BrokerUnavailable: it cannot be started, or a broker that is named or runs does not answer.
    """
    if external := external_bootstrap(settings, environ):
        where = "setting kafka.bootstrap" if settings.kafka.bootstrap else "variable KAFKA_BOOTSTRAP"
        remedy = f"{where} names it: without that, one is started here"
        require_answering(msgspec.structs.replace(settings.kafka, bootstrap=external), remedy=remedy)
        return Started(bootstrap=external, kind="external", is_new=False)
    data_dir = _data_dir(settings.broker)
    with only_one(data_dir / "lock", waiting_for="broker_start"):
        state = read_state(data_dir)
        if state is not None and _runs(state):
            _await_answer(state, settings.broker)
            return Started(bootstrap=state.bootstrap, kind=state.kind, is_new=False)
        if docker:
            from stream_rec.broker.docker import start_docker

            state = start_docker(settings.broker, data_dir)
        else:
            state = start_local(settings.broker, data_dir)
    return Started(bootstrap=state.bootstrap, kind=state.kind, is_new=True)


def stop_broker(settings: BrokerSettings, *, keeps_data: bool = True) -> BrokerState | None:
    """Stop the broker that was started in ``data_dir`` and return what it was, or None; its data stays.

    Args:
        keeps_data: Give it time to write down what it has; without, a local one is killed.
    """
    data_dir = _data_dir(settings)
    if not data_dir.exists():
        return None
    with only_one(data_dir / "lock", waiting_for="broker_stop"):
        state = read_state(data_dir)
        if state is None:
            return None
        was_running = _runs(state)
        if state.kind == "docker":
            from stream_rec.broker.docker import stop_docker

            stop_docker(state)
        elif keeps_data:
            stop_local(state)
        else:
            kill_local(state)
        forget_state(data_dir)
    return state if was_running else None


def broker_status(settings: Settings, environ: Mapping[str, str]) -> BrokerStatus:
    """Return how the broker is that a command would use now."""
    if external := external_bootstrap(settings, environ):
        try:
            require_answering(msgspec.structs.replace(settings.kafka, bootstrap=external))
        except StreamRecError as error:
            return BrokerStatus(running=False, kind="external", bootstrap=external, problem=str(error))
        return BrokerStatus(running=True, kind="external", bootstrap=external)
    data_dir = _data_dir(settings.broker)
    state = read_state(data_dir)
    if state is None or not _runs(state):
        return BrokerStatus(running=False, kind="none", data_dir=str(data_dir), problem="none was started here")
    is_answering = answers(state.bootstrap, timeout_s=5)
    return BrokerStatus(
        running=is_answering,
        kind=state.kind,
        bootstrap=state.bootstrap,
        data_dir=str(data_dir),
        pid=state.pid,
        container_id=state.container_id,
        log_path=state.log_path,
        problem="" if is_answering else "it runs and does not answer: it may be starting still, see its log",
    )


def _data_dir(settings: BrokerSettings) -> Path:
    return Path(settings.data_dir).absolute()


def _runs(state: BrokerState) -> bool:
    """Whether our broker is there; a container is asked for by its id, as another program may have its port now."""
    if state.kind == "docker":
        from stream_rec.broker.docker import is_container_running

        return is_container_running(state)
    return is_running(state)


def _await_answer(state: BrokerState, settings: BrokerSettings) -> None:
    """Return when the broker that runs already answers: the process that started it may have been killed meanwhile."""
    if settings.port and not state.bootstrap.endswith(f":{settings.port}"):
        logger.warning("broker_runs_on_another_port asked=%d running=%s", settings.port, state.bootstrap)
    if state.kind == "docker":
        from stream_rec.broker.docker import await_container

        await_container(state, settings.start_timeout_s)
    else:
        await_answer(state, settings.start_timeout_s)
