"""The README says what there is: its commands run, its code compiles, and nothing a user needs is left out."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from stream_rec.cli import COMMANDS, cli
from stream_rec.config import Settings
from stream_rec.topics.definition import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("name", [definition.name for definition in load()])
def test_every_topic_is_described(name):
    """A topic that the README does not name is one that nobody can use."""
    assert f"`{name}`" in README


@pytest.mark.parametrize("section", [field.name for field in msgspec.structs.fields(Settings)])
def test_every_section_of_settings_is_described(section):
    """A section of settings that the README does not name is not found."""
    assert f"`[{section}]`" in README


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_shown(command):
    """Each command is used somewhere in the README, or by a make target of it."""
    assert f"stream-rec {command}" in README or f"make {command}" in README


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command):
    """Help begins with usage and exits with 0."""
    shown = CliRunner().invoke(cli, [command, "--help"], prog_name="stream-rec")

    assert shown.exit_code == 0
    assert shown.stdout.startswith("Usage:")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_of_the_readme_compiles_and_its_imports_exist(block):
    """Code in the README can be copied."""
    compile(block, "README.md", "exec")
    for line in block.splitlines():
        if line.startswith(("from ", "import ")):
            exec(line, {})


@pytest.mark.slow
def test_the_replay_of_the_readme_runs(tmp_path):
    """The quickstart without Kafka writes a list for each event."""
    command = re.search(r"^ +(\.venv/bin/stream-rec replay .*?)\n\n", README, re.DOTALL | re.MULTILINE)[1]
    arguments = shlex.split(command.replace("\\\n", " "))[1:]
    arguments[arguments.index("--out") + 1] = str(tmp_path / "lists.jsonl")
    arguments[arguments.index("--limit") + 1] = "200"

    subprocess.run([sys.executable, "-m", "stream_rec", *arguments], cwd=ROOT, check=True, capture_output=True)

    assert len((tmp_path / "lists.jsonl").read_bytes().splitlines()) == 200


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist(page):
    """Paths that the docs name are there."""
    named = set(
        re.findall(r"`((?:stream_rec|tests|topics|docs|examples|benchmarks|deploy)/[\w./-]+)`", page.read_text())
    )

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_a_gap(page):
    """No placeholder was forgotten."""
    assert not re.search(r"MEASURED\b|TODO|TBD", page.read_text())
