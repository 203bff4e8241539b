"""The types of arguments that kernels are called with, found without compiling one: each runs as plain Python.

Only calls from outside are taken down. A kernel that another calls is compiled with that one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numba
from numba.core.registry import CPUDispatcher

Signature = tuple[CPUDispatcher, tuple[numba.types.Type, ...]]


def find_signatures(run: Callable[[], object]) -> list[Signature]:
    """Return each kernel that ``run`` calls with the types of its arguments, once, in the order of first calls."""
    found: dict[Signature, None] = {}
    calls: list[CPUDispatcher] = []
    places = [
        (vars(module), name, value)
        for module in list(sys.modules.values())
        if module.__name__.startswith("stream_rec.")
        for name, value in vars(module).items()
        if isinstance(value, CPUDispatcher)
    ]
    try:
        for module, name, kernel in places:
            module[name] = _as_python(kernel, calls, found)
        run()
    finally:
        for module, name, kernel in places:
            module[name] = kernel
    return list(found)


def _as_python(kernel: CPUDispatcher, calls: list[CPUDispatcher], found: dict[Signature, None]) -> Callable[..., Any]:
    """Return what stands for a kernel: it runs as Python and takes down its types, unless a kernel has called it."""

    def call(*arguments: object) -> object:
        if not calls:
            found[kernel, tuple(map(numba.typeof, arguments))] = None
        calls.append(kernel)
        try:
            return kernel.py_func(*arguments)
        finally:
            calls.pop()

    return call
