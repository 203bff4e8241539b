"""Whether a file holds events or items, as its first lines have it."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec

from stream_rec.errors import FileProblem
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.fields.names import LOOKED_AT, is_near
from stream_rec.logs.log import BadLine, Fields, Log
from stream_rec.logs.opening import FORMATS

SAMPLE_LINES = 100
"""How many lines may be unusable before a file is taken for something else than a log."""


def find_content(path: Path, *, limits: InputLimits) -> Literal["events", "items"]:
    """Return what a file holds: events have a ``user_id`` or an ``event_type``, items have an ``item_id`` and neither.

    Names that are nearly these will do: reading says what is wrong with them.

    Raises:
        FileProblem: as of ``read_events``, or the first lines are neither.
    """
    first: Collection[str] | BadLine | None = None
    log: Log[Collection[str]] = Log(path, Fields((), lambda names: (), _read_names, lambda number, row: [row]), limits)
    with log.close_at_end():
        for names in [log.header] if log.header is not None else islice(log, SAMPLE_LINES):
            first = names if first is None else first
            if not isinstance(names, BadLine) and (found := _judge_names(names)):
                return found
    came = first.detail if isinstance(first, BadLine) else f"the first has {', '.join(first or ()) or 'nothing'}"
    raise FileProblem(
        f"{path} is not a log: item_id was expected in each line, and user_id and event_type in those of events; "
        f"in the first {SAMPLE_LINES} lines there is none: {came}; {FORMATS}"
    )


def _judge_names(names: Collection[str]) -> Literal["events", "items"] | None:
    """Return what lines with these fields hold, or None where that cannot be said."""
    if "user_id" in names or "event_type" in names:
        return "events"
    names = list(islice(names, LOOKED_AT))
    near = {field: any(is_near(name, field) for name in names) for field in ("user_id", "item_id", "timestamp")}
    has_time = near["timestamp"] or "timestamp" in names or "timestamp_ms" in names
    if near["user_id"] and (has_time or "item_id" not in names):
        return "events"
    return "items" if near["item_id"] or "item_id" in names else None


def _read_names(number: int, line: bytes) -> list[Collection[str]] | Rejection:
    try:
        return [_OBJECT.decode(line).keys()]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejection("not_json", str(error))


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
