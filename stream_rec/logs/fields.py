"""What the fields of a log mean: an event or an item from a JSON line or a row of a table, or all that is wrong there.

``docs/reference/formats.md`` says the same to people. A name that is nearly right is never guessed, only named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from math import isfinite
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from stream_rec.events.interaction import KIND_OF_LABEL, Interaction, LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.validate import InputLimits, Rejection, check_id, check_timestamp, check_user_id

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MILLISECONDS_FROM = 100_000_000_000
"""Seconds from here on are later than the year 5000: they must be milliseconds."""
LIST_SEPARATOR = "|"
"""Between the elements of a list in one cell of a table."""
NAMED_FIELDS = 12
"""Fields of a line that an error names."""
LOOKED_AT = 64
"""Fields of a line among which those are looked for that may be meant."""

EVENT_NEEDS = (("event_type",), ("user_id",), ("item_id",), ("timestamp", "timestamp_ms"))
"""Of each group an event needs one."""
ITEM_NEEDS = (("item_id",),)


class EventFields(Struct):
    """What is read of an event."""

    event_type: str
    user_id: str
    item_id: str
    event_id: str | None = None
    timestamp: float | int | str | None = None
    timestamp_ms: int | None = None
    value: float | None = None
    context: dict[str, Any] = {}


def event_of_line(line: bytes, default_id: str, received_ms: int, limits: InputLimits) -> LoggedEvent | Rejection:
    """Return the event in one JSON object, or what is wrong with it."""
    fields = _decoded(_EVENT, line, _wrong_event)
    if isinstance(fields, Rejection):
        return fields
    if fields.timestamp is None and fields.timestamp_ms is None:
        return _wrong_line(line, _wrong_event) or Rejection("missing_field", "missing: timestamp or timestamp_ms")
    return _event(fields, default_id, received_ms, limits)


def item_of_line(line: bytes, limits: InputLimits) -> Item | Rejection:
    """Return the item in one JSON object, or what is wrong with it."""
    item = _decoded(_ITEM, line, _wrong_item)
    return item if isinstance(item, Rejection) else check_id("item_id", item.item_id, limits) or item


def event_of_row(
    row: Mapping[str, Any], default_id: str, received_ms: int, limits: InputLimits
) -> LoggedEvent | Rejection:
    """Return the event in one row of a table, as ``row_reader`` gives it, or what is wrong with it."""
    fields = _converted(row, EventFields, _wrong_event)
    if isinstance(fields, Rejection):
        return fields
    if fields.timestamp is None and fields.timestamp_ms is None:
        return _wrong_event(row)
    return _event(fields, default_id, received_ms, limits)


def item_of_row(row: Mapping[str, Any], limits: InputLimits) -> Item | Rejection:
    """Return the item in one row of a table, as ``row_reader`` gives it, or what is wrong with it."""
    item = _converted(row, Item, _wrong_item)
    return item if isinstance(item, Rejection) else check_id("item_id", item.item_id, limits) or item


def row_reader(header: list[str], fields: Collection[str]) -> Callable[[list[str]], dict[str, Any]]:
    """Return what makes of a row of a table the fields that a JSON line would have.

    An empty cell is a field that is not there; a column ``attributes.brand`` is ``brand`` in ``attributes``. What is no
    number or truth where one is expected stays a text, for ``event_of_row`` and ``item_of_row`` to name.

    Args:
        fields: Names of the fields that are wanted; other columns are left out.
    """
    plan: list[tuple[int, str, str | None, Callable[[str], Any]]] = []
    for place, column in enumerate(header):
        name, dot, key = column.partition(".")
        if name in fields and (key or not dot):
            of_key = _list if name == "relations" else _fact
            plan.append((place, name, key or None, of_key if key else _FROM_TEXT.get(name, str)))

    def read(cells: list[str]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for place, name, key, value_of in plan:
            if cell := cells[place]:
                if key is None:
                    row[name] = value_of(cell)
                elif isinstance(inner := row.setdefault(name, {}), dict):
                    inner[key] = value_of(cell)
        return row

    return read


def missing(names: Sequence[str], needs: Iterable[tuple[str, ...]]) -> str:
    """Return the fields that are needed and not among ``names``, with those that may be meant; "" if none is missing.

    Args:
        needs: Groups of names, of each of which one is needed.
    """
    wanted = [group for group in needs if not any(name in names for name in group)]
    if not wanted:
        return ""
    spoken = []
    for group in wanted:
        close = [name for name in names[:LOOKED_AT] if any(is_near(name, field) for field in group)]
        hint = f" (did you mean {' or '.join(map(_shortened, close))}?)" if close else ""
        spoken.append(" or ".join(group) + hint)
    found = ", ".join(map(_shortened, names[:NAMED_FIELDS])) or "nothing"
    more = ", ..." if len(names) > NAMED_FIELDS else ""
    return f"missing: {', '.join(spoken)}; found: {found}{more}"


@lru_cache(maxsize=4096)  # a log has the same few names in each line
def is_near(name: str, field: str) -> bool:
    """Return whether ``name`` is another field's name but may mean ``field``: ``userId``, ``user``, ``usr_id``."""
    if name in EventFields.__struct_fields__ or name in Item.__struct_fields__:
        return False
    bare, bare_field = _bare(name), _bare(field)
    return bare == bare_field or bare in _ALSO.get(field, ()) or bool(get_close_matches(bare, [bare_field], cutoff=0.8))


def _event(fields: EventFields, default_id: str, received_ms: int, limits: InputLimits) -> LoggedEvent | Rejection:
    kind = KIND_OF_LABEL.get(fields.event_type)
    if kind is None:
        return Rejection("unknown_event_type", _unknown_kind(fields.event_type))
    timestamp_ms = fields.timestamp_ms if fields.timestamp_ms is not None else _milliseconds(fields.timestamp)
    if isinstance(timestamp_ms, Rejection):
        return timestamp_ms
    event_id = default_id if fields.event_id is None else fields.event_id
    rejection = (
        check_id("event_id", event_id, limits)
        or check_user_id(fields.user_id, limits)
        or check_id("item_id", fields.item_id, limits)
        or check_timestamp(timestamp_ms, received_ms=received_ms, limits=limits)
    )
    return rejection or LoggedEvent(
        kind, Interaction(event_id, fields.user_id, fields.item_id, timestamp_ms, fields.value, fields.context)
    )


def _milliseconds(timestamp: float | str) -> int | Rejection:
    """Return a time in milliseconds. Seconds are rounded: 1.001 s times 1000 is 1000.9999999999999 in floats."""
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
        hint = ": a number stands without quotes" if _number(timestamp) != timestamp else ""
        return Rejection("bad_timestamp", f"timestamp {_shown(timestamp)}, expected {_EXPECTED['timestamp']}{hint}")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round((moment - EPOCH) / MILLISECOND)


def _unknown_kind(label: str) -> str:
    known = list(KIND_OF_LABEL)
    bare = _bare(label)
    close = [_KIND_ALSO[bare]] if bare in _KIND_ALSO else get_close_matches(bare, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"event_type {_shown(label)}; expected one of: {', '.join(known)}{hint}"


def _decoded(decoder: msgspec.json.Decoder[T], line: bytes, wrong: Callable[[Any], Rejection | None]) -> T | Rejection:
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as error:
        said = _as_msgspec_says(error)
    except UnicodeDecodeError as error:
        return Rejection("not_json", f"{error}: save the file as UTF-8")
    except (msgspec.DecodeError, RecursionError) as error:
        return Rejection("not_json", f"not one whole JSON object: {error}")
    return _wrong_line(line, wrong) or said


def _wrong_line(line: bytes, wrong: Callable[[Any], Rejection | None]) -> Rejection | None:
    """Return what is wrong with the fields of a line that a decoder has read a part of."""
    try:
        return wrong(_ANY.decode(line))
    except UnicodeDecodeError as error:  # in a name or a place that the decoder did not look at
        return Rejection("not_json", f"{error}: save the file as UTF-8")
    except (msgspec.DecodeError, RecursionError):
        return None


def _converted(row: Mapping[str, Any], type_: type[T], wrong: Callable[[Any], Rejection | None]) -> T | Rejection:
    try:
        return msgspec.convert(row, type_)
    except msgspec.ValidationError as error:
        return wrong(row) or _as_msgspec_says(error)


def _as_msgspec_says(error: msgspec.ValidationError) -> Rejection:
    # The only id that msgspec itself finds too short or too long is Item.item_id; reasons as in events/validate.py.
    message = str(error)
    return Rejection("bad_id" if "length" in message and "`$.item_id`" in message else "wrong_type", message)


def _wrong_event(fields: Any) -> Rejection | None:
    return _wrong(fields, _EVENT_TYPES, EVENT_NEEDS)


def _wrong_item(fields: Any) -> Rejection | None:
    return _wrong(fields, _ITEM_TYPES, ITEM_NEEDS)


def _wrong(fields: Any, types: Mapping[str, Any], needs: Iterable[tuple[str, ...]]) -> Rejection | None:
    """Return all that is missing and all that has a wrong type, or None where nothing is wrong."""
    if not isinstance(fields, Mapping):
        return Rejection("wrong_type", f"{_shown(fields)} is not an object with fields: {{...}} expected")
    needed = {name for group in needs for name in group}
    lacking = missing([name for name, value in fields.items() if name not in needed or value is not None], needs)
    complaints = []
    for name, type_ in types.items():
        value = fields.get(name)
        if value is None and (name not in fields or name in needed or name == "event_id" or name == "value"):
            continue
        try:
            msgspec.convert(value, type_)
        except msgspec.ValidationError as error:
            said = str(error).partition(" - at")[0].removeprefix("Expected ")
            complaints.append(f"{name} is {_shown(value)}, expected {said if 'length' in said else _EXPECTED[name]}")
    if not lacking and not complaints:
        return None
    return Rejection("missing_field" if lacking else "wrong_type", "; ".join(filter(None, [lacking, *complaints])))


def _shown(value: Any) -> str:
    """Return a value as it stands in the file, shortened."""
    try:
        return _shortened(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return "nested too deep"


def _shortened(text: str) -> str:
    return text if len(text) <= 64 else f"{text[:60]}..."


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _number(cell: str) -> float | str:
    return float(cell) if _IS_NUMBER.fullmatch(cell) and isfinite(float(cell)) else cell


def _whole(cell: str) -> int | str:
    try:
        return int(cell) if _IS_NUMBER.fullmatch(cell) else cell
    except ValueError:
        return cell


def _fact(cell: str) -> float | int | str:
    """Return a number where a cell is written like one in JSON: 007 is a text."""
    try:
        number = msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError):
        return cell
    return number if type(number) in (int, float) else cell


def _list(cell: str) -> list[str]:
    return [part for part in map(str.strip, cell.split(LIST_SEPARATOR)) if part]


def _truth(cell: str) -> bool | str:
    return _TRUTHS.get(cell.strip().lower(), cell)


def _object(cell: str) -> Any:
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError):
        return cell


_IS_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "timestamp": _number, "timestamp_ms": _whole, "value": _number, "context": _object,
    "tags": _list, "attributes": _object, "relations": _object, "vectors": _object, "available": _truth,
}  # fmt: skip
_EXPECTED = {
    **dict.fromkeys(("user_id", "item_id", "event_id", "title", "description", "category"), "a text, in quotes"),
    "event_type": f"one of: {', '.join(KIND_OF_LABEL)}",
    "timestamp": "seconds since 1970, or an ISO 8601 date and time such as 2024-05-01T12:00:00Z",
    "timestamp_ms": "whole milliseconds since 1970",
    "value": "a number",
    "context": "an object: names with values",
    "tags": "a list of texts",
    "attributes": "an object: names with values",
    "relations": "an object: names with lists of item ids",
    "vectors": "an object: names with lists of numbers",
    "available": "true or false",
}
_EVENT_TYPES = {field.name: field.type for field in msgspec.structs.fields(EventFields)}
_ITEM_TYPES = {field.name: field.type for field in msgspec.structs.fields(Item)} | {"item_id": str}
_ALSO = {
    "user_id": {"user", "uid", "customer", "customerid", "visitor", "visitorid", "member", "memberid", "account",
                "accountid", "client", "clientid", "buyer", "reviewerid"},
    "item_id": {"id", "item", "product", "productid", "sku", "asin", "article", "articleid", "movie", "movieid", "book",
                "bookid", "content", "contentid", "stockcode", "isbn"},
    "event_type": {"event", "type", "action", "kind", "interaction", "behavior", "behaviour"},
    "timestamp": {"ts", "time", "date", "datetime", "createdat", "at", "when", "unixtime", "eventtime", "eventdate"},
    "timestamp_ms": {"tsms", "timems", "millis", "milliseconds"},
}  # fmt: skip
"""Names that other logs have, as ``_bare`` gives them."""
_KIND_ALSO = {
    **dict.fromkeys(("buy", "bought", "order", "ordered", "sale", "transaction", "checkout"), "purchase"),
    **dict.fromkeys(("pageview", "visit", "detail", "impression", "see"), "view"),
}
_EVENT = msgspec.json.Decoder(EventFields)
_ITEM = msgspec.json.Decoder(Item)
_ANY = msgspec.json.Decoder()
