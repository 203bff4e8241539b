"""The contract of the HTTP service, OpenAPI 3.1: from the types of its handlers and the docstrings of their fields."""

from __future__ import annotations

from typing import Any

from litestar import Litestar

from stream_rec.events.item import Item
from stream_rec.events.over_http import (
    Accepted,
    ErasureAccepted,
    Event,
    Filters,
    Found,
    Position,
    Problem,
    Ranking,
    RankRequest,
    Recommendations,
    Shown,
    State,
    UserProfile,
)
from stream_rec.events.promotion import Promotion
from stream_rec.events.rule import Rule, Target
from stream_rec.events.scope import Arm, Scope, Segment
from stream_rec.events.slate import Reason, SlateItem
from stream_rec.topics.schema import describe

DESCRIBED = {
    struct.__name__: struct
    for struct in (
        *(Event, Shown, Accepted, Position, ErasureAccepted, Item, Rule, Target, Scope, Segment, Arm, State, Problem),
        *(UserProfile, Recommendations, SlateItem, Reason, RankRequest, Promotion, Filters, Ranking, Found),
    )
}
"""What goes over HTTP, by the name that it has in the document."""


def contract_of(app: Litestar) -> dict[str, Any]:
    """Return the document for an app."""
    document = app.openapi_schema.to_schema()
    for name, definition in document["components"]["schemas"].items():
        if name in DESCRIBED:
            describe(definition, DESCRIBED[name])
    return document
