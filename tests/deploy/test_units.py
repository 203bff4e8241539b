"""The units of systemd: it understands them, and what they run is little exposed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from stream_rec.cli import cli
from stream_rec.config import load
from tests.deploy.programs import ROOT, require, run

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
PROGRAM = "/opt/stream-rec/bin/stream-rec"

each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)


@pytest.fixture
def systemd_analyze() -> str:
    """systemd's own check."""
    return require("systemd-analyze", "Debian has it in the package systemd")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with all units, of a program that is there; a template stands for its first instance."""
    for unit in UNITS:
        text = unit.read_text().replace(PROGRAM, "/bin/true")
        (tmp_path / unit.name.replace("@.", "@1.")).write_text(text)
    return tmp_path


def test_there_is_one_for_each_process():
    """Those of the pipeline, and those beside it."""
    roles = {"worker", "embedder", "serve", "dashboard", "ingest", "sink"}
    assert {shlex.split(started(unit))[1] for unit in UNITS} == roles


def started(unit: Path) -> str:
    """Return the command that a unit runs."""
    return re.search(r"^ExecStart=(.*)", unit.read_text(), re.MULTILINE)[1]


@each_unit
def test_systemd_understands_it(unit, installed, systemd_analyze):
    """Not a word of warning."""
    checked = run(systemd_analyze, "verify", installed / unit.name.replace("@.", "@1."))

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@each_unit
def test_it_is_little_exposed(unit, installed, systemd_analyze):
    """By systemd's own measure at most 2 of 10."""
    path = installed / unit.name.replace("@.", "@1.")

    checked = run(systemd_analyze, "security", "--offline=true", "--threshold=20", path)

    assert checked.returncode == 0, checked.stdout


@each_unit
def test_its_command_and_its_settings_exist(unit):
    """The program takes them."""
    program, *words = shlex.split(started(unit).replace("%i", "1"))
    assert program == PROGRAM
    assert CliRunner().invoke(cli, [*words, "--help"]).exit_code == 0

    variables = dict(
        word.split("=", 1)
        for line in re.findall(r"^Environment=(.*)", unit.read_text(), re.MULTILINE)
        for word in shlex.split(line)
    )
    assert variables.pop("STREAM_REC_CONFIG") == "/etc/stream-rec/stream-rec.toml"
    load(environ=variables)


@each_unit
def test_it_writes_where_it_may(unit):
    """All that its variables name lies in its state or its cache."""
    text = unit.read_text()
    state = re.search(r"^StateDirectory=(.*)", text, re.MULTILINE)[1].split()
    for folder in re.findall(r"_DIR=%S/(\S+)", text):
        assert folder in state
    assert "_DIR=/" not in text
