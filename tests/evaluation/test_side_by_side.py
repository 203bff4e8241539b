"""Two evaluations beside each other."""

from __future__ import annotations

import json
import re

import pytest

from stream_rec.errors import FileProblem
from stream_rec.evaluation.comparison_page import render_comparison, tell_change
from stream_rec.evaluation.side_by_side import compare_files, find_change
from tests.evaluation.evaluated import HOSTILE, compared, write_run

pytestmark = pytest.mark.slow


def test_what_judged_the_same_events_has_intervals(tmp_path):
    """The second run misses one of two hits; the encoder is all that differs."""
    found = compared(tmp_path)

    assert found["unpaired"] == []
    assert found["differences"] == {"encoder": {"base": "", "value": HOSTILE}}
    assert found["methods"]["stream_rec"]["hit_rate"] == {"base": 0.5, "value": 0.25}
    assert found["against"]["parts"]["all"]["hit_rate"]["difference"]["mean"] == -0.25
    assert found["parts"]["pair=seen"]["n"] == {"base": 1, "value": 1} and "user=20+" not in found["parts"]
    assert found["files"] == {"base": "a/run.json", "value": "b/run.json"}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("digest", "other", "They differ in the log, or which of its items are listed"),
        ("warmup", 0.5, "They differ in --warmup (0.3 before, 0.5 now)."),
        ("list_size", 5, "They differ in --list-size"),
    ],
)
def test_another_log_or_cut_is_said_and_has_no_intervals(tmp_path, key, value, words):
    """The figures stand side by side all the same."""
    found = compare_files(write_run(tmp_path / "a"), write_run(tmp_path / "b", **{key: value}))
    text = render_comparison(found)

    assert found["against"] is None and words in found["unpaired"][0]
    assert found["parts"]["all"]["ndcg"]["base"] > 0
    assert "Not event for event" in text and words[:20] in text and "Figures by part" in text
    assert "cannot be compared event for event" in tell_change(found)[1]


def test_without_the_file_beside_it_there_are_no_intervals(tmp_path):
    """And it says which is missing."""
    before, after = write_run(tmp_path / "a"), write_run(tmp_path / "b")
    before.with_suffix(".npz").unlink()
    found = compare_files(before, after)

    assert found["against"] is None and "run.npz is missing" in found["unpaired"][0]


def test_what_was_measured_before_there_was_more_to_measure_is_read(tmp_path):
    """Results without precision, ROC-AUC and parts that were left out: the figures that both have are compared."""
    before, after = write_run(tmp_path / "a"), write_run(tmp_path / "b")
    told = json.loads(before.read_text())
    for result in told["results"].values():
        for key in ("precision", "recall", "f1", "roc_auc", "probabilities"):
            result.pop(key, None)
    before.write_text(json.dumps({key: value for key, value in told.items() if key != "without"}))
    found = compare_files(before, after)

    assert found["unpaired"] == [] and found["against"]["parts"]["all"]["ndcg"]["difference"]["mean"] == 0
    assert "stream_rec" in render_comparison(found)


def test_what_differs_is_named_with_both_values(tmp_path):
    """Settings, version, and counts of the log; methods that only one has are told."""
    before, after = write_run(tmp_path / "a", n_users=3), write_run(tmp_path / "b", n_users=4)
    for file, version, diversity in ((before, "1", 0.0), (after, "2", 0.5)):
        told = json.loads(file.read_text())
        told["version"], told["settings"]["ranking"]["diversity"] = version, diversity
        if file == after:
            told["results"]["new"] = told["results"].pop("other")
        file.write_text(json.dumps(told))
    found = compare_files(before, after)

    assert found["differences"] == {
        "n_users": {"base": 3, "value": 4},
        "stream_rec.version": {"base": "1", "value": "2"},
        "ranking.diversity": {"base": 0.0, "value": 0.5},
    }
    assert found["only"] == {"base": ["other"], "value": ["new"]}
    assert "Only after: new." in render_comparison(found)


def test_a_file_that_is_no_evaluation_is_refused(tmp_path):
    """As by --against."""
    file = tmp_path / "x.json"
    file.write_text("[]")

    with pytest.raises(FileProblem, match="is not what `stream-rec evaluate --json` writes"):
        compare_files(file, file)


def test_a_change_of_nothing_has_no_share():
    """0 to something is no percentage."""
    assert find_change({"base": 0.0, "value": 0.5}) is find_change({"base": None, "value": 0.5}) is None
    assert find_change({"base": 0.5, "value": 0.25}) == -0.5


def test_the_page_says_it_in_plain_words(tmp_path):
    """How many of a thousand before and after; what is hostile is text; rows and columns are named."""
    text = render_comparison(compared(tmp_path))

    assert "Of 1,000 things that users did next, 500 stood in the list of 10 before, and 250 after." in text
    assert "<script" not in text and "&lt;script&gt;" in text
    assert re.search(r'<th scope="row">all</th><td>4</td><td>0.4077</td><td>0.2500</td>', text)


def test_two_runs_alike_have_changed_nothing(tmp_path):
    """And the page says so."""
    found = compare_files(write_run(tmp_path / "a"), write_run(tmp_path / "b"))

    assert tell_change(found)[1:] == ["Nothing has changed."]
    assert "Nothing: the same log, settings and encoder." in render_comparison(found)


def test_parts_that_rose_and_fell_are_named():
    """Beyond chance alone, and no halves."""
    change = {"base": 0.5, "value": 0.4, "difference": {"mean": -0.1, "low": -0.2, "high": -0.05}, "relative": None}
    level = change | {"difference": {"mean": -0.1, "low": -0.2, "high": 0.05}}
    risen = change | {"base": 0.3, "difference": {"mean": 0.1, "low": 0.05, "high": 0.2}}
    parts = {"all": {"hit_rate": change}, "half=first": {"ndcg": change}, "user=0": {"ndcg": change}}
    parts |= {"item<5": {"ndcg": level}, "pair=seen": {"ndcg": risen}}
    rates = {"hit_rate": {"base": 0.5, "value": 0.4}}
    told = tell_change({"methods": {"stream_rec": rates}, "n": 20, "against": {"parts": parts}})

    assert told[1:] == [
        "That is more than chance among these users makes.",
        "NDCG has risen beyond chance for: things that the user had chosen before.",
        "NDCG has fallen beyond chance for: users without history.",
    ]
