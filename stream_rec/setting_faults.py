"""Where in a setting something is wrong, and what was expected there: a table of tables is a haystack."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct


def describe_fault(value: object, expected: Any, path: str = "", *, strict: bool) -> str:
    """Return which part of a value is wrong, what came, and what was expected in its place.

    Args:
        value: One that ``msgspec.convert`` does not make an ``expected`` of.
        path: Where the value stands in a larger one.

    Example:
        >>> describe_fault({"tea": {"n": 0}}, dict[str, dict[str, Literal[1, 2]]], strict=True)
        'tea.n: came 0: expected one of 1, 2'
    """
    plain = _without_annotations(expected)
    for part, name, inner in _parts(value, plain):
        try:
            msgspec.convert(part, inner, strict=strict)
        except msgspec.ValidationError:
            return describe_fault(part, inner, f"{path}{name}".removeprefix("."), strict=strict)
    came = f"{path}: came {value!r}" if path else f"came {value!r}"
    if isinstance(value, Mapping) and _is_struct(plain):
        known = [field.encode_name for field in msgspec.structs.fields(plain)]
        for name in value:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                return f"{path} has no {name!r}; {f'did you mean {near[0]}?' if near else 'it has ' + ', '.join(known)}"
    if get_origin(plain) is Literal:
        return f"{came}: expected one of {', '.join(map(str, get_args(plain)))}"
    try:
        msgspec.convert(value, expected, strict=strict)
    except msgspec.ValidationError as error:
        return f"{came}: {str(error).removesuffix(' - at `$`')}"
    return came


def _without_annotations(expected: Any) -> Any:
    while get_origin(expected) is Annotated:
        expected = get_args(expected)[0]
    return expected


def _is_struct(expected: Any) -> bool:
    return isinstance(expected, type) and issubclass(expected, Struct)


def _parts(value: object, expected: Any) -> list[tuple[object, str, Any]]:
    """Return what a value is made of: each part, its name behind that of the whole, and the type expected of it."""
    if isinstance(value, Mapping) and _is_struct(expected):
        types = get_type_hints(expected, include_extras=True)
        return [(part, f".{name}", types[name]) for name, part in value.items() if name in types]
    inner = get_args(expected)
    if isinstance(value, Mapping) and get_origin(expected) is dict:
        return [(part, f".{name}", inner[1]) for name, part in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str) and get_origin(expected) in (list, tuple):
        return [(part, f"[{number}]", inner[0]) for number, part in enumerate(value)]
    return []
