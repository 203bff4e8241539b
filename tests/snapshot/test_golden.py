"""Snapshots of versions 1 and 2 are read for good; one of version 3, with surfaces, is what a program of now writes."""

from __future__ import annotations

import zipfile
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from stream_rec.errors import StateVersionError
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.events.slate import Slate
from stream_rec.events.surfaces import Surfaces
from stream_rec.knowledge import state as item_state
from stream_rec.snapshot.file import Snapshot, Source, Writer
from stream_rec.snapshot.restore import check
from stream_rec.snapshot.sections import (
    BEFORE,
    EMBEDDINGS,
    HEADS,
    ITEM_STATES,
    ITEMS,
    LISTS,
    RULES,
    SECTIONS,
    SINCE_FIRST,
    SURFACES,
    USERS,
)
from stream_rec.user import state as user_state

RULE = Rule("r1", "ban", author="ann", reason="recalled", target=Target(item_ids=["i1"]))
GOLDEN = Path(__file__).parents[1] / "data" / "golden"
FIRST, SECOND, FILE = (GOLDEN / f"snapshot-{version}.bin" for version in (1, 2, 3))


def records(file: Path = FILE) -> dict[str, dict[bytes, bytes]]:
    """Return all that a file holds."""
    with closing(Snapshot(file, SINCE_FIRST)) as snapshot:
        return {section: dict(snapshot.records(section)) for section in SECTIONS}


def test_version_1():
    """One record of each kind, the states those of the other golden files, without their bookkeeping."""
    found = records(FIRST)

    assert {section: list(values) for section, values in found.items()} == {
        ITEMS: [b"i1"],
        RULES: [],
        EMBEDDINGS: [b"i1"],
        HEADS: [b"worker-1"],
        ITEM_STATES: [b"i1"],
        LISTS: ["é".encode()],
        SURFACES: [],
        USERS: ["é".encode()],
    }
    assert msgspec.json.decode(found[ITEMS][b"i1"], type=Item) == Item("i1", title="Blue teapot")
    assert found[EMBEDDINGS][b"i1"] == (GOLDEN / "embedding-1.bin").read_bytes()
    assert found[HEADS][b"worker-1"] == (GOLDEN / "contribution-1.bin").read_bytes()
    (slate,) = (msgspec.json.decode(value, type=Slate) for value in found[LISTS].values())
    assert (slate.user_id, slate.seen, slate.as_of, [item.item_id for item in slate.items]) == ("é", {}, None, ["i1"])

    item = item_state.decode((GOLDEN / "item-state-2.bin").read_bytes())
    assert item_state.decode(found[ITEM_STATES][b"i1"]) == msgspec.structs.replace(item, watermarks={})
    user = user_state.decode((GOLDEN / "user-state-3.bin").read_bytes())
    (moved,) = (user_state.decode(value) for value in found[USERS].values())
    assert user_state.facts(moved) == user_state.facts(user)
    assert (moved.offsets, moved.released, moved.pending, moved.arrivals) == ({}, {}, [], 18)
    assert min(entry.offset for entry in moved.recent_events) == BEFORE
    assert [entry.arrival for entry in moved.recent_events] == [entry.arrival for entry in user.recent_events]


def test_its_manifest():
    """When, by which program and where it was taken."""
    manifest = check(FIRST, lambda section, n: None)

    assert (manifest.version, manifest.app_version, manifest.created_ms) == (1, "0.1.0", 1_700_000_000_000)
    assert (manifest.is_live, manifest.source) == (False, Source(app_id="stream-rec", topic_prefix="p-", partitions=4))
    assert {section.records for section in manifest.sections.values()} == {1}


def test_version_2():
    """The same, and a rule."""
    found = records(SECOND)

    assert msgspec.json.decode(found.pop(RULES)[b"r1"], type=Rule) == RULE
    assert found.items() == {section: values for section, values in records(FIRST).items() if section != RULES}.items()


def test_version_3():
    """The same, and the pushed surfaces of a user."""
    found = records()
    (value,) = found.pop(SURFACES).values()
    surfaces = msgspec.json.decode(value, type=Surfaces)

    assert (surfaces.user_id, surfaces.seen, surfaces.as_of) == ("é", {}, None)
    assert [(each.surface, [item.item_id for item in each.items]) for each in surfaces.surfaces] == [
        ("garden", ["i1"]),
        ("again", []),
    ]
    assert (
        found.items() == {section: values for section, values in records(SECOND).items() if section != SURFACES}.items()
    )


def test_the_present_version_is_written_as_ever(tmp_path: Path):
    """The same records give the same entries: whoever changes the format counts the version up."""
    write(tmp_path / "again", records())

    with zipfile.ZipFile(FILE) as golden, zipfile.ZipFile(tmp_path / "again") as again:
        assert again.namelist() == golden.namelist()
        assert {n: again.read(n) for n in again.namelist()} == {n: golden.read(n) for n in golden.namelist()}


@pytest.mark.parametrize("section", [USERS, ITEM_STATES])
@pytest.mark.parametrize("value", [b"\x91\x63", b"", b"\xc1"], ids=["newer", "empty", "no msgpack"])
def test_a_state_that_cannot_be_read_stops_the_check(tmp_path: Path, section: str, value: bytes):
    """A whole file may hold what only a newer program reads: nothing of it is written then."""
    found = records()
    found[section][b"z"] = value
    write(tmp_path / "s", found)

    with pytest.raises(StateVersionError):
        check(tmp_path / "s", lambda section, n: None)


def write(path: Path, found: dict[str, dict[bytes, bytes]]) -> None:
    """Write a snapshot with the golden one's manifest."""
    writer = Writer(path)
    for section, values in found.items():
        writer.write(section, values.items())
    source = Source(app_id="stream-rec", topic_prefix="p-", partitions=4)
    writer.finish(app_version="0.1.0", created_ms=1_700_000_000_000, is_live=False, source=source)
