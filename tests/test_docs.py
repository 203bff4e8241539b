"""The pages say what there is: commands run, code compiles, links lead somewhere, nothing a user needs is left out."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from stream_rec.cli import COMMANDS, cli
from stream_rec.config import Settings
from stream_rec.topics.definition import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
AT_THE_ROOT = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
DOCS = [*(ROOT / name for name in AT_THE_ROOT), *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in DOCS}
WRITTEN = "\n".join(text for name, text in TEXTS.items() if name not in ("CHANGELOG.md", "docs/reference/commands.md"))
"""What people wrote for people who use it: not the log of changes, nor the help that commands print."""
PYTHON = [
    pytest.param(block, id=f"{name}-{number}")
    for name, text in TEXTS.items()
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
]
FOLDERS = "stream_rec|tests|topics|docs|examples|benchmarks|deploy"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

each_page = pytest.mark.parametrize("name", TEXTS)


@pytest.mark.parametrize("name", [definition.name for definition in load()])
def test_every_topic_is_described(name):
    """A topic that no page names is one that nobody can use."""
    assert f"`{name}`" in TEXTS["docs/reference/topics.md"]


@pytest.mark.parametrize("section", [field.name for field in msgspec.structs.fields(Settings)])
def test_every_section_of_settings_is_described(section):
    """A section of settings that the guide does not name is not found."""
    assert f"`[{section}]`" in TEXTS["docs/guides/settings.md"]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_shown(command):
    """Each command is used somewhere, or by a make target that is shown."""
    assert f"stream-rec {command}" in WRITTEN or f"make {command}" in WRITTEN


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command):
    """Help begins with usage and exits with 0."""
    shown = CliRunner().invoke(cli, [command, "--help"], prog_name="stream-rec")

    assert shown.exit_code == 0
    assert shown.stdout.startswith("Usage:")


def test_the_page_of_commands_is_their_help():
    """Who reads it needs no terminal. After a change: `python docs/generate.py`."""
    assert TEXTS["docs/reference/commands.md"] == generator().commands_page()


def generator():
    """Return the module that writes pages of the reference; it is no part of the package."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("block", PYTHON)
def test_python_compiles_and_its_imports_exist(block):
    """Code on a page can be copied."""
    tree = ast.parse(block)
    compile(tree, "page", "exec")
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "page", "exec"), {})


@each_page
def test_commands_that_are_shown_exist(name):
    """Each `stream-rec` in a block of code is a command that there is, with options that it has."""
    for line in shown_commands(TEXTS[name]):
        words = line.split()
        command, words = cli, words[1:]
        known = {option for one in cli.params for option in one.opts + one.secondary_opts}
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            command = command.get_command(click.Context(command), words.pop(0))
            assert command is not None, line
            known |= {option for one in command.params for option in one.opts + one.secondary_opts}
        used = {word.partition("=")[0] for word in words if re.match(r"--\w", word)}

        assert used <= known | {"--help"}, line


@each_page
def test_make_targets_that_are_shown_exist(name):
    """Each `make` in code, in a line or a block, has a target."""
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    shown = re.findall(r"`make ([a-z-]+)|^ {4}make ([a-z-]+)", TEXTS[name], re.MULTILINE)

    assert {one or other for one, other in shown} <= targets


def shown_commands(text: str) -> Iterator[str]:
    """Yield each call of the program in indented or fenced code, continued lines joined, comments cut."""
    for line in text.replace("\\\n", " ").splitlines():
        if call := re.match(r" *(?:\.venv/bin/)?(stream-rec [^#&>|]*)", line) if code(line) else None:
            yield call[1]


def code(line: str) -> bool:
    """Return whether a line that names the program can be a call: it is indented by four, or begins with it."""
    return line.startswith("    ")


@pytest.mark.slow
def test_the_replay_of_the_readme_runs(tmp_path):
    """The quickstart without Kafka writes a list for each event."""
    command = re.search(r"^ +(\.venv/bin/stream-rec replay .*?)\n\n", README, re.DOTALL | re.MULTILINE)[1]
    arguments = shlex.split(command.replace("\\\n", " "))[1:]
    arguments[arguments.index("--out") + 1] = str(tmp_path / "lists.jsonl")
    arguments[arguments.index("--limit") + 1] = "200"

    subprocess.run([sys.executable, "-m", "stream_rec", *arguments], cwd=ROOT, check=True, capture_output=True)

    assert len((tmp_path / "lists.jsonl").read_bytes().splitlines()) == 200


@each_page
def test_named_files_exist(name):
    """Paths that a page names are there; so are modules that are named from within the package."""
    text = TEXTS[name]
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", text))
    modules = {path for path in re.findall(r"`([\w/]+/[\w/]+\.py)`", text) if not re.match(FOLDERS, path)}

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    assert [path for path in sorted(modules) if not (ROOT / "stream_rec" / path).exists()] == []


def test_code_names_pages_that_are_there():
    """In docstrings and messages."""
    named = {
        (str(path.relative_to(ROOT)), page)
        for folder in ("stream_rec", "benchmarks", "examples", "deploy", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for page in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8"))
    }

    assert named
    assert [(file, page) for file, page in sorted(named) if not (ROOT / page).exists()] == []


@each_page
def test_links_lead_somewhere(name):
    """A link within the repository names a file that is there, and a heading that is in it."""
    for target in re.findall(r"\]\(([^)]+)\)", TEXTS[name]):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        page = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert page.exists(), target
        assert not anchor or anchor in set(anchors(page)), target


def anchors(page: Path) -> Iterator[str]:
    """Yield the anchor of each heading, as GitHub and mkdocs make it."""
    for heading in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower())).strip("-")


def test_every_page_is_in_the_navigation():
    """A page that the site does not lead to is not read."""
    navigation = re.search(r"^nav:\n(.*)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    listed = set(re.findall(r"([\w/-]+\.md)$", navigation[1], re.MULTILINE))

    assert listed == {name.removeprefix("docs/") for name in TEXTS} - {"README.md"}


@pytest.mark.parametrize("page", [name for name in TEXTS if name.startswith("docs/reference/")])
def test_documented_modules_exist(page):
    """What a page of the reference takes from docstrings is there."""
    for module, names in re.findall(r"^::: ([\w.]+)(?:\n +options:\n +members: \[(.*)\])?", TEXTS[page], re.MULTILINE):
        documented = import_module(module)
        assert [name for name in filter(None, names.split(", ")) if not hasattr(documented, name)] == []


def test_one_event_is_walked_by_real_names():
    """Each call of the walk exists, and stands in the source of the one that makes it; none is deeper than 12."""
    page = TEXTS["docs/concepts/architecture.md"]
    rows = re.findall(r"^\| (\d+) \| `([\w.]+)` \|", page, re.MULTILINE)
    walk = [(int(deep), resolve_name(name)) for deep, name in rows]
    callers = {0: None}

    assert len(walk) >= 12
    for deep, function in walk:
        assert deep <= 12
        caller = callers[deep - 1]
        assert caller is None or re.search(rf"\b{function.__name__}\(", inspect.getsource(caller)), function
        callers[deep] = function


def resolve_name(name: str):
    """Return what a dotted name within the package stands for."""
    found = import_module("stream_rec")
    for part in name.split("."):
        found = getattr(found, part, None) or import_module(f"{found.__name__}.{part}")
    return found


@pytest.mark.parametrize("entry", re.findall(r"^- .*(?:\n  .*)*", TEXTS["docs/glossary.md"], re.MULTILINE))
def test_every_term_says_what_it_is_and_where_it_lives(entry):
    """One sentence, and the path of a module that is there."""
    said = re.fullmatch(r"- \*\*[\w -]+\*\*: (.+)\. `(stream_rec/[\w/]+\.py)`", entry.replace("\n ", ""))

    assert said, entry
    assert ". " not in said[1]
    assert (ROOT / said[2]).is_file()


def test_terms_are_in_order():
    """A glossary is looked up."""
    for part in TEXTS["docs/glossary.md"].split("\n## ")[1:]:
        terms = re.findall(r"^- \*\*(.+?)\*\*", part, re.MULTILINE)
        assert terms == sorted(terms, key=str.lower)


def test_the_readme_is_one_screen_or_two():
    """It says what this is and where to go; the rest are pages of their own."""
    assert len(README.splitlines()) <= 130


@each_page
def test_lines_can_be_read(name):
    """At most 100 wide; records in examples are as long as they are."""
    text = re.sub(r"```jsonl .*?```", "", TEXTS[name], flags=re.DOTALL)

    assert [line for line in text.splitlines() if len(line) > 100] == []


@each_page
def test_tables_have_the_cells_of_their_heads(name):
    """A row with a cell too many or too few is shown wrong."""
    rows = [line.replace("\\|", "").count("|") if line.startswith("|") else 0 for line in TEXTS[name].splitlines()]

    assert all(one == two for one, two in pairwise(rows) if one and two)


@each_page
def test_no_page_has_a_gap(name):
    """No placeholder was forgotten."""
    assert not re.search(r"MEASURED\b|TODO|TBD", TEXTS[name])
