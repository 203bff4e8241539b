"""What is seen of the engine, and that looking changes nothing."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from stream_rec.config import Settings
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.evaluation import Evaluation
from stream_rec.evaluation.observation import DIVERSITIES, EngineObserver, Observation
from stream_rec.evaluation.prequential import judge
from stream_rec.evaluation.trials import Finished
from stream_rec.events.item import Item
from stream_rec.ranking.policy import RankingConfig
from stream_rec.retrieval.candidates import FRESH, REPEAT, SIMILAR, TRENDING
from tests.evaluation.logs import embeddings_of, experiment_on, many_rows, scanned

pytestmark = pytest.mark.slow

ITEMS = [Item(f"i{n}", category="even" if n % 2 == 0 else "odd") for n in range(30)]
ROWS = [(user, f"i{(7 * n + 3 * int(user[1:])) % 30}", at) for n, (user, _, at) in enumerate(many_rows(150))]
"""Other items than ``many_rows`` has: all of them."""
N = 4
EXPLORING = RankingConfig(n=N, explore_share=0.2, tail_every=2)


def judged(tmp_path, ranking, rows=ROWS, items=ITEMS, observed=True):
    """Return what the engine did as an outcome, and its evaluation; texts come in pairs of near twins."""
    log = scanned(tmp_path, rows, [item.item_id for item in items])
    vectors = np.repeat(np.eye(len(items), 16, dtype=np.float32), 2, axis=0)[: len(items)]
    vectors[1::2, 0] += 0.2
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    experiment = experiment_on(log, np.ones(len(items), bool), vectors, n=N)
    embeddings = embeddings_of(items, vectors)
    engine = Engine(experiment.world, 0, settings=Settings(ranking=ranking), items=items, embeddings=embeddings)
    observer = EngineObserver(engine, experiment, diversity=ranking.diversity)
    observe = {"observe": observer.observe} if observed else {}
    sink = io.BytesIO()
    trial = judge(engine, experiment, clock=count().__next__, lists=sink, **observe)
    lists = np.frombuffer(sink.getvalue(), np.int32).reshape(-1, N)
    found = observer.collect() if observed else None
    return Finished(trial, lists, 0.5, 2.0, 50.0, found), Evaluation(experiment, items)


def plain(**options) -> RankingConfig:
    """Return settings without any slot that depends on what was shown."""
    return RankingConfig(n=N, explore_share=0, tail_every=0, **options)


def test_where_a_chosen_item_came_from(tmp_path):
    """One user: what another did, the same again, now their own, what is not in the file, an unknown near twin."""
    rows = [("w", "b", 0), ("u", "b", 1), ("u", "b", 2), ("u", "x", 3), ("u", "a", 4)]
    found = Observation(**judged(tmp_path, plain(), rows, [Item("a"), Item("b"), Item("c")])[0].observed)

    assert found.sources.tolist() == [
        1 << TRENDING | 1 << FRESH,
        1 << REPEAT | 1 << FRESH,  # what the user had takes no places of others
        0,
        1 << SIMILAR | 1 << FRESH,
    ]
    assert found.n_candidates[0] == 1


def test_nothing_is_a_candidate_where_nothing_is_listed(tmp_path):
    """No list, no source, and no error."""
    items = [Item("a", available=False)]
    found = Observation(**judged(tmp_path, plain(), [("u", "a", 0), ("v", "a", 1)], items)[0].observed)

    assert (found.sources.tolist(), found.n_candidates.tolist()) == ([0], [0])
    assert (found.lists == -1).all()


@pytest.mark.parametrize("diversity", [0.0, 0.3, 0.5])
def test_lists_at_the_diversity_in_use_are_those_that_were_made(tmp_path, diversity):
    """Where no slot is explored or given to the unseen; also one that is not among the usual settings."""
    outcome, evaluation = judged(tmp_path, plain(diversity=diversity))
    found = Observation(**outcome.observed)
    result = evaluation.summarize({"stream_rec": outcome})[0]["stream_rec"]
    point = next(point for point in result["frontier"] if point["diversity"] == diversity)

    assert found.diversities.tolist() == sorted({*DIVERSITIES, diversity})
    assert found.lists[found.diversities == diversity][0].tolist() == outcome.lists.tolist()
    assert point["n_lists"] == len(outcome.lists)
    for name in ("ndcg", "hit_rate", "intra_list_similarity", "coverage"):
        assert point[name] == pytest.approx(result[name]), name
    assert point["calibration"] == pytest.approx(result["calibration"])


def test_more_diversity_makes_lists_less_alike(tmp_path):
    """From the ranking alone to variety alone; without diversity nothing has changed."""
    outcome, evaluation = judged(tmp_path, plain())
    frontier = evaluation.summarize({"stream_rec": outcome})[0]["stream_rec"]["frontier"]

    assert [point["diversity"] for point in frontier] == list(DIVERSITIES)
    assert frontier[-1]["intra_list_similarity"] < frontier[0]["intra_list_similarity"] - 0.01
    assert frontier[0]["ndcg_change"] == {"mean": 0, "low": 0, "high": 0}
    assert frontier[-1]["ndcg_change"]["mean"] == pytest.approx(frontier[-1]["ndcg"] - frontier[0]["ndcg"])


def test_what_is_explored_is_in_none_of_them(tmp_path):
    """An engine that explores, and gives slots to the unseen, makes other lists; those looked at are the same."""
    found, lists = {}, {}
    for ranking in (EXPLORING, plain()):
        outcome = judged(tmp_path, ranking)[0]
        found[ranking], lists[ranking] = Observation(**outcome.observed), outcome.lists.tolist()

    assert lists[EXPLORING] != lists[plain()]
    assert found[EXPLORING].lists.tolist() == found[plain()].lists.tolist()


def test_looking_changes_no_list(tmp_path):
    """Not even where lists depend on what was shown: what nobody has seen does not count as shown."""
    lists = {observed: judged(tmp_path, EXPLORING, observed=observed)[0].lists.tolist() for observed in (False, True)}

    assert lists[True] == lists[False]


def test_only_the_sample_is_made_again(tmp_path, monkeypatch):
    """Evenly spread; of all the other lists only the candidates are looked at."""
    monkeypatch.setattr("stream_rec.evaluation.schedule.SAMPLE", 3)
    outcome, evaluation = judged(tmp_path, plain(diversity=0.0))
    found = Observation(**outcome.observed)
    last = len(outcome.lists) - 1
    result = evaluation.summarize({"stream_rec": outcome})[0]["stream_rec"]

    assert found.lists[0].tolist() == [outcome.lists[place].tolist() for place in (0, last // 2, last)]
    assert len(found.n_candidates) == last + 1
    assert result["frontier"][0]["n_lists"] == 3
    assert result["frontier"][0]["intra_list_similarity"] == pytest.approx(result["intra_list_similarity"])


def test_an_observer_may_look_at_candidates_alone(tmp_path):
    """Then no list is made again, and nothing is said of variety."""
    outcome, evaluation = judged(tmp_path, plain())
    log = evaluation._log
    experiment = experiment_on(log, np.ones(len(ITEMS), bool), n=N)
    engine = Engine(experiment.world, 0, settings=Settings(ranking=plain()), items=ITEMS, embeddings={})
    observer = EngineObserver(engine, experiment, diversity=None)
    judge(engine, experiment, clock=count().__next__, lists=io.BytesIO(), observe=observer.observe)
    found = observer.collect()
    result = evaluation.summarize({"stream_rec": replace(outcome, observed=found)})[0]["stream_rec"]

    assert len(found["sources"]) == len(outcome.observed["sources"]) and found["sources"].any()
    assert (len(found["diversities"]), len(found["lists"])) == (0, 0)
    assert "frontier" not in result and result["candidates"]["recall"] > 0
