"""An evaluation against an earlier one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stream_rec.errors import FileProblem
from stream_rec.evaluation import scored_events
from stream_rec.evaluation.against import (
    HEAD,
    Run,
    compare_runs,
    describe_differences,
    list_rows,
    read_run,
    render_markdown,
    require_same,
)
from stream_rec.evaluation.changes import EventResults
from stream_rec.evaluation.scored_events import ScoredEvents, name_file

PROTOCOL = {"limit": 9, "warmup": 0.2, "list_size": 5, "seed": 0, "digest": "abc", "encoder": "hashing@1"}


def run(folder: Path, ranks, sources, *, list_ms: float = 2.0, **changes) -> Run:
    """Return a run of four events by two users, with a protocol changed as asked."""
    encoder = {"encoder": changes.pop("setting", "hashing")}
    cost = {"list_ms": {"mean": list_ms}, "learn_ms": {"mean": 1.0}}
    said = {
        "protocol": PROTOCOL | changes,
        "results": {"stream_rec": {"cost": cost}},
        "settings": {"embedder": encoder, "ranking": {"n": 5}},
    }
    results = EventResults(np.array(ranks, np.uint16), np.array(sources, np.uint16))
    parts = {"all": np.ones(4, bool), "user=0": np.array([True, False, True, False])}
    return Run(folder / "run.json", said, ScoredEvents("abc", np.array([0, 0, 1, 1], np.int32), parts, results))


def write(made: Run) -> Path:
    """Write a run as the command does."""
    made.file.write_text(json.dumps(made.said))
    scored_events.write(name_file(made.file), made.events)
    return made.file


def test_two_runs_by_hand(tmp_path):
    """The second finds one candidate more, ranks one better, and takes half as long."""
    before = read_run(write(run(tmp_path, [0, 3, 1, 0], [0, 1, 1, 0])))
    after = run(tmp_path, [0, 1, 1, 0], [1, 1, 1, 0], list_ms=1.0, encoder="e5@2", setting="e5")
    found = compare_runs(before, after)

    assert found["file"] == "run.json"
    assert found["encoder"] == {"base": "hashing@1", "value": "e5@2"}
    assert found["settings"] == {"embedder.encoder": {"base": "hashing", "value": "e5"}}
    assert describe_differences(found) == "encoder: hashing@1 → e5@2; embedder.encoder: hashing → e5"
    assert (found["parts"]["all"]["ndcg"]["base"], found["parts"]["all"]["ndcg"]["value"]) == (0.375, 0.5)
    assert found["parts"]["user=0"]["recall"]["value"] == 1.0
    assert found["cost"] == {"list_ms": {"base": 2.0, "value": 1.0}, "learn_ms": {"base": 1.0, "value": 1.0}}


def test_parts_that_one_run_lacks_are_left_out(tmp_path):
    """As those by searches, where only one was told of searches; that is among what differs."""
    before = run(tmp_path, [0, 3, 1, 0], [0, 1, 1, 0], critiques=["nicer"])
    after = run(tmp_path, [0, 1, 1, 0], [1, 1, 1, 0], ignores_searches=True)
    before.events.parts["before alone"] = after.events.parts["after=search"] = np.array([True, True, False, False])
    found = compare_runs(before, after)

    assert list(found["parts"]) == ["all", "user=0"]
    assert describe_differences(found) == (
        "searches.critiques: ['nicer'] → None; searches.ignores_searches: None → True"
    )


def test_the_rows_are_each_measure_by_part_then_what_it_costs(tmp_path):
    """One number a cell, and as many cells as the head has."""
    found = compare_runs(run(tmp_path, [0, 3, 1, 0], [0, 1, 1, 0]), run(tmp_path, [0, 1, 1, 0], [1, 1, 1, 0]))
    rows = list_rows(found, 5)

    assert [row[:2] for row in rows] == [
        *((measure, part) for measure in ("ndcg@5", "hit_rate@5", "candidate recall") for part in ("all", "user=0")),
        ("ms per list", ""),
        ("ms per event learned", ""),
    ]
    assert rows[0][:6] == ("ndcg@5", "all", "4", "0.3750", "0.5000", "+33.3%")
    assert rows[-2][3:] == ("2.000", "2.000", "+0.0%", "")
    assert {len(row) for row in rows} == {len(HEAD)}
    assert render_markdown(HEAD, rows).splitlines()[2].startswith("| ndcg@5 | all | 4 | 0.3750 | 0.5000 | +33.3% | ")


def test_the_same_run_twice_has_changed_nothing(tmp_path):
    """And says so."""
    found = compare_runs(*[run(tmp_path, [0, 3, 1, 0], [0, 1, 1, 0])] * 2)

    assert describe_differences(found) == "the same settings and encoder"
    assert found["parts"]["all"]["hit_rate"]["difference"] == {"mean": 0, "low": 0, "high": 0}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("limit", None, "--limit (9 before, None now)"),
        ("warmup", 0.3, "--warmup (0.2 before, 0.3 now)"),
        ("list_size", 6, "--list-size (5 before, 6 now)"),
        ("seed", 1, "--seed (0 before, 1 now)"),
        ("digest", "abd", "the log, or which of its items are listed (abc before, abd now)"),
    ],
)
def test_what_was_judged_otherwise_is_not_compared(tmp_path, key, value, words):
    """The message says in what they differ."""
    before = run(tmp_path, [0] * 4, [0] * 4)

    with pytest.raises(FileProblem) as refused:
        compare_runs(before, run(tmp_path, [0] * 4, [0] * 4, **{key: value}))
    assert words in str(refused.value)
    with pytest.raises(FileProblem):
        require_same(PROTOCOL, {key: value})


def test_what_is_not_known_yet_is_not_refused():
    """Before the log is read nothing is known of it."""
    require_same(PROTOCOL, {"limit": 9, "warmup": 0.2})


def test_a_file_that_is_no_evaluation_says_so(tmp_path):
    """Missing, not JSON, something else, of an older version, without its neighbour, or of an engine that failed."""
    good = run(tmp_path, [0] * 4, [0] * 4)
    old = {**good.said, "protocol": {k: v for k, v in PROTOCOL.items() if k != "digest"}}
    failed = {**good.said, "results": {"stream_rec": {"error": "out of luck"}}}
    cases = [
        (None, "cannot be read"),
        ("{", "is not what `stream-rec evaluate --json` writes"),
        ("[1]", "is not what `stream-rec evaluate --json` writes"),
        (json.dumps({"protocol": {}, "results": {}}), "is not what `stream-rec evaluate --json` writes"),
        (json.dumps(old), "older version"),
        (json.dumps(failed), "out of luck"),
        (json.dumps(good.said), "run.npz is missing"),
    ]
    for content, words in cases:
        if content is not None:
            good.file.write_text(content)
        with pytest.raises(FileProblem, match=words):
            read_run(good.file)
