"""What became of each event, as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_rec.errors import FileProblem
from stream_rec.evaluation import scored_events
from stream_rec.evaluation.changes import EventResults
from stream_rec.evaluation.scored_events import ScoredEvents, name_file, read, write


def some_events(n: int = 11) -> ScoredEvents:
    """Return events; eleven are no whole number of bytes."""
    rng = np.random.default_rng(0)
    results = EventResults(rng.integers(21, size=n).astype(np.uint16), rng.integers(64, size=n).astype(np.uint16))
    parts = {"all": np.ones(n, bool), "item<5": rng.random(n) < 0.5}
    return ScoredEvents("abc", rng.integers(5, size=n).astype(np.int32), parts, results)


def test_what_is_written_is_read(tmp_path):
    """All of it, in its order."""
    events, file = some_events(), tmp_path / "run.npz"
    write(file, events)
    found = read(file)

    assert (found.digest, list(found.parts)) == ("abc", ["all", "item<5"])
    assert found.users.tolist() == events.users.tolist()
    assert found.results.ranks.tolist() == events.results.ranks.tolist()
    assert found.results.sources.tolist() == events.results.sources.tolist()
    assert {name: mask.tolist() for name, mask in found.parts.items()} == {
        name: mask.tolist() for name, mask in events.parts.items()
    }


def test_an_event_takes_a_few_bytes(tmp_path):
    """So that a log of a million events has a file of a few megabytes."""
    write(tmp_path / "run.npz", some_events(100_000))

    assert (tmp_path / "run.npz").stat().st_size < 4 * 100_000


def test_the_file_lies_beside_the_json():
    """Whatever that is called."""
    assert name_file(Path("a/run.json")) == Path("a/run.npz")
    assert name_file(Path("a/run")) == Path("a/run.npz")


def test_a_file_that_cannot_be_used_says_what_to_do(tmp_path, monkeypatch):
    """It is not there, it is none, it is cut off, it is of another version, or its arrays do not fit."""
    file = tmp_path / "run.npz"
    contents = [None, b"", b"no archive"]
    write(file, some_events())
    contents.append(file.read_bytes()[:200])
    monkeypatch.setattr(scored_events, "VERSION", 2)
    write(file, some_events())
    contents.append(file.read_bytes())
    monkeypatch.undo()
    short = some_events()
    write(file, ScoredEvents("abc", short.users[:3], short.parts, short.results))
    contents.append(file.read_bytes())

    for content in contents:
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(FileProblem, match="run that evaluation again with --json"):
            read(file)
