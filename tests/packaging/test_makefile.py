"""`make setup` behind a proxy that looks into TLS, and what it says at its end; what a developer's commands run.

Nothing is installed here.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from stream_rec.embedding.known_encoders import KNOWN_ENCODERS
from tests.command import CLEAN

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The Makefile with what it asks, and what `make setup` goes by, in a folder of its own."""
    if shutil.which("make") is None:
        pytest.skip("no make")
    for name in ("Makefile", "stream_rec/certificates.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "constraints.txt", "light.txt"):
        (tmp_path / name).touch()
    return tmp_path


def make(folder: Path, *arguments: str, **environ: str) -> str:
    """Return what make says."""
    without = {name: value for name, value in CLEAN.items() if name not in ("PIP_CERT", "SSL_CERT_FILE", "MAKEFLAGS")}
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=folder, env=without | environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pip_and_uv_trust_what_the_system_trusts(copy: Path):
    """pip and uv bring lists of their own, which do not know a company's authority."""
    (copy / "company.pem").write_text("")

    told = make(copy, "--eval", "show: ; @env", "show", SSL_CERT_FILE=str(copy / "company.pem")).splitlines()

    assert f"PIP_CERT={copy / 'company.pem'}" in told
    assert f"SSL_CERT_FILE={copy / 'company.pem'}" in told
    assert "UV_SYSTEM_CERTS=true" in told


def test_what_a_user_says_goes_before(copy: Path):
    """A list for pip alone is not replaced."""
    told = make(copy, "--eval", "show: ; @env", "show", PIP_CERT="mine.pem", UV_SYSTEM_CERTS="false").splitlines()

    assert {"PIP_CERT=mine.pem", "UV_SYSTEM_CERTS=false"} <= set(told)


def test_setup_ends_with_how_to_call_it(copy: Path):
    """Nobody looks for `stream-rec` on their PATH; and where an install fails, certificates are thought of."""
    told = make(copy, "-n", "setup")

    assert ".venv/bin/stream-rec" in told.splitlines()[-1] and "activate" in told.splitlines()[-1]
    assert told.count("set SSL_CERT_FILE to a PEM file") >= 2


@pytest.mark.parametrize("encoder", [*(one.name for one in KNOWN_ENCODERS), "e5-small+hashing", "e5-small+minilm"])
def test_torch_is_installed_where_an_encoder_needs_it(copy: Path, encoder: str):
    """And not for the demo as it is."""
    needs_torch = any(one.extra == "torch" and one.name in encoder.split("+") for one in KNOWN_ENCODERS)

    assert (",torch," in make(copy, "-n", "setup", f"ENCODER={encoder}")) is needs_torch
    assert ",torch," not in make(copy, "-n", "demo")


def test_what_a_light_environment_leaves_out_is_in_a_full_one(copy: Path):
    """Each is something that a package asks for, so that the full one gets it."""
    light, full = make(copy, "-n", "setup"), make(copy, "-n", ".venv/ready-full")
    left_out = [line.split()[0] for line in (ROOT / "light.txt").read_text().splitlines() if line[0] != "#"]

    assert "--excludes light.txt" in light and "--excludes" not in full
    assert set(left_out) <= {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}


@pytest.mark.parametrize("target", ["setup", ".venv/ready-full", "wheel", "audit"])
def test_what_installs_is_gone_when_it_has(copy: Path, target: str):
    """uv and the pip that brings it are 63 MB, in a folder of their own; in .venv is no pip but the tests'."""
    lines = make(copy, "-n", target).splitlines()

    (made,) = [number for number, line in enumerate(lines) if "python3 -m venv --clear .uv " in line][-1:]
    assert "rm -rf .uv" in lines[made:]
    assert [line for line in lines if ".venv/bin/uv" in line or ".venv/bin/python -m pip" in line] == []
    assert any("-m venv --without-pip --clear .venv" in line for line in lines)


def test_help_names_every_target(copy: Path):
    """No target is found by reading the Makefile alone."""
    (phony,) = re.findall(r"^\.PHONY: (.*)", (copy / "Makefile").read_text(), re.MULTILINE)

    assert [line.split()[0] for line in make(copy).splitlines()] == phony.split()


def test_check_runs_lint_and_then_the_tests_that_need_nothing(copy: Path):
    """Every mark that pyproject.toml knows says what a test needs, or that it takes long."""
    marks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]

    commands = make(copy, "-n", "check")

    assert commands.index("ruff") < commands.index("pytest")
    for mark in marks:
        assert f"not {mark.partition(':')[0]}" in commands


def test_setup_brings_what_else_is_wanted(copy: Path):
    """By the names of extras; without any nothing is installed besides."""
    assert "-e '.[broker,compile,embed,report,serve]'" in make(copy, "-n", "setup", "EXTRAS=report,serve")
    assert "embed," not in make(copy, "-n", "setup")


def test_hooks_of_commits_are_of_this_repository():
    """Nothing is fetched where somebody commits, and each hook calls what is there."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    makefile = (ROOT / "Makefile").read_text()

    assert [source["repo"] for source in hooks["repos"]] == ["local"]
    for hook in hooks["repos"][0]["hooks"]:
        program, *arguments = shlex.split(hook["entry"])
        assert hook["language"] == "system"
        if program == "make":
            assert f"\n{arguments[0]}: " in makefile
        else:
            assert (program, arguments[0]) == (".venv/bin/python", "-m")
            assert (ROOT / f"{arguments[1].replace('.', '/')}.py").is_file()
