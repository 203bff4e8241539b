"""An environment outside the repository with stream-rec in it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.command import CLEAN

ROOT = Path(__file__).parents[2]
AS_A_USER = {name: value for name, value in CLEAN.items() if not name.startswith(("NUMBA_", "PYTHON"))}
"""The environment variables of somebody who knows nothing of this checkout."""


def install(distribution: Path, folder: Path) -> Path:
    """Install a wheel or an sdist, and nothing else, into a new environment; what it needs is read from this one."""
    venv.create(folder, symlinks=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "needed.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", "--no-build-isolation", distribution], env=AS_A_USER, check=True)
    return folder
