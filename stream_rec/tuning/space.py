"""Which settings are searched, and within what: a TOML file of sections as settings have them.

    [head]
    rate = {low = 0.02, high = 0.1, log = true}
    hidden = {low = 8, high = 48, step = 8}
    memory = [0.99, 0.999]

A table is a range, with both ends; a list is a choice.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Struct

from stream_rec.config import Settings
from stream_rec.errors import SettingsError
from stream_rec.setting_faults import describe_fault

SECTIONS = ("head", "ranking", "user", "knowledge")
"""Of the settings: what lists depend on, but for the encoder (`encoders compare`) and what is taken of a message."""
FIXED = {
    "ranking.n": "lists of another length are judged otherwise",
    "ranking.seed": "the best seed is the luckiest one",
    "ranking.explore_share": "a log cannot answer for what it has not shown, so exploring only costs",
}
"""Settings of those sections that cannot be searched, and why."""
DEFAULTS = """\
[head]
rate = {low = 0.01, high = 0.2, log = true}
network_rate = {low = 0.02, high = 0.4, log = true}
forget_choices = {low = 500.0, high = 32000.0, log = true}
memory = [0.99, 0.997, 0.999, 0.9997]
hidden = {low = 8, high = 48, step = 8}
networks = [1, 2, 3]
click_weight = {low = 1.0, high = 8.0, log = true}
purchase_weight = {low = 1.0, high = 8.0, log = true}
"""
"""What accuracy hangs on. Variety and slots for fresh items are not among it: they cost some, for something else."""

Scalar = bool | int | float | str


class Range(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers from ``low`` to ``high``, both among them."""

    low: int | float
    high: int | float
    log: bool = False
    """Whether twice as much is as far everywhere."""
    step: int | float | None = None
    """From ``low`` on; None for 1 of whole numbers, and any of others."""


class Choices(Struct, frozen=True):
    """Some values."""

    values: tuple[Scalar, ...]


Space = Mapping[str, Range | Choices]
"""By ``section.key``."""


def read_space(file: str) -> dict[str, Range | Choices]:
    """Return the space of a file, or that of ``defaults``.

    Raises:
        SettingsError: it cannot be read, names no setting, or a value is none that the setting may have.
    """
    if file == "defaults":
        return parse_space(tomllib.loads(DEFAULTS), file)
    try:
        tree = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"space {file} cannot be read: {error.strerror}; give a file, or `defaults`") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"space {file} is not TOML: {error}") from error
    return parse_space(tree, file)


def parse_space(tree: Mapping[str, Any], file: str) -> dict[str, Range | Choices]:
    """Return the space that a TOML file says.

    Raises:
        SettingsError: as of ``read_space``.
    """
    types = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    space: dict[str, Range | Choices] = {}
    for section, values in tree.items():
        if section not in SECTIONS:
            raise SettingsError(f"[{section}] in {file} cannot be searched{_guess(section, SECTIONS)}")
        if not isinstance(values, dict):
            raise SettingsError(f"{section!r} in {file} stands outside a [section]; sections: {', '.join(SECTIONS)}")
        known = {field.name: field.type for field in msgspec.structs.fields(types[section])}
        for key, value in values.items():
            where = f"[{section}] {key} in {file}"
            if key not in known:
                raise SettingsError(f"{where}: there is no such setting{_guess(key, known)}")
            if (why := FIXED.get(f"{section}.{key}")) is not None:
                raise SettingsError(f"{where}: it cannot be searched: {why}")
            space[f"{section}.{key}"] = _parse(value, known[key], where)
    if not space:
        raise SettingsError(f"space {file} names no setting; sections: {', '.join(SECTIONS)}")
    return space


def dump_space(space: Space) -> dict[str, Any]:
    """Return a space as plain data."""
    return {name: msgspec.to_builtins(one) for name, one in space.items()}


def includes(space: Space, settings: Mapping[str, Any]) -> bool:
    """Return whether settings lie in a space.

    Args:
        settings: By ``section.key``, all that the space names.
    """
    return all(_has(one, settings[name]) for name, one in space.items())


def _has(one: Range | Choices, value: Any) -> bool:
    if isinstance(one, Choices):
        return bool(value in one.values)
    if not one.low <= value <= one.high:
        return False
    steps = (value - one.low) / one.step if one.step else 0.0
    return bool(abs(steps - round(steps)) < 1e-9)


def _parse(value: Any, expected: Any, where: str) -> Range | Choices:
    plain = expected
    while get_origin(plain) is Annotated:
        plain = get_args(plain)[0]
    if plain not in (bool, int, float, str):
        raise SettingsError(f"{where}: only numbers, texts and true or false can be searched")
    if isinstance(value, list):
        if not value:
            raise SettingsError(f"{where}: give at least one value")
        values = tuple(_convert(one, expected, where) for one in value)
        if len(set(values)) < len(values):
            raise SettingsError(f"{where}: a value stands there twice")
        return Choices(values)
    if not isinstance(value, dict):
        raise SettingsError(f"{where}: give a range, {{low = 1, high = 8}}, or a list of values; came {value!r}")
    if unknown := [key for key in value if key not in Range.__struct_fields__]:
        raise SettingsError(f"{where}: a range has no {unknown[0]!r}{_guess(unknown[0], Range.__struct_fields__)}")
    if missing := [key for key in ("low", "high") if key not in value]:
        raise SettingsError(f"{where}: a range needs {' and '.join(missing)}")
    if plain not in (int, float):
        raise SettingsError(f"{where}: this setting is no number: give a list of values")
    low, high = (_convert(value[key], expected, f"{where}, {key}") for key in ("low", "high"))
    step, log = value.get("step"), value.get("log", False)
    if low >= high:
        raise SettingsError(f"{where}: low has to be below high; came {low} and {high}")
    if not isinstance(log, bool):
        raise SettingsError(f"{where}: log is true or false; came {log!r}")
    if log and low <= 0:
        raise SettingsError(f"{where}: with log = true low has to be above 0; came {low}")
    if step is not None:
        step = _convert(step, plain, f"{where}, step")
        if step <= 0 or step > high - low:
            raise SettingsError(f"{where}: step has to be above 0 and at most {high - low}; came {step}")
        if log:
            raise SettingsError(f"{where}: a range has step or log = true, not both")
    return Range(low, high, log, step)


def _convert(value: Any, expected: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, expected, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {describe_fault(value, expected, strict=True)}") from error


def _guess(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there is {', '.join(known)}"
