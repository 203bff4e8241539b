"""Records as Confluent's serializers write them: bytes, and the id of the schema in a registry by which they are read.

The id stands before the bytes: a zero and 4 bytes; Protobuf's message indexes follow. Or it stands in a header, with
the GUID of a schema. Each record is read by the schema that it was written by, so schemas may change at any time.

Source:
    Confluent, "Wire format" of Schema Registry's serializers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Literal, NamedTuple
from uuid import UUID

from stream_rec.events.validate import Rejection
from stream_rec.extras import needs_extra
from stream_rec.ingest.avro import compile_avro
from stream_rec.ingest.formats import NO_HEADERS, Decoder, JsonDecoder
from stream_rec.ingest.protobuf import compile_protobuf
from stream_rec.ingest.registry import FoundSchema, SchemaId, SchemaRegistry
from stream_rec.ingest_settings import AdoptedTopic, RegistrySettings

VALUE_HEADER, KEY_HEADER = "__value_schema_id", "__key_schema_id"
BY_ID, BY_GUID = 0, 1
"""What an id begins with: 4 bytes of a number follow, or 16 of a GUID."""
MOST_SCHEMAS = 500
"""Kept ready for a topic: of more, the one that was made first is made again when it is needed."""
ASK_AGAIN_AFTER = 1000
"""Records with an id that the registry does not know, before it is asked for that again."""
MOST_INDEXES = 100
MOST_CHARS = 200
"""Of what a library says of bytes that it cannot read."""


class Framed(NamedTuple):
    """A record's bytes, and what they are read by."""

    schema_id: SchemaId
    indexes: tuple[int, ...] | None
    """Of Protobuf alone: which of the schema's messages it is, and which of those within that, from 0; None where that
    cannot be read."""
    payload: bytes


Read = Callable[[Framed], Any]


def open_decoder(topic: AdoptedTopic, registry: RegistrySettings) -> Decoder:
    """Return what reads a topic's records; nothing is asked of the registry yet.

    Raises:
        SettingsError: the extra `registry` is missing, or a setting of the registry cannot be used.
    """
    if topic.format == "json":
        return JsonDecoder()
    with needs_extra("registry"):
        import confluent_kafka.schema_registry  # noqa: F401
        import fastavro  # noqa: F401
        import google.type.date_pb2  # noqa: F401
        import grpc_tools  # noqa: F401
    return SchemaDecoder(topic.format, SchemaRegistry(registry))


class SchemaDecoder:
    """Reads Avro or Protobuf; what is ready to read a schema's records is kept."""

    def __init__(self, format: Literal["avro", "protobuf"], registry: SchemaRegistry) -> None:
        """Take the format of the records."""
        self._format = format
        self._reason = f"not_{format}"
        self._registry = registry
        self._ready: dict[SchemaId, Read | Rejection] = {}
        self._unknown: dict[SchemaId, int] = {}

    def value(self, topic: str, data: bytes, headers: Mapping[str, bytes] = NO_HEADERS) -> Any | Rejection:
        """Return what is in a record's value.

        Raises:
            RegistryUnavailable: its schema is not here yet, and cannot be had.
        """
        return self._decode(topic, data, headers.get(VALUE_HEADER))

    def key(self, topic: str, data: bytes, headers: Mapping[str, bytes] = NO_HEADERS) -> Any:
        """Return what is in a record's key: written as the value is, else JSON or a text; raises as ``value`` does."""
        header = headers.get(KEY_HEADER)
        if header is not None or data[:1] == bytes([BY_ID]):
            key = self._decode(topic, data, header)
            if not isinstance(key, Rejection):
                return key
        return JsonDecoder().key(topic, data)

    def _decode(self, topic: str, data: bytes, header: bytes | None) -> Any | Rejection:
        framed = split_frame(data, header, has_indexes=self._format == "protobuf")
        if framed is None:
            looks_like = ", which looks like json" if data[:1] in (b"{", b"[") else ""
            return Rejection(
                self._reason,
                f"a zero and a schema's id are expected, as Confluent's serializers write them; it begins with "
                f"0x{data[:6].hex()}{looks_like}: [ingest.topics] can say that {topic} has another format",
            )
        read = self._reader(framed.schema_id)
        if isinstance(read, Rejection):
            return read
        try:
            return read(framed)
        except Exception as error:  # libraries raise what they like; that they do is all that has to be known
            what = f"{type(error).__name__}: {error}"[:MOST_CHARS]
            return Rejection(
                self._reason,
                f"it is no record of schema {framed.schema_id}, which it names ({what}): see how it was written",
            )

    def _reader(self, schema_id: SchemaId) -> Read | Rejection:
        """Return what reads the records of a schema, or why none of them can be read."""
        if (ready := self._ready.get(schema_id)) is not None:
            return ready
        if (left := self._unknown.get(schema_id, 0)) > 0:
            self._unknown[schema_id] = left - 1
            return self._say_unknown(schema_id)
        if (schema := self._registry.find(schema_id)) is None:
            _make_room(self._unknown)
            self._unknown[schema_id] = ASK_AGAIN_AFTER
            return self._say_unknown(schema_id)
        self._unknown.pop(schema_id, None)
        _make_room(self._ready)
        ready = self._ready[schema_id] = self._compile(schema_id, schema)
        return ready

    def _compile(self, schema_id: SchemaId, schema: FoundSchema) -> Read | Rejection:
        if schema.kind != self._format.upper():
            return Rejection(
                self._reason,
                f"schema {schema_id} is of {schema.kind.lower()}: say so as `format` of its topic in [ingest.topics]",
            )
        try:
            if self._format == "avro":
                read_record = compile_avro(schema)
                return lambda framed: read_record(framed.payload)
            read_message = compile_protobuf(schema)
            return lambda framed: read_message(_require_indexes(framed), framed.payload)
        except ValueError as error:
            why = f"{error}"[:MOST_CHARS]
            return Rejection(
                "bad_schema",
                f"schema {schema_id} cannot be compiled ({why}): correct it in the registry, then write them again",
            )

    def _say_unknown(self, schema_id: SchemaId) -> Rejection:
        return Rejection(
            "unknown_schema",
            f"the registry at {self._registry.url} has no schema {schema_id}, or not all that it refers to: register "
            "it there again, or name as [registry] url the one that who wrote the record uses",
        )


def split_frame(data: bytes, header: bytes | None, *, has_indexes: bool) -> Framed | None:
    """Return a record's parts; None where it names no schema.

    Args:
        header: Which names the schema in place of the record's own first bytes.
        has_indexes: Whether message indexes follow the id.

    Example:
        >>> split_frame(b"\\0\\0\\0\\0\\x07\\x06abc", None, has_indexes=False)
        Framed(schema_id=7, indexes=(), payload=b'\\x06abc')
        >>> split_frame(b"\\0\\0\\0\\0\\x07\\x04\\x02\\0abc", None, has_indexes=True)
        Framed(schema_id=7, indexes=(1, 0), payload=b'abc')
        >>> split_frame(b'{"a": 1}', None, has_indexes=False)
    """
    stream = BytesIO(data if header is None else header)
    first = stream.read(1)
    length = {bytes([BY_ID]): 4, bytes([BY_GUID]): 16}.get(first) if first else None
    if length is None or (first[0] == BY_GUID and header is None) or len(number := stream.read(length)) < length:
        return None
    schema_id = int.from_bytes(number, "big") if first[0] == BY_ID else UUID(bytes=number)
    indexes = _read_indexes(stream) if has_indexes else ()
    return Framed(schema_id, indexes, stream.read() if header is None else data)


def _require_indexes(framed: Framed) -> tuple[int, ...]:
    if framed.indexes is None:
        raise ValueError("no message indexes follow the id")
    return framed.indexes


def _read_indexes(stream: BytesIO) -> tuple[int, ...] | None:
    """Return message indexes; those of the first message, a zero alone, are written as none at all."""
    n = _read_zigzag(stream)
    if n is None or not 0 <= n <= MOST_INDEXES:
        return None
    indexes = [_read_zigzag(stream) for _ in range(n)] or [0]
    return tuple(index for index in indexes if index is not None) if None not in indexes else None


def _read_zigzag(stream: BytesIO) -> int | None:
    value = 0
    for shift in range(0, 35, 7):
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return (value >> 1) ^ -(value & 1)
    return None


def _make_room(kept: dict[SchemaId, Any]) -> None:
    """Have one more fit in."""
    if len(kept) >= MOST_SCHEMAS:
        del kept[next(iter(kept))]
