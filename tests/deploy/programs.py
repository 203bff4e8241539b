"""Programs of others that tests of `deploy/` run: found where `make deploy-tools` puts them, or on the path."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools"


def require(name: str, remedy: str = "`make deploy-tools` installs it") -> str:
    """Return where a program is; without it the test is skipped, but not where CI=true."""
    found = shutil.which(name, path=os.pathsep.join([str(TOOLS), str(TOOLS / "venv/bin"), os.environ.get("PATH", "")]))
    if found is None:
        missing = f"{name} is not there: {remedy}"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def run(*words: object, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program and return how it ended and what it said."""
    return subprocess.run(
        [str(word) for word in words], cwd=cwd, env=os.environ | environ, capture_output=True, text=True, check=False
    )
