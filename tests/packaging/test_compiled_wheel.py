"""Who installs the wheel of `make wheel` compiles nothing at a first start."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from stream_rec.cli.cpu import name_cpu
from tests.packaging.environment import AS_A_USER, ROOT, install

DATA = ROOT / "tests/data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # every kernel is compiled, once
    pytest.mark.skipif("x86_64" not in sysconfig.get_platform(), reason="no other CPU comes compiled"),
]


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment's folder, with nothing but the wheel in it."""
    folder, cpu = tmp_path_factory.mktemp("environment"), dict[str, str]()
    name_cpu(cpu)
    build = [sys.executable, "deploy/wheel.py", "--out", folder, "--cpu", cpu["NUMBA_CPU_NAME"]]
    subprocess.run(build, cwd=source, env=AS_A_USER | {"PYTHONPATH": str(source)}, check=True)
    (wheel,) = folder.glob("*.whl")
    return install(wheel, folder / "venv")


def start(installed: Path, folder: Path, **environ: str) -> str:
    """Make the lists of three events, and return what numba says of its cache."""
    log = [*("--items", DATA / "entree_chicago-items.jsonl"), *("--events", DATA / "entree_chicago-events.jsonl")]
    started = subprocess.run(
        [installed / "bin/stream-rec", "replay", *log, "--limit", "3", "--encoder", "hashing", "--out", "lists"],
        env=AS_A_USER | {"NUMBA_DEBUG_CACHE": "1"} | environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    assert len((folder / "lists").read_text().splitlines()) == 3
    return started.stdout


def test_a_first_start_loads_every_kernel_from_the_wheel(installed: Path, tmp_path: Path):
    """And compiles none: numba would say that it saves it."""
    said = start(installed, tmp_path)

    assert "data saved" not in said
    assert f"data loaded from '{installed}" in said


def test_where_the_program_s_folder_cannot_be_written_too(installed: Path, tmp_path: Path):
    """numba then looks in another folder, and there alone: root has installed what somebody else starts."""
    locators = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserWideCacheLocator", "XDG_CACHE_HOME": str(tmp_path / "cache")}

    said = start(installed, tmp_path, **locators)

    assert "data saved" not in said
    assert f"data loaded from '{tmp_path / 'cache'}" in said


def test_the_wheel_asks_for_the_numba_that_it_was_compiled_with():
    """Another numba compiles all again."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]

    assert f"numba=={version('numba')}" in [need.split("#")[0].strip() for need in needed]
