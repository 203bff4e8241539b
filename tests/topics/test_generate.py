"""The generated contracts: JSON Schemas and the AsyncAPI document."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from stream_rec.topics.definition import FOLDER, load
from stream_rec.topics.examples import EXAMPLES
from stream_rec.topics.generate import generate
from stream_rec.topics.schema import MESSAGES, schema_of

TOPICS = {topic.name: topic for topic in load() if not topic.is_binary}
INTERACTION = EXAMPLES["views"].value
SLATE = EXAMPLES["recommendations"].value


def accepted_by_schema(name: str, value: Any) -> bool:
    """Whether the schema in the tree takes ``value``."""
    schema = json.loads((FOLDER / "schemas" / name).read_text(encoding="utf-8"))
    return jsonschema.Draft7Validator(schema).is_valid(value)


def accepted_by_msgspec(name: str, value: Any) -> bool:
    """Whether the pipeline decodes ``value``."""
    try:
        msgspec.json.decode(json.dumps(value), type=MESSAGES[name])
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", generate())
def test_a_generated_file_is_as_in_the_tree(name: str):
    """What apps read is what the code does: after a change, run `python -m stream_rec.topics.generate`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == generate()[name]


def test_no_schema_is_left_over():
    """A schema that nothing generates would be a contract that nobody keeps."""
    assert {file.name for file in (FOLDER / "schemas").iterdir()} == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_schema_is_complete_in_itself(name: str):
    """It is valid JSON Schema and refers to nothing outside, so that it can be copied into an app."""
    schema = schema_of(MESSAGES[name])

    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$id"].startswith("urn:")
    assert schema["title"] == MESSAGES[name].__name__
    assert schema["description"]
    defined = {f"#/$defs/{key}" for key in schema.get("$defs", {})}
    assert set(_references(schema)) == defined


def test_a_schema_carries_the_docstrings_of_fields():
    """An app developer reads the schema and not our Python: first the field's docstring, then what its type says."""
    fields = schema_of(MESSAGES["interaction.json"])["properties"]

    assert fields["event_id"]["description"].startswith("Unique among the user's events.")
    assert fields["event_id"]["description"].endswith("1 to 256 bytes of UTF-8")
    assert fields["user_id"]["description"] == "1 to 256 bytes of UTF-8"


@pytest.mark.parametrize("name", TOPICS)
def test_an_example_is_what_the_topic_carries(name: str):
    """Its schema and the pipeline take it, and it holds no field that the pipeline would drop."""
    schema, value = TOPICS[name].schema, EXAMPLES[name].value

    assert accepted_by_schema(schema, value)
    decoded = msgspec.json.decode(json.dumps(value), type=MESSAGES[schema])
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == value


def test_every_topic_that_apps_see_has_an_example():
    """And no example is left over."""
    assert set(EXAMPLES) == set(TOPICS)


@pytest.mark.parametrize("name", ["views", "clicks", "purchases", "impressions", "searches", "forget", "items"])
def test_the_key_of_an_example_is_the_id_in_its_value(name: str):
    """A record with another key is rejected."""
    assert EXAMPLES[name].key == EXAMPLES[name].value[TOPICS[name].key]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("interaction.json", INTERACTION | {"event_id": ""}),
        ("interaction.json", INTERACTION | {"user_id": "x" * 257}),
        ("interaction.json", INTERACTION | {"item_id": 42}),
        ("interaction.json", INTERACTION | {"timestamp_ms": -1}),
        ("interaction.json", INTERACTION | {"timestamp_ms": "2026-01-01"}),
        ("interaction.json", INTERACTION | {"context": []}),
        ("interaction.json", {key: value for key, value in INTERACTION.items() if key != "event_id"}),
        ("impression.json", EXAMPLES["impressions"].value | {"items": [{"item_id": "i", "position": 0}]}),
        ("search.json", EXAMPLES["searches"].value | {"query": ""}),
        ("forget.json", {}),
        ("item.json", {"item_id": "i", "tags": "rain"}),
        ("item.json", {"item_id": "i", "available": "yes"}),
        ("slate.json", SLATE | {"items": [{"item_id": "i-1"}]}),
        ("slate.json", {key: value for key, value in SLATE.items() if key != "as_of"}),
        ("rejected.json", EXAMPLES["rejected"].value | {"origin": "views[2]@4712"}),
    ],
)
def test_schema_and_pipeline_refuse_the_same(schema: str, value: Any):
    """What the schema forbids the pipeline does not take either."""
    assert not accepted_by_schema(schema, value)
    assert not accepted_by_msgspec(schema, value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("interaction.json", INTERACTION | {"value": None}),
        ("interaction.json", INTERACTION | {"a_field_of_a_later_version": 1}),
        ("item.json", {"item_id": "i"}),
        ("slate.json", SLATE | {"user_id": "*", "as_of": None, "items": []}),
    ],
)
def test_schema_and_pipeline_take_the_same(schema: str, value: Any):
    """What the schema allows beyond the examples the pipeline takes too; unknown fields are ignored."""
    assert accepted_by_schema(schema, value)
    assert accepted_by_msgspec(schema, value)


def test_every_reference_of_the_asyncapi_document_leads_somewhere():
    """Within the document, or to a schema file beside it."""
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text(encoding="utf-8"))

    references = set(_references(document))

    assert len(references) > len(TOPICS)
    for reference in references:
        file, _, path = reference.partition("#")
        if file:
            assert (FOLDER / file).is_file(), reference
            continue
        target = document
        for step in path.strip("/").split("/"):
            assert step in target, reference
            target = target[step]


def test_the_asyncapi_document_shows_what_apps_may_use():
    """Internal topics are not in it."""
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text(encoding="utf-8"))

    assert set(document["channels"]) == set(TOPICS)
    assert set(document["operations"]) == {
        *("receive-views", "receive-clicks", "receive-purchases", "receive-items", "receive-forget"),
        *("receive-rules", "receive-searches", "receive-impressions", "receive-profiles"),
        *("send-recommendations", "send-surfaces", "send-rejected", "send-receipts", "send-status"),
    }


def _references(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        here = [tree["$ref"]] if isinstance(tree.get("$ref"), str) else []
        return here + [reference for value in tree.values() for reference in _references(value)]
    if isinstance(tree, list):
        return [reference for value in tree for reference in _references(value)]
    return []
