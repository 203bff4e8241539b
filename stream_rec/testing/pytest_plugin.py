"""The plugin for pytest: a broker, a running pipeline and a replay as fixtures, loaded by pytest itself.

It is loaded in every test session where stream-rec is installed, so it imports nothing of it before a fixture is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stream_rec.config import Settings
    from stream_rec.testing.live import LivePipeline
    from stream_rec.testing.pipeline import RunningPipeline
    from stream_rec.testing.watch import Watch

BROKERS = ("auto", "environment", "local", "testcontainers")
OPTION = "--stream-rec-broker"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be set."""
    of_broker = f"Kafka of the tests: {', '.join(BROKERS)} (auto: $KAFKA_BOOTSTRAP, else local)"
    parser.addini("stream_rec_broker", of_broker, default="auto")
    parser.addini("stream_rec_settings", "TOML file with settings of the pipeline under test", default="")
    parser.getgroup("stream-rec").addoption(OPTION, choices=BROKERS, default=None, help=of_broker)


def pytest_configure(config: pytest.Config) -> None:
    """Have nothing said of kafka-python's own warnings, 200 of them on Python 3.11."""
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")


@pytest.fixture(scope="session")
def kafka_broker(pytestconfig: pytest.Config) -> Iterator[str]:
    """Address of the Kafka that the tests use, as `stream_rec_broker` says; one that was started ends with them."""
    from stream_rec.errors import StreamRecError
    from stream_rec.testing.choice import choose_broker

    where = pytestconfig.getoption(OPTION) or pytestconfig.getini("stream_rec_broker")
    if where not in BROKERS:
        pytest.fail(f"stream_rec_broker = {where}: expected one of {', '.join(BROKERS)}", pytrace=False)
    try:
        chosen = choose_broker(where, os.environ)
        address = chosen.__enter__()
    except StreamRecError as error:
        pytest.fail(f"no Kafka for the tests (stream_rec_broker = {where}): {error}", pytrace=False)
    try:
        yield address
    finally:
        chosen.__exit__(None, None, None)


@pytest.fixture(scope="session")
def stream_rec_settings(pytestconfig: pytest.Config) -> Settings:
    """Settings of the pipeline under test: the hashing encoder and short intervals, and over them those of a file.

    Override the fixture to return others.
    """
    from stream_rec.errors import StreamRecError
    from stream_rec.testing.choice import read_settings

    named = pytestconfig.getini("stream_rec_settings")
    try:
        return read_settings(pytestconfig.rootpath / named if named else None)
    except StreamRecError as error:
        pytest.fail(f"stream_rec_settings = {named}: {error}", pytrace=False)


@pytest.fixture(scope="session")
def stream_rec_shared(kafka_broker: str, stream_rec_settings: Settings) -> Iterator[tuple[RunningPipeline, Watch]]:
    """The pipeline that all tests of the session share: started once, with topics of its own."""
    _require("stream_rec.testing.replaying", "worker")
    from stream_rec.testing.live import load_query_encoder, open_pipeline

    with open_pipeline(kafka_broker, stream_rec_settings) as shared:
        load_query_encoder(*shared)
        yield shared


@pytest.fixture
def stream_rec_pipeline(stream_rec_shared: tuple[RunningPipeline, Watch]) -> Iterator[LivePipeline]:
    """A running pipeline with ids of the test's own; its items and rules are gone when the test is over."""
    from stream_rec.testing.live import LivePipeline, new_prefix

    pipeline = LivePipeline(*stream_rec_shared, new_prefix())
    try:
        yield pipeline
    finally:
        pipeline.close()


@pytest.fixture(scope="session")
def stream_rec_http(
    stream_rec_shared: tuple[RunningPipeline, Watch], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of a `stream-rec serve --ranks` beside the pipeline that all tests of the session share."""
    _require("stream_rec.serving.server", "serve")
    from stream_rec.testing.services import running_service

    with running_service(stream_rec_shared[0].settings, tmp_path_factory.mktemp("serve"), "--ranks") as address:
        yield address


@pytest.fixture(scope="session")
def stream_rec_new_pipeline(
    kafka_broker: str, stream_rec_settings: Settings
) -> Callable[..., AbstractContextManager[LivePipeline]]:
    """What starts a pipeline that knows nothing yet, with other settings if need be; a context, which takes seconds."""
    _require("stream_rec.testing.replaying", "worker")
    from stream_rec.testing.live import open_live

    return lambda settings=None: open_live(kafka_broker, settings or stream_rec_settings)


@pytest.fixture(scope="session")
def replay_log(stream_rec_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., object]:
    """``stream_rec.testing.replaying.replay_log`` with the settings of the pipeline under test."""
    _require("stream_rec.testing.replaying", "worker")
    from stream_rec.testing.replaying import replay_log as replay

    cache: Path = tmp_path_factory.mktemp("stream-rec-embeddings")
    return partial(replay, settings=stream_rec_settings, cache=cache)


def _require(module: str, extra: str) -> None:
    """Fail, and say what to install, where what a module needs is not there."""
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        missing = f"the pipeline under test needs {error.name}, which is not installed"
        pytest.fail(f"{missing}: pip install 'stream-rec[{extra},broker]'", pytrace=False)
