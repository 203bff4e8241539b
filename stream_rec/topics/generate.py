"""Write ``topics/schemas/`` and ``topics/asyncapi.yaml`` again: `python -m stream_rec.topics.generate`.

Needs PyYAML, from the extra ``test``. A test fails where the files differ from what this writes.
"""

from __future__ import annotations

import json

import yaml

from stream_rec.topics.asyncapi import document
from stream_rec.topics.definition import FOLDER, load
from stream_rec.topics.schema import MESSAGES, schema_of

HEADER = "# Written by `python -m stream_rec.topics.generate` from topics/*.toml and stream_rec/events/: do not edit.\n"


def generate() -> dict[str, str]:
    """Return the text of each generated file, by its path below ``topics/``."""
    files = {f"schemas/{name}": json.dumps(schema_of(message), indent=2) + "\n" for name, message in MESSAGES.items()}
    return files | {"asyncapi.yaml": HEADER + _yaml(document(load()))}


def main() -> None:
    """Write every generated file, and print its name where it changed."""
    for name, text in generate().items():
        file = FOLDER / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
            print(f"wrote {file.resolve()}")


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """Writes long texts as blocks, and equal parts out each time instead of by anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _yaml(tree: object) -> str:
    text: str = yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text


if __name__ == "__main__":
    main()
