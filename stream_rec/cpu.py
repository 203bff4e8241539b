"""The CPU that kernels are compiled for: not this very one, so that what a wheel or an image brings compiled is used.

``x86-64-v3`` (AVX2, FMA: Intel since 2013, AMD since 2015) where this CPU is one, else any x86-64. On others, where
nothing comes compiled, numba compiles for the CPU that it finds.

Source: System V ABI, AMD64 supplement, 3.1.1: micro-architecture levels; named as in /proc/cpuinfo, LZCNT as ``abm``.
"""

from __future__ import annotations

import platform
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

V2 = {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}
V3 = V2 | {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}
CPUS = "x86-64-v3", "generic"
"""What a wheel brings kernels for, as LLVM names it."""


def name_cpu(environ: MutableMapping[str, str], cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Tell numba which CPU to compile for, unless ``NUMBA_CPU_NAME`` does. Before numba is loaded: it asks then."""
    if "NUMBA_CPU_NAME" in environ or platform.machine() != "x86_64":
        return
    with suppress(OSError):  # where nobody says what the CPU can do, numba finds out
        flags = _flags(cpuinfo)
        environ["NUMBA_CPU_NAME"] = CPUS[0] if flags >= V3 else CPUS[1]
        environ["NUMBA_CPU_FEATURES"] = ""  # none but those of the name


def _flags(cpuinfo: Path) -> set[str]:
    """Return what the first CPU can do; the kernel leaves out what it does not support itself."""
    for line in cpuinfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return set(value.split())
    return set()
