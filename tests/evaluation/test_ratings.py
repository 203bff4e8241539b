"""How well ratings are predicted."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from stream_rec.config import Settings
from stream_rec.evaluation import ratings as module
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.observation import EngineObserver
from stream_rec.evaluation.ratings import DampedMeans, GlobalMean, RatingLog, RiverBiasedMF, judge_ratings, predict_all
from stream_rec.evaluation.schedule import read_groups
from stream_rec.events.item import Item
from stream_rec.user.ratings import RatingsConfig
from tests.evaluation.logs import experiment_on, scanned

SCALE = RatingsConfig(scale="0,10")
VALUES = [8, 6, None, 10, 2, 7, 11, 5, 9, 4]
"""Of ten events by three users: one has none, one is not on the scale."""


def log_of(values: list[float | None] = VALUES) -> list[str]:
    fields = {"event_type": "view"}
    return [
        json.dumps(
            {
                **{"event_id": f"e{n}", "user_id": f"u{n % 3}", "item_id": f"i{n % 4}", "timestamp": 1000 + n},
                **fields,
                **({} if value is None else {"value": value}),
            }
        )
        for n, value in enumerate(values)
    ]


def rated(users: list[int], items: list[int], values: list[float], groups: list[int]) -> RatingLog:
    return RatingLog(*(np.array(each) for each in (users, items, values, groups)))


def test_ratings_of_a_group_are_predicted_before_any_of_them_is_learned():
    """As its list is made: the mean of 8 for both of the second group, and of 8, 6 and 4 for the last."""
    predicted = predict_all(GlobalMean(5.0), rated([0, 1, 1, 0], [0, 1, 2, 0], [8.0, 6.0, 4.0, 1.0], [0, 1, 1, 5]))

    assert predicted.tolist() == [5.0, 8.0, 8.0, 6.0]


def test_damped_means_by_hand():
    """User 0 gave 8 to item 0, and user 1 gave 4 to it: what does user 0 give to item 0 and to a new one?"""
    rater = DampedMeans(5.0, item_damping=2.0, user_damping=1.0)
    rater.learn(0, 0, 8.0)
    rater.learn(1, 0, 4.0)

    assert rater.predict(0, 0) == pytest.approx(6 + 0 / 4 + 2 / 2)
    assert rater.predict(1, 9) == pytest.approx(6 - 2 / 2)
    assert rater.predict(9, 9) == 6.0


def test_rivers_steps_that_are_too_long_do_not_count_as_an_error_of_ours():
    """Where its factors are no numbers any more, the middle of the scale is what it predicts."""
    rater = RiverBiasedMF(5.0, 0, factors=5, rate=50.0, l2=0.0)
    for n in range(200):
        rater.learn(n % 3, n % 2, float(n % 10))

    assert rater.predict(0, 0) == 5.0


def test_errors_by_hand(tmp_path):
    """RMSE and MAE of the scored ratings that the engine predicted, of all methods alike."""
    experiment = experiment_on(scanned(tmp_path, log_of(), [f"i{n}" for n in range(4)]), warmup=0.2)
    predicted = np.array([np.nan, 9.0, 4.0, np.nan, np.nan, 5.0, 9.0, 2.0])  # of events 2 to 9
    found = judge_ratings(experiment, SCALE, predicted)

    assert (found["n"], found["n_left_out"], found["scale"]) == (5, 1, [0.0, 10.0])
    ours = found["methods"]["stream_rec"]
    assert ours["rmse"] == pytest.approx(math.sqrt((1 + 4 + 0 + 0 + 4) / 5)) and ours["mae"] == pytest.approx(1.0)
    means = np.array([7, 8, 6.5, 38 / 6, 47 / 7]) - np.array([10, 2, 5, 9, 4])  # event 5 is learned, not judged
    assert found["mean"] == 6.0
    wanted = [14 / 2, 24 / 3, 33 / 5, 38 / 6, 47 / 7]
    means = np.array(wanted) - np.array([10, 2, 5, 9, 4])
    assert found["methods"]["global_mean"]["mae"] == pytest.approx(np.abs(means).mean())
    assert found["methods"]["global_mean"]["mae_difference"]["mean"] == pytest.approx(1.0 - np.abs(means).mean())
    assert {"damped_means", "river_biased_mf"} <= found["methods"].keys() and found["errors"] == {}
    assert found["methods"]["river_biased_mf"]["settings"].keys() == {"rate", "l2", "factors"}


def test_settings_are_chosen_on_the_warm_up_alone(tmp_path):
    """What comes later changes none of them."""
    log = (np.random.default_rng(3).integers(0, 11, 200)).astype(float).tolist()
    chosen = []
    for name, values in (("a", log), ("b", [*log[:100], *(10 - value for value in log[100:])])):
        (tmp_path / name).mkdir()
        experiment = experiment_on(scanned(tmp_path / name, log_of(values), ["i0", "i1", "i2", "i3"]), warmup=0.5)
        found = judge_ratings(experiment, SCALE, None)
        chosen.append([method["settings"] for method in found["methods"].values()])
        assert "stream_rec" not in found["methods"]

    assert chosen[0] == chosen[1]


def test_a_log_without_ratings_is_not_judged(tmp_path):
    """Nor one whose values lie elsewhere."""
    experiment = experiment_on(scanned(tmp_path, log_of([20.0, None, 30.0, None]), ["i0", "i1", "i2", "i3"]))

    assert judge_ratings(experiment, SCALE, None) is None


def test_without_river_the_others_are_judged(tmp_path, monkeypatch):
    """And what to install is said."""

    def missing(*args: object, **settings: object) -> None:
        raise ModuleNotFoundError("No module named 'river'")

    monkeypatch.setattr(module, "RiverBiasedMF", missing)
    experiment = experiment_on(scanned(tmp_path, log_of(), [f"i{n}" for n in range(4)]))
    found = judge_ratings(experiment, SCALE, None)

    assert "pip install" in found["errors"]["river_biased_mf"] and "damped_means" in found["methods"]


def test_the_engine_predicts_before_it_learns(tmp_path):
    """One number for each scored event; of the first rating of all, the middle of the scale."""
    items = [Item(f"i{n}") for n in range(4)]
    experiment = experiment_on(scanned(tmp_path, log_of(), [item.item_id for item in items]), warmup=0.0)
    engine = Engine(experiment.world, 0, settings=Settings(ratings=SCALE), items=items, embeddings={})
    observer = EngineObserver(engine, experiment, diversity=None)
    for group in read_groups(experiment.log, experiment.plan):
        engine.recommend(group.user, group.now_ms, 20)
        observer.observe(group)
        engine.learn(group)
    predicted = observer.collect()["ratings"]

    assert len(predicted) == len(VALUES) and predicted[0] == 5.0 and predicted[1] == 8.0
    assert np.isfinite(predicted).all() and ((predicted >= 0) & (predicted <= 10)).all()
