"""Which CPU kernels are compiled for."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from stream_rec.cpu import V3, name_cpu


def named(tmp_path: Path, cpuinfo: str, **environ: str) -> dict[str, str]:
    """Return the environment that numba finds on such a CPU."""
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    name_cpu(environ, tmp_path / "cpuinfo")
    return environ


@pytest.fixture(autouse=True)
def x86(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that kernels come compiled for."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def test_cpus_with_avx2_are_one(tmp_path: Path):
    """Whatever else they can do: what one has compiled another loads."""
    flags = " ".join(["fpu", *sorted(V3), "avx512f"])

    environ = named(tmp_path, f"processor\t: 0\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: {flags}\n")

    assert environ == {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}


@pytest.mark.parametrize("missing", sorted(V3))
def test_where_one_instruction_is_missing_none_of_them_is_used(tmp_path: Path, missing: str):
    """An instruction that the CPU does not have would end the process."""
    environ = named(tmp_path, f"flags : {' '.join(V3 - {missing})}\n")

    assert environ == {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}


def test_what_a_user_names_stands(tmp_path: Path):
    """For code of this very CPU, say; its features are then the user's too."""
    assert named(tmp_path, "", NUMBA_CPU_NAME="znver4") == {"NUMBA_CPU_NAME": "znver4"}


def test_elsewhere_numba_finds_out_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """No other kind of CPU comes compiled, and its names are others."""
    environ: dict[str, str] = {}
    name_cpu(environ, tmp_path / "none")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")

    assert environ == {}
    assert named(tmp_path, "Features : fp asimd\n") == {}
