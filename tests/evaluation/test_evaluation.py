"""From ranks and lists to what is said of a method."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.evaluation.evaluation import Evaluation
from stream_rec.evaluation.genres import find_genres
from stream_rec.evaluation.observation import Observation
from stream_rec.evaluation.prequential import Trial
from stream_rec.evaluation.trials import Failed, Finished
from stream_rec.events.item import Item
from stream_rec.retrieval.candidates import FRESH, TRENDING
from tests.evaluation.logs import experiment_on, scanned

ROWS = [("u", "a", 0), ("v", "b", 1), ("u", "a", 2), ("u", "x", 2), ("v", "a", 3), ("w", "b", 4)]
ITEMS = [Item("a", category="k"), Item("b", category="l"), Item("c", category="l")]


def evaluation(tmp_path, rows=ROWS, items=ITEMS, warmup=0.3, n=10) -> Evaluation:
    """Return an evaluation of which the first two events are the warm-up."""
    log = scanned(tmp_path, rows, [item.item_id for item in items])
    vectors = np.eye(len(items), dtype=np.float32)
    return Evaluation(experiment_on(log, np.ones(len(items), bool), vectors, n=n, warmup=warmup), items)


def padded(lists, n=10) -> np.ndarray:
    """Return lists as a trial keeps them."""
    rows = np.full((len(lists), n), -1, np.int32)
    for row, shown in zip(rows, lists):
        row[: len(shown)] = shown
    return rows


def finished(ranks, lists, n=10, observed=None, chosen=None) -> Finished:
    """Return a trial with these ranks and lists; its two warm groups were learned in 1 and 250 ms."""
    times = np.arange(1, len(lists) + 1) * 1_000_000
    trial = Trial(np.array(ranks, np.uint16), times, times, np.array([1_000_000, 250_000_000]))
    return Finished(trial, padded(lists, n), 0.5, 2.0, 50.0, observed, chosen)


LISTS = [[0, 1], [1, 0], [0]]
GOOD = finished([1, 0, 2, 0], LISTS)
SEEN = Observation(
    sources=np.array([1 << TRENDING, 0, 1 << TRENDING | 1 << FRESH, 0], np.uint16),
    n_candidates=np.array([2, 2, 1], np.int32),
    diversities=np.array([0.0, 1.0]),
    lists=np.stack([padded(LISTS), padded([[2, 0], [1, 0], [1]])]),
)._asdict()
CHOSEN = {"settings": {"half_life_days": None, "rate": 0.5}, "warm_up_ndcg": 0.25, "n_trials": 7}
OBSERVED = finished([1, 0, 2, 0], LISTS, observed=SEEN)


def test_a_result_by_hand(tmp_path):
    """Four scored events in three groups: first, missed (not listed), second, missed."""
    made, comparison = evaluation(tmp_path).summarize({"stream_rec": GOOD})
    result = made["stream_rec"]
    second = 1 / np.log2(3)

    assert (result["hit_rate"], result["ndcg"], result["mrr"]) == pytest.approx((0.5, (1 + second) / 4, 1.5 / 4))
    assert result["hit_rate@10"] == result["hit_rate"]
    assert {name: part["n"] for name, part in result["slices"].items() if part["n"]} == {
        "user<5": 4, "user=0": 1, "user=1-4": 3, "item<5": 4, "item=0": 1, "item=1-4": 3,
        "pair=seen": 1, "pair=new": 3, "kind=view": 4, "item=unlisted": 1,
    }  # fmt: skip
    assert result["slices"]["pair=seen"] == {"n": 1, "share": 0.25, "hit_rate": 1, "ndcg": 1, "mrr": 1}
    assert result["slices"]["user=0"] == {"n": 1, "share": 0.25, "hit_rate": 0, "ndcg": 0, "mrr": 0}
    assert result["slices"]["user=20+"] == {"n": 0, "share": 0, "hit_rate": None, "ndcg": None, "mrr": None}
    assert [result["halves"][half]["ndcg"] for half in ("first", "second")] == pytest.approx([0.5, second / 2])
    assert (result["coverage"], result["list_length"]) == (2 / 3, 5 / 3)
    assert result["intra_list_similarity"] == pytest.approx(0)
    assert result["ci"]["ndcg"]["low"] <= result["ndcg"] <= result["ci"]["ndcg"]["high"]
    assert result["curves"]["over_time"]["hit_rate"][-1] == 0
    assert result["curves"]["item_age"]["none"]["n"] == 1
    assert comparison is None


def test_candidate_recall_is_of_the_same_slices(tmp_path):
    """Four events, two of them candidates: of the two that follow a first event in time, one."""
    result = evaluation(tmp_path).summarize({"stream_rec": OBSERVED})[0]["stream_rec"]
    recall = result["candidates"]

    assert (recall["recall"], recall["per_list"]["mean"]) == (0.5, 5 / 3)
    assert recall["sources"]["trending"] == {"covers": 0.5, "only": 0.25}
    assert {name: part["n"] for name, part in recall["slices"].items()} == {
        name: part["n"] for name, part in result["slices"].items()
    }
    assert (recall["slices"]["pair=seen"]["recall"], recall["slices"]["item=unlisted"]["recall"]) == (1, 0)
    assert recall["slices"]["pair=new"]["recall"] == pytest.approx(1 / 3)


def test_a_frontier_by_hand(tmp_path):
    """Three groups at two diversities; at the second the first event's item has rank 2, and the last event's 1."""
    frontier = evaluation(tmp_path).summarize({"stream_rec": OBSERVED})[0]["stream_rec"]["frontier"]
    second = 1 / np.log2(3)

    assert [point["diversity"] for point in frontier] == [0, 1]
    assert [point["ndcg"] for point in frontier] == pytest.approx([(1 + second) / 4, (second + second + 1) / 4])
    assert [point["hit_rate"] for point in frontier] == [0.5, 0.75]
    assert [point["coverage"] for point in frontier] == pytest.approx([2 / 3, 1])
    assert [point["n_lists"] for point in frontier] == [3, 3]
    assert frontier[1]["ndcg_change"]["mean"] == pytest.approx(second / 4)
    assert frontier[0]["calibration"] == pytest.approx(np.log(1 / (0.99 * 0.5 + 0.01)))


def test_who_was_not_observed_has_neither_candidates_nor_a_frontier(tmp_path):
    """As the baselines are not."""
    made = evaluation(tmp_path).summarize({"stream_rec": OBSERVED, "other": GOOD})[0]

    assert {"candidates", "frontier"} <= made["stream_rec"].keys()
    assert made["stream_rec"].keys() - made["other"].keys() == {"candidates", "frontier"}


def test_cost_by_hand(tmp_path):
    """Lists of 1, 2 and 3 ms; groups of two, one and one events learned in 1, 2 and 3 ms."""
    cost = evaluation(tmp_path).summarize({"stream_rec": GOOD})[0]["stream_rec"]["cost"]

    assert (cost["list_ms"]["mean"], cost["list_ms"]["p50"]) == (2, 2)
    assert (cost["learn_ms"]["mean"], cost["learn_ms"]["p50"]) == (1.5, 1.25)
    assert (cost["event_ms"], cost["setup_s"], cost["total_s"], cost["peak_mb"]) == (3, 0.5, 2.0, 50)


def test_what_a_baseline_chose_is_said_with_what_choosing_took(tmp_path):
    """The last warm group was learned in 250 ms; the engine chooses nothing."""
    results, _ = evaluation(tmp_path).summarize({"stream_rec": GOOD, "other": finished([1] * 4, LISTS, chosen=CHOSEN)})

    assert (results["other"]["chosen"], results["other"]["cost"]["choosing_s"]) == (CHOSEN, 0.25)
    assert (results["stream_rec"]["chosen"], results["stream_rec"]["cost"]["choosing_s"]) == (None, None)


def test_a_list_is_calibrated_to_what_was_before_it(tmp_path):
    """u did k and gets k and l; v did l and gets both; w did nothing."""
    result = evaluation(tmp_path).summarize({"m": GOOD})[0]["m"]

    assert result["calibration"] == pytest.approx(np.log(1 / (0.99 * 0.5 + 0.01)))


def test_the_engine_is_compared_with_the_best_other(tmp_path):
    """Method for method the same users are drawn; what failed is not among them, nor is the engine as it may be."""
    outcomes = {
        "stream_rec": GOOD,
        "worse": finished([0, 0, 0, 0], LISTS),
        "better": finished([2, 0, 3, 0], LISTS),
        "stream_rec_random": finished([1, 1, 1, 1], LISTS),
        "stream_rec_exploring": finished([1, 1, 1, 1], LISTS),
        "failed": Failed("no"),
    }
    results, comparison = evaluation(tmp_path).summarize(outcomes)

    assert list(results) == list(outcomes)
    assert results["failed"] == {"error": "no"}
    assert comparison["baseline"] == "better"
    assert comparison["ndcg"]["mean"] == pytest.approx(results["stream_rec"]["ndcg"] - results["better"]["ndcg"])
    assert comparison["hit_rate"] == {"mean": 0, "low": 0, "high": 0}


def test_one_user_gives_no_interval(tmp_path):
    """All else is there."""
    rows = [("u", item, at) for at, (_, item, _) in enumerate(ROWS)]
    made, comparison = evaluation(tmp_path, rows).summarize(
        {"stream_rec": finished([1, 0, 2, 0], LISTS[:1] * 4), "other": finished([1, 1, 1, 1], LISTS[:1] * 4)}
    )

    assert made["stream_rec"]["ci"] is None
    assert comparison["ndcg"] == {"mean": pytest.approx((1 + 1 / np.log2(3)) / 4 - 1)}


def test_lists_shorter_than_ten_have_no_measure_at_ten(tmp_path):
    """It would be the same number under another name."""
    result = evaluation(tmp_path, n=5).summarize({"m": finished([1, 0, 2, 0], LISTS, n=5)})[0]["m"]

    assert result["hit_rate@10"] is result["ndcg@10"] is None


def test_genres_come_from_categories_else_from_tags(tmp_path):
    """One category among the items with events is none; neither is a tag that all have."""
    log = scanned(tmp_path, [("u", "a", 0), ("u", "b", 1), ("u", "x", 2)], ["a", "b", "c"])

    def of(*pairs):
        items = [Item(i, category=category, tags=tags) for i, (category, tags) in zip("abc", pairs)]
        found = find_genres(items, log)
        return [one.tolist() for one in found.of_item], found.n, found.source

    assert of(("k", []), ("l", []), ("", [])) == ([[0], [1], [], []], 2, "category")
    assert of(("k", ["s", "t"]), ("k", ["t", "t"]), ("l", [])) == ([[0, 1], [1], [], []], 2, "tags")
    assert of(("", ["s"]), ("", ["s"]), ("", [])) == ([], 0, None)


def test_what_text_brings_by_hand(tmp_path):
    """Of four events the control misses the one at rank 2, whose item was no candidate of its either."""
    control = finished([1, 0, 0, 0], LISTS, observed={**SEEN, "sources": np.array([1, 0, 0, 0], np.uint16)})
    text = evaluation(tmp_path).measure_text({"stream_rec": OBSERVED, "stream_rec_random": control})
    parts = text["parts"]

    assert text["base"] == "stream_rec_random"
    assert list(parts)[:3] == ["all", "half=first", "half=second"] and "user=20+" not in parts
    assert {name: parts["all"][name]["base"] for name in ("hit_rate", "recall")} == {"hit_rate": 0.25, "recall": 0.25}
    assert {name: parts["all"][name]["value"] for name in ("hit_rate", "recall")} == {"hit_rate": 0.5, "recall": 0.5}
    assert parts["half=second"]["ndcg"]["difference"]["mean"] == pytest.approx(1 / np.log2(3) / 2)
    assert (parts["pair=new"]["n"], parts["pair=new"]["hit_rate"]["value"]) == (3, pytest.approx(1 / 3))


@pytest.mark.parametrize("control", [None, Failed("no"), finished([1, 0, 0, 0], LISTS)])
def test_without_a_control_that_was_observed_nothing_is_said_of_text(tmp_path, control):
    """It was not asked for, or it failed."""
    outcomes = {"stream_rec": OBSERVED} | ({"stream_rec_random": control} if control else {})

    assert evaluation(tmp_path).measure_text(outcomes) is None


def test_what_became_of_each_event_is_kept(tmp_path):
    """Users, ranks, sources and parts, in the order of the scored events."""
    kept = evaluation(tmp_path).keep_events({"stream_rec": OBSERVED})

    assert kept.users.tolist() == [0, 0, 1, 2]
    assert (kept.results.ranks.tolist(), kept.results.sources.tolist()) == ([1, 0, 2, 0], SEEN["sources"].tolist())
    assert kept.parts["pair=seen"].tolist() == [True, False, False, False]
    assert kept.digest == evaluation(tmp_path).count()["digest"]
    assert evaluation(tmp_path).keep_events({"stream_rec": Failed("no")}) is None


def test_the_digest_tells_logs_apart_and_what_may_be_shown(tmp_path):
    """Not the same log with one event at another time, nor with one item less to recommend."""
    others = [ROWS, [*ROWS[:-1], ("w", "b", 5)], [*ROWS[:-1], ("w", "a", 4)]]
    digests = [evaluation(tmp_path, rows).count()["digest"] for rows in others]
    digests.append(evaluation(tmp_path, items=ITEMS[:2]).count()["digest"])

    assert len(set(digests)) == 4
    assert evaluation(tmp_path).count()["digest"] == digests[0]
