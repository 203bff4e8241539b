"""What each setting means, in the words that stand below it in the code: for `config show` and the reference."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator

import msgspec

from stream_rec.config import Settings


def describe_settings() -> dict[str, str]:
    """Return what sections and settings mean, by ``section`` and ``section.key``; one without words is left out.

    Example:
        >>> describe_settings()["worker.batch_wait_s"]
        'How long a lone event may wait for company.'
    """
    found: dict[str, str] = {}
    for section in msgspec.structs.fields(Settings):
        found[section.name] = _one_line(inspect.getdoc(section.type) or "")
        for key, docs in _read_docs_of_fields(section.type):
            found[f"{section.name}.{key}"] = _one_line(docs)
    return found


def _read_docs_of_fields(struct: type) -> Iterator[tuple[str, str]]:
    """Yield name and docstring of each field that has one: the text that follows it in the class."""
    [body] = ast.parse(textwrap.dedent(inspect.getsource(struct))).body
    assert isinstance(body, ast.ClassDef)
    for field, after in zip(body.body, body.body[1:]):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
            yield field.target.id, after.value.value


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())
