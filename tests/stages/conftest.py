"""What tests of the stages share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream_rec.stages import upkeep as upkeeping
from tests.stages.kept import Kept, with_share
from tests.stages.stage import Stage


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable]:
    loop = asyncio.new_event_loop()
    yield lambda scenario: loop.run_until_complete(scenario(Stage(tmp_path)))
    loop.close()


@pytest.fixture
def keep(run, monkeypatch):
    """Run a scenario with lists that are kept fresh, all in one step; without a budget for those of another world."""
    monkeypatch.setattr(upkeeping, "WITHIN_S", 0.0)

    def run_kept(scenario, *, share: float = 0.0) -> None:
        async def with_kept(stage: Stage) -> None:
            await scenario(Kept(stage, with_share(share)))

        run(with_kept)

    return run_kept
