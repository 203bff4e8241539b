"""The decorator of kernels: loops over rows that are compiled, with the types that callers see.

A wheel brings them compiled (``compiled_kernels.py``). Elsewhere numba compiles each at its first use
(``kernel_cache.py``), for which the extra ``compile`` is needed. Annotations are for readers and mypy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar

from stream_rec import compiled_kernels
from stream_rec.errors import KernelsUnavailable

P = ParamSpec("P")
R = TypeVar("R")


def kernel(
    *, fastmath: bool = False, error_model: Literal["python", "numpy"] = "python"
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator that has a function compiled.

    Args:
        fastmath: Sums may be added up in any order, which is faster and rounds otherwise; no NaN, no infinity.
        error_model: ``numpy`` where a division by 0 gives infinity or NaN instead of an error, which is faster.

    A call raises ``KernelsUnavailable`` where the function is not compiled and numba is not installed.
    """

    def compile_lazily(function: Callable[P, R]) -> Callable[P, R]:
        if compiled_kernels.are_here():
            return compiled_kernels.find(function)
        try:
            from stream_rec.kernel_cache import compile_at_first_use
        except ModuleNotFoundError as error:
            return _refuse(error)
        return compile_at_first_use(function, fastmath=fastmath, error_model=error_model)

    return compile_lazily


def _refuse(missing: ModuleNotFoundError) -> Callable[..., Any]:
    """Return what stands for a kernel without numba: modules can be imported, and a call says what to install."""

    def refuse(*_: object) -> None:
        raise KernelsUnavailable(
            f"kernels do not come compiled for this Python and machine, and numba is not here to do it ({missing}): "
            "pip install 'stream-rec[worker]' 'stream-rec[compile]', or a wheel that `make wheel` made for them"
        )

    return refuse
