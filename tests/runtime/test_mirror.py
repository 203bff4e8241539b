"""The mirror: what the topics would say, or nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec
import pytest
import rocksdict
from aiokafka import ConsumerRecord, TopicPartition

from stream_rec.runtime import mirror as module
from stream_rec.runtime.mirror import Mirror, mirror

IDS = {"items": "id-of-items", "item-knowledge": "id-of-knowledge"}
ITEMS = TopicPartition("items", 0)


def record(offset: int, key: bytes, value: bytes | None, topic: str = "items", partition: int = 0) -> ConsumerRecord:
    """A record as a consumer gives it."""
    return ConsumerRecord(topic, partition, offset, 1_000 + offset, 0, key, value, None, len(key), 0, ())


def held(of: Mirror) -> list[tuple[str, int, int, bytes, bytes]]:
    return [(r.topic, r.partition, r.offset, r.key, r.value) for r in of.records()]


def store(of: Mirror, *records: ConsumerRecord) -> None:
    for one in records:
        of.take(one)
    of.store(of.collect())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


def test_it_holds_the_newest_of_each_key_in_the_order_of_offsets(folder: Path) -> None:
    """As the topic would after compaction, and with the place where the topic goes on."""
    first = Mirror(folder, IDS)
    store(first, record(0, b"z", b"old"), record(1, b"a", b"1"), record(2, b"gone", b"2"))
    store(first, record(3, b"z", b"new"), record(7, b"gone", None))
    store(first, record(5, b"z", b"of knowledge", "item-knowledge", 3))
    first.close()

    again = Mirror(folder, IDS)

    assert held(again) == [
        ("item-knowledge", 3, 5, b"z", b"of knowledge"),
        ("items", 0, 1, b"a", b"1"),
        ("items", 0, 3, b"z", b"new"),
    ]
    assert [r.timestamp for r in again.records()] == [1_005, 1_001, 1_003]
    assert again.next_offsets == {ITEMS: 8, TopicPartition("item-knowledge", 3): 6}
    again.close()


def test_a_process_that_is_killed_leaves_what_was_stored(folder: Path, tmp_path: Path) -> None:
    """Values and places are written at once: no place is ahead of its values."""
    running = Mirror(folder, IDS)
    store(running, record(0, b"a", b"1"))
    running.take(record(1, b"a", b"2"))  # and never stored
    killed = tmp_path / "killed"
    killed.mkdir()
    for file in folder.iterdir():
        if file.name != "LOCK":
            (killed / file.name).write_bytes(file.read_bytes())

    again = Mirror(killed, IDS)

    assert held(again) == [("items", 0, 0, b"a", b"1")]
    assert again.next_offsets == {ITEMS: 1}
    again.close()
    running.close()


def test_topics_that_were_made_again_or_are_anothers_begin_anew(folder: Path, caplog) -> None:
    """Their ids say so; offsets alone would not."""
    first = Mirror(folder, IDS)
    store(first, record(0, b"a", b"1"))
    first.close()

    again = Mirror(folder, {**IDS, "item-knowledge": "id-of-another"})

    assert (held(again), again.next_offsets) == ([], {})
    assert "removed_mirror" in caplog.text
    store(again, record(4, b"b", b"2"))
    assert held(again) == [("items", 0, 4, b"b", b"2")]
    again.close()


@pytest.mark.parametrize("days", [6.1, -6.1])
def test_one_that_is_old_may_have_missed_deletions_and_begins_anew(folder: Path, days: float, monkeypatch) -> None:
    """Tombstones are kept for a week: it is not taken after six days, nor when it is from the future."""
    first = Mirror(folder, IDS)
    store(first, record(0, b"a", b"1"))
    first.close()
    now_ms = module.now_ms() + int(days * 86_400_000)
    monkeypatch.setattr(module, "now_ms", lambda: now_ms)

    again = Mirror(folder, IDS)

    assert (held(again), again.next_offsets) == ([], {})
    again.close()


@pytest.mark.parametrize(("begin", "end", "fits"), [(0, 5, True), (5, 9, True), (6, 9, False), (0, 4, False)])
def test_it_is_taken_only_where_the_log_goes_on_where_it_ends(folder: Path, begin: int, end: int, fits: bool) -> None:
    """A log that begins later has lost records that the mirror never saw; one that ends earlier is another log."""
    of = Mirror(folder, IDS)
    store(of, record(4, b"a", b"1"))

    assert of.fits({ITEMS: begin}, {ITEMS: end}) is fits
    assert of.next_offsets == ({ITEMS: 5} if fits else {})
    of.close()


@pytest.mark.parametrize("damage", ["version", "meta", "manifest", "file"])
def test_a_damaged_or_foreign_one_begins_anew(folder: Path, damage: str, caplog) -> None:
    """The process starts all the same, and reads the topics."""
    first = Mirror(folder, IDS)
    store(first, record(0, b"a", b"1" * 1000))
    first.close()
    if damage in ("version", "meta"):
        meta = msgspec.msgpack.encode([module.VERSION + 1, {}]) if damage == "version" else b"no meta"
        db = rocksdict.Rdict(str(folder), rocksdict.Options(raw_mode=True))
        db[b"\0meta"] = meta
        db.close()
    elif damage == "manifest":
        next(folder.glob("MANIFEST-*")).write_bytes(b"nothing")
    else:
        (file,) = folder.glob("*.sst")
        file.write_bytes(bytes(len(file.read_bytes())))

    again = Mirror(folder, IDS)

    assert (held(again), again.next_offsets) == ([], {})
    assert "removed_mirror" in caplog.text
    again.close()


def test_a_disk_that_fails_costs_the_mirror_and_not_the_process(folder: Path, caplog) -> None:
    """What cannot be written is removed: half of it would be worse than none."""
    of = Mirror(folder, IDS)
    store(of, record(0, b"a", b"1"))
    of._db.close()  # every write fails from now on

    store(of, record(1, b"a", b"2"))
    store(of, record(2, b"a", b"3"))
    of.close()

    assert caplog.text.count("gave_up_mirror") == 1
    assert not folder.exists()


def test_what_was_overwritten_leaves_the_disk_within_half_a_day(folder: Path, monkeypatch) -> None:
    """What is known of an item names its users by digests: those of forgotten users are overwritten, and go."""
    of = Mirror(folder, IDS)
    secret = bytes(range(200, 232))  # nothing that compresses
    store(of, record(0, b"a", secret))
    of._db.flush(wait=True)
    store(of, record(1, b"a", b"without"))
    assert any(secret in file.read_bytes() for file in folder.iterdir())

    now_ms = module.now_ms() + module.PURGE_MS + 1
    monkeypatch.setattr(module, "now_ms", lambda: now_ms)
    store(of, record(2, b"b", b"1"))

    assert not any(secret in file.read_bytes() for file in folder.iterdir())
    assert held(of) == [("items", 0, 1, b"a", b"without"), ("items", 0, 2, b"b", b"1")]
    of.close()


def test_without_ids_there_is_no_mirror(tmp_path: Path, caplog) -> None:
    """A broker too old to name its topics cannot say that one was made anew."""
    caplog.set_level(logging.INFO)
    assert mirror(tmp_path, {"items": "id"}, ["items", "item-knowledge"]) is None
