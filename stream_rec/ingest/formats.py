"""Bytes of a record to plain data: JSON here, Avro and Protobuf by ``schemas.py``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from stream_rec.events.nesting import TOO_DEEP, is_nested_too_deep
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.ingest.foreign_record import Content, ForeignRecord

NO_HEADERS: Mapping[str, bytes] = MappingProxyType({})
FRAME_BYTES = 5
"""A zero and 4 bytes of a schema's id, which Confluent's serializer for JSON Schema writes before JSON."""


class Decoder(Protocol):
    """From bytes to what is in them."""

    def value(self, topic: str, data: bytes, headers: Mapping[str, bytes] = NO_HEADERS) -> Any | Rejection:
        """Return what is in a record's value."""

    def key(self, topic: str, data: bytes, headers: Mapping[str, bytes] = NO_HEADERS) -> Any:
        """Return what is in a record's key; what cannot be read is a text."""


class JsonDecoder:
    """Reads JSON, which needs no schema."""

    def value(self, topic: str, data: bytes, headers: Mapping[str, bytes] = NO_HEADERS) -> Any | Rejection:
        """Return what is in a record's value."""
        if data[:1] == b"\0":
            data = data[FRAME_BYTES:]
        if is_nested_too_deep(data):
            return Rejection("not_json", TOO_DEEP)
        try:
            return msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Rejection("not_json", f"{error}; [ingest.topics] can say that {topic} has another format")

    def key(self, topic: str, data: bytes, headers: Mapping[str, bytes] = NO_HEADERS) -> Any:
        """Return what is in a record's key: JSON where it is an object or a text in quotes, else a text."""
        if data[:1] in (b"{", b'"') and not is_nested_too_deep(data):
            try:
                return msgspec.json.decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass
        return data.decode(errors="replace")


def read_content(record: ForeignRecord, decoder: Decoder, limits: InputLimits) -> Content | Rejection:
    """Return what is in a record; a null value is a deletion."""
    if len(record.value or b"") > limits.record_bytes:
        return Rejection("too_large", f"{len(record.value or b'')} bytes, at most {limits.record_bytes} are taken")
    key = decoder.key(record.topic, record.key, record.headers) if record.key is not None else None
    if record.value is None:
        return Content(None, key, is_deletion=True)
    value = decoder.value(record.topic, record.value, record.headers)
    return value if isinstance(value, Rejection) else Content(value, key)
