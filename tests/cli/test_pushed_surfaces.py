"""Surfaces that are pushed, in a replay."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from stream_rec.cli import cli
from stream_rec.errors import SettingsError
from tests.evaluation.logs import search_line, write_events, write_items

TOML = """[surfaces.declared.found]
base = "discover"
n = 3
push = true
"""


def replay(folder: Path, *arguments: object, toml: str = TOML) -> Result:
    config = folder / "settings.toml"
    config.write_text(toml)
    events = write_events(folder / "log.jsonl", [("u", "a", 1), search_line("u", "b", 2), ("v", "b", 3)])
    items = write_items(folder / "items.jsonl", ["a", "b", "c"])
    files = ["--items", items, "--events", events, "--out", folder / "out", "--cache", folder / "cache"]
    command = ["--config", config, "replay", *files, "--encoder", "hashing", *arguments]
    return CliRunner().invoke(cli, [*map(str, command)])


def test_a_record_for_each_list(tmp_path: Path):
    """The same bytes each time; lists are the same with and without the file."""
    assert replay(tmp_path).exit_code == 0
    lists = (tmp_path / "out").read_bytes()
    written = []
    for name in ("first", "second"):
        assert replay(tmp_path, "--surfaces", tmp_path / name).exit_code == 0
        written.append((tmp_path / name).read_bytes())
        assert (tmp_path / "out").read_bytes() == lists
    made, beside = (list(map(json.loads, lines.splitlines())) for lines in (lists, written[0]))

    assert written[0] == written[1]
    assert [each["as_of"] for each in beside] == [each["as_of"] for each in made]
    assert [each["surfaces"][0]["surface"] for each in beside] == ["found"] * 3
    had = [{"a"}, {"a"}, {"b"}]
    for each, own in zip(beside, had):
        assert own.isdisjoint({item["item_id"] for item in each["surfaces"][0]["items"]})


def test_without_any_that_is_pushed_a_file_for_them_is_refused(tmp_path: Path):
    """Rather than left empty."""
    result = replay(tmp_path, "--surfaces", tmp_path / "s", toml="")

    assert isinstance(result.exception, SettingsError) and "push = true" in str(result.exception)
