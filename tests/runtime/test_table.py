"""A table refuses what a newer program wrote, by name, and takes what it cannot read of its own from the changelog."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from stream_rec.errors import NewerVersion, StateVersionError
from stream_rec.events.partition import partition_of
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime import database
from stream_rec.runtime.changelog import VERSION, Claim
from stream_rec.runtime.database import META_VERSION, NEW, Meta, Partition, read_meta
from stream_rec.runtime.table import Table
from stream_rec.runtime.takeover import Replay
from stream_rec.user import forgotten, seen
from tests.crash.test_simulated_zombies import Log, Process
from tests.disk import holding

VERSIONS = {forgotten.PREFIX: 1, b"": 3}


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """A table that owns partition 2 and holds states of three versions, and markers of two."""
    made = Table("user-state", "app", tmp_path, None, KafkaSettings(topic_prefix="t-"), versions=VERSIONS)
    partition = made._partitions[2] = Partition(tmp_path / "2")
    partition.write(
        [
            *(
                (key, msgspec.msgpack.encode([version, "x"]))
                for key, version in ((b"old", 1), (b"ann", 3), (b"new", 4))
            ),
            (forgotten.key_of(b"bob"), msgspec.msgpack.encode([1, 0, {}])),
            (b"no version", b"\xc0"),
        ]
    )
    return made


@pytest.mark.parametrize("key", [b"old", b"ann", b"no version", b"nobody"])
def test_what_is_not_newer_is_read(table: Table, key: bytes):
    """Whether it can be used is for the stage to say."""
    assert table.read(2, key) == table._partitions[2].get(key)


def test_a_newer_state_is_refused_by_name(table: Table, caplog: pytest.LogCaptureFixture):
    """Where it stands, whose it is, what is expected, and what to do: in the log and in the error."""
    with pytest.raises(NewerVersion) as raised:
        table.read(2, b"new")

    says = (
        "t-app-user-state-changelog[2] key='new'",
        "user-state has version 4, this program reads up to 3: update it",
    )
    assert all(part in str(raised.value) for part in says)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR and record.getMessage().startswith("refused_newer_version at=")
    assert all(part in record.getMessage() for part in says)


def test_a_newer_note_is_refused(table: Table):
    """It has versions of its own: the longest beginning of its key decides."""
    assert len(table.scan(2, forgotten.PREFIX)) == 1
    table._partitions[2].write([(forgotten.key_of(b"eve"), msgspec.msgpack.encode([2, 0, {}]))])

    with pytest.raises(NewerVersion, match="version 2, this program reads up to 1"):
        table.scan(2, forgotten.PREFIX)


def test_keys_are_scanned_a_few_at_a_time(tmp_path: Path):
    """From any of them on, and not past those that begin alike."""
    partition = Partition(tmp_path)
    partition.write([(key, key) for key in (b"a", b"b", b"b1", b"b2", b"c")])

    def keys(**limits: object) -> list[bytes]:
        return [key for key, _ in partition.scan(b"b", **limits)]

    assert keys() == keys(most=3) == [b"b", b"b1", b"b2"]
    assert keys(most=2) == [b"b", b"b1"]
    assert keys(first=b"b1\0", most=2) == [b"b2"]
    assert keys(first=b"c") == []


def test_without_versions_nothing_is_looked_at(tmp_path: Path):
    """What a table holds is for who uses it to say."""
    table = Table("t", "app", tmp_path, None, KafkaSettings())
    table._partitions[0] = Partition(tmp_path / "0")
    table._partitions[0].write([(b"key", msgspec.msgpack.encode([99]))])

    assert table.read(0, b"key") == msgspec.msgpack.encode([99])


def test_a_newer_claim_is_refused_by_name(tmp_path: Path):
    """A newer program owns the partition, perhaps in another way: nothing is taken from there on."""
    claim = Claim(1, b"A" * 8)
    newer = bytes([VERSION + 1]) + claim.value[1:]
    record = SimpleNamespace(topic="log", partition=0, offset=7, key=claim.key, value=newer, headers=())
    partition = Partition(tmp_path)

    with pytest.raises(NewerVersion, match=r"log\[0\]@7: claim has version 2, this program reads up to 1: update it"):
        Replay(0, partition, 1).take(record)
    assert partition.seen == 0


def test_states_in_a_partition_where_they_do_not_belong_are_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """By whoever reads the partition; those that are deleted again, and markers beside states, do not count."""
    n_partitions = KafkaSettings().partitions
    users = [b"user-%d" % number for number in range(20)]
    right, wrong = (
        [u for u in users if (partition_of(u, n_partitions) == 0) is is_right] for is_right in (True, False)
    )
    log = Log()
    for key in (*users, seen.key_of(right[0], 0), forgotten.key_of(b"bob"), wrong[0]):
        log.append(key, b"state", [])
    log.append(wrong[1], None, [])

    asyncio.run(Process(log, tmp_path).table.own({0}))

    (said,) = [record for record in caplog.records if record.getMessage().startswith("misplaced_states")]
    assert said.levelno == logging.WARNING
    assert f"table=t partitions=0 keys={len(wrong) - 1} why=" in said.getMessage()
    assert "`stream-rec snapshot export` and `import`" in said.getMessage()


def test_states_where_they_belong_are_nothing_to_say(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """Whatever else is kept beside them."""
    user = next(u for n in range(99) if partition_of(u := b"user-%d" % n, KafkaSettings().partitions) == 0)
    log = Log()
    for key in (user, seen.key_of(user, 0), forgotten.key_of(b"bob")):
        log.append(key, b"state", [])

    asyncio.run(Process(log, tmp_path).table.own({0}))

    assert "misplaced_states" not in caplog.text


META = Meta(META_VERSION, 17, 3, 2, b"A" * 8, 1_700_000_000_000)


@pytest.mark.parametrize(
    "stored",
    [
        msgspec.msgpack.encode([META_VERSION + 1, "all", "is", "new"]),
        msgspec.msgpack.encode([17, 3, 2, b"A" * 8, 1_700_000_000_000]),  # before it had a version
        msgspec.msgpack.encode(msgspec.structs.replace(META, next_offset=-1)),
        msgspec.msgpack.encode(msgspec.structs.replace(META, epoch=2**63 - 1)),
        msgspec.msgpack.encode(msgspec.structs.replace(META, owner=b"A" * 9)),
        b"",
    ],
)
def test_a_database_that_cannot_be_read_is_made_anew(tmp_path: Path, stored: bytes):
    """Its states too: the changelog has them all, and the next start reads it from the beginning."""
    partition = Partition(tmp_path)
    partition.write([(b"ann", b"1")])
    partition._db.put(database._META_KEY, stored)
    partition.close()
    with pytest.raises(StateVersionError):
        read_meta(stored)
    again = Partition(tmp_path)

    assert again.meta is NEW and again.seen == 0
    assert again.get(b"ann") is None


def test_a_database_is_opened_as_it_was_left(tmp_path: Path):
    """Its values, and how far the changelog is in it."""
    partition = Partition(tmp_path)
    partition.seen = 17
    partition.write([(b"ann", b"1")], claim_offset=3, epoch=2, owner=b"A" * 8)
    partition.close()
    again = Partition(tmp_path)

    assert again.get(b"ann") == b"1"
    assert msgspec.structs.replace(again.meta, written_ms=0) == msgspec.structs.replace(META, written_ms=0)


@pytest.mark.parametrize("n_others", [0, 500])
def test_who_came_and_went_between_two_writes_to_the_disk_leaves_it(tmp_path: Path, n_others: int):
    """Nor does the deletion itself stay, which names the key: nothing else would ever have it compacted away."""
    partition = Partition(tmp_path)
    partition.write([(f"user-{number:04}".encode(), b"x" * 50) for number in range(n_others)])
    partition.write([(b"ann-was-here", b"secret")])
    partition.write([(b"ann-was-here", None)])
    partition.owe_purge()
    partition.purge()
    partition.purged()

    assert not holding(tmp_path, b"ann-was-here") and not holding(tmp_path, b"secret")
    partition.close()


def test_what_a_crash_left_to_purge_is_purged_later(tmp_path: Path):
    """A process that ended before it came to it leaves word; then no file holds the key or its value any more."""
    partition = Partition(tmp_path)
    partition.write([(f"user-{number:04}".encode(), b"x" * 50) for number in range(500)])
    partition.write([(b"ann-was-here", b"secret")])
    partition._db.flush(wait=True)
    partition.write([(b"ann-was-here", None)])
    partition.owe_purge()
    partition.close()
    later = Partition(tmp_path)
    assert later.is_unpurged
    assert holding(tmp_path, b"ann-was-here")
    later.purge()
    later.purged()

    assert not later.is_unpurged
    assert not holding(tmp_path, b"ann-was-here") and not holding(tmp_path, b"secret")
    assert later.get(b"user-0499") == b"x" * 50
    later.close()
