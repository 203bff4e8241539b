"""The file: what is written is read again, and what is damaged is refused."""

from __future__ import annotations

import json
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from stream_rec.errors import FileProblem, NewerVersion
from stream_rec.snapshot.file import MANIFEST, Manifest, Snapshot, Source, Writer

RECORDS = [(b"ann", b"\0\1" * 500), ("é".encode(), b""), (b"k" * 300, bytes(range(256)))]


def written(path: Path, records: list[tuple[bytes, bytes]] = RECORDS) -> Manifest:
    """Write a snapshot of two entries."""
    writer = Writer(path)
    writer.write("users", records)
    writer.write("items", [])
    return writer.finish(
        app_version="1.2.3", created_ms=7, is_live=True, source=Source(app_id="a", topic_prefix="p-", partitions=4)
    )


def read(path: Path, wanted: tuple[str, ...] = ("users", "items")) -> dict[str, list[tuple[bytes, bytes]]]:
    """Read all entries."""
    with closing(Snapshot(path, wanted)) as snapshot:
        return {name: list(snapshot.records(name)) for name in wanted}


def test_what_is_written_is_read(tmp_path: Path):
    """Keys and values of any bytes, in their order; the manifest says how many."""
    manifest = written(tmp_path / "s")

    assert read(tmp_path / "s") == {"users": RECORDS, "items": []}
    with closing(Snapshot(tmp_path / "s", ())) as snapshot:
        assert snapshot.manifest == manifest
    assert {name: section.records for name, section in manifest.sections.items()} == {"users": 3, "items": 0}
    assert list(tmp_path.iterdir()) == [tmp_path / "s"]
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


def test_the_same_records_make_the_same_file(tmp_path: Path):
    """No clock but the caller's is in it."""
    written(tmp_path / "a")
    written(tmp_path / "b")

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_is_there_stays(tmp_path: Path):
    """An older snapshot is never lost to a newer one."""
    written(tmp_path / "s")
    before = (tmp_path / "s").read_bytes()

    with pytest.raises(FileProblem, match="is there already; give another name"):
        Writer(tmp_path / "s")
    assert (tmp_path / "s").read_bytes() == before


def test_half_a_snapshot_has_no_name(tmp_path: Path):
    """What was not finished is never taken for a snapshot."""
    writer = Writer(tmp_path / "s")
    writer.write("users", RECORDS)
    assert not (tmp_path / "s").exists()

    writer.give_up()

    assert list(tmp_path.iterdir()) == []


def test_no_place_to_write_to(tmp_path: Path):
    """The message says what is wrong with it."""
    with pytest.raises(FileProblem, match="cannot be written: No such file or directory"):
        Writer(tmp_path / "missing" / "s")


def test_any_changed_byte_is_noticed(tmp_path: Path):
    """Wherever it stands, but for those that mean nothing: no record comes out changed without an error at the end."""
    written(tmp_path / "s")
    whole = (tmp_path / "s").read_bytes()
    manifest = json.loads(zipfile.ZipFile(tmp_path / "s").read(MANIFEST))
    for at in range(len(whole)):
        (tmp_path / "s").write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            found = read(tmp_path / "s")
        except (FileProblem, NewerVersion):
            continue
        assert found == {"users": RECORDS, "items": []}, f"byte {at}"
        assert json.loads(zipfile.ZipFile(tmp_path / "s").read(MANIFEST)) == manifest, f"byte {at}"


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path):
    """At any length."""
    written(tmp_path / "s")
    whole = (tmp_path / "s").read_bytes()
    for length in range(0, len(whole) - 1, 7):
        (tmp_path / "s").write_bytes(whole[:length])
        with pytest.raises(FileProblem, match=r"is no snapshot, or a damaged one: .*; get the whole file again"):
            read(tmp_path / "s")


@pytest.mark.parametrize("path", ["missing", "."])
def test_a_file_that_is_none(tmp_path: Path, path: str):
    """A missing one, a folder."""
    with pytest.raises(FileProblem, match="cannot be read"):
        Snapshot(tmp_path / path, ())


def rewritten(path: Path, manifest: bytes | None, users: bytes | None = None) -> None:
    """Write a well-formed archive with another manifest, or another entry."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries |= {} if users is None else {"users": users}
    entries |= {} if manifest is None else {MANIFEST: manifest}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"", "manifest.json cannot be read"),
        (b"[" * 5000, "manifest.json cannot be read"),
        (b'{"format": "\xff"}', "manifest.json cannot be read"),
        (b'{"format": "other", "version": 9}', "its manifest is of 'other'"),
        (b'{"format": "stream-rec snapshot", "version": 1}', "manifest.json cannot be read"),
    ],
)
def test_a_manifest_that_is_none(tmp_path: Path, manifest: bytes, words: str):
    """Another archive is no snapshot."""
    written(tmp_path / "s")
    rewritten(tmp_path / "s", manifest)

    with pytest.raises(FileProblem, match=words):
        read(tmp_path / "s")


def test_an_archive_without_manifest(tmp_path: Path):
    """It is somebody else's."""
    with zipfile.ZipFile(tmp_path / "s", "w") as archive:
        archive.writestr("users", b"")

    with pytest.raises(FileProblem, match=r"it has no manifest\.json"):
        read(tmp_path / "s")


def test_a_newer_version_is_refused_whatever_else_it_says(tmp_path: Path):
    """Its other fields may mean anything; the message says what to do."""
    written(tmp_path / "s")
    rewritten(tmp_path / "s", b'{"format": "stream-rec snapshot", "version": 4, "sections": 7}')

    with pytest.raises(NewerVersion, match="has version 4, this program reads up to 3: update it"):
        read(tmp_path / "s")


@pytest.mark.parametrize(
    ("users", "words"),
    [
        (b"", "users has 0 records, not the 3 that were written"),
        (b"\0\0\0\1\0\0\0\1xy", "users has 1 records, not the 3"),
        (b"\0\0\0\1\0\0\0\7xy", "users, after record 0: 6 bytes are missing"),
        (b"\0\0\0", "users, after record 0"),
        (b"\xff\xff\xff\xff\0\0\0\0", "record 1 says that it has 4294967295 bytes"),
    ],
)
def test_an_entry_that_is_another(tmp_path: Path, users: bytes, words: str):
    """Archives check themselves; that it is the right one the manifest says."""
    written(tmp_path / "s")
    rewritten(tmp_path / "s", None, users)

    with pytest.raises(FileProblem, match=words):
        read(tmp_path / "s")


def test_an_entry_that_is_missing(tmp_path: Path):
    """All that this program needs must be there."""
    written(tmp_path / "s")

    with pytest.raises(FileProblem, match="it has no heads"):
        Snapshot(tmp_path / "s", ("users", "heads"))
