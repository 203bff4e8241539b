"""`stream-rec compile`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import NOWHERE, command

pytestmark = pytest.mark.slow


def test_what_is_compiled_already_is_only_named(tmp_path: Path) -> None:
    """It says where the kernels are, and shows nothing of a compilation that is not needed."""
    command("compile", cwd=tmp_path)
    again = command("compile", cwd=tmp_path)

    assert (again.returncode, again.stderr) == (0, "")
    assert "__pycache__" in again.stdout


def test_where_kernels_can_be_kept_nowhere_the_remedy_is_named(tmp_path: Path) -> None:
    """A program's folder and a home that cannot be written: no traceback, but the variable to set."""
    nowhere = {"NUMBA_CACHE_DIR": "/proc/nowhere", "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    for arguments in (
        ["compile"],
        ["--bootstrap", NOWHERE, "worker"],
        ["replay", "--items", "i", "--events", "e", "--out", "o"],
    ):
        ended = command(*arguments, cwd=tmp_path, **nowhere)

        assert ended.returncode == 2
        assert "NUMBA_CACHE_DIR" in ended.stderr
        assert "Traceback" not in ended.stderr
