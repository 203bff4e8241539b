"""Progress without a terminal: lines, not too many, and none for what is quick."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn

from stream_rec.cli import cli, progress
from stream_rec.cli.progress import LINE_EVERY_S, Lines, Rate, show_progress
from tests.evaluation.logs import many_rows, write_events, write_items

COLUMNS = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate())


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def lines(clock: Clock, said: list[str]) -> Lines:
    return Lines(*COLUMNS, TimeRemainingColumn(), clock=clock, say=said.append)


def test_a_line_says_what_how_far_how_fast_and_how_long_yet(lines: Lines, clock: Clock, said: list[str]):
    """After some seconds, and again after some more: 100 events a second, 1,200 in all."""
    with lines:
        task = lines.add_task("popularity", total=1200)
        for n in range(1, 13):
            clock.now += 1
            lines.update(task, completed=100 * n)

    assert LINE_EVERY_S == 5
    assert said == [
        "popularity, 500/1200, 100/s, 0:00:07 left",
        "popularity, 1000/1200, 100/s, 0:00:02 left",
    ]


def test_what_is_quick_says_nothing(lines: Lines, clock: Clock, said: list[str]):
    """A pipe is not filled with lines of what is done at once."""
    with lines:
        task = lines.add_task("quick", total=2)
        lines.advance(task)
        clock.now += LINE_EVERY_S - 0.1
        lines.advance(task)

    assert said == []


def test_each_task_that_went_on_has_its_line(lines: Lines, clock: Clock, said: list[str]):
    """Several methods at a time: none hides another; one that waits or is hidden has none, one that is done has one."""
    with lines:
        first, second = lines.add_task("first", total=9), lines.add_task("second", total=9)
        lines.add_task("waits", total=9, start=False)
        lines.add_task("hidden", total=9, visible=False)
        lines.update(second, completed=9)
        for n in range(1, 9):
            clock.now += 2
            lines.update(first, completed=n)

    assert [line.partition(",")[0] for line in said] == ["first", "second", "first"]
    assert "9/9" in said[1] and "left" not in said[1]


def test_without_a_terminal_bars_are_lines(capsys: pytest.CaptureFixture[str]):
    """What a test captures is no terminal."""
    assert isinstance(show_progress(*COLUMNS), Lines)


@pytest.mark.parametrize("command", ["evaluate", "replay"])
def test_a_long_run_without_a_terminal_is_not_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str):
    """Lines on stderr name what runs and how far it is; stdout is for the results."""
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    items = write_items(tmp_path / "items.jsonl", [f"i{n}" for n in range(6)])
    events = write_events(tmp_path / "events.jsonl", many_rows())
    more = ["--baselines", "none"] if command == "evaluate" else ["--out", str(tmp_path / "lists")]
    files = ["--items", items, "--events", events, "--cache", tmp_path / "cache", "--encoder", "hashing"]
    result = CliRunner().invoke(cli, [command, *map(str, files), *more])
    what = "stream_rec, 120/120" if command == "evaluate" else "events, 100%, 120"

    assert result.exit_code == 0, result.output
    assert "embedding (hashing)" in result.stderr
    assert what in result.stderr
    assert "left" not in result.stdout and what not in result.stdout


@pytest.mark.parametrize("command", ["evaluate", "replay"])
def test_ctrl_c_says_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str):
    """In the middle of embedding: exit code 130, no traceback, and that the next run goes on."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stream_rec.cli.reading.embed_items", interrupted)
    more = ["--baselines", "none"] if command == "evaluate" else ["--out", str(tmp_path / "lists")]
    result = CliRunner().invoke(cli, [command, "--items", __file__, "--events", __file__, *more])

    assert result.exit_code == 130
    assert "stopped by Ctrl-C; " in result.stderr and "what was embedded is kept for the next run" in result.stderr
