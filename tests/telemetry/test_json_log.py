"""The log as JSON: every line is an object, with our facts as its fields."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_rec.cli.logs import set_up, write_as
from stream_rec.telemetry.json_log import LONGEST_VALUE, JsonFormatter
from tests.command import command


def write(message: object, *arguments: object, name: str = "stream_rec.stages.user_stage") -> dict[str, Any]:
    """Return the line that a call writes."""
    record = logging.LogRecord(name, logging.WARNING, "f.py", 1, message, arguments, None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    return json.loads(line)


def facts(message: object, *arguments: object) -> dict[str, Any]:
    line = write(message, *arguments)
    return {key: value for key, value in line.items() if key not in ("time", "level", "logger")}


def test_a_line_has_its_time_its_level_and_our_logger():
    """In UTC, to the millisecond."""
    line = write("ready instance=%s", "worker-1")

    assert line["level"] == "WARNING" and line["logger"] == "stream_rec.stages.user_stage"
    assert line["time"].endswith("+00:00") and len(line["time"]) == len("2026-01-01T00:00:00.000+00:00")


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (("ready instance=%s", "w-1"), {"event": "ready", "instance": "w-1"}),
        (("took took_ms=%d share=%.1f", 7.9, 0.25), {"event": "took", "took_ms": 7, "share": 0.2}),
        (("known number=%s", "007"), {"event": "known", "number": "007"}),
        (("lost why=%s n=%d", "it is away", 2), {"event": "lost", "why": "it is away", "n": 2}),
        (("rejected at=%s[%d]@%d", "views", 2, 81), {"event": "rejected", "at": "views[2]@81"}),
        (("served %s age_p50_ms=%.0f", "events=3 lists=2", 30.4), {"event": "served", "events": 3, "lists": 2}),
        (("twin other_at=%s why=another process runs", "h"), {"event": "twin", "why": "another process runs"}),
        (("compiling %d kernels, half a minute", 5), {"event": "compiling", "text": "5 kernels, half a minute"}),
        (("Heartbeat failed: %s", "x=1"), {"text": "Heartbeat failed:", "x": 1}),
        (("share=%.1f", float("nan")), {"share": "nan"}),
        (("100%",), {"text": "100%"}),
        (("level=high time=%d", 3), {"text": "level=high time=3"}),
    ],
)
def test_facts_are_fields(call: tuple[object, ...], expected: dict[str, Any]):
    """Numbers stay numbers, texts texts with their blanks; no field takes the place of what each line has."""
    found = facts(*call)

    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize("call", [("took_ms=%d", "soon"), ("one=%s",), ("one", 1, 2), (7,), (ValueError("so"),)])
def test_a_call_that_is_wrong_is_a_line(call: tuple[object, ...]):
    """Logging itself would print a traceback and lose it."""
    assert facts(*call)


def test_a_library_is_named_and_is_not_the_logger():
    """Who searches for our lines finds ours alone."""
    line = write("Timer %s woke up too late", "x", name="mode.timers")

    assert (line["logger"], line["library"]) == ("stream_rec.library", "mode.timers")


def test_an_exception_is_one_field():
    """With its lines, and of bounded length; so is any other."""
    try:
        raise ValueError("no\nmore " + "x" * 2 * LONGEST_VALUE)
    except ValueError:
        record = logging.LogRecord(
            "stream_rec", logging.ERROR, "f.py", 1, "broke why=%s", ("y" * 20_000,), sys.exc_info()
        )
    line = JsonFormatter().format(record)

    assert "\n" not in line and len(line) < 3 * LONGEST_VALUE
    assert json.loads(line)["exception"].endswith("xxx") and json.loads(line)["why"].endswith("y…")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The logger of all, as it was afterwards."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    logger.handlers.clear()
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_commands_write_the_format_that_is_set(root, capsys: pytest.CaptureFixture[str], log_format: str):
    """Text is as it always was."""
    set_up("info")
    write_as(log_format)
    logging.getLogger("stream_rec.stages.worker").info("ready instance=%s", "w-1")
    written = capsys.readouterr().err

    if log_format == "json":
        assert json.loads(written)["event"] == "ready"
    else:
        assert written.endswith(" INFO    stream_rec.stages.worker ready instance=w-1\n")


def test_another_format_is_refused(tmp_path: Path):
    """The message names the variable and what it may be."""
    ended = command("config", "show", cwd=tmp_path, STREAM_REC_TELEMETRY_LOG_FORMAT="xml")

    assert ended.returncode == 2 and "STREAM_REC_TELEMETRY_LOG_FORMAT" in ended.stderr
