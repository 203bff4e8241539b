"""Servers for this folder: one Redis and one PostgreSQL a session; each test has a prefix and a table of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from stream_rec.sink_settings import SinkSettings
from tests.sink.held import Store, new_store
from tests.sink.servers import PASSWORD, Server, miss, postgresql_server, redis_server

KINDS = ("redis", "postgresql")


@pytest.fixture(scope="session")
def redis_one() -> Iterator[Server]:
    """A Redis."""
    _require("redis")
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_one() -> Iterator[Server]:
    """A PostgreSQL."""
    _require("psycopg")
    with postgresql_server() as server:
        yield server


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A place in one of them, with nothing in it."""
    server: Server = request.getfixturevalue(f"{request.param}_one")
    store = new_store(settings_for(server))
    try:
        yield store
    finally:
        store.close()


def settings_for(server: Server, **values: Any) -> SinkSettings:
    """Return settings of a sink with this target, and a place of its own there."""
    name = f"t{uuid.uuid4().hex[:10]}"
    return SinkSettings(url=server.url, password=PASSWORD, prefix=f"{name}:", table=name, **values)


def _require(module: str) -> None:
    try:
        __import__(module)
    except ImportError:
        miss(f"{module} is not installed: pip install 'stream-rec[sink]'")
