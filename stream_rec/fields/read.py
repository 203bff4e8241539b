"""What the fields of a log mean: an event or an item from a JSON line or a row of a table, or all that is wrong there.

``docs/reference/formats.md`` says the same to people. A name that is nearly right is never guessed, only named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from stream_rec.events import validate
from stream_rec.events.impression import Impression, ShownItem, place
from stream_rec.events.interaction import KIND_OF_LABEL, Interaction, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.nesting import TOO_DEEP, is_nested_too_deep
from stream_rec.events.search import Search
from stream_rec.events.source import Event, Source
from stream_rec.events.validate import InputLimits, Rejection, check_id, check_query, check_timestamp, check_user_id
from stream_rec.fields.names import (
    IMPRESSION,
    IMPRESSION_NEEDS,
    ITEM_NEEDS,
    LABELS,
    SEARCH,
    SEARCH_NEEDS,
    EventFields,
    Needs,
    explain_unknown_label,
    find_near_label,
    find_needs,
    name_missing,
    needs_no_item,
    show,
)

T = TypeVar("T")

IS_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MILLISECONDS_FROM = 100_000_000_000
"""Seconds from here on are later than the year 5000: they must be milliseconds."""
Record = LoggedEvent | Search | Impression
"""What a user did or was shown, as a log of events has it."""


def split_record(record: Record) -> tuple[Source, Event]:
    """Return where a record belongs, and what stands there."""
    if isinstance(record, Impression):
        return Source.IMPRESSION, record
    return (Source.SEARCH, record) if isinstance(record, Search) else (Source(record.kind), record.event)


class _Shown(Struct):
    """What an impression has of its own."""

    items: list[str | ShownItem]
    list_id: str
    surface: str


class SourcedRecord(NamedTuple):
    """What a user did or was shown, and what the line says of where that led."""

    record: Record
    source_type: object


def read_event_line(line: bytes, default_id: str, received_ms: int, limits: InputLimits) -> SourcedRecord | Rejection:
    """Return the event, search or impression in one JSON object, or what is wrong with it.

    Example:
        >>> line = b'{"event_type": "view", "user_id": "ann", "item_id": "tea", "timestamp": 1000}'
        >>> (kind, event), _ = read_event_line(line, "log-1", received_ms=2_000_000, limits=InputLimits())
        >>> kind.label, event.event_id, event.timestamp_ms
        ('view', 'log-1', 1000000)
        >>> read_event_line(b'{"event_type": "viewed"}', "log-2", 2_000_000, InputLimits()).reason
        'missing_field'
    """
    fields = _decode(_EVENT, line, _reject_event)
    if isinstance(fields, Rejection):
        return fields
    if lacking := _find_lacking(fields):
        return _reject_line(line, _reject_event) or lacking
    return _make_event(fields, default_id, received_ms, limits)


def read_item_line(line: bytes, limits: InputLimits) -> Item | Rejection:
    """Return the item in one JSON object, or what is wrong with it."""
    item = _decode(_ITEM, line, _reject_item)
    return item if isinstance(item, Rejection) else check_id("item_id", item.item_id, limits) or item


def read_event_row(
    row: Mapping[str, Any], default_id: str, received_ms: int, limits: InputLimits
) -> SourcedRecord | Rejection:
    """Return the same of one row of a table, as ``make_row_reader`` gives it, or what is wrong with it."""
    fields = _convert(row, EventFields, _reject_event)
    if isinstance(fields, Rejection):
        return fields
    if lacking := _find_lacking(fields):
        return _reject_event(row) or lacking
    return _make_event(fields, default_id, received_ms, limits)


def read_item_row(row: Mapping[str, Any], limits: InputLimits) -> Item | Rejection:
    """Return the item in one row of a table, as ``make_row_reader`` gives it, or what is wrong with it."""
    item = _convert(row, Item, _reject_item)
    return item if isinstance(item, Rejection) else check_id("item_id", item.item_id, limits) or item


def read_number(cell: str) -> float | str:
    """Return a finite number, or the text where it is none."""
    return float(cell) if IS_NUMBER.fullmatch(cell) and isfinite(float(cell)) else cell


def _find_lacking(fields: EventFields) -> Rejection | None:
    """Return what an event lacks that some other might do without, or None."""
    if fields.event_type == SEARCH and not isinstance(fields.query, str):
        return Rejection("missing_field", "missing: query")
    if fields.event_type == IMPRESSION and not isinstance(fields.items, list):
        return Rejection("missing_field", "missing: items")
    if fields.item_id is None and not needs_no_item(fields.event_type):
        return Rejection("missing_field", "missing: item_id")
    if fields.timestamp is None and fields.timestamp_ms is None:
        return _NO_TIME
    return None


def _make_event(
    fields: EventFields, default_id: str, received_ms: int, limits: InputLimits
) -> SourcedRecord | Rejection:
    """Return the event, search or impression that these fields are; ``_find_lacking`` has found none missing."""
    if fields.event_type not in LABELS:
        return Rejection("unknown_event_type", explain_unknown_label(fields.event_type))
    timestamp_ms = fields.timestamp_ms if fields.timestamp_ms is not None else _read_time(fields.timestamp)
    if isinstance(timestamp_ms, Rejection):
        return timestamp_ms
    event_id = default_id if fields.event_id is None else fields.event_id
    rejection = (
        check_id("event_id", event_id, limits)
        or check_user_id(fields.user_id, limits)
        or (None if fields.item_id is None else check_id("item_id", fields.item_id, limits))
        or check_timestamp(timestamp_ms, received_ms=received_ms, limits=limits)
    )
    if rejection:
        return rejection
    if fields.event_type == IMPRESSION:
        return _make_impression(fields, event_id, timestamp_ms, received_ms, limits)
    user_id, item_id, context = fields.user_id, fields.item_id, fields.context
    kind = KIND_OF_LABEL.get(fields.event_type)
    if kind is None or item_id is None:
        search = Search(event_id, user_id, fields.query, timestamp_ms, item_id, context)
        return check_query(fields.query) or SourcedRecord(search, fields.source_type)
    event = Interaction(event_id, user_id, item_id, timestamp_ms, fields.value, context)
    return SourcedRecord(LoggedEvent(kind, event), fields.source_type)


def _make_impression(
    fields: EventFields, event_id: str, timestamp_ms: int, received_ms: int, limits: InputLimits
) -> SourcedRecord | Rejection:
    """Return the impression that these fields are, checked as its topic checks it."""
    said = {"items": fields.items, "list_id": fields.list_id or "", "surface": fields.surface or ""}
    try:
        shown = msgspec.convert(said, _Shown)
    except msgspec.ValidationError as error:
        return validate.name_complaint(str(error))
    items = place(shown.items)
    impression = Impression(event_id, fields.user_id, shown.list_id, items, timestamp_ms, shown.surface)
    key, value = fields.user_id.encode(), msgspec.json.encode(impression)
    checked = validate.impression(key, value, received_ms=received_ms, limits=limits)
    return checked if isinstance(checked, Rejection) else SourcedRecord(checked, None)


def _read_time(timestamp: float | str | None) -> int | Rejection:
    """Return a time in milliseconds. Seconds are rounded: 1.001 s times 1000 is 1000.9999999999999 in floats."""
    if timestamp is None:
        return _NO_TIME
    if not isinstance(timestamp, str):
        if MILLISECONDS_FROM <= timestamp < MILLISECONDS_FROM * 1000:
            return Rejection("bad_timestamp", f"timestamp {timestamp!r} must be milliseconds: name it timestamp_ms")
        try:
            return round(timestamp * 1000)
        except OverflowError:
            return Rejection("bad_timestamp", f"timestamp {timestamp!r} is no time; seconds since 1970 expected")
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        hint = ": a number stands without quotes" if read_number(timestamp) != timestamp else ""
        return Rejection("bad_timestamp", f"timestamp {show(timestamp)}, expected {_EXPECTED['timestamp']}{hint}")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round((moment - EPOCH) / MILLISECOND)


def _decode(decoder: msgspec.json.Decoder[T], line: bytes, wrong: Callable[[Any], Rejection | None]) -> T | Rejection:
    if is_nested_too_deep(line):
        return Rejection("not_json", TOO_DEEP)
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as error:
        said = _repeat_msgspec(error)
    except UnicodeDecodeError as error:
        return Rejection("not_json", f"{error}: save the file as UTF-8")
    except (msgspec.DecodeError, RecursionError) as error:
        return Rejection("not_json", f"not one whole JSON object: {error}")
    return _reject_line(line, wrong) or said


def _reject_line(line: bytes, wrong: Callable[[Any], Rejection | None]) -> Rejection | None:
    """Return what is wrong with the fields of a line that a decoder has read a part of."""
    try:
        return wrong(_ANY.decode(line))
    except UnicodeDecodeError as error:  # in a name or a place that the decoder did not look at
        return Rejection("not_json", f"{error}: save the file as UTF-8")
    except (msgspec.DecodeError, RecursionError):
        return None


def _convert(row: Mapping[str, Any], type_: type[T], wrong: Callable[[Any], Rejection | None]) -> T | Rejection:
    try:
        return msgspec.convert(row, type_)
    except msgspec.ValidationError as error:
        return wrong(row) or _repeat_msgspec(error)


def _repeat_msgspec(error: msgspec.ValidationError) -> Rejection:
    # The only id that msgspec itself finds too short or too long is Item.item_id; reasons as in events/validate.py.
    message = str(error)
    return Rejection("bad_id" if "length" in message and "`$.item_id`" in message else "wrong_type", message)


def _reject_event(fields: Any) -> Rejection | None:
    if not isinstance(fields, Mapping):
        return _no_object(fields)
    label = fields.get("event_type")
    if isinstance(label, str) and label not in LABELS and needs_no_item(label):  # it is that word which is wrong
        label = find_near_label(label)
    needs = find_needs([name for name, value in fields.items() if value is not None], label)
    types = {SEARCH_NEEDS: _SEARCH_TYPES, IMPRESSION_NEEDS: _IMPRESSION_TYPES}.get(needs, _EVENT_TYPES)
    return _reject(fields, types, needs)


def _reject_item(fields: Any) -> Rejection | None:
    return _reject(fields, _ITEM_TYPES, ITEM_NEEDS) if isinstance(fields, Mapping) else _no_object(fields)


def _no_object(value: Any) -> Rejection:
    return Rejection("wrong_type", f"{show(value)} is not an object with fields: {{...}} expected")


def _reject(fields: Mapping[str, Any], types: Mapping[str, Any], needs: Needs) -> Rejection | None:
    """Return all that is missing and all that has a wrong type, or None where nothing is wrong."""
    needed = {name for group in needs for name in group}
    lacking = name_missing([name for name, value in fields.items() if name not in needed or value is not None], needs)
    complaints = []
    for name, type_ in types.items():
        value = fields.get(name)
        if value is None and (name not in fields or name in needed or name == "event_id" or name == "value"):
            continue
        try:
            msgspec.convert(value, type_)
        except msgspec.ValidationError as error:
            said = str(error).partition(" - at")[0].removeprefix("Expected ")
            complaints.append(f"{name} is {show(value)}, expected {said if 'length' in said else _EXPECTED[name]}")
    if not lacking and not complaints:
        return None
    return Rejection("missing_field" if lacking else "wrong_type", "; ".join(filter(None, [lacking, *complaints])))


_EXPECTED = {
    **dict.fromkeys(
        ("user_id", "item_id", "query", "list_id", "surface", "event_id", "title", "description", "category"),
        "a text, in quotes",
    ),
    "items": "a list of item ids, or of objects with item_id and position",
    "event_type": f"one of: {', '.join(LABELS)}",
    "timestamp": "seconds since 1970, or an ISO 8601 date and time such as 2024-05-01T12:00:00Z",
    "timestamp_ms": "whole milliseconds since 1970",
    "value": "a number",
    "context": "an object: names with values",
    "tags": "a list of texts",
    "attributes": "an object: names with values",
    "relations": "an object: names with lists of item ids",
    "vectors": "an object: names with lists of numbers",
    "available": "true or false",
    "boost": "a number from .01 to 100",
}
_EVENT_TYPES = {field.name: field.type for field in msgspec.structs.fields(EventFields)}
_SEARCH_TYPES = _EVENT_TYPES | {"query": str}
_IMPRESSION_TYPES = _EVENT_TYPES | {"items": list[Any], "list_id": str | None, "surface": str | None}
_ITEM_TYPES = {field.name: field.type for field in msgspec.structs.fields(Item)} | {"item_id": str}
_NO_TIME = Rejection("missing_field", "missing: timestamp or timestamp_ms")
_EVENT = msgspec.json.Decoder(EventFields)
_ITEM = msgspec.json.Decoder(Item)
_ANY = msgspec.json.Decoder()
