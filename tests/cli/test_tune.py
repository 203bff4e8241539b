"""`stream-rec tune`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream_rec.cli import cli
from stream_rec.config import load
from stream_rec.errors import FileProblem
from tests.evaluation.logs import Row, many_rows, write_events, write_items

pytest.importorskip("optuna")
pytestmark = [pytest.mark.thorough, pytest.mark.slow]

VARIED = "[ranking]\ndiversity = 1.0\n[head]\nnetwork_rate = 0.2\n"
"""Settings that are easily bettered: lists look at variety alone."""
SPACE = "[head]\nrate = {low = 0.01, high = 0.9, log = true}\n[ranking]\ndiversity = [0.0, 0.05, 0.1]\n"


def rows_of(n_events: int) -> list[Row]:
    """Return events of users of whom each comes back to one item most of the time."""
    rows = enumerate(many_rows(n_events))
    return [(user, item if n % 5 == 0 else f"i{int(user[1:]) % 6}", time) for n, (user, item, time) in rows]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Return a folder of two logs, a shorter and a longer one."""
    for name, n in (("one", 120), ("two", 160)):
        folder = tmp_path / "logs" / name
        folder.mkdir(parents=True)
        write_items(folder / "items.jsonl", [f"i{number}" for number in range(6)])
        write_events(folder / "events.jsonl", rows_of(n))
    (tmp_path / "space.toml").write_text(SPACE)
    (tmp_path / "varied.toml").write_text(VARIED)
    return tmp_path / "logs"


def run(logs: Path, out: str, *arguments: object, log: str = "", config: Path | None = None, trials: int = 2) -> Result:
    """Call the command, on all logs or one."""
    folder = logs.parent
    options = [
        "--logs",
        logs / log,
        "--space",
        folder / "space.toml",
        "--out",
        folder / out,
        "--cache",
        folder / "cache",
    ]
    options += ["--encoder", "hashing", "--trials", trials, "--json", folder / f"{out}.json", *arguments]
    return CliRunner().invoke(cli, [*(["--config", str(config)] if config else []), "tune", *map(str, options)])


def told(logs: Path, out: str) -> dict:
    """Return what a run has written as JSON."""
    return json.loads((logs.parent / f"{out}.json").read_text())


def test_a_search_from_end_to_end(logs: Path):
    """Two logs, one choice; it goes on where it was; the page, the table and a file that the program takes."""
    varied = logs.parent / "varied.toml"
    first = run(logs, "a", trials=1, config=varied)
    result = run(logs, "a", "--report", logs.parent / "page", config=varied)
    at_once = run(logs, "b", config=varied)
    found, best = told(logs, "a"), logs.parent / "a" / "best.toml"

    for one in (first, result, at_once):
        assert one.exit_code == 0, (one.exception, one.output)
    assert found["trials"] == told(logs, "b")["trials"] and found["n_trials"] == 2
    assert list(found["trials"][1]["ndcg"]) == list(found["reported"]) == ["one", "two"]
    ratios = [found["trials"][1]["ndcg"][log] / found["trials"][0]["ndcg"][log] for log in ("one", "two")]
    assert found["trials"][1]["value"] == pytest.approx(sum(ratios) / 2)
    for log, n in (("one", 120), ("two", 160)):
        of = found["reported"][log]
        assert of["first_scored"] in range(n // 2, n // 2 + 5) and of["n_scored_events"] == n - of["first_scored"]
        assert of["parts"]["all"]["ndcg"]["base"] == pytest.approx(of["results"]["before"]["ndcg"])
        assert of["parts"]["all"]["ndcg"]["value"] == pytest.approx(of["results"]["chosen"]["ndcg"])
    settings = load(best, environ={})
    chosen = {"head.rate": settings.head.rate, "ranking.diversity": settings.ranking.diversity}
    assert chosen == found["best"]["settings"] and found["best"]["value"] > 1
    assert settings.head.network_rate == 0.2  # as before, not searched
    assert "<svg" in (logs.parent / "page" / "index.html").read_text()
    assert "2 trials. " in result.stdout and "best.toml" in result.stdout


def test_trials_know_nothing_of_the_rest(logs: Path):
    """What comes after the split is changed, who does what and when: trials stay as they are, byte for byte."""
    events, rows = logs / "one" / "events.jsonl", rows_of(120)
    run(logs, "a", log="one")
    a = told(logs, "a")
    write_events(events, [*rows[:70], *((f"x{n % 5}", f"i{n % 3}", 1.2e9 + n) for n in range(50))])
    changed, goes_on = run(logs, "b", log="one"), run(logs, "a", log="one")
    b, same = told(logs, "b"), told(logs, "a")
    write_events(events, [*rows[:50], ("x", "i1", rows[50][2]), *rows[51:]])
    refused = run(logs, "a", log="one")

    assert changed.exit_code == goes_on.exit_code == 0, changed.output
    assert json.dumps(a["trials"]) == json.dumps(b["trials"]) == json.dumps(same["trials"])
    assert a["reported"]["one"]["results"] != b["reported"]["one"]["results"]
    assert isinstance(refused.exception, FileProblem) and "differs in logs" in str(refused.exception)


def test_what_was_chosen_on_is_not_reported_on(logs: Path):
    """Neither by an earlier split, in this folder or another, nor by `evaluate`."""
    run(logs, "a", log="one", config=logs.parent / "varied.toml")
    best = logs.parent / "a" / "best.toml"
    earlier, other, within = (
        run(logs, "a", "--split", 0.45, log="one", config=logs.parent / "varied.toml"),
        run(logs, "b", "--split", 0.45, log="one", config=best),
        run(logs, "a", "--report-from", 0.4, log="one", config=logs.parent / "varied.toml"),
    )
    later = run(logs, "a", "--report-from", 0.7, log="one", config=logs.parent / "varied.toml")
    files = ["--items", logs / "one" / "items.jsonl", "--events", logs / "one" / "events.jsonl", "--baselines", "none"]
    options = ["--encoder", "hashing", "--cache", logs.parent / "cache", "--no-control"]
    evaluated = CliRunner().invoke(cli, ["--config", str(best), "evaluate", *map(str, [*files, *options])])
    allowed = CliRunner().invoke(
        cli, ["--config", str(best), "evaluate", *map(str, [*files, *options, "--warmup", 0.55])]
    )

    assert isinstance(earlier.exception, FileProblem) and "split (0.5 before, 0.45 now)" in str(earlier.exception)
    assert isinstance(other.exception, FileProblem) and "give --split 0.5" in str(other.exception)
    assert within.exit_code == 2 and "what is reported has to come later" in within.stderr
    assert later.exit_code == 0 and told(logs, "a")["reported"]["one"]["first_scored"] >= 84
    assert isinstance(evaluated.exception, FileProblem) and "give --warmup 0.5" in str(evaluated.exception)
    assert allowed.exit_code == 0, allowed.output


def test_time_that_is_over_begins_no_trial(logs: Path):
    """What was there before is judged all the same, and kept; two at a time are as good as one."""
    none = run(logs, "a", "--budget", 0, log="one")
    two = run(logs, "b", "--jobs", 2, log="one", trials=2)

    assert none.exit_code == 0 and told(logs, "a")["n_trials"] == 0 and "keep them" in none.stdout
    assert load(logs.parent / "a" / "best.toml", environ={}) == load(environ={})
    assert two.exit_code == 0 and told(logs, "b")["n_trials"] == 2


def test_what_the_call_lacks_is_said(logs: Path, tmp_path: Path):
    """Before anything is read."""
    (tmp_path / "space.toml").write_text("[head]\nraet = [0.1]\n")
    slip = run(logs, "a")
    nothing = CliRunner().invoke(cli, ["tune", "--out", str(tmp_path / "a")])
    (tmp_path / "bare").mkdir()
    bare = CliRunner().invoke(cli, ["tune", "--out", str(tmp_path / "a"), "--logs", str(tmp_path / "bare")])

    assert "did you mean rate?" in str(slip.exception)
    assert nothing.exit_code == 2 and "give --logs, or --items and --events" in nothing.stderr
    assert bare.exit_code == 2 and "has no items.* and events.*" in bare.stderr
