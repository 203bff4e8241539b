"""`pip install stream-rec` brings the client: what an operator calls works with it, the rest says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stream_rec.extras import explain_missing
from tests.command import CLEAN, NOWHERE
from tests.installed import hide_all_but

ROOT = Path(__file__).parents[2]
CLIENT_ALONE = hide_all_but("stream-rec") + "from stream_rec.cli import main\nmain()\n"
"""The program, in a Python that finds of all that is installed here what a plain `pip install stream-rec` installs."""


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the program without what only extras install."""
    environ = CLEAN | {"PYTHONPATH": str(ROOT)}
    started = [sys.executable, "-c", CLIENT_ALONE, *arguments]
    return subprocess.run(started, env=environ, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def name(value: tuple[str, ...] | int | str) -> str:
    """Return how a case is called."""
    return " ".join(value) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("topics", "list"), 0),
        (("topics", "acls"), 0),
        (("config", "show"), 0),
        (("completion", "show", "bash"), 0),
        (("topics", "check", "--bootstrap", NOWHERE), 75),
        (("watch", "ann", "--bootstrap", NOWHERE), 75),
        (("user", "forget", "ann", "--yes", "--bootstrap", NOWHERE), 75),
        (("rejected", "list", "--bootstrap", NOWHERE), 75),
        (("rules", "put", "rules.jsonl", "--bootstrap", NOWHERE), 75),
        (("produce", "items.jsonl", "--bootstrap", NOWHERE), 75),
        (("record", "all.jsonl", "--bootstrap", NOWHERE), 75),
    ],
    ids=name,
)
def test_commands_of_the_client_need_no_extra(tmp_path: Path, arguments: tuple[str, ...], exit_code: int):
    """They come as far as asking for a broker."""
    (tmp_path / "items.jsonl").write_text('{"item_id": "cup"}\n')
    rule = '{"rule_id": "r1", "action": "ban", "author": "ann", "reason": "gone", "target": {"item_ids": ["cup"]}}\n'
    (tmp_path / "rules.jsonl").write_text(rule)

    ended = call(*arguments, cwd=tmp_path)

    assert ended.returncode == exit_code, ended.stderr
    assert "pip install" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("worker", "--bootstrap", NOWHERE), "worker"),
        (("embedder", "--bootstrap", NOWHERE), "worker"),
        (("rules", "list", "--bootstrap", NOWHERE), "worker"),
        (("replay", "--items", "a", "--events", "b", "--out", "c"), "worker"),
        (("evaluate", "--help"), "worker"),
        (("compile",), "worker"),
        (("serve",), "serve"),
        (("sink", "--url", "redis://127.0.0.1:1"), "sink"),
        (("sink", "--url", "postgresql://127.0.0.1:1"), "sink"),
    ],
    ids=name,
)
def test_others_say_what_to_install(tmp_path: Path, arguments: tuple[str, ...], extra: str):
    """One line, and the exit code of a wrong call."""
    ended = call(*arguments, cwd=tmp_path)

    assert ended.returncode == 2, ended.stderr
    assert f"pip install 'stream-rec[{extra}" in ended.stderr and "Traceback" not in ended.stderr


def test_help_names_all_commands(tmp_path: Path):
    """Those that need more say what, in place of what they do."""
    shown = call("--help", cwd=tmp_path)

    assert shown.returncode == 0, shown.stderr
    assert "  evaluate    (pip install 'stream-rec[worker" in shown.stdout
    assert "  produce     Write a log of events" in shown.stdout


def test_a_package_that_no_extra_brings_is_not_ours_to_explain():
    """It is a fault of the program, or of the user's own head."""
    assert explain_missing("nobody.knows") is None
