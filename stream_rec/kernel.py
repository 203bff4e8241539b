"""The decorator of kernels: loops over rows that numba compiles, with the types that callers see.

A kernel is compiled at its first use and kept in numba's cache (``kernels.py``). Its annotations are for readers and
mypy; numba looks at what it is called with. It keeps constants of its file as they were when it was compiled, and
looks for changes in that file alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(
    *, fastmath: bool = False, error_model: Literal["python", "numpy"] = "python"
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator that has a function compiled.

    Args:
        fastmath: Sums may be added up in any order, which is faster and rounds otherwise; no NaN, no infinity.
        error_model: ``numpy`` where a division by 0 gives infinity or NaN instead of an error, which is faster.
    """
    compiled: Callable[[Callable[P, R]], Callable[P, R]]
    compiled = numba.njit(cache=True, fastmath=fastmath, error_model=error_model)
    return compiled
