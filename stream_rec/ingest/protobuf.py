"""Protobuf without anybody's classes: a schema's text is compiled in memory, and its messages become plain data.

Sources:
    Protocol Buffers, language guides (presence of fields) and ``google/protobuf/*.proto`` (well-known types).
    Confluent, "Protobuf Schema Serializer and Deserializer": message indexes; schemas as text, or as a descriptor in
    base64, as the serializer for Python registers them.
"""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stream_rec.errors import StreamRecError
from stream_rec.ingest.registry import FoundSchema

Convert = Callable[[Any], Any]
Field = tuple[str, bool, Convert]
"""Name, whether one that was not set can be told from one with its default, and what makes plain data of its value."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PROTOC = ("-P", "-m", "grpc_tools.protoc")
"""As a process of its own: it writes what is wrong to standard error, and a schema could end it."""
UNMAPPABLE = re.compile(r"[:=\0]|^-|^$")
"""What protoc would take otherwise in the name of a file."""
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
"""No schema's text is like that: each has a semicolon."""
MOST_LINES = 3
"""Of protoc's complaints."""


def compile_protobuf(schema: FoundSchema) -> Callable[[Sequence[int], bytes], Any]:
    """Return what reads a message of a schema: its place among them, as indexes say it, and its bytes.

    Fields have the names of the schema, enumerations the names of their values, maps the keys that JSON would have. A
    field that has no presence and was not set has its default; others are left out. Times are ``datetime``, durations
    numbers of seconds.

    Raises:
        ValueError: the schema cannot be used.
        StreamRecError: the compiler does not run.
    """
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    *others, main = _compile(schema)
    pool = DescriptorPool()
    try:
        for file in (*others, main):
            pool.Add(file)
    except TypeError as error:
        raise ValueError(str(error)) from error
    readers = MessageReaders(pool)
    known: dict[tuple[int, ...], tuple[Any, Convert]] = {}

    def read_message(indexes: Sequence[int], payload: bytes) -> Any:
        key = tuple(indexes)
        if key not in known:
            descriptor = pool.FindMessageTypeByName(_find_name(main, key))
            known[key] = (GetMessageClass(descriptor), readers.of(descriptor))
        message_class, convert = known[key]
        return convert(message_class.FromString(payload))

    return read_message


class MessageReaders:
    """Makes plain data of messages, by what their descriptors say."""

    def __init__(self, pool: Any) -> None:
        """Take the pool in which messages within ``Any`` are looked for."""
        self._pool = pool
        self._fields: dict[str, list[Field]] = {}
        self._known: dict[str, Convert] = {
            "google.protobuf.Timestamp": lambda m: EPOCH + timedelta(seconds=m.seconds, microseconds=m.nanos // 1000),
            "google.protobuf.Duration": lambda m: m.seconds + m.nanos / 1e9,
            "google.protobuf.Struct": lambda m: {name: self._read_value(value) for name, value in m.fields.items()},
            "google.protobuf.ListValue": lambda m: [self._read_value(value) for value in m.values],
            "google.protobuf.Value": self._read_value,
            "google.protobuf.Any": self._read_any,
            "confluent.type.Decimal": _read_decimal,
            **{f"google.protobuf.{name}Value": lambda m: m.value for name in WRAPPED},
        }

    def of(self, descriptor: Any) -> Convert:
        """Return what makes plain data of a message."""
        name: str = descriptor.full_name
        if name in self._known:
            return self._known[name]
        fields = self._fields[name] = []

        def read(message: Any) -> dict[str, Any]:
            return {
                field: convert(getattr(message, field))
                for field, has_presence, convert in fields
                if not has_presence or message.HasField(field)
            }

        self._known[name] = read  # before its fields are looked at: a message can stand in itself
        fields += [(field.name, field.has_presence, self._of_field(field)) for field in descriptor.fields]
        return read

    def _of_field(self, field: Any) -> Convert:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            convert = self._of_one(field.message_type.fields_by_name["value"])
            return lambda entries: {_read_key(key): convert(entries[key]) for key in entries}
        convert = self._of_one(field)
        return (lambda values: [convert(value) for value in values]) if field.is_repeated else convert

    def _of_one(self, field: Any) -> Convert:
        if field.message_type is not None:
            return self.of(field.message_type)
        if field.enum_type is not None:
            names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
            return lambda number: names.get(number, number)
        return lambda value: value

    def _read_value(self, message: Any) -> Any:
        """Return what JSON has; a number without a fraction is whole, as of an id."""
        kind = message.WhichOneof("kind")
        if kind in (None, "null_value"):
            return None
        value = getattr(message, kind)
        if kind == "number_value":
            return int(value) if value.is_integer() else value
        return self.of(value.DESCRIPTOR)(value) if kind in ("struct_value", "list_value") else value

    def _read_any(self, message: Any) -> Any:
        """Return what is within, where the schema knows it, and under ``@type`` what it is."""
        from google.protobuf.message_factory import GetMessageClass

        try:
            descriptor = self._pool.FindMessageTypeByName(message.type_url.rpartition("/")[2])
        except KeyError:
            return {"@type": message.type_url, "value": message.value}
        value = self.of(descriptor)(GetMessageClass(descriptor).FromString(message.value))
        return {"@type": message.type_url, **(value if isinstance(value, dict) else {"value": value})}


WRAPPED = ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")


def _read_key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _read_decimal(message: Any) -> Decimal:
    """Return a number that Kafka Connect wrote, exactly: an integer, big-endian, and how many digits are behind."""
    return Decimal(f"{int.from_bytes(message.value, 'big', signed=True)}e{-message.scale}")


def _find_name(file: Any, indexes: tuple[int, ...]) -> str:
    """Return the name of the message at a place: which of the file's, which of those within that, and so on."""
    within, names = file.message_type, [file.package] if file.package else []
    for index in indexes:
        if not 0 <= index < len(within):
            raise ValueError(f"the schema has no message at {list(indexes)}")
        names.append(within[index].name)
        within = within[index].nested_type
    return ".".join(names)


# text to descriptors


def _compile(schema: FoundSchema) -> list[Any]:
    """Return the descriptor of a schema, as the last one, and of all that it needs, what others need before them."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    main = "schema"
    while main in schema.references:
        main += "_"
    given = FileDescriptorSet.FromString(_describe_known_files())
    with TemporaryDirectory(prefix="stream-rec-protoc-") as folder:
        maps = []
        for place, (name, text) in enumerate({**schema.references, main: schema.text}.items()):
            if UNMAPPABLE.search(name):
                raise ValueError(f"it refers to {name!r}, which cannot be the name of a file")
            if (descriptor := _read_descriptor(text)) is not None:
                descriptor.name = name
                given.file.append(descriptor)
            else:
                file = "schema" if name == main else f"reference-{place}"
                Path(folder, file).write_text(text, encoding="utf-8")
                maps.append(f"-I{name}={file}")
        Path(folder, "given").write_bytes(given.SerializeToString())
        options = ["--descriptor_set_in=given", "--include_imports", "--descriptor_set_out=made"]
        ended = subprocess.run(
            [sys.executable, *PROTOC, *maps, *options, main],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if ended.returncode == 1 and "Traceback" not in ended.stderr:
            complaints = [line for line in ended.stderr.splitlines() if "warning:" not in line]
            raise ValueError("; ".join(complaints[:MOST_LINES]))
        if ended.returncode:
            said = ended.stderr.strip()[-500:]
            raise StreamRecError(f"protoc, of the package grpcio-tools, ended with {ended.returncode}: {said}")
        return list(FileDescriptorSet.FromString(Path(folder, "made").read_bytes()).file)


def _read_descriptor(text: str) -> Any:
    """Return the descriptor that a schema is, in base64, None where it is text."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import DecodeError

    if not BASE64.fullmatch(text):
        return None
    try:
        return FileDescriptorProto.FromString(base64.b64decode(text, validate=False))
    except (binascii.Error, DecodeError) as error:
        raise ValueError(f"it is neither text nor a descriptor in base64: {error}") from error


@cache
def _describe_known_files() -> bytes:
    """Return descriptors of what schemas may import without a reference, besides ``google/protobuf``."""
    from confluent_kafka.schema_registry.confluent import meta_pb2
    from confluent_kafka.schema_registry.confluent.type import variant_pb2
    from confluent_kafka.schema_registry.confluent.types import decimal_pb2 as connect_decimal_pb2  # by both its names
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.type import (
        calendar_period_pb2,
        color_pb2,
        date_pb2,
        datetime_pb2,
        dayofweek_pb2,
        decimal_pb2,
        expr_pb2,
        fraction_pb2,
        interval_pb2,
        latlng_pb2,
        localized_text_pb2,
        money_pb2,
        month_pb2,
        phone_number_pb2,
        postal_address_pb2,
        quaternion_pb2,
        timeofday_pb2,
    )

    found = FileDescriptorSet()
    known: set[str] = set()

    def add(file: Any) -> None:
        if file.name not in known:
            known.add(file.name)
            for needed in file.dependencies:
                add(needed)
            file.CopyToProto(found.file.add())

    for module in (
        meta_pb2, variant_pb2, connect_decimal_pb2, calendar_period_pb2, color_pb2, date_pb2, datetime_pb2,
        dayofweek_pb2, decimal_pb2, expr_pb2, fraction_pb2, interval_pb2, latlng_pb2, localized_text_pb2, money_pb2,
        month_pb2, phone_number_pb2, postal_address_pb2, quaternion_pb2, timeofday_pb2,
    ):  # fmt: skip
        add(module.DESCRIPTOR)
    described: bytes = found.SerializeToString()
    return described
