"""How much CPU time numba takes to compile each kernel, without its cache: those first that take most.

    python benchmarks/compilation.py

The first kernels pay for what others share, so compare sums, of runs in turn.
"""

from __future__ import annotations

import time

import numpy as np
from numba.core.caching import NullCache

from stream_rec.kernel_signatures import find_signatures
from stream_rec.kernels import run_kernels

SHOWN = 12


def main() -> None:
    """Compile all, and print."""
    with np.errstate(all="ignore"):  # numba divides by 0 without a word
        signatures = find_signatures(run_kernels.__wrapped__)
    took = []
    for kernel, types in signatures:
        kernel._cache = NullCache()  # type: ignore[attr-defined]  # numba says no types
        began = time.process_time()
        kernel.compile(types)
        took.append((time.process_time() - began, f"{kernel.py_func.__module__}.{kernel.py_func.__name__}"))
    print(f"{sum(seconds for seconds, _ in took):.1f} s of CPU for {len(took)} kernels that are called from outside")
    for seconds, name in sorted(took, reverse=True)[:SHOWN]:
        print(f"{seconds:6.2f} s {name}")


if __name__ == "__main__":
    main()
