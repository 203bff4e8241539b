"""The thread that ranks: who is answered, who is refused, and what happens when its reading ends."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("prometheus_client")

from stream_rec.config import Settings
from stream_rec.errors import BrokerUnavailable
from stream_rec.serving import replica as module
from stream_rec.serving.on_the_spot import NotReady
from stream_rec.serving.replica import Replica, find_neighbours
from tests.serving.shop import ITEMS, Shop


class Reading(Replica):
    """Reads nothing, is ready after its first try has failed, and ranks with its thread's name."""

    n_tries = 0

    async def _follow(self) -> None:
        self.n_tries += 1
        if self.n_tries == 1:
            raise BrokerUnavailable("it has gone")
        self._ranker = threading.current_thread().name
        try:
            await asyncio.Event().wait()
        finally:
            self._close_ranker()


@pytest.fixture
def replica(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "PAUSE_S", 0.05)
    made = Reading(Settings(), tmp_path)
    made.start({})
    yield made
    made.close()


async def until_ready(replica: Replica) -> None:
    async with asyncio.timeout(5):
        while replica.find_why_not_ready():
            await asyncio.sleep(0.005)


def test_it_begins_anew_when_reading_ends(replica: Reading):
    """What is asked meanwhile is refused, with the reason."""
    said = set()

    async def watch() -> None:
        async with asyncio.timeout(5):
            while why := replica.find_why_not_ready():
                said.add(why)
                with pytest.raises(NotReady):
                    await replica.ask("rank", lambda ranker: ranker)
                await asyncio.sleep(0.001)

    asyncio.run(watch())
    assert "ranking on the spot begins anew: it has gone" in said and replica.n_tries == 2


def test_all_work_is_done_by_one_thread(replica: Reading):
    """That is not the one that asks; what goes wrong there goes wrong for who asked."""

    async def ask() -> None:
        await until_ready(replica)
        names = await asyncio.gather(*(replica.ask("rank", lambda r: threading.current_thread().name) for _ in "abc"))
        assert set(names) == {"replica"} == {await replica.ask("rank", lambda ranker: ranker)}
        with pytest.raises(ZeroDivisionError):
            await replica.ask("rank", lambda ranker: 1 / 0)

    asyncio.run(ask())


def test_too_many_that_wait_are_refused_at_once(replica: Reading):
    """And answered again when the others are."""
    go_on = threading.Event()

    async def crowd() -> None:
        await until_ready(replica)
        slow = [asyncio.create_task(replica.ask("rank", lambda r: go_on.wait(5))) for _ in range(module.MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(NotReady, match="64 rankings wait"):
            await replica.ask("rank", lambda ranker: ranker)
        go_on.set()
        assert await asyncio.gather(*slow) == [True] * module.MOST_WAITING
        assert await replica.ask("rank", lambda ranker: ranker)

    asyncio.run(crowd())


def test_who_no_longer_waits_costs_no_ranking(replica: Reading):
    """A client that has gone is not ranked for."""
    go_on, done = threading.Event(), []

    async def leave() -> None:
        await until_ready(replica)
        first = asyncio.create_task(replica.ask("rank", lambda ranker: go_on.wait(5)))
        gone = asyncio.create_task(replica.ask("rank", lambda ranker: done.append("for nobody")))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        go_on.set()
        await first
        await replica.ask("rank", lambda ranker: done.append("for who waits"))

    asyncio.run(leave())
    assert done == ["for who waits"]


def test_neighbours_are_found_before_they_are_asked_for():
    """Those of the most popular items first, then of all."""
    shop = Shop()
    catalog = shop.catalog
    for number in range(300):
        shop.see(f"v{number}", "white-hose", at_ms=900_000 + number)
    steps = find_neighbours(catalog)
    known = catalog.spaces.similar()[0]._n
    known[:] = -1
    next(steps)

    assert np.flatnonzero(known >= 0).tolist() == [catalog.find("white-hose")]
    assert len(list(steps)) == len(ITEMS) - 1 and (known[: len(catalog)] >= 0).all()


def test_it_says_when_it_has_ended(tmp_path: Path):
    """Within a moment, and its thread is gone."""
    replica = Reading(Settings(), tmp_path)
    replica.start({})
    replica.close()

    assert not replica._thread.is_alive()
    assert replica.find_why_not_ready()


def test_before_it_starts_it_says_so_and_can_be_closed(tmp_path: Path):
    """Whoever asks does not wait until then."""
    replica = Reading(Settings(), tmp_path)
    with pytest.raises(NotReady, match="ranking on the spot begins"):
        asyncio.run(asyncio.wait_for(replica.ask("rank", lambda ranker: ranker), 5))
    assert replica.find_why_not_ready()
    replica.close()
    replica.start({})  # by a thread that was opening while the process ended
    assert not replica._thread.is_alive()
