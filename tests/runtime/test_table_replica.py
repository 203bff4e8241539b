"""A replica holds what the owners' changelog says, whenever it is started, and leaves no trace of its own."""

from __future__ import annotations

import asyncio
import random
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stream_rec.errors import TopicMismatch
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime import table_replica as module
from stream_rec.runtime.changelog_topic import State
from stream_rec.runtime.table_replica import TableReplica
from tests.crash.test_simulated_zombies import Log, Process, Reader
from tests.disk import holding

KEYS = (b"ann", b"bob", b"eve", b"\0seen\0ann")


@asynccontextmanager
async def replica_of(log: Log, directory: Path, monkeypatch: pytest.MonkeyPatch):
    """Start a replica of a table with one partition, follow, and stop it."""
    replica = TableReplica("t", "app", directory, KafkaSettings(partitions=1))

    async def connect() -> None:
        replica._topic.reader = Reader(log)

    monkeypatch.setattr(replica._topic, "start", connect)
    await replica.start()
    try:
        yield replica
    finally:
        await replica.stop()


def contents(replica: TableReplica) -> dict[bytes, bytes]:
    return {key: value for key in KEYS if (value := replica.read(0, key)) is not None}


async def until_read(replica: TableReplica, log: Log) -> None:
    async with asyncio.timeout(5):
        while replica._partitions[0].meta.next_offset < log.end:
            await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(6))
def test_a_replica_follows_owners_and_goes_on_where_it_ended(seed, tmp_path, monkeypatch):
    """Owners follow each other, and those that have lost the partition write late: that does not count."""
    rng = random.Random(seed)
    log, truth = Log(), {}
    zombies: list[Process] = []

    async def live() -> None:
        for number in range(4):
            owner = Process(log, tmp_path / f"owner-{number}")
            await owner.table.own({0})
            async with replica_of(log, tmp_path / "replica", monkeypatch) as replica:
                assert contents(replica) == truth
                for _ in range(rng.randrange(1, 5)):
                    states = [State(0, key, rng.choice([b"%d" % rng.randrange(99), None])) for key in KEYS[:3]]
                    await owner.table.commit(states)
                    truth.update({state.key: state.value for state in states if state.value is not None})
                    for state in states:
                        if state.value is None:
                            truth.pop(state.key, None)
                    if zombies and rng.random() < 0.7:
                        rng.choice(zombies).producer.wake()
                    await until_read(replica, log)
                    assert contents(replica) == truth
                n_records = log.end
            assert log.end == n_records, "a replica wrote"
            owner.producer.is_paused = True
            late = asyncio.create_task(owner.table.commit([State(0, b"ann", b"late")]))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            late.cancel()
            await asyncio.gather(late, return_exceptions=True)
            zombies.append(owner)
            owner.end()
        async with replica_of(log, tmp_path / "new", monkeypatch) as begun_anew:
            assert contents(begun_anew) == truth

    asyncio.run(live())


def test_a_restart_reads_only_what_came_since(tmp_path, monkeypatch):
    """And all of it again where the disk is gone, or is another changelog's."""

    async def live() -> None:
        log = Log()
        owner = Process(log, tmp_path / "owner")
        await owner.table.own({0})
        await owner.table.commit([State(0, b"ann", b"1")])
        for directory, n_read in (("a", log.end), ("a", 0), ("b", log.end)):
            async with replica_of(log, tmp_path / directory, monkeypatch) as replica:
                assert contents(replica) == {b"ann": b"1"}
                assert replica.n_taken == n_read
        owner.end()
        other = Log()
        another = Process(other, tmp_path / "another")
        await another.table.own({0})
        await another.table.commit([State(0, b"bob", b"%d" % n) for n in range(9)])
        async with replica_of(other, tmp_path / "a", monkeypatch) as replica:
            assert contents(replica) == {b"bob": b"8"}
        another.end()

    asyncio.run(live())


def test_a_deleted_state_leaves_the_disk(tmp_path, monkeypatch):
    """Within seconds, as at its owner; also one that was deleted while the replica was away."""
    monkeypatch.setattr(module, "PURGE_S", 0.01)

    async def live() -> None:
        log = Log()
        owner = Process(log, tmp_path / "owner")
        await owner.table.own({0})
        await owner.table.commit([State(0, b"ann", b"Jx7Qpzann"), State(0, b"bob", b"W93mKvbob")])
        replicas = tmp_path / "replica"

        async def until_purged(replica: TableReplica) -> None:
            async with asyncio.timeout(10):
                while replica._partitions[0].is_unpurged:
                    await asyncio.sleep(0.01)

        async with replica_of(log, replicas, monkeypatch) as replica:
            replica._partitions[0].purge()  # from memory to the disk
            assert holding(replicas, b"Jx7Qpzann") and holding(replicas, b"W93mKvbob")
            await owner.table.commit([State(0, b"ann", None)])
            await until_read(replica, log)
            await until_purged(replica)
            assert not holding(replicas, b"Jx7Qpzann")
        await owner.table.commit([State(0, b"bob", None)])
        async with replica_of(log, replicas, monkeypatch) as replica:
            assert contents(replica) == {}
            await until_purged(replica)
        assert not holding(replicas, b"W93mKvbob")
        owner.end()

    asyncio.run(live())


def test_a_changelog_that_is_made_anew_ends_the_replica(tmp_path, monkeypatch):
    """Its states are of another log: the next start begins anew."""

    async def live() -> None:
        log = Log()
        owner = Process(log, tmp_path / "owner")
        await owner.table.own({0})
        async with replica_of(log, tmp_path / "replica", monkeypatch) as replica:
            await owner.table.commit([State(0, b"ann", b"1")])
            await until_read(replica, log)
            replica._topic.reader._at = 0
            async with asyncio.timeout(5):
                while not replica.crashed:
                    await asyncio.sleep(0.01)
            assert isinstance(replica.crash_reason, TopicMismatch)
        owner.end()
        shutil.rmtree(tmp_path / "replica")

    asyncio.run(live())
