"""What is installed from a wheel or an sdist, outside the repository, has all that it needs; so has any checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
import zipfile
from pathlib import Path

import pytest

from tests.command import NOWHERE
from tests.packaging.environment import AS_A_USER, ROOT, install

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

NO_JIT = {"NUMBA_DISABLE_JIT": "1"}  # what comes compiled: test_compiled_wheel.py


def build(source: Path, folder: Path, *options: str) -> Path:
    """Run `python -m build`, without an index to ask, and return the folder."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, *options, source]
    done = subprocess.run(command, env=AS_A_USER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and with a wheel that is built from it."""
    return build(source, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module", params=["*.whl", "*.tar.gz"], ids=["wheel", "sdist"])
def installed(request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment's folder with either of them in it."""
    (distribution,) = built.glob(request.param)
    return install(distribution, tmp_path_factory.mktemp("environment"))


def package_of(installed: Path) -> Path:
    """Return the folder of the package that is imported there."""
    where = [installed / "bin/python", "-c", "import stream_rec; print(stream_rec.__file__)"]
    used = subprocess.run(where, env=AS_A_USER, cwd=installed, capture_output=True, text=True, check=True)
    return Path(used.stdout.strip()).parent


def stream_rec(installed: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run what is installed, in a folder that is not the repository."""
    command = [installed / "bin/stream-rec", *arguments]
    return subprocess.run(command, env=AS_A_USER | NO_JIT, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_the_demo_finds_its_log(installed: Path, tmp_path: Path):
    """It gets as far as asking for a broker."""
    ended = stream_rec(installed, "demo", "--encoder", "hashing", "--bootstrap", NOWHERE, cwd=tmp_path)

    assert package_of(installed).is_relative_to(installed)
    assert ended.returncode == 75, ended.stderr
    assert f"no Kafka broker answers at {NOWHERE}" in ended.stderr


def test_topics_are_listed(installed: Path, tmp_path: Path):
    """The definitions come along."""
    listed = stream_rec(installed, "topics", "list", cwd=tmp_path)

    assert listed.returncode == 0, listed.stderr
    assert "views " in listed.stdout and "stream-rec-user-state-changelog" in listed.stdout


def test_the_dashboard_has_its_page(installed: Path):
    """Every file of it, those of others and their licence among them."""
    there, here = package_of(installed) / "dashboard/static", ROOT / "stream_rec/dashboard/static"
    files = [path.relative_to(here) for path in here.rglob("*") if path.is_file()]

    assert Path("index.html") in files and Path("vendor/uplot-licence.txt") in files
    assert [file for file in files if not (there / file).is_file()] == []


@pytest.mark.kafka
def test_topics_are_created_and_checked(installed: Path, bootstrap: str, tmp_path: Path):
    """What an operator does first after an install."""
    kafka = ["--bootstrap", bootstrap, "--topic-prefix", f"installed-{uuid.uuid4().hex[:8]}-"]

    missing = stream_rec(installed, "topics", *kafka, "check", cwd=tmp_path)
    created = stream_rec(installed, "topics", *kafka, "create", cwd=tmp_path)
    checked = stream_rec(installed, "topics", *kafka, "check", cwd=tmp_path)

    assert missing.returncode == 1, missing.stderr
    assert created.returncode == 0, created.stderr
    assert checked.returncode == 0 and "topics are as defined" in checked.stdout, checked.stdout + checked.stderr


def test_everything_of_the_package_is_installed(installed: Path):
    """Every module, definition and schema; and the log with its licence."""
    package, source = package_of(installed), ROOT / "stream_rec"
    wanted = {path.relative_to(source) for path in source.rglob("*.py")} | {Path("py.typed")}
    for folder in ("topics", "examples/entree_chicago"):
        wanted |= {"data" / path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.*")}

    assert [str(path) for path in sorted(wanted) if not (package / path).is_file()] == []
    assert "CC BY 4.0" in (package / "data/examples/entree_chicago/README.md").read_text(encoding="utf-8")


def test_a_wheel_of_a_checkout_is_that_of_the_sdist(source: Path, built: Path, tmp_path: Path):
    """No file is in one alone, so the sdist lacks nothing; and tests and benchmarks are in neither."""
    (direct,), (by_sdist,) = build(source, tmp_path, "--wheel").glob("*.whl"), built.glob("*.whl")

    names = zipfile.ZipFile(direct).namelist()
    assert sorted(names) == sorted(zipfile.ZipFile(by_sdist).namelist())
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"stream_rec"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is committed, checked out as on Windows, where a link becomes a text file."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git repository")
    folder = tmp_path_factory.mktemp("clone")
    subprocess.run(["git", "clone", "--quiet", "--config", "core.symlinks=false", ROOT, folder], check=True)
    return folder


def test_a_checkout_without_links_is_whole(clone: Path, tmp_path: Path):
    """An editable install reads the repository's own ``topics/`` and ``examples/``."""
    code = "from stream_rec.topics.definition import FOLDER, load; from stream_rec.cli.demo import EXAMPLE\n"
    code += "print(len(load()), FOLDER, EXAMPLE, *(file.name for file in sorted(EXAMPLE.iterdir())))"
    environ = AS_A_USER | NO_JIT | {"PYTHONPATH": str(clone)}
    read = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
    )

    n_topics, topics, example, *files = read.stdout.split()
    assert int(n_topics) == len([*(ROOT / "topics").glob("*.toml")])
    assert (Path(topics), Path(example)) == (clone / "topics", clone / "examples/entree_chicago")
    assert files == ["README.md", "events.jsonl.gz", "items.jsonl.gz"]


def test_no_file_of_the_repository_is_a_link(clone: Path):
    """Nothing to break on a system without them."""
    tracked = subprocess.run(["git", "ls-files", "--stage"], cwd=clone, capture_output=True, text=True, check=True)

    assert [line for line in tracked.stdout.splitlines() if line.startswith("120000")] == []
