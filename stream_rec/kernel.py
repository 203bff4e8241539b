"""The decorator of kernels: loops over rows that are compiled, with the types that callers see.

A wheel brings them compiled (``compiled_kernels.py``). Elsewhere numba compiles each at its first use
(``kernel_cache.py``), for which the extra ``compile`` is needed. Annotations are for readers and mypy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, ParamSpec, TypeVar

from stream_rec import compiled_kernels

P = ParamSpec("P")
R = TypeVar("R")


def kernel(
    *, fastmath: bool = False, error_model: Literal["python", "numpy"] = "python"
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator that has a function compiled.

    Args:
        fastmath: Sums may be added up in any order, which is faster and rounds otherwise; no NaN, no infinity.
        error_model: ``numpy`` where a division by 0 gives infinity or NaN instead of an error, which is faster.

    Raises:
        ModuleNotFoundError: the function is not compiled here, and numba is not installed.
    """

    def compile_lazily(function: Callable[P, R]) -> Callable[P, R]:
        if compiled_kernels.are_here():
            return compiled_kernels.find(function)
        from stream_rec.kernel_cache import compile_at_first_use

        return compile_at_first_use(function, fastmath=fastmath, error_model=error_model)

    return compile_lazily
