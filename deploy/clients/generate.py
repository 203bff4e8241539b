"""Write ``topics/openapi.json`` and the types of the TypeScript client again: `python deploy/clients/generate.py`.

A test fails where either differs from what this writes.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from stream_rec.serving import generate as contract
from stream_rec.topics.definition import FOLDER

FILE = Path(__file__).parent / "typescript/src/contract.ts"
HEAD = "// Written by `python deploy/clients/generate.py` from topics/openapi.json: do not edit.\n"
NOT_FOR_APPS = {"/metrics"}
"""What Prometheus asks for."""
WIDTH = 110


def generate(document: dict[str, Any]) -> str:
    """Return TypeScript for a document: an interface for each schema, and what each operation takes and answers."""
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        if path not in NOT_FOR_APPS
        for method, operation in methods.items()
    ]
    parts = [HEAD, *(interface(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))]
    members = "".join(member(method, path, operation) for method, path, operation in operations)
    parts.append(f"/** What each operation takes and answers. */\nexport interface Operations {{\n{members}}}\n")
    rows = "".join(f'  {each["operationId"]}: ["{method}", "{path}"],\n' for method, path, each in operations)
    parts.append(f"/** Where each operation is. */\nexport const OPERATIONS = {{\n{rows}}} as const;\n")
    return "\n".join(parts)


def interface(name: str, schema: dict[str, Any]) -> str:
    """Return the interface of a schema."""
    required = schema.get("required", [])
    fields = "".join(
        comment(field.get("description"), "  ") + f"  {key}{'' if key in required else '?'}: {type_of(field)};\n"
        for key, field in schema["properties"].items()
    )
    return f"{comment(schema.get('description'))}export interface {name} {{\n{fields}}}\n"


def member(method: str, path: str, operation: dict[str, Any]) -> str:
    """Return what an operation takes and answers."""
    parameters = operation.get("parameters", [])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    (answer,) = (each for status, each in operation["responses"].items() if status.startswith("2"))
    fields = {
        "ids": group([each for each in parameters if each["in"] == "path"]),
        "query": group([each for each in parameters if each["in"] == "query"]),
        "body": "undefined" if body is None else type_of(body),
        "answer": type_of(answer["content"]["application/json"]["schema"]),
    }
    text = " ".join([operation["summary"] + ".", *operation.get("description", "").split()])
    lines = "".join(f"    {name}: {type_};\n" for name, type_ in fields.items())
    return f"{comment(f'`{method} {path}`: {text}', '  ')}  {operation['operationId']}: {{\n{lines}  }};\n"


def group(parameters: list[dict[str, Any]]) -> str:
    """Return the type of an object of parameters; one that is null stands for one that is left out."""
    if not parameters:
        return "Record<string, never>"
    lines = "".join(
        comment(each.get("description"), "      ")
        + f"      {each['name']}{'' if each['required'] else '?'}: {type_of(each['schema'])};\n"
        for each in parameters
    )
    return f"{{\n{lines}    }}"


def type_of(schema: dict[str, Any]) -> str:
    """Return the type of a schema.

    Raises:
        ValueError: nothing here knows what it is.
    """
    if not schema:
        return "unknown"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "oneOf" in schema:
        return " | ".join(type_of(each) for each in schema["oneOf"])
    kind = schema.get("type")
    if kind == "array" and "prefixItems" in schema:
        return f"[{', '.join(map(type_of, schema['prefixItems']))}]"
    if kind == "array":
        return f"Array<{type_of(schema['items'])}>"
    if kind == "object" and "additionalProperties" in schema:
        return f"Record<string, {type_of(schema['additionalProperties'])}>"
    plain = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}
    if kind not in plain:
        raise ValueError(f"no TypeScript is known for {schema}: say it in deploy/clients/generate.py")
    return plain[kind]


def comment(text: str | None, indent: str = "") -> str:
    """Return a description as a comment, or nothing."""
    if not text:
        return ""
    text = text.replace("*/", "*\\/")
    one = f"{indent}/** {text} */\n"
    if len(one) <= WIDTH:
        return one
    lines = textwrap.wrap(text, WIDTH - len(indent) - 3, break_long_words=False, break_on_hyphens=False)
    return "".join([f"{indent}/**\n", *(f"{indent} * {line}\n" for line in lines), f"{indent} */\n"])


def main() -> None:
    """Write both files, and print the names of those that changed."""
    contract.main()
    text = generate(json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8")))
    if not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        FILE.write_text(text, encoding="utf-8")
        print(f"wrote {FILE.resolve()}")


if __name__ == "__main__":
    main()
