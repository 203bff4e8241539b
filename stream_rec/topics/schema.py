"""The JSON Schema of each message type, with the docstrings of its fields as descriptions."""

from __future__ import annotations

import ast
import inspect
import sys
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Struct

from stream_rec.events.forget import Forget
from stream_rec.events.impression import Impression
from stream_rec.events.interaction import Interaction
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.receipt import Receipt
from stream_rec.events.rejected import Rejected
from stream_rec.events.rule import Rule
from stream_rec.events.search import Search
from stream_rec.events.slate import Slate
from stream_rec.events.status import Status
from stream_rec.events.surfaces import Surfaces

MESSAGES: dict[str, type[Struct]] = {
    "interaction.json": Interaction,
    "impression.json": Impression,
    "search.json": Search,
    "profile.json": Profile,
    "forget.json": Forget,
    "item.json": Item,
    "rule.json": Rule,
    "slate.json": Slate,
    "surfaces.json": Surfaces,
    "rejected.json": Rejected,
    "receipt.json": Receipt,
    "status.json": Status,
}
"""Schema file to the type it is made from."""

DIALECT = "http://json-schema.org/draft-07/schema#"
"""AsyncAPI 3 builds on draft-07, and its tools refuse newer ones. What msgspec writes means the same in both."""

_EVENTS = f"{Rule.__module__.rpartition('.')[0]}."
"""What the names of the modules begin with that messages and their parts stand in."""


def schema_of(message: type[Struct]) -> dict[str, Any]:
    """Return the JSON Schema of ``message``, complete in itself."""
    definitions = msgspec.json.schema(message)["$defs"]
    own = vars(sys.modules[message.__module__])
    of_parts = {part.__name__: part for part in Struct.__subclasses__() if part.__module__.startswith(_EVENTS)}
    for name, definition in definitions.items():
        describe(definition, own.get(name) or of_parts[name])
    # At the root beside a `$ref`, draft-07 would ignore everything else: so the message itself stands there.
    root = definitions.pop(message.__name__)
    schema = {"$schema": DIALECT, "$id": f"urn:stream-rec:{message.__name__.lower()}", **root}
    return schema | {"$defs": definitions} if definitions else schema


def describe(definition: dict[str, Any], struct: type[Struct]) -> None:
    """Add the docstrings of ``struct`` and its fields to its definition."""
    definition["description"] = _plain(struct.__doc__)
    texts = _field_docstrings(struct)
    for name, schema in definition["properties"].items():
        if "$ref" in schema:
            continue  # draft-07 ignores what stands beside it; what it points to describes itself
        said = [_plain(text) for text in (texts.get(name), schema.pop("description", None)) if text]
        if said:
            definition["properties"][name] = {"description": " ".join(said), **schema}


def _field_docstrings(struct: type[Struct]) -> dict[str, str]:
    """Return the string below each field, by field: Python itself drops them."""
    (statement,) = ast.parse(inspect.getsource(struct)).body
    assert isinstance(statement, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(statement.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _plain(text: str | None) -> str:
    """Return a docstring as one paragraph, without Python's double backquotes."""
    return " ".join((text or "").replace("``", "`").split())
