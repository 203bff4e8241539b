"""A snapshot as a file: a ZIP archive with one entry for each kind of record, and a manifest of what must be in them.

An entry is a sequence of records, each the lengths of key and value as two 32-bit numbers, big end first, then both.
The manifest is JSON and comes last: version, who wrote it, and of each entry how many records it has and their BLAKE2b.
Nothing in the file depends on the cluster that it came from. Keys and values are read and written one by one.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Annotated

import msgspec
from msgspec import Meta, Struct

from stream_rec.errors import FileProblem, NewerVersion

VERSION = 3
"""2: with rules. 3: with pushed surfaces."""
FORMAT = "stream-rec snapshot"
MANIFEST = "manifest.json"
MOST_BYTES = 1 << 27
"""Of one key or value; a length beyond it is damage. Kafka's own bound is 1 MiB unless it is raised."""
MOST_MANIFEST_BYTES = 1 << 20
_LENGTHS = struct.Struct(">II")
_DAY_ONE = (1980, 1, 1, 0, 0, 0)
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, KeyError, OverflowError),  # what zipfile makes of changed headers
)

Count = Annotated[int, Meta(ge=0)]


class Section(Struct, frozen=True, kw_only=True):
    """What must be in one entry."""

    records: Count
    blake2b: str
    """Of the entry unpacked, 16 bytes as hexadecimal digits."""


class Source(Struct, frozen=True, kw_only=True):
    """Where a snapshot was taken; for people."""

    app_id: str
    topic_prefix: str
    partitions: int


class Manifest(Struct, frozen=True, kw_only=True):
    """What a snapshot says of itself."""

    format: str = FORMAT
    version: int = VERSION
    app_version: str
    created_ms: int
    is_live: bool
    """Taken while the pipeline was at work: its parts may be of different moments."""
    source: Source
    sections: dict[str, Section]


class _Version(Struct):
    """The part of a manifest that no version may change."""

    format: str
    version: int


class Writer:
    """Writes a snapshot beside where it shall be; only when it is whole it gets its name.

    >>> import contextlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "shop.snapshot"
    ...     writer = Writer(path)
    ...     section = writer.write("user-state", [(b"ann", b"state")])
    ...     source = Source(app_id="shop", topic_prefix="", partitions=4)
    ...     manifest = writer.finish(app_version="1.0", created_ms=0, is_live=False, source=source)
    ...     with contextlib.closing(Snapshot(path, ["user-state"])) as snapshot:
    ...         print(section.records, list(snapshot.records("user-state")))
    1 [(b'ann', b'state')]
    """

    def __init__(self, path: Path) -> None:
        """Begin.

        Raises:
            FileProblem: a file of that name is there, or none can be made.
        """
        self._path = path
        self._part = path.with_name(path.name + ".part")
        if path.exists():
            raise FileProblem(f"{path} is there already; give another name, or remove it")
        try:
            self._file = os.fdopen(os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b")
        except OSError as error:
            raise FileProblem(f"{path} cannot be written: {error.strerror}; give another place") from error
        self._zip = zipfile.ZipFile(self._file, "w")
        self._sections: dict[str, Section] = {}

    def write(self, name: str, records: Iterable[tuple[bytes, bytes]]) -> Section:
        """Write one entry; return what it holds."""
        hasher, n_records = hashlib.blake2b(digest_size=16), 0
        with self._zip.open(_entry(name), "w", force_zip64=True) as out:
            for key, value in records:
                framed = _LENGTHS.pack(len(key), len(value)) + key + value
                hasher.update(framed)
                out.write(framed)
                n_records += 1
        self._sections[name] = Section(records=n_records, blake2b=hasher.hexdigest())
        return self._sections[name]

    def finish(self, *, app_version: str, created_ms: int, is_live: bool, source: Source) -> Manifest:
        """Write the manifest, and give the file its name once it is on the disk."""
        manifest = Manifest(
            app_version=app_version, created_ms=created_ms, is_live=is_live, source=source, sections=self._sections
        )
        with self._zip.open(_entry(MANIFEST), "w") as out:
            out.write(msgspec.json.format(msgspec.json.encode(manifest)))
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.rename(self._path)
        return manifest

    def give_up(self) -> None:
        """Remove what was written, unless it is finished."""
        if not self._file.closed:
            with suppress(OSError, ValueError):
                self._zip.close()
            self._file.close()
            self._part.unlink(missing_ok=True)


class Snapshot:
    """A snapshot to be read. Close it."""

    def __init__(self, path: Path, wanted: Iterable[str]) -> None:
        """Open it, and check its manifest.

        Args:
            wanted: Names of the entries that must be there.

        Raises:
            FileProblem: there is no such file, or it is no whole snapshot.
            NewerVersion: a newer program wrote it.
        """
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            raise FileProblem(f"{path} cannot be read: {error.strerror}; give a file that exists") from error
        except _DAMAGE as error:
            raise self._damage(f"it is no ZIP archive, or its end is missing ({error})") from error
        try:
            self.manifest = self._read_manifest(wanted)
        except BaseException:
            self._zip.close()
            raise

    def records(self, name: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values of one entry; none where the file is of before there was such an entry.

        Raises:
            FileProblem: it is not what the manifest says; perhaps only after the last record.
        """
        if name not in self.manifest.sections:
            return
        hasher, n_records = hashlib.blake2b(digest_size=16), 0
        try:
            with self._zip.open(name) as source:
                while lengths := source.read(_LENGTHS.size):
                    n_key, n_value = _LENGTHS.unpack(lengths)
                    if max(n_key, n_value) > MOST_BYTES:
                        raise self._damage(f"{name}: record {n_records + 1} says that it has {n_key + n_value} bytes")
                    body = _read_exactly(source, n_key + n_value)
                    hasher.update(lengths + body)
                    n_records += 1
                    yield body[:n_key], body[n_key:]
        except _DAMAGE as error:
            raise self._damage(f"{name}, after record {n_records}: {error}") from error
        wanted = self.manifest.sections[name]
        if (n_records, hasher.hexdigest()) != (wanted.records, wanted.blake2b):
            raise self._damage(f"{name} has {n_records} records, not the {wanted.records} that were written")

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def _read_manifest(self, wanted: Iterable[str]) -> Manifest:
        try:
            if MANIFEST not in self._zip.namelist():
                raise self._damage(f"it has no {MANIFEST}")
            with self._zip.open(MANIFEST) as source:
                data = source.read(MOST_MANIFEST_BYTES)
            said = msgspec.json.decode(data, type=_Version)
            if said.format != FORMAT:
                raise self._damage(f"its manifest is of {said.format[:64]!r}")
            if said.version > VERSION:
                raise NewerVersion(
                    f"{self._path} has version {said.version}, this program reads up to {VERSION}: update it"
                )
            manifest = msgspec.json.decode(data, type=Manifest)
        except (*_DAMAGE, msgspec.MsgspecError) as error:
            raise self._damage(f"its {MANIFEST} cannot be read: {error}") from error
        there = set(self._zip.namelist()) & manifest.sections.keys()
        if missing := [name for name in wanted if name not in there]:
            raise self._damage(f"it has no {', '.join(missing)}")
        return manifest

    def _damage(self, why: str) -> FileProblem:
        return FileProblem(f"{self._path} is no snapshot, or a damaged one: {why}; get the whole file again")


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DAY_ONE)  # the same records make the same file
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _read_exactly(source: IO[bytes], n: int) -> bytes:
    data = source.read(n)
    if len(data) < n:
        raise EOFError(f"{n - len(data)} bytes are missing")
    return data
