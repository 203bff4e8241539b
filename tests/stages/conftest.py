"""What tests of the stages share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stages.stage import Stage


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable]:
    loop = asyncio.new_event_loop()
    yield lambda scenario: loop.run_until_complete(scenario(Stage(tmp_path)))
    loop.close()
