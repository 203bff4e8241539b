"""The applications in examples/: their own tests pass, run as their pages say, in a copy of their folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka.test_pytest_plugin import run, topics_of

pytestmark = [pytest.mark.kafka, pytest.mark.browser, pytest.mark.model, pytest.mark.thorough]

ROOT = Path(__file__).parents[2]
APPLICATIONS = sorted(file.parent.name for file in (ROOT / "examples").glob("*/__main__.py"))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_tests_of_an_application_pass(name: str, bootstrap: str, tmp_path: Path) -> None:
    """None is skipped, and nothing stays: no topic, no process."""
    shutil.copytree(
        ROOT / "examples" / name, tmp_path / "examples" / name, ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "examples" / "entree_chicago").symlink_to(ROOT / "examples" / "entree_chicago")
    before = topics_of(bootstrap)
    ended = run(tmp_path / "examples" / name, bootstrap, "-rs", "--durations=5")

    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout
    assert "SKIPPED" not in ended.stdout or os.environ.get("CI") != "true", ended.stdout
    assert topics_of(bootstrap) - before <= {"__consumer_offsets"}


def test_every_application_has_a_page_and_tests() -> None:
    """And stands in the table of them all."""
    table = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    for name in APPLICATIONS:
        folder = ROOT / "examples" / name
        assert f"]({name}/README.md)" in table
        assert f"examples/{name}" in (folder / "README.md").read_text(encoding="utf-8")
        assert (folder / f"test_{name}.py").exists()


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_command_says_how_it_is_used(name: str) -> None:
    """`--help` starts nothing, and what is wrong is no traceback."""
    command = [sys.executable, str(ROOT / "examples" / name)]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    asked = subprocess.run([*command, "--help"], env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert asked.returncode == 0 and f"examples/{name}" in asked.stdout, asked.stderr
    wrong = subprocess.run(
        [*command, "--nothing"], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert wrong.returncode == 2 and "Traceback" not in wrong.stderr
