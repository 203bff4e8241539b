"""What kernels are called with is found without a compilation, in time to share the work between two processes."""

from __future__ import annotations

import sys
from types import ModuleType

import numba
import numpy as np
import pytest

from stream_rec import kernels
from stream_rec.kernel import kernel
from stream_rec.kernel_signatures import find_signatures


@kernel()
def inner(x: float) -> float:
    return x + 1


@kernel()
def outer(x: float) -> float:
    return 2 * inner(x)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the package with two kernels, one of which calls the other."""
    monkeypatch.setitem(sys.modules, "stream_rec.two_kernels", sys.modules[__name__])
    monkeypatch.setattr(sys.modules[__name__], "__name__", "stream_rec.two_kernels")
    return sys.modules[__name__]


def test_each_call_from_outside_counts_once_for_each_types(module: ModuleType):
    """A kernel that another calls comes with that one; nothing is compiled, and all is as it was."""
    found = find_signatures(lambda: [module.outer(x) for x in (3, 3.0, 4, 4.0)])

    assert found == [(outer, (numba.int64,)), (outer, (numba.float64,))]
    assert not outer.signatures and not inner.signatures
    assert (module.outer, module.inner) == (outer, inner)


def test_what_is_called_with_an_error_is_put_back_too(module: ModuleType):
    """Kernels are not left running as Python."""
    with pytest.raises(TypeError):
        find_signatures(lambda: module.outer("3"))

    assert module.outer is outer


def test_the_helper_compiles_what_runs_and_nothing_else():
    """Other types than those of a run would be compiled for nobody."""
    with np.errstate(all="ignore"):
        found = find_signatures(kernels.run_kernels.__wrapped__)
    kernels.run_kernels()

    assert len(found) > 30
    assert [one.py_func.__qualname__ for one, types in found if types not in one.signatures] == []
