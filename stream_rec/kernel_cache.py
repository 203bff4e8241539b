"""numba's side of a kernel: compiled at its first use, and kept in numba's cache (``kernels.py``).

numba looks at what a kernel is called with. What a kernel reads of other files is compiled into it: constants, and
kernels that it calls. numba notices a change in the kernel's own file alone, so these are part of its key here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any, Literal, ParamSpec, TypeVar

import numba
import numpy as np
from numba.core.caching import FunctionCache
from numba.core.registry import CPUDispatcher

P = ParamSpec("P")
R = TypeVar("R")


def compile_at_first_use(
    function: Callable[P, R], *, fastmath: bool, error_model: Literal["python", "numpy"]
) -> Callable[P, R]:
    """Return the kernel that numba makes of a function."""
    compiled: Callable[[Callable[P, R]], Callable[P, R]]
    compiled = numba.njit(cache=True, fastmath=fastmath, error_model=error_model)
    dispatcher = compiled(function)
    if isinstance(dispatcher, CPUDispatcher):  # the function itself with NUMBA_DISABLE_JIT
        dispatcher._cache = _Cache(function)  # type: ignore[attr-defined, no-untyped-call]  # numba says no types
    return dispatcher


class _Cache(FunctionCache):
    """numba's cache of one kernel (0.68.1), which also knows a change in what the kernel reads of other files."""

    def _index_key(self, sig: object, codegen: object) -> tuple[object, ...]:
        """Return the key of what is compiled for these types of arguments, on this machine."""
        own = super()._index_key(sig, codegen)  # type: ignore[no-untyped-call]  # numba says no types
        return (*own, digest_references(self._py_func))


def digest_references(function: Callable[..., object]) -> str:
    """Return a digest, as hex, of the constants that a kernel reads and of the kernels that it calls, and so on.

    Values of other types, such as functions of numpy, count by their name alone.
    """
    digest = hashlib.sha256()
    todo, known = [function], {function}
    while todo:
        for name, value in _find_references(todo.pop()):
            if isinstance(value, CPUDispatcher):
                called = value.py_func
                digest.update(f"{name}: {_describe_code(called.__code__)} {value.targetoptions}\n".encode())
                if called not in known:
                    known.add(called)
                    todo.append(called)
            else:
                digest.update(f"{name}: {_describe(value)}\n".encode())
    return digest.hexdigest()


def _find_references(function: Callable[..., object]) -> Iterator[tuple[str, object]]:
    """Yield what a function's code names of its module, and of our modules that it names, in the order of names."""
    names = sorted(_names_in(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        yield name, value
        if isinstance(value, ModuleType) and value.__name__.startswith("stream_rec."):
            yield from ((f"{name}.{inner}", getattr(value, inner)) for inner in names if hasattr(value, inner))


def _names_in(code: CodeType) -> set[str]:
    """Return all names of globals and attributes in some code, and in code within it."""
    inner = (_names_in(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)


def _describe_code(code: CodeType) -> str:
    """Return what some code does, without where it stands."""
    constants = [_describe_code(one) if isinstance(one, CodeType) else _describe(one) for one in code.co_consts]
    return f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"


def _describe(value: Any) -> str:
    """Return a constant's value, or the name of what is none."""
    if isinstance(value, frozenset):
        return repr(sorted(map(repr, value)))
    if isinstance(value, np.ndarray | np.generic):  # whose repr depends on numpy's version
        return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    if isinstance(value, bool | int | float | complex | str | bytes | tuple | None):
        return repr(value)
    return f"{type(value).__name__} {getattr(value, '__qualname__', '')}"
