"""What is installed from a wheel, outside the repository, has all that it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.command import CLEAN, NOWHERE

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta as b; print(getattr(b, 'build_' + sys.argv[1])(sys.argv[2]))"


def built(what: str, source: Path, folder: Path) -> Path:
    """Build the wheel or the sdist of a source tree, as any front end would."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, what, str(folder)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module", params=["from the repository", "from the sdist"])
def installed(request: pytest.FixtureRequest, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel puts among the packages."""
    folder = tmp_path_factory.mktemp("built")
    if request.param == "from the sdist":
        shutil.unpack_archive(built("sdist", source, folder), folder / "unpacked", filter="data")
        (source,) = (folder / "unpacked").iterdir()
    with zipfile.ZipFile(built("wheel", source, folder)) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def stream_rec(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run what is installed, in a folder that is not the repository."""
    return subprocess.run(
        [sys.executable, "-m", "stream_rec", *arguments],
        env=CLEAN | {"PYTHONPATH": str(site), "NUMBA_DISABLE_JIT": "1"},  # what comes compiled: test_compiled_wheel.py
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_demo_finds_its_log(installed: Path, tmp_path: Path):
    """It gets as far as asking for a broker."""
    ended = stream_rec(installed, tmp_path, "demo", "--encoder", "hashing", "--bootstrap", NOWHERE)
    where = [sys.executable, "-c", "import stream_rec; print(stream_rec.__file__)"]
    used = subprocess.run(where, env=CLEAN | {"PYTHONPATH": str(installed)}, cwd=tmp_path, capture_output=True)

    assert Path(used.stdout.decode().strip()).is_relative_to(installed)
    assert ended.returncode == 75, ended.stderr
    assert f"no Kafka broker answers at {NOWHERE}" in ended.stderr


def test_topics_are_there(installed: Path, tmp_path: Path):
    """The definitions are a link in the repository, and files in a wheel."""
    listed = stream_rec(installed, tmp_path, "topics", "list")

    assert listed.returncode == 0, listed.stderr
    assert "views " in listed.stdout and "stream-rec-user-state-changelog" in listed.stdout
    assert stream_rec(installed, tmp_path, "topics", "check", "--help").returncode == 0
    assert stream_rec(installed, tmp_path, "topics", "create", "--help").returncode == 0


def test_everything_of_the_package_is_in_the_wheel(installed: Path):
    """Every module, definition and schema; and the log with its licence."""
    package = ROOT / "stream_rec"
    wanted = {path.relative_to(package) for path in package.rglob("*.py")}
    for link, folder in (("topics/files", "topics"), ("examples", "examples")):
        wanted |= {Path(link) / path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*.*")}

    assert [str(path) for path in sorted(wanted) if not (installed / "stream_rec" / path).exists()] == []
    assert not any(path.is_symlink() for path in installed.rglob("*"))
    assert "CC BY 4.0" in (installed / "stream_rec/examples/entree_chicago/README.md").read_text()
