"""The OpenAPI document in the repository is what the service answers, and describes itself."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("litestar")

from stream_rec.serving.contract import DESCRIBED
from stream_rec.serving.generate import generate
from stream_rec.topics.definition import FOLDER
from tests.serving.test_app import Service

TEXT = (FOLDER / "openapi.json").read_text(encoding="utf-8")
DOCUMENT = json.loads(TEXT)


def test_the_file_is_what_the_service_answers():
    """Whoever makes a client reads the file. After a change: `python -m stream_rec.serving.generate`."""
    service = Service()
    answers = [service.ask("GET", "/v1/openapi.json").json() for _ in range(2)]

    assert generate() == TEXT
    assert answers == [DOCUMENT, DOCUMENT]


def test_every_type_is_described():
    """By its docstring; and none is described that does not go over HTTP."""
    schemas = DOCUMENT["components"]["schemas"]

    assert schemas.keys() == DESCRIBED.keys()
    assert all(schema["description"] for schema in schemas.values())
    assert schemas["Event"]["properties"]["event_id"]["description"].startswith("Unique among the user's events.")


def test_operations_have_names():
    """Those by which clients call them."""
    names = [each["operationId"] for path in DOCUMENT["paths"].values() for each in path.values()]

    assert len(set(names)) == len(names) and {"get_recommendations", "post_events", "get_readiness"} <= set(names)
    assert DOCUMENT["paths"]["/readyz"]["get"]["responses"].keys() == {"200", "503"}
