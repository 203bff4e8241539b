"""`stream-rec compare`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from stream_rec.cli import cli
from stream_rec.errors import FileProblem, StreamRecError
from tests.evaluation.evaluated import write_run

pytestmark = pytest.mark.slow


def run(*arguments):
    """Call the command."""
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)])


def test_two_runs_are_compared(tmp_path):
    """Table on stdout, JSON and page in their files, nothing on stderr."""
    before, after = write_run(tmp_path / "a"), write_run(tmp_path / "b", encoder="b@1")
    result = run(before, after, "--json", tmp_path / "x" / "c.json", "--report", tmp_path / "page")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "a/run.json → b/run.json" in result.stdout and "encoder:  → b@1" in result.stdout
    assert "95 % of the change" in result.stdout and "other" in result.stdout
    assert json.loads((tmp_path / "x" / "c.json").read_text())["against"]["encoder"]["value"] == "b@1"
    assert "What has changed?" in (tmp_path / "page" / "index.html").read_text()


def test_other_logs_are_warned_of(tmp_path):
    """On stderr, with what differs; the figures are there all the same."""
    before, after = write_run(tmp_path / "a"), write_run(tmp_path / "b", digest="other", limit=None)
    result = run(before, after)

    assert result.exit_code == 0
    assert "not event for event: They differ in --limit (9 before, None now)." in result.stderr
    assert "They differ in the log, or which of its items are listed" in result.stderr
    assert "pair=seen" in result.stdout and "95 %" not in result.stdout


def test_what_cannot_be_done_is_said(tmp_path, monkeypatch):
    """A file that is missing; a page without what draws it."""
    before = write_run(tmp_path / "a")

    assert isinstance(run(before, tmp_path / "no.json").exception, FileProblem)
    monkeypatch.setattr("stream_rec.cli.judging.find_spec", lambda package: None)
    refused = run(before, before, "--report", tmp_path).exception
    assert isinstance(refused, StreamRecError) and "stream-rec[report]" in str(refused)
