"""Avro: what reads records that were written by one schema.

Source:
    Apache Avro 1.12, specification: binary encoding, schema resolution.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

from stream_rec.events.nesting import MOST_LEVELS, TOO_DEEP
from stream_rec.ingest.registry import FoundSchema

AROUND = "stream_rec_record"
"""A record around each schema, which adds no byte: unions and names of other schemas can stand in it."""


def compile_avro(schema: FoundSchema) -> Callable[[bytes], Any]:
    """Return what reads a record of a schema, with its logical types.

    It raises an exception of any kind where the bytes are no such record. (`AvroDeserializer` would ignore bytes that
    are left, and would end the process, with a segmentation fault, at a record that is nested 20,000 deep, in 20 KB.)

    Raises:
        ValueError: the schema cannot be used.
    """
    import fastavro
    from fastavro import _read_py  # in Python: what is nested too deep raises an exception

    named: dict[str, Any] = {}
    try:
        for text in schema.references.values():
            fastavro.parse_schema(json.loads(text), named_schemas=named)
        around = {"type": "record", "name": AROUND, "fields": [{"name": "value", "type": _load(schema.text)}]}
        parsed: Any = fastavro.parse_schema(around, named_schemas=named)
        is_recursive = _is_recursive(parsed, named, frozenset(), set())
    except Exception as error:  # fastavro's own have no common base
        raise ValueError(f"{type(error).__name__}: {error}") from error
    read = _read_py.schemaless_reader if is_recursive else fastavro.schemaless_reader

    def read_record(payload: bytes) -> Any:
        stream = BytesIO(payload)
        value = read(stream, parsed, None)["value"]  # type: ignore[call-overload, index]
        if stream.tell() < len(payload):
            raise ValueError(f"{len(payload) - stream.tell()} bytes are left behind the record")
        if is_recursive and is_deeper(value, MOST_LEVELS):
            raise ValueError(TOO_DEEP)
        return value

    return read_record


def is_deeper(value: Any, levels: int) -> bool:
    """Return whether objects and lists are nested more than ``levels`` deep.

    Example:
        >>> is_deeper({"a": [1]}, 2), is_deeper({"a": [1]}, 1)
        (False, True)
    """
    if not isinstance(value, Mapping | list):
        return False
    inner = value.values() if isinstance(value, Mapping) else value
    return levels == 0 or any(is_deeper(each, levels - 1) for each in inner)


def _load(text: str) -> Any:
    """Return a schema as JSON; a primitive's may be its name alone, without quotes."""
    return text.strip() if text.strip().isalpha() else json.loads(text)


def _is_recursive(schema: Any, named: Mapping[str, Any], above: frozenset[str], done: set[str]) -> bool:
    """Return whether a schema has a record in which the same can stand again.

    Args:
        above: Names of the records in which it stands.
        done: Names of those that were looked at, and are not.
    """
    if isinstance(schema, list):
        return any(_is_recursive(each, named, above, done) for each in schema)
    if isinstance(schema, str):
        if schema in above:
            return True
        return schema in named and schema not in done and _is_recursive(named[schema], named, above, done)
    name = schema.get("name", "")
    parts = [field["type"] for field in schema.get("fields", ())]
    parts += [schema[key] for key in ("items", "values") if key in schema]
    if isinstance(schema["type"], list | dict):
        parts.append(schema["type"])
    found = any(_is_recursive(part, named, above | {name}, done) for part in parts)
    done.add(name)
    return found
