"""Defaults that the pages quote are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from stream_rec.config import RENAMED, Settings
from tests.test_docs import TEXTS, generator

FIELDS = {
    f"{section.name}.{field.name}": field.default
    for section in msgspec.structs.fields(Settings)
    for field in msgspec.structs.fields(section.type)
}
UNITS = {"days": 86_400, "KiB": 1024, "ms": 0.001}
QUOTED = re.compile(r"`([a-z]+\.[a-z_]+)`\s+\(?(\d(?:[\d,]*\d)?(?:\.\d+)?|\.\d+)(?:\s(days|KiB|s|ms)\b)?")
"""A setting and a number behind it: ``worker.batch_events` (1,000)``, ``ranking.fresh_worth` 3`."""
OTHERS = {
    "CHANGELOG.md": "what was the default once",
    "docs/reference/settings.md": "held by a test of its own",
}
ADVICE = {("kafka.replication_factor", "3")}
"""Values that a page tells to set."""


def quoted() -> list[tuple[str, str, str, str]]:
    """Return each quotation: page, setting, number, unit."""
    return [(page, *found) for page, text in TEXTS.items() if page not in OTHERS for found in QUOTED.findall(text)]


def test_the_page_of_settings_is_that_of_the_code():
    """Each setting stands there once, with its default. After a change: `python docs/generate.py`."""
    text = TEXTS["docs/reference/settings.md"]

    assert text == generator().settings_page()
    assert {name: text.count(f"- `{name}` = ") for name in FIELDS} == dict.fromkeys(FIELDS, 1)


@pytest.mark.parametrize(("page", "name", "number", "unit"), quoted())
def test_a_quoted_default_is_the_default(page: str, name: str, number: str, unit: str):
    """A number behind the name of a setting is its default."""
    if name not in FIELDS and not (Path("stream_rec") / name.split(".")[0]).exists():
        pytest.skip("not a setting")
    if (name, number) in ADVICE:
        return
    value = float(number.replace(",", ""))

    assert FIELDS[name] == pytest.approx(value * UNITS.get(unit, 1)), page


def test_every_named_setting_exists():
    """A page that names a setting names one that there is."""
    sections = "|".join(field.name for field in msgspec.structs.fields(Settings))
    for page, text in TEXTS.items():
        if page != "CHANGELOG.md":
            named = set(re.findall(rf"`((?:{sections})\.[a-z_]+)`", text))
            assert named - FIELDS.keys() == set(), page


@pytest.mark.parametrize("name", RENAMED)
def test_every_renamed_setting_is_in_the_changelog(name: str):
    """With its new name: whoever updates finds both."""
    now = f"{name.partition('.')[0]}.{RENAMED[name]}"

    assert f"| `{name}` | `{now}` |" in TEXTS["CHANGELOG.md"]
    assert now in FIELDS


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_says_what_it_is(name: str):
    """Beside its default."""
    assert re.search(rf"- `{re.escape(name)}` = `[^`]*`: \S", re.sub(r"\s+", " ", TEXTS["docs/reference/settings.md"]))
