"""What came too long ago goes, a few records at a time, whoever never comes back; nothing goes while it matters."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from faust.types import TP

from stream_rec.config import Settings
from stream_rec.errors import NewerVersion
from stream_rec.runtime.changelog_topic import State
from stream_rec.runtime.database import Partition
from stream_rec.runtime.table import Table
from stream_rec.stages import expiry
from stream_rec.stages.expiry import CLOCKS_MS, Expiry
from stream_rec.user import seen

SETTINGS = Settings()
WINDOW_MS = 1000 * SETTINGS.user.deduplication_window_s
NOW = 2_000_000_000_000
OVER = NOW - WINDOW_MS - CLOCKS_MS - 1


class Consumer:
    """What is known of the topics: by default nothing is open."""

    def __init__(self) -> None:
        self.reached: dict[TP, float | None] = {}

    def reached_ms(self, tp: TP) -> float | None:
        return self.reached.get(tp, NOW)


class World:
    """Two partitions of a table, without a broker, and what sweeps them."""

    def __init__(self, directory: Path) -> None:
        self.consumer = Consumer()
        self.table = Table("user-state", "app", directory, None, SETTINGS.kafka, versions={seen.PREFIX: seen.VERSION})
        self.table._partitions.update({number: Partition(directory / str(number)) for number in (1, 3)})
        self.table._writer.write = self._write
        self.deleted: list[tuple[int, bytes]] = []
        self.expiry = Expiry(SimpleNamespace(consumer=self.consumer), self.table, SETTINGS)

    async def _write(self, states: list[State]) -> None:
        for state in states:
            assert state.value is None
            self.deleted.append((state.partition, state.key))
            self.table._partitions[state.partition].write([(state.key, None)])

    def holds(self, partition: int, user: bytes, *newest_ms: int) -> None:
        """Let a user have chunks whose newest events came then."""
        chunks = [seen.Chunk(seen.VERSION, 1024 * n, at, b"x" * 64) for n, at in enumerate(newest_ms)]
        self.table._partitions[partition].write(
            [(user, b"state"), *((seen.key_of(user, n), seen.encode(chunk)) for n, chunk in enumerate(chunks))]
        )

    def left(self) -> list[bytes]:
        return [key for number in (1, 3) for key, _ in self.table._partitions[number].scan(b"")]

    def sweep(self, times: int) -> None:
        async def swept() -> None:
            for _ in range(times):
                await self.expiry.sweep()

        asyncio.run(swept())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_over_goes_and_nothing_else_does(world: World):
    """Of each partition in turn; states and markers stay, and so do chunks of which one event may still matter."""
    world.holds(1, b"ann", OVER, OVER + 1)
    world.holds(3, b"bob", OVER - 5, OVER)
    world.sweep(2)

    assert world.deleted == [(1, seen.key_of(b"ann", 0)), (3, seen.key_of(b"bob", 0)), (3, seen.key_of(b"bob", 1))]
    assert [key for key in world.left() if not key.startswith(b"\0meta")] == [seen.key_of(b"ann", 1), b"ann", b"bob"]


def test_a_few_at_a_time_and_all_in_the_end(world: World, monkeypatch: pytest.MonkeyPatch):
    """One sweep looks at some; the next goes on behind them, and after the last begins again."""
    monkeypatch.setattr(expiry, "CHUNKS_AT_ONCE", 3)
    for n in range(10):
        world.holds(1, b"user-%d" % n, OVER if n % 2 else NOW)
    world.sweep(1)
    assert len(world.deleted) == 1
    world.sweep(4)
    assert len(world.deleted) == 5
    world.holds(1, b"user-0", OVER)
    world.sweep(2)
    assert world.deleted[-1] == (1, seen.key_of(b"user-0", 0))


def test_while_old_events_are_still_to_be_taken_what_is_as_old_stays(world: World):
    """After days without a worker: the window is counted back from what comes next, of the slowest topic."""
    world.holds(1, b"ann", OVER)
    for clicks in (None, NOW - 5):
        world.consumer.reached[TP("clicks", 1)] = clicks
        world.sweep(4)
        assert not world.deleted
    world.consumer.reached[TP("clicks", 1)] = NOW
    world.sweep(2)
    assert world.deleted


def test_a_partition_that_was_given_up_is_not_swept(world: World):
    """Nor is anything where none is owned."""
    world.holds(1, b"ann", OVER)
    world.expiry._partition, world.expiry._next = 1, b"\0seen\0"
    del world.table._partitions[1]
    world.sweep(3)
    world.table._partitions.clear()
    world.sweep(1)
    assert not world.deleted


def test_what_a_newer_program_wrote_is_not_touched(world: World):
    """The worker ends."""
    key, value = seen.key_of(b"ann", 0), msgspec.msgpack.encode([seen.VERSION + 1, "all", "new"])
    world.table._partitions[1].write([(key, value)])
    with pytest.raises(NewerVersion, match="version 2, this program reads up to 1: update it"):
        world.sweep(1)
