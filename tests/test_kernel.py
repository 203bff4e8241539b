"""What is compiled is compiled again when something that it was made of has changed, in whatever file that stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FILES = {
    "sizes.py": "WIDTH = 3\nSHARES = (0.5, 0.25)\n",
    "inner.py": """
from sizes import SHARES
from stream_rec.kernel import kernel

@kernel()
def halve(x: float) -> float:
    return x * SHARES[0]
""",
    "outer.py": """
from inner import halve
from sizes import WIDTH
from stream_rec.kernel import kernel

@kernel()
def widen(x: float) -> float:
    return halve(x) * WIDTH
""",
}
CALL = "import outer; print(outer.widen(4.0), sum(outer.widen.stats.cache_hits.values()))"


def call(folder: Path) -> list[str]:
    """Return what the outer kernel says in a new process, and how often it was found compiled."""
    path = f"{folder}:{Path(__file__).parents[1]}"
    command = [sys.executable, "-B", "-c", CALL]  # -B: a file of one length changed within a second is read again
    return subprocess.run(
        command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=True, timeout=120
    ).stdout.split()


@pytest.mark.parametrize(
    ("file", "before", "after", "result"),
    [
        ("sizes.py", "WIDTH = 3", "WIDTH = 5", "10.0"),
        ("sizes.py", "(0.5,", "(1.5,", "18.0"),
        ("inner.py", "x * SHARES", "8 + x * SHARES", "30.0"),
        ("inner.py", "x * SHARES", "x / SHARES", "24.0"),
        ("inner.py", "@kernel()", "@kernel(fastmath=True)", "6.0"),
    ],
)
def test_a_kernel_is_compiled_again_when_another_file_changes(
    tmp_path: Path, file: str, before: str, after: str, result: str
):
    """A constant, one of a kernel that it calls, and such a kernel itself; what did not change is found."""
    for name, code in FILES.items():
        (tmp_path / name).write_text(code)
    assert call(tmp_path) == ["6.0", "0"]
    assert call(tmp_path) == ["6.0", "1"]

    (tmp_path / file).write_text(FILES[file].replace(before, after))

    assert call(tmp_path) == [result, "0"]
    assert call(tmp_path) == [result, "1"]
