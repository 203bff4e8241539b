"""Bytes and schema versions: reading msgpack whose first element says which version wrote it."""

from __future__ import annotations

from typing import Annotated, Generic, Protocol, TypeVar

import msgspec
from msgspec import Meta, Struct

from stream_rec.errors import NewerVersion, StateVersionError


class Versioned(Protocol):
    """A value that says which version wrote it, first of all."""

    @property
    def version(self) -> int:
        """Of the program's format that wrote it."""


T = TypeVar("T", bound=Versioned)

Count = Annotated[int, Meta(ge=0, le=2**53)]
"""How many. A float holds it exactly, and some more still fit into 64 bits."""
EventTime = Annotated[int, Meta(ge=0, le=2**53)]
"""Milliseconds since 1970, of an event that was accepted."""
Offset = Annotated[int, Meta(ge=0, le=2**62)]
KindNumber = Annotated[int, Meta(ge=0, le=2)]
"""A ``Kind``, as stored."""
SourceNumber = Annotated[int, Meta(ge=0, le=5)]
"""A ``Source``, as stored."""


def decode_versioned(data: bytes, decoder: msgspec.msgpack.Decoder[T], *, what: str, version: int) -> T:
    """Return the value in ``data``.

    Args:
        decoder: Of an ``array_like`` struct whose first field is ``version``.
        what: It is, for the message.
        version: The newest that can be read.

    Raises:
        NewerVersion: written by a newer program.
        StateVersionError: no such value at all.
    """
    try:
        value = decoder.decode(data)
        written = value.version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        written = version_of(data)
        if written <= version:
            raise StateVersionError(f"{what} cannot be read ({error}); version {version} expected") from error
    if written > version:
        raise NewerVersion(f"{what} has version {written}, this program reads up to {version}: update it")
    if written < 1:
        raise StateVersionError(f"{what} cannot be read: it has version {written}; version {version} expected")
    return value


class Codec(Generic[T]):
    """Writes and reads one kind of ``array_like`` struct as msgpack."""

    def __init__(self, kind: type[T], *, what: str, version: int) -> None:
        """Name what it is, for messages, and the newest version that can be read."""
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._what = what
        self._version = version

    def encode(self, value: T) -> bytes:
        """Return the bytes that a table keeps."""
        return self._encoder.encode(value)

    def decode(self, data: bytes) -> T:
        """Return the value in ``data``.

        Raises:
            NewerVersion: written by a newer program.
            StateVersionError: no such value at all.
        """
        return decode_versioned(data, self._decoder, what=self._what, version=self._version)


class _OnlyVersion(Struct, array_like=True):
    """The part that no version may change."""

    version: int


def version_of(data: bytes) -> int:
    """Return the version of bytes, whatever their other fields have become; 0 where there is none."""
    try:
        return _VERSION.decode(data).version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0


_VERSION = msgspec.msgpack.Decoder(_OnlyVersion)
