"""What stands around a record: CloudEvents 1.0, and Debezium's changes of a table's rows.

Sources:
    CloudEvents 1.0.2, JSON event format, and its Kafka protocol binding.
    Debezium 3, "Change event values" and "Event flattening" (``ExtractNewRecordState``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream_rec.events.validate import Rejection
from stream_rec.ingest.foreign_record import Content, ForeignRecord

CE = "ce_"
STRUCTURED = b"application/cloudevents"
DATA = frozenset({"data", "data_base64"})
ROW_OPERATIONS = ("c", "r", "u")
"""Debezium's words for: created, read in a snapshot, updated."""


def open_cloud_event(record: ForeignRecord, content: Content) -> Content | Rejection:
    """Return the data of a CloudEvent, its attributes as the envelope; ``id`` there is unique only with ``source``."""
    is_structured = record.headers.get("content-type", b"").startswith(STRUCTURED)
    if is_structured or (f"{CE}specversion" not in record.headers and _has(content.value, "specversion", "type")):
        value = content.value
        if not isinstance(value, Mapping):
            return Rejection("wrong_type", "a CloudEvent in structured mode is a JSON object; came something else")
        attributes = {name: each for name, each in value.items() if name not in DATA}
        if "data_base64" in value:
            return Rejection("wrong_type", "the CloudEvent's data is binary (data_base64); JSON is read")
        return content._replace(value=value.get("data", {}), envelope=attributes)
    attributes = {
        name.removeprefix(CE): value.decode(errors="replace")
        for name, value in record.headers.items()
        if name.startswith(CE)
    }
    if "type" not in attributes:
        return Rejection("wrong_type", "no CloudEvent: neither headers ce_type, ce_id, ... nor a JSON object with them")
    return content._replace(envelope=attributes)


def open_change(record: ForeignRecord, content: Content) -> Content | Rejection:
    """Return the row of a table after a change, or before where it was deleted; ``op`` and the like as the envelope."""
    key = _payload(content.key)
    if record.value is None:
        return content._replace(key=key, is_deletion=True)
    value = _payload(content.value)
    if not isinstance(value, Mapping):
        return Rejection("wrong_type", "a change of Debezium's is an object; came something else")
    if "op" not in value or not ("after" in value or "before" in value):  # flattened
        is_deletion = str(value.get("__deleted", "false")).lower() == "true" or value.get("__op") == "d"
        envelope = {name.removeprefix("__"): each for name, each in value.items() if name.startswith("__")}
        return content._replace(value=value, key=key, envelope=envelope, is_deletion=is_deletion)
    operation = value["op"]
    envelope = {name: each for name, each in value.items() if name not in ("before", "after")}
    if operation in ROW_OPERATIONS:
        row = value.get("after")
    elif operation == "d":
        row = value.get("before") or key
    else:
        return Rejection("wrong_type", f"a change with op={operation!r}; those of rows are c, r, u and d")
    if not isinstance(row, Mapping):
        return Rejection("wrong_type", f"a change with op={operation!r} has no row in it")
    return Content(row, key, envelope, is_deletion=operation == "d")


def _payload(value: Any) -> Any:
    """Return what Kafka Connect's JSON converter wrote, without the schema that it may write beside."""
    return value["payload"] if isinstance(value, Mapping) and value.keys() == {"schema", "payload"} else value


def _has(value: Any, *names: str) -> bool:
    return isinstance(value, Mapping) and all(name in value for name in names)
