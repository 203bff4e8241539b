"""Tables of several processes over one changelog in memory: whoever is paused, crashes or writes late, nothing is lost.

The log is one that anybody may append to at any time and that is compacted behind its present: what Kafka promises.
A process that lost the partition wakes with records in hand and writes them behind its successor's; another comes with
an old directory, or none. Whoever takes the partition over in the end must find what its owners wrote, each in turn.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from stream_rec.errors import Superseded
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime import changelog, takeover
from stream_rec.runtime.changelog_topic import State
from stream_rec.runtime.table import Table

KEYS = [b"ann", b"bob", b"cy"]
LAG = 40
"""Records at the end that compaction leaves alone: more than are written until the next owner, or check, has come."""


CREATE_TIME = 0
"""Records have their writers' times: nobody's clock is compared with the broker's here."""


class Killed(Exception):
    """The process ended here."""


class Log:
    """One partition."""

    def __init__(self) -> None:
        self.records: list[SimpleNamespace] = []
        self.end = 0

    def append(self, key: bytes, value: bytes | None, headers: list[tuple[str, bytes]]) -> int:
        offset, self.end = self.end, self.end + 1
        self.records.append(
            SimpleNamespace(partition=0, offset=offset, key=key, value=value, headers=tuple(headers), topic="log")
        )
        return offset

    def compact(self) -> None:
        """Take all but the last record of each key, of those that are old enough."""
        old = [r for r in self.records if r.offset < self.end - LAG]
        last = {record.key: record.offset for record in old}
        self.records = [r for r in self.records if r.offset >= self.end - LAG or last[r.key] == r.offset]


class Producer:
    """Appends at once, or holds back what it is given while its process is paused."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.is_paused = False
        self.held: list[tuple[bytes, bytes | None, list[tuple[str, bytes]]]] = []

    async def send(self, topic, value, *, key, partition, headers) -> asyncio.Future:
        future = asyncio.get_running_loop().create_future()
        if self.is_paused:
            self.held.append((key, value, headers))
        else:
            offset = self._log.append(key, value, headers)
            future.set_result(SimpleNamespace(partition=0, offset=offset, timestamp_type=CREATE_TIME))
        return future

    def wake(self) -> None:
        """Write what was held back, late."""
        for key, value, headers in self.held:
            self._log.append(key, value, headers)
        self.held.clear()


class Reader:
    """Reads the log as aiokafka's consumer does."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._at = 0

    def assign(self, sources) -> None:
        self._source = sources[0]

    def seek(self, source, offset: int) -> None:
        self._at = offset

    def pause(self, source) -> None:
        pass

    async def position(self, source) -> int:
        return self._at

    async def end_offsets(self, sources) -> dict:
        return {source: self._log.end for source in sources}

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict:
        found = [record for record in self._log.records if record.offset >= self._at][:7]
        self._at = found[-1].offset + 1 if found else self._log.end
        return {self._source: found}

    async def stop(self) -> None:
        pass


class Process:
    """One process with its table. It may outlive its ownership."""

    def __init__(self, log: Log, directory: Path) -> None:
        self.producer = Producer(log)
        self.table = Table("t", "app", directory, self.producer, KafkaSettings())
        self.table._topic.reader = Reader(log)
        self.directory = directory

    def end(self) -> None:
        """End as a crash does, but for the lock on the database."""
        for partition in self.table._partitions.values():
            partition.close()
        self.table._partitions.clear()


async def life(seed: int, directory: Path, *, compacting: bool) -> None:
    """Let owners follow each other, and compare what the last one finds with what they wrote."""
    rng = random.Random(seed)
    log, truth = Log(), {}
    zombies: list[Process] = []
    for number in range(8):
        old = directory / rng.choice(["a", "b"])
        if rng.random() < 0.3 or any(z.directory == old for z in zombies):
            old = directory / f"new-{number}"
        if rng.random() < 0.2:
            await killed_before_it_wrote_back(Process(log, old))
        process = Process(log, old)
        await process.table.own({0})
        assert contents(process) == truth, f"seed {seed}: owner {number} found another state"
        is_long = rng.random() < 0.1  # and never looks at what others write, but when it writes itself
        for _ in range(2 * LAG if is_long else rng.randrange(6)):
            states = [State(0, key, rng.choice([b"%d" % rng.randrange(10**6), None])) for key in some(rng)]
            await process.table.commit(states)
            truth.update({state.key: state.value for state in states})
            truth = {key: value for key, value in truth.items() if value is not None}
            if rng.random() < 0.3:
                first = rng.choice([None, b"b", b"bob"])
                await process.table.sweep(0, b"b", is_small, first=first, most=1)
                if is_small(truth.get(b"bob", b"999999")):
                    del truth[b"bob"]
            if zombies and rng.random() < 0.5:
                rng.choice(zombies).producer.wake()
            if not is_long and rng.random() < 0.3:
                await process.table.check()
            assert contents(process) == truth
            if compacting and rng.random() < 0.3:
                log.compact()
        if rng.random() < 0.5:  # paused in the middle of a commit, with its records in hand
            process.producer.is_paused = True
            task = asyncio.create_task(process.table.commit([State(0, key, b"late") for key in some(rng)]))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            zombies.append(process)
        process.end()
        if rng.random() < 0.2:
            shutil.rmtree(process.directory)
    last = Process(log, directory / "last")
    await last.table.own({0})
    assert contents(last) == truth
    last.end()
    later = {r.key: r.value for r in log.records if not r.key.startswith(b"\0")}
    assert {key: value for key, value in later.items() if value is not None} == truth  # as compaction leaves it


def is_small(value: bytes) -> bool:
    return int(value) < 500_000


async def left_behind(log: Log, directory: Path) -> None:
    """Let a process write that ann is 1, and end."""
    process = Process(log, directory)
    await process.table.own({0})
    await process.table.commit([State(0, b"ann", b"1")])
    process.end()


async def killed_before_it_wrote_back(process: Process) -> None:
    """Let a process take over and end before it has overwritten anything."""

    async def killed() -> None:
        raise Killed

    process.table._writer.write_back = killed
    with pytest.raises(Killed):
        await process.table.own({0})
    process.end()


def contents(process: Process) -> dict[bytes, bytes]:
    """Return what the table holds."""
    found = {key: process.table.read(0, key) for key in KEYS}
    return {key: value for key, value in found.items() if value is not None}


def some(rng: random.Random) -> Iterable[bytes]:
    return rng.sample(KEYS, rng.randint(1, len(KEYS)))


@pytest.mark.slow
@pytest.mark.parametrize("compacting", [False, True])
def test_the_next_owner_finds_what_the_owners_wrote(tmp_path, monkeypatch, compacting):
    """Late writes, old directories, lost ones, compaction of all but the last claims: in 25 lives each."""
    monkeypatch.setattr(changelog, "CLAIMS", 3)
    for seed in range(25):
        asyncio.run(life(seed, tmp_path / str(seed), compacting=compacting))
        shutil.rmtree(tmp_path / str(seed))


def test_of_two_that_claim_at_once_one_owns(tmp_path):
    """The other sees it at its next write or look, and ends."""

    async def run() -> None:
        log = Log()
        first, second = Process(log, tmp_path / "1"), Process(log, tmp_path / "2")
        await first.table.own({0})
        await first.table.commit([State(0, b"ann", b"1")])
        await second.table.own({0})
        await second.table.commit([State(0, b"bob", b"2")])
        with pytest.raises(Superseded):
            await first.table.check()
        with pytest.raises(Superseded):
            await first.table.commit([State(0, b"ann", b"late")])
        for process in (first, second):
            process.end()
        third = Process(log, first.directory)  # with what the first left on its disk
        await third.table.own({0})
        assert contents(third) == {b"ann": b"1", b"bob": b"2"}
        assert log.records[-1].value == b"1"
        third.end()

    asyncio.run(run())


def test_a_database_of_another_changelog_is_not_used(tmp_path):
    """A broker begun anew, with more records than the old one had, and fewer."""

    async def run(n_records: int) -> None:
        directory = tmp_path / str(n_records)
        old = Process(Log(), directory)
        await old.table.own({0})
        await old.table.commit([State(0, key, b"old") for key in KEYS])
        old.end()
        log = Log()
        for number in range(n_records):
            log.append(b"bob", b"%d" % number, [])
        new = Process(log, directory)
        await new.table.own({0})
        assert contents(new) == {b"bob": b"%d" % (n_records - 1)}
        new.end()

    for n_records in (1, 50):
        asyncio.run(run(n_records))


def test_a_damaged_database_is_made_anew(tmp_path):
    """From the changelog."""

    async def run() -> None:
        log = Log()
        await left_behind(log, tmp_path)
        for file in (tmp_path / "tables" / "t" / "0").iterdir():
            file.write_bytes(b"\xff" * 64)
        second = Process(log, tmp_path)
        await second.table.own({0})
        assert contents(second) == {b"ann": b"1"}
        second.end()

    asyncio.run(run())


def test_a_database_that_was_not_written_for_a_week_is_not_used(tmp_path, monkeypatch):
    """It would miss deletions whose tombstones are gone."""

    async def run() -> None:
        log = Log()
        await left_behind(log, tmp_path)
        log.records = [record for record in log.records if record.key != b"ann"]  # deleted, tombstone and all
        second = Process(log, tmp_path)
        later = takeover.now_ms() + takeover.FRESH_MS + 1000
        monkeypatch.setattr(takeover, "now_ms", lambda: later)
        await second.table.own({0})
        assert contents(second) == {}
        second.end()

    asyncio.run(run())


def after_a_late_write(tmp_path: Path) -> tuple[Log, Process]:
    """Return a log whose last record is an old state of ann, written late, and the owner, who wrote the newer one."""

    async def run() -> tuple[Log, Process]:
        log = Log()
        zombie, owner = Process(log, tmp_path / "zombie"), Process(log, tmp_path / "owner")
        await zombie.table.own({0})
        await owner.table.own({0})
        await owner.table.commit([State(0, b"ann", b"new")])
        log.append(b"ann", b"old", zombie.table._topic.headers)
        zombie.end()
        return log, owner

    return asyncio.run(run())


def last_of(log: Log, key: bytes) -> bytes:
    return [record.value for record in log.records if record.key == key][-1]


def test_a_late_write_is_overwritten_with_the_owners_next_batch(tmp_path):
    """Compaction would keep it otherwise, and not what it hides."""
    log, owner = after_a_late_write(tmp_path)
    asyncio.run(owner.table.commit([State(0, b"bob", b"1")]))
    owner.end()
    assert last_of(log, b"ann") == b"new"


def test_a_late_write_is_overwritten_where_nothing_is_to_be_written(tmp_path):
    """The owner looks every few seconds."""
    log, owner = after_a_late_write(tmp_path)
    asyncio.run(owner.table.check())
    owner.end()
    assert last_of(log, b"ann") == b"new"


def test_a_late_write_is_overwritten_though_who_saw_it_was_killed_first(tmp_path):
    """The next process on the same directory goes back to it."""
    log, owner = after_a_late_write(tmp_path)
    owner.end()
    asyncio.run(killed_before_it_wrote_back(Process(log, owner.directory)))
    heir = Process(log, owner.directory)
    asyncio.run(heir.table.own({0}))
    heir.end()
    assert last_of(log, b"ann") == b"new"


def test_what_is_somebody_elses_does_not_stay_on_the_disk(tmp_path):
    """Users who are deleted there would stay here, whether it was given up now or by an earlier process."""

    async def run() -> None:
        log = Log()
        await left_behind(log, tmp_path)
        other = tmp_path / "tables" / "t" / "7"
        other.mkdir()
        (other / "000004.log").write_bytes(b"ann")
        process = Process(log, tmp_path)
        await process.table.own({0})
        assert [path.name for path in (tmp_path / "tables" / "t").iterdir()] == ["0"]
        assert contents(process) == {b"ann": b"1"}
        await process.table.own(set())
        assert not list((tmp_path / "tables" / "t").iterdir())

    asyncio.run(run())
