"""A recording: what stood on the source topics, one record a line, in the order in which it came, with its place.

A line is that of a log, of events or of items, and besides says in ``recorded`` where the record stood. So a recording
of topics of events is a log of events, and one of ``items`` a file of items. Profiles and rules have lines of their
own, and so has a null value: ``deleted``. ``docs/reference/formats.md`` says the same to people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from stream_rec.errors import FileProblem
from stream_rec.events import validate
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule
from stream_rec.events.source import SOURCE_OF_TOPIC, TOPIC_OF_SOURCE, UserEvent
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.logs.content import SAMPLE_LINES
from stream_rec.logs.log import BadLine, Fields, Log

ITEMS, RULES = "items", "rules"
SOURCE_TOPICS = (ITEMS, RULES, *TOPIC_OF_SOURCE.values())
"""What can be recorded, without prefix, in the order in which records of one moment are taken."""
ID_OF_TOPIC = {ITEMS: "item_id", RULES: "rule_id", **dict.fromkeys(TOPIC_OF_SOURCE.values(), "user_id")}
"""The field that is the record's key."""
LONGER = 4
"""A line may be so many times as long as a record: its place stands in it, and numbers may be written at length."""


class RecordPlace(Struct, frozen=True):
    """Where a record stood, and since when."""

    topic: str
    """Without prefix."""
    partition: int
    offset: int
    received_ms: int
    """The broker's time."""


class Recorded(NamedTuple):
    """One record of a source topic."""

    place: RecordPlace
    key: str
    """Id of the user, item or rule."""
    value: UserEvent | Item | Rule | None
    """None where the record deletes."""


def check_record(
    place: RecordPlace, key: bytes | None, value: bytes | None, limits: InputLimits
) -> Recorded | Rejection:
    """Return what a record of a source topic says, or why the pipeline rejects it."""
    made: tuple[str, UserEvent | Item | Rule | None] | Rejection
    if place.topic == ITEMS:
        made = validate.item_record(key, value, limits=limits)
    elif place.topic == RULES:
        made = validate.rule_record(key, value, limits=limits)
    else:
        source = SOURCE_OF_TOPIC[place.topic]
        event = validate.event(source, key, value, received_ms=place.received_ms, limits=limits)
        made = event if isinstance(event, Rejection) else (event.user_id, None if value is None else event)
    return made if isinstance(made, Rejection) else Recorded(place, *made)


def encode_line(record: Recorded) -> bytes:
    """Return the line of a record, with its end.

    Example:
        >>> print(encode_line(Recorded(RecordPlace("items", 0, 7, 1_000), "tea", Item("tea", "Tea"))).decode(), end="")
        {"item_id":"tea","title":"Tea","recorded":{"topic":"items","partition":0,"offset":7,"received_ms":1000}}
    """
    topic = record.place.topic
    source = SOURCE_OF_TOPIC.get(topic)
    fields: dict[str, Any] = {} if source is None else {"event_type": source.label}
    if record.value is None:
        fields |= {ID_OF_TOPIC[topic]: record.key, "deleted": True}
    else:
        fields |= msgspec.to_builtins(record.value)
    return msgspec.json.encode(fields | {"recorded": record.place}) + b"\n"


def read_recording(path: Path, *, limits: InputLimits) -> Log[Recorded]:
    """Return the records of a recording; iterate to read them.

    Raises:
        FileProblem: there is no such file, or it is no recording.
    """
    if not is_recording(path, limits=limits):
        raise FileProblem(f"{path} is no recording, as `stream-rec record` writes it: its lines have no `recorded`")
    wide = _widen(limits)
    return Log(path, Fields((), lambda names: (), lambda _, line: _read_line(line, wide), _refuse_row), wide)


def is_recording(path: Path, *, limits: InputLimits) -> bool:
    """Return whether a file is a recording, as its first usable line has it.

    Raises:
        FileProblem: there is no such file, or it is no log.
    """
    fields: Fields[bool] = Fields(
        (), lambda names: (), lambda number, line: _has_place(line), lambda number, row: [False]
    )
    log = Log(path, fields, _widen(limits))
    if log.header is not None:
        return False
    with log.close_at_end():
        return next((line for line in islice(log, SAMPLE_LINES) if not isinstance(line, BadLine)), False)


def _widen(limits: InputLimits) -> InputLimits:
    return msgspec.structs.replace(limits, record_bytes=LONGER * limits.record_bytes)


def _has_place(line: bytes) -> Sequence[bool] | Rejection:
    try:
        return ["recorded" in _OBJECT.decode(line)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejection("not_json", str(error))


def _read_line(line: bytes, limits: InputLimits) -> Sequence[Recorded] | Rejection:
    """Return the record of a line, or what is wrong with it."""
    try:
        head, fields = _HEAD.decode(line), _FIELDS.decode(line)
    except msgspec.ValidationError as error:
        lacking = "recorded" in str(error) and "missing" in str(error)
        return Rejection("missing_field" if lacking else "wrong_type", f"{error}: a line as `record` writes expected")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejection("not_json", f"not one whole JSON object: {error}")
    place = head.recorded
    name = ID_OF_TOPIC.get(place.topic)
    if name is None:
        return Rejection("unknown_topic", f"topic {place.topic[:100]!r}; expected one of: {', '.join(SOURCE_TOPICS)}")
    key = fields.get(name)
    if not isinstance(key, str):
        return Rejection("missing_field", f"missing: {name}, as a text")
    for needless in ("recorded", "event_type", "deleted"):
        fields.pop(needless, None)
    value = None if head.deleted else msgspec.json.encode(fields)
    read = check_record(place, _as_bytes(key), value, limits)
    return read if isinstance(read, Rejection) else [read]


def _refuse_row(number: int, row: Mapping[str, Any]) -> Rejection:
    return Rejection("not_json", "a recording is JSON lines")


def _as_bytes(key: str) -> bytes | None:
    try:
        return key.encode()
    except UnicodeEncodeError:  # half of a character, as JSON may write it
        return None


class _Head(Struct):
    """What is read of every line."""

    recorded: RecordPlace
    deleted: bool = False


_HEAD = msgspec.json.Decoder(_Head)
_FIELDS = msgspec.json.Decoder(dict[str, Any])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
