"""Compile all kernels ahead, for one CPU, into a module that needs no numba: ``deploy/wheel.py`` calls it for each.

The module goes into ``stream_rec/compiled/`` of the package that is imported, with a table of what each kernel takes.
A C compiler links it, with the memory management of numba's that it has in it.
"""

from __future__ import annotations

import argparse
import os
import warnings

import msgspec
import numpy as np
from numba import types
from numba.core.registry import CPUDispatcher

from stream_rec.compiled_kernels import FOLDER, TABLE, Array, Compiled, Kind, Number, Tuple, module_of
from stream_rec.kernel_signatures import find_signatures
from stream_rec.kernels import run_kernels


def main() -> None:
    """Compile for the CPU that ``NUMBA_CPU_NAME`` names."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba says that this part of it has no successor yet
        from numba.pycc import CC
    cpu = os.environ["NUMBA_CPU_NAME"]
    with np.errstate(all="ignore"):  # numba divides by 0 without a word
        signatures = find_signatures(run_kernels.__wrapped__)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "__init__.py").write_text('"""Kernels, compiled ahead."""\n', encoding="utf-8")
    module = CC(module_of(cpu))
    module.output_dir = str(FOLDER)
    module.target_cpu = cpu
    table: dict[str, list[Compiled]] = {}
    for number, (kernel, arguments) in enumerate(signatures):
        symbol = f"kernel_{number}"
        kernel.compile(arguments)
        module.export(symbol, kernel.overloads[arguments].signature)(_call(kernel, len(arguments)))
        name = f"{kernel.py_func.__module__}.{kernel.py_func.__qualname__}"
        table.setdefault(name, []).append(Compiled(symbol, tuple(map(_kind, arguments))))
    module.compile()
    (FOLDER / TABLE).write_bytes(msgspec.json.encode(table))


def _call(kernel: CPUDispatcher, n_arguments: int) -> object:
    """Return a function that calls a kernel: exported itself, it would lose what its decorator says."""
    names = ", ".join(f"a{number}" for number in range(n_arguments))
    space = {"kernel": kernel}
    exec(f"def call({names}):\n    return kernel({names})", space)
    return space["call"]


def _kind(of: types.Type) -> Kind:
    """Return what numba's type asks of an argument.

    Raises:
        TypeError: no kernel has taken such a thing yet.
    """
    match of:
        case types.Array():
            return Array(str(of.dtype), of.ndim, of.layout != "C")
        case types.Boolean() | types.Integer() | types.Float():
            return Number(str(of))
        case types.BaseTuple():
            return Tuple(tuple(map(_kind, of)))
    raise TypeError(f"no kernel may take a {of}: compiled_kernels.py knows no such kind")


if __name__ == "__main__":
    main()
