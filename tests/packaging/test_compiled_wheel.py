"""Who installs the wheel of `make wheel` compiles nothing at a first start, and needs no numba."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from stream_rec.cpu import name_cpu
from tests.packaging.environment import AS_A_USER, ROOT, install

DATA = ROOT / "tests/data"

pytestmark = [
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(900),  # every kernel is compiled, once
    pytest.mark.skipif("x86_64" not in sysconfig.get_platform(), reason="no other CPU comes compiled"),
]


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, for this CPU alone."""
    folder, cpu = tmp_path_factory.mktemp("wheel"), dict[str, str]()
    name_cpu(cpu)
    build = [sys.executable, "deploy/wheel.py", "--out", folder, "--cpu", cpu["NUMBA_CPU_NAME"]]
    subprocess.run(build, cwd=source, env=AS_A_USER | {"PYTHONPATH": str(source)}, check=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment's folder, with nothing but the wheel in it."""
    (wheel,) = built.glob("*.whl")
    return install(wheel, tmp_path_factory.mktemp("environment"))


def make_lists(python: Path | str, folder: Path, *, with_numba: bool, **environ: str) -> tuple[bytes, str]:
    """Replay some events; return their lists, and what was said."""
    log = [*("--items", DATA / "entree_chicago-items.jsonl"), *("--events", DATA / "entree_chicago-events.jsonl")]
    hide = "" if with_numba else "sys.modules['numba'] = None; "
    code = f"import sys; {hide}from stream_rec.cli import main; main()"
    folder.mkdir()
    ended = subprocess.run(
        [python, "-c", code, "replay", *log, "--encoder", "hashing", "--out", "lists"],
        env=AS_A_USER | environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return (folder / "lists").read_bytes(), ended.stderr


def test_a_start_needs_no_numba_and_compiles_nothing(installed: Path, tmp_path: Path):
    """The lists are those that numba makes in a checkout, on one CPU."""
    lists, said = make_lists(installed / "bin/python", tmp_path / "wheel", with_numba=False)
    by_numba, _ = make_lists(sys.executable, tmp_path / "numba", with_numba=True, PYTHONPATH=str(ROOT))

    assert "compiling" not in said
    assert lists == by_numba
    assert len(lists.splitlines()) == len((DATA / "entree_chicago-events.jsonl").read_text().splitlines())


def test_the_wheel_is_for_this_python_and_machine_and_brings_nothing_of_numba_s_cache(built: Path):
    """Another Python would find no kernels in it."""
    (wheel,) = built.glob("*.whl")

    names = zipfile.ZipFile(wheel).namelist()
    assert f"-cp{sys.version_info.major}{sys.version_info.minor}-none-linux_" in wheel.name
    assert "stream_rec/compiled/kernels.json" in names
    assert [name for name in names if name.endswith((".nbi", ".nbc", ".lock"))] == []


def test_numba_is_asked_for_by_an_extra_alone():
    """With it the light install would be 188 MB larger; who has no such wheel is told of the extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert [need for need in project["dependencies"] if need.startswith("numba")] == []
    assert project["optional-dependencies"]["compile"] == [f"numba=={version('numba')}"]
