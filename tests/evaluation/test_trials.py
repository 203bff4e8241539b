"""Each method in its own process."""

from __future__ import annotations

import time

import numpy as np
import pytest

from stream_rec.evaluation.baselines import BASELINES
from stream_rec.evaluation.experiment import Experiment
from stream_rec.evaluation.trials import Contender, Failed, Finished, run
from tests.evaluation.logs import (
    Popular,
    Slow,
    broken,
    experiment_on,
    first_items,
    incomplete,
    killed,
    many_rows,
    scanned,
    ticking,
)

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def ran(tmp_path, factories, observers=None, **options):
    """Return what became of the methods on a small log."""
    log = scanned(tmp_path, many_rows(), [f"i{n}" for n in range(5)])
    experiment = experiment_on(log, np.ones(5, bool), n=4)
    contenders = {name: Contender(factory, (observers or {}).get(name)) for name, factory in factories.items()}
    return run(contenders, experiment, **{"clock": time.perf_counter_ns, **options}), log, experiment.plan


def test_a_method_that_fails_leaves_the_others_their_results(tmp_path):
    """Raised, not installed, ended by the system, or not even sent: each says what happened; the order is kept."""
    seen = {}
    factories = {
        "raises": broken,
        "popular": Popular,
        "not installed": incomplete,
        "killed": killed,
        "local": lambda world, seed: None,
        "first": first_items,
    }
    made, log, plan = ran(tmp_path, factories, jobs=2, on_progress=lambda name, n: seen.update({name: n}))

    assert list(made) == list(factories)
    messages = {name: outcome.message for name, outcome in made.items() if isinstance(outcome, Failed)}
    assert "ArithmeticError: the matrix is singular (evaluation/logs.py:" in messages["raises"]
    assert messages["not installed"].endswith("pip install 'stream-rec[bench]'")
    assert "exit code -9" in messages["killed"]
    assert "cannot go to a process of its own" in messages["local"]
    assert (seen["popular"], seen["first"]) == (len(log), len(log))
    for name in ("popular", "first"):
        finished = made[name]
        assert isinstance(finished, Finished)
        assert len(finished.trial.ranks) == len(log) - plan.first_scored
        assert finished.lists.shape == (plan.n_scored_groups, 4)
        assert len(finished.trial.list_ns) == len(finished.trial.learn_ns) == plan.n_scored_groups
        assert len(finished.trial.warm_up_ns) == plan.n_warm_groups
        assert finished.chosen is None
        assert (finished.trial.list_ns > 0).all()
        assert finished.total_s >= finished.setup_s > 0
        assert 20 < finished.peak_mb < 400


def test_what_an_observer_found_comes_back(tmp_path):
    """Of the method that has one: all scored events in order. What it took is not in the method's time."""
    factories = {"popular": Popular, "first": first_items}
    made, log, plan = ran(tmp_path, factories, observers={"first": Slow}, clock=ticking)

    assert made["popular"].observed is None
    assert made["first"].observed["items"].tolist() == log.items[plan.first_scored :].tolist()
    assert made["first"].total_s < Slow.TAKES_NS / 1e9


def test_the_world_says_nothing_of_what_happens(tmp_path):
    """Items that only events name have numbers, but are not listed and have no vector."""
    log = scanned(tmp_path, [("u", "x", 1), ("u", "a", 2)], ["a", "b"])
    experiment = experiment_on(log, [True, False], np.ones((2, 3), np.float32), warmup=0.5)
    world = experiment.world

    assert (world.n_users, world.n_items, world.item_ids) == (1, 3, ["a", "b", "x"])
    assert world.is_listed.tolist() == [True, False, False]
    assert world.vectors.tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert world.n_warm_groups == 1
    assert world.n_events_between_trainings == 1  # 2 % of 2, and at least 1


def test_an_experiment_goes_to_another_process_as_a_folder(tmp_path):
    """What is opened there is what was saved."""
    log = scanned(tmp_path, [("u", "x", 1), ("u", "a", 2)], ["a", "b"])
    saved = experiment_on(log, [True, False], np.ones((2, 3), np.float32), warmup=0.5, n=7, seed=3)
    opened = Experiment.open(saved.save())

    assert opened.settings == saved.settings
    assert opened.plan.bounds.tolist() == saved.plan.bounds.tolist()
    assert opened.world.is_listed.tolist() == saved.world.is_listed.tolist()
    assert opened.world.vectors.tolist() == saved.world.vectors.tolist()
    assert (opened.world.item_ids, opened.world.n_warm_groups) == (["a", "b", "x"], 1)


def test_what_a_baseline_chose_comes_back(tmp_path):
    """With its trials; the choice is the same each time."""
    first, *_ = ran(tmp_path, {"popularity": BASELINES["popularity"]})
    again, *_ = ran(tmp_path, {"popularity": BASELINES["popularity"]})

    assert first["popularity"].chosen == again["popularity"].chosen
    assert first["popularity"].chosen["settings"].keys() == {"without_taken"}
    assert first["popularity"].chosen["n_trials"] == 2
