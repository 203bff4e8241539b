"""The TypeScript client knows every operation and field of the contract; tests/interop runs it."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("litestar")

from stream_rec import __version__
from stream_rec.topics.definition import FOLDER

CLIENTS = Path(__file__).parents[3] / "deploy/clients"
DOCUMENT = json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
SOURCE = (CLIENTS / "typescript/src/client.ts").read_text(encoding="utf-8")
CONTRACT = (CLIENTS / "typescript/src/contract.ts").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The module that writes types; it is no part of the package."""
    spec = importlib.util.spec_from_file_location("generate_clients", CLIENTS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_its_types_follow_from_the_contract(generator: ModuleType):
    """Field by field. After a change: `python deploy/clients/generate.py`."""
    assert generator.generate(DOCUMENT) == CONTRACT
    for schema in DOCUMENT["components"]["schemas"].values():
        assert all(re.search(rf"^  {field}\??: ", CONTRACT, re.MULTILINE) for field in schema["properties"])


def test_every_operation_is_a_method(generator: ModuleType):
    """By its name in camel case; the compiler holds what each takes and answers."""
    operations = {
        operation["operationId"]
        for path, methods in DOCUMENT["paths"].items()
        if path not in generator.NOT_FOR_APPS
        for operation in methods.values()
    }
    methods = dict(re.findall(r"^  (\w+)\(.*?(.*?)^  \}$", SOURCE, re.MULTILINE | re.DOTALL))

    assert set(re.findall(r'#ask\("(\w+)"', SOURCE)) == operations
    for name in operations:
        assert f'this.#ask("{name}", ' in methods[re.sub(r"_(\w)", lambda after: after[1].upper(), name)]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "unknown"),
        ({"$ref": "#/components/schemas/Item"}, "Item"),
        ({"type": ["null", "string"], "enum": ["seen", None]}, '"seen" | null'),
        ({"oneOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, "Array<number> | null"),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "Record<string, boolean>"),
    ],
)
def test_a_schema_is_a_type(generator: ModuleType, schema: dict[str, object], expected: str):
    """And one that is not known is no guess."""
    assert generator.type_of(schema) == expected
    with pytest.raises(ValueError, match="no TypeScript is known"):
        generator.type_of({"type": "object"})


def test_its_version_is_the_package_s():
    """One contract, one number."""
    assert json.loads((CLIENTS / "typescript/package.json").read_text(encoding="utf-8"))["version"] == __version__
