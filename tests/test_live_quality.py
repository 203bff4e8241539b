"""How good lists are while they are served: as an evaluation would say of the same events."""

from __future__ import annotations

import io
from itertools import count

import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings
from stream_rec.evaluation import metrics
from stream_rec.evaluation.baselines import own_items
from stream_rec.evaluation.baselines.decayed_popularity import DecayedPopularity
from stream_rec.evaluation.baselines.own_items import OwnItems
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.prequential import judge
from stream_rec.evaluation.schedule import read_groups
from stream_rec.events.item import Item
from stream_rec.events.status import JUDGED_ITEMS
from stream_rec.live_quality import OWN_MS, POPULARITY_MS, find_positions, fresh_share, measure_exposure, times_shown
from stream_rec.pipeline import Pipeline
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.policy import RankingConfig
from stream_rec.telemetry.counts import JudgedSums
from tests.evaluation.logs import experiment_on, scanned

DAY_S = 86_400
N_ITEMS = 60
PLAIN = RankingConfig(diversity=0, explore_share=0, tail_every=0, fresh_worth=0)
"""Lists that are the head's ranking and nothing else."""


def rows(n: int = 700):
    """Events of 25 users over 80 days, popular items and own ones among them, none twice by one user in a week."""
    rng = np.random.default_rng(7)
    had: dict[tuple[str, str, int], bool] = {}
    for time in np.sort(rng.uniform(0, 80 * DAY_S, n)).round(3).tolist():
        user = f"u{rng.integers(25)}"
        item = f"i{min(int(rng.zipf(1.3)), 400) * 7 % N_ITEMS if rng.random() < 0.7 else int(rng.integers(N_ITEMS))}"
        if had.setdefault((user, item, int(time // (7 * DAY_S))), True):
            had[user, item, int(time // (7 * DAY_S))] = False
            yield user, item, time


def test_sums_are_those_of_an_evaluation(tmp_path):
    """Of the same events, by method: the head's ranking, popularity of one half-life, own items filled up with it."""
    item_ids = [f"i{number}" for number in range(N_ITEMS)]
    log = scanned(tmp_path, rows(), item_ids)
    experiment = experiment_on(log, np.ones(N_ITEMS, bool), n=JUDGED_ITEMS, warmup=0.4)
    world, settings = experiment.world, Settings(ranking=PLAIN)
    items = [Item(item_id) for item_id in item_ids]
    methods = {
        "lists": Engine(world, 0, settings=settings, items=items, embeddings={}),
        "popularity": DecayedPopularity(world, POPULARITY_MS / 86_400_000),
        "own_items": OwnItems(world, own_items.Settings(half_life_days=OWN_MS / 86_400_000)),
    }
    ranks = {
        name: judge(method, experiment, clock=count().__next__, lists=io.BytesIO()).ranks
        for name, method in methods.items()
    }

    pipeline = Pipeline(settings)
    for item in items:
        pipeline.catalog.put_item(item)
    sums_of = {name: JudgedSums() for name in methods}
    for number, group in enumerate(read_groups(log, experiment.plan)):
        user_id = group.events[0].event.user_id
        ranked = pipeline.rank(user_id, group.now_ms, group.events[0].event.context)
        if number >= experiment.plan.n_warm_groups:
            for name, positions in (
                find_positions(ranked, group.items.tolist(), pipeline.catalog, group.now_ms)._asdict().items()
            ):
                sums_of[name].add(positions)
        pipeline.take(ranked, group.events)

    for name, sums in sums_of.items():
        assert sums.n == len(ranks[name])
        assert sums.hits == metrics.hit_rate(ranks[name], JUDGED_ITEMS).sum()
        assert sums.dcg == pytest.approx(metrics.ndcg(ranks[name], JUDGED_ITEMS).sum())
    hits = {name: sums.hits for name, sums in sums_of.items()}
    assert len(set(hits.values())) == 3 and min(hits.values()) > 50


def test_what_nobody_knows_is_in_no_list():
    """No items, no events, and a choice that is in no catalog: a miss each, no error."""
    pipeline = Pipeline(Settings())
    ranked = pipeline.rank("ann", 1_000)

    positions = find_positions(ranked, [None, 0], pipeline.catalog, 1_000)

    assert list(positions) == [[0, 0]] * 3


def test_exposure_of_a_small_catalog():
    """Of four items two were shown, one of them three times as often."""
    exposure = measure_exposure(np.array([3, 0, 1, 0]))

    assert (exposure.shown_items, exposure.coverage, exposure.gini) == (2, 0.5, 0.625)
    assert measure_exposure(np.zeros(0, np.int64)) == (0, 0.0, 0.0)


def test_what_is_fresh_or_not_listed_now():
    """Two items nobody has come to, one of which may not be shown."""
    catalog, exposures = Catalog(), Exposures()
    for item in (Item("a"), Item("b"), Item("c", available=False)):
        catalog.put_item(item)
    exposures.add(np.array([0, 2]))

    assert times_shown(exposures, catalog).tolist() == [1, 0]
    assert fresh_share(exposures, catalog) == 0.5
