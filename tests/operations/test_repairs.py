"""A file of repairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_rec.errors import FileProblem
from stream_rec.events.rejected import Origin
from stream_rec.operations import repairs
from stream_rec.operations.repairs import read_repairs


def test_values_are_sent_as_they_are_written(tmp_path: Path):
    """JSON byte for byte, a string as its text, null as null; other fields are ignored."""
    lines = [
        '{"origin":"views/0/1","value": {"a": 1.50},"reason":"empty"}',
        '{"value":"{\\"b\\":\\"\\u00e9\\"}","origin":"views/0/2"}',
        "",
        '{"origin":"items[1]@3","value":null}',
    ]
    (tmp_path / "file").write_text("\n".join(lines), encoding="utf-8")

    assert read_repairs(tmp_path / "file") == (
        {
            Origin("views", 0, 1): b'{"a": 1.50}',
            Origin("views", 0, 2): '{"b":"é"}'.encode(),
            Origin("items", 1, 3): None,
        },
        [],
    )


def test_lines_that_cannot_be_used_are_named(tmp_path: Path):
    """A line without value is one whose record was gone: it must not delete anything. The first of two lines counts."""
    lines = [
        "nonsense",
        '{"origin":"views/0/1"}',
        '{"origin":"here","value":1}',
        '{"origin":"views/0/1","value":1}',
        '{"origin":"views/0/1","value":2}',
        '{"origin":"views/0/2","value":"\\ud800"}',
    ]
    (tmp_path / "file").write_text("\n".join(lines))
    values, bad = read_repairs(tmp_path / "file")

    assert values == {Origin("views", 0, 1): b"1"}
    assert [line.line for line in bad] == [1, 2, 3, 5, 6]
    assert "`value`" in bad[1].detail


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Missing, or too large to be read."""
    with pytest.raises(FileProblem, match="cannot be read"):
        read_repairs(tmp_path / "nothing")
    (tmp_path / "file").write_text("{}\n" * 10)
    monkeypatch.setattr(repairs, "FILE_BYTES", 29)
    with pytest.raises(FileProblem, match="split it"):
        read_repairs(tmp_path / "file")
