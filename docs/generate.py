"""Write the pages of the reference that follow from the code: every setting, every command.

    python docs/generate.py

`tests/test_docs.py` and `tests/test_defaults.py` hold the pages in the repository against this.
"""

from __future__ import annotations

import json
import textwrap
from importlib import import_module
from pathlib import Path

import click
import msgspec

from stream_rec.cli import COMMANDS, cli
from stream_rec.config import Settings
from stream_rec.config_sentences import describe_settings

REFERENCE = Path(__file__).parent / "reference"
WIDTH = 98
SETTINGS_HEAD = """# All settings

Written by `docs/generate.py` from `stream_rec/config.py`. How they are set: [settings](../guides/settings.md).
"""
COMMANDS_HEAD = """# Commands

Written by `docs/generate.py` from the commands' own help. Results go to stdout, logs to stderr.

| exit code | meaning |
|---|---|
| 0 | done, or told to stop (Ctrl-C, SIGTERM, or SIGHUP when the terminal goes) |
| 1 | the check failed, or something broke: start it again |
| 2 | the call or the settings are wrong: do not start it again before a person has looked |
| 75 | something outside is not there: start it again |
| 130 | ended at once by a second Ctrl-C |
"""


def settings_page() -> str:
    """Return the page of all settings: by section, each with its default and what it means."""
    return "\n".join([wrapped(SETTINGS_HEAD), *map(section, msgspec.structs.fields(Settings))])


def section(field: msgspec.structs.FieldInfo) -> str:
    """Return the part of the page on one section."""
    says = describe_settings()
    lines = [f"## `[{field.name}]`", "", *fill(says[field.name]), ""]
    for key in msgspec.structs.fields(field.type):
        name = f"{field.name}.{key.name}"
        means = f": {says[name]}" if name in says else ""
        lines += fill(f"- `{name}` = `{json.dumps(default_of(key))}`{means}", "  ")
    return "\n".join(lines) + "\n"


def default_of(key: msgspec.structs.FieldInfo) -> object:
    """Return the default of a setting; of one that is a table, an empty one each time."""
    return key.default_factory() if key.default is msgspec.NODEFAULT else key.default


def commands_page() -> str:
    """Return the page of all commands, each with its help."""
    parts = [COMMANDS_HEAD, helps(cli, "stream-rec", "## The program")]
    for name, place in COMMANDS.items():
        module, _, attribute = place.partition(":")
        command = getattr(import_module(module), attribute)
        parts.append(helps(command, f"stream-rec {name}", f"## `{name}`"))
        if isinstance(command, click.Group):
            parts += [
                helps(sub, f"stream-rec {name} {verb}", f"### `{name} {verb}`")
                for verb, sub in sorted(command.commands.items())
            ]
    return "\n".join(parts)


def helps(command: click.Command, path: str, heading: str) -> str:
    """Return one command's heading and help, as `--help` says it on a terminal of 88 columns."""
    context = click.Context(command, info_name=path, terminal_width=88, **cli.context_settings)
    return f"{heading}\n\n```text\n{command.get_help(context)}\n```\n"


def fill(text: str, indent: str = "") -> list[str]:
    """Return a paragraph as lines that fit."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def wrapped(text: str) -> str:
    """Return paragraphs as lines that fit."""
    return "\n\n".join("\n".join(fill(paragraph)) for paragraph in text.strip().split("\n\n")) + "\n"


PAGES = {"settings.md": settings_page, "commands.md": commands_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")
