"""Kernels that a wheel brings compiled, so that nothing there needs numba; ``deploy/compile_kernels.py`` makes them.

One module a CPU (``cpu.py``), and a table of the types that each kernel was compiled for. A kernel is told nothing of
its arguments but where they are, so they are held against the table at each call.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec
import numpy as np
from msgspec import Struct

from stream_rec.cpu import name_cpu

P = ParamSpec("P")
R = TypeVar("R")

FOLDER = Path(__file__).parent / "compiled"
TABLE = "kernels.json"
USUAL_TYPES = {"bool": bool, "int64": int, "float64": float, "float32": np.float32, "uint64": np.uint64}
"""As which numbers of a kind come to kernels; what comes otherwise is looked at more closely."""


class Array(Struct, frozen=True, tag=True):
    """Of ``n_axes`` axes, each row behind the other unless it is ``strided``."""

    dtype: str
    n_axes: int
    strided: bool


class Number(Struct, frozen=True, tag=True):
    """One number, or a truth value: a float may be given as any number, an integer as one alone."""

    dtype: str


class Tuple(Struct, frozen=True, tag=True):
    """Some values one behind the other, with names or without."""

    values: tuple[Kind, ...]


Kind = Array | Number | Tuple
Check = Callable[[Any], bool]
Look = tuple[Callable[[Any], object], object]
"""What is looked at of an argument, and what it should be: of one that is as it mostly is."""


class Compiled(Struct, frozen=True):
    """One kernel for some types: where it is, and what it takes."""

    symbol: str
    takes: tuple[Kind, ...]


def are_here() -> bool:
    """Return whether this installation has kernels compiled for this Python and CPU, and is to use them."""
    return _module_name() is not None


def find(function: Callable[P, R]) -> Callable[P, R]:
    """Return the compiled kernel that stands for a function; the function itself where only kernels call it."""
    variants = _table().get(f"{function.__module__}.{function.__qualname__}", ())
    module = importlib.import_module(str(_module_name()))
    calls = [(getattr(module, one.symbol), one.takes) for one in variants]
    return _Kernel(function.__qualname__, calls) if calls else function  # type: ignore[return-value]


class _Kernel:
    """One compiled kernel; what it was not compiled for it would misread, so that is refused."""

    __slots__ = ("_calls", "_first", "_looks", "_name")

    def __init__(self, name: str, calls: Sequence[tuple[Callable[..., Any], tuple[Kind, ...]]]) -> None:
        self._name = name
        self._first, takes = calls[0]
        self._looks = tuple(map(_look, takes))
        self._calls = [(call, tuple(map(_check, takes))) for call, takes in calls]

    def __call__(self, *arguments: Any) -> Any:
        try:  # a fifth of what the checks below take
            for (look, wanted), one in zip(self._looks, arguments, strict=True):
                if look(one) != wanted:
                    break
            else:
                return self._first(*arguments)
        except (AttributeError, ValueError):  # no array, or not as many
            pass
        for call, checks in self._calls:
            if len(arguments) == len(checks) and all(fits(one) for fits, one in zip(checks, arguments)):
                return call(*arguments)
        given = ", ".join(map(_describe, arguments))
        raise TypeError(
            f"kernel {self._name} is not compiled for ({given}): with the extra `compile` and without "
            f"{FOLDER} numba compiles it"
        )


class _LastTuple:
    """Knows the last tuple that was as it should be: mostly it is the same one again."""

    __slots__ = ("_check", "_last")

    def __init__(self, check: Check) -> None:
        self._check = check
        self._last: object = None

    def __call__(self, value: Any) -> bool:
        if value is not self._last:
            if not self._check(value):
                return False
            self._last = value
        return True


def _look(kind: Kind) -> Look:
    """Return how an argument of a kind mostly is."""
    if isinstance(kind, Number):
        return type, USUAL_TYPES.get(kind.dtype, object)
    if isinstance(kind, Tuple):
        return _LastTuple(_check(kind)), True
    if kind.strided:
        return attrgetter("dtype", "ndim"), (np.dtype(kind.dtype), kind.n_axes)
    return attrgetter("dtype", "ndim", "flags.c_contiguous"), (np.dtype(kind.dtype), kind.n_axes, True)


def _check(kind: Kind) -> Check:
    """Return what says whether an argument is of a kind, in whatever form it comes."""
    if isinstance(kind, Number):
        is_float = np.dtype(kind.dtype).kind == "f"
        types = (float, int, np.floating, np.integer, np.bool_) if is_float else (int, np.integer, np.bool_)
        return lambda value: isinstance(value, types)
    if isinstance(kind, Tuple):
        checks = tuple(map(_check, kind.values))
        return lambda value: (
            isinstance(value, tuple)
            and len(value) == len(checks)
            and all(fits(one) for fits, one in zip(checks, value))
        )
    dtype, n_axes, strided = np.dtype(kind.dtype), kind.n_axes, kind.strided
    return lambda value: (
        isinstance(value, np.ndarray)
        and value.dtype == dtype
        and value.ndim == n_axes
        and (strided or value.flags.c_contiguous)
    )


def _describe(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    return f"{value.dtype} {value.shape}{'' if value.flags.c_contiguous else ' with gaps'}"


@cache
def _table() -> dict[str, tuple[Compiled, ...]]:
    return msgspec.json.decode((FOLDER / TABLE).read_bytes(), type=dict[str, tuple[Compiled, ...]])


@cache
def _module_name() -> str | None:
    """Return the module for this CPU, or the one that ``NUMBA_CPU_NAME`` names; None where there is none."""
    if not (FOLDER / TABLE).is_file() or os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return None
    environ = dict(os.environ)
    name_cpu(environ)
    name = f"stream_rec.compiled.{module_of(environ.get('NUMBA_CPU_NAME', ''))}"
    return name if importlib.util.find_spec(name) is not None else None


def module_of(cpu: str) -> str:
    """Return what the module for a CPU is called in its folder."""
    return f"for_{cpu.replace('-', '_')}"
