"""What a compiled kernel was not compiled for is refused: it would read it as something else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from stream_rec import compiled_kernels
from stream_rec.compiled_kernels import TABLE, Array, Compiled, Number, Tuple, are_here, find, module_of


class Pair(NamedTuple):
    rows: object
    n: object


def add_up(*_: object) -> str:
    """The kernel that is compiled here, so that nothing else may be called."""
    raise AssertionError


def inner() -> str:
    """A kernel that others call."""
    return "as Python"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where one kernel is compiled for two layouts; what stands for the module says which was called."""
    rows = Tuple((Array("int64", 1, False), Number("int64")))
    variants = [
        Compiled("in_rows", (Array("float32", 2, False), Number("float64"), rows)),
        Compiled("strided", (Array("float32", 2, True), Number("float64"), rows)),
    ]
    name = f"{add_up.__module__}.{add_up.__qualname__}"
    (tmp_path / TABLE).write_bytes(msgspec.json.encode({name: variants}))
    module = ModuleType("compiled")
    module.in_rows = lambda *_: "in rows"  # type: ignore[attr-defined]
    module.strided = lambda *_: "strided"  # type: ignore[attr-defined]
    monkeypatch.setattr(compiled_kernels, "FOLDER", tmp_path)
    monkeypatch.setattr(compiled_kernels, "_module_name", lambda: "the module")
    monkeypatch.setattr(compiled_kernels.importlib, "import_module", {"the module": module}.__getitem__)
    compiled_kernels._table.cache_clear()
    yield tmp_path
    compiled_kernels._table.cache_clear()


ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
PAIR = Pair(np.arange(2), 1)


def test_the_first_variant_that_fits_is_called(folder: Path):
    """An array with gaps is for the variant that reads it by its steps; whole numbers are floats too."""
    kernel = find(add_up)

    assert kernel(ROWS, 1.5, PAIR) == "in rows"
    assert kernel(ROWS, 1, (np.arange(2), np.int64(1))) == "in rows"
    assert kernel(ROWS[:, ::2], np.float32(1), PAIR) == "strided"
    assert find(inner) is inner


@pytest.mark.parametrize(
    "arguments",
    [
        (ROWS, 1.5),
        (ROWS.astype(np.int32), 1.5, PAIR),  # as wide as a float32
        (ROWS.astype(np.float64), 1.5, PAIR),
        (ROWS[0], 1.5, PAIR),
        (ROWS.tolist(), 1.5, PAIR),
        (ROWS, "1.5", PAIR),
        (ROWS, 1.5, Pair(np.arange(4)[::2], 1)),
        (ROWS, 1.5, Pair(np.arange(2), 1.5)),
        (ROWS, 1.5, [np.arange(2), 1]),
        (ROWS, 1.5, (np.arange(2),)),
    ],
)
def test_other_types_are_refused_and_named(folder: Path, arguments: tuple[object, ...]):
    """Nothing is read as what it is not."""
    with pytest.raises(TypeError, match=r"add_up is not compiled for \(.*float|int|list"):
        find(add_up)(*arguments)


def test_they_are_here_where_a_wheel_brings_them_for_this_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Not in a checkout, not for another CPU, and not where nothing is to be compiled."""
    looked_for: list[str] = []

    def find_spec(name: str) -> object:
        looked_for.append(name)
        return object() if name.endswith("x86_64_v3") else None

    def look(**environ: str) -> bool:
        for name in ("NUMBA_CPU_NAME", "NUMBA_DISABLE_JIT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        compiled_kernels._module_name.cache_clear()
        return are_here()

    monkeypatch.setattr(compiled_kernels, "FOLDER", tmp_path)
    monkeypatch.setattr(compiled_kernels.importlib.util, "find_spec", find_spec)
    try:
        assert not look(NUMBA_CPU_NAME="x86-64-v3")
        (tmp_path / TABLE).write_bytes(b"{}")
        assert look(NUMBA_CPU_NAME="x86-64-v3")
        assert not look(NUMBA_CPU_NAME="znver4")
        assert not look(NUMBA_CPU_NAME="x86-64-v3", NUMBA_DISABLE_JIT="1")
        assert looked_for == [f"stream_rec.compiled.{module_of(cpu)}" for cpu in ("x86-64-v3", "znver4")]
    finally:
        compiled_kernels._module_name.cache_clear()
