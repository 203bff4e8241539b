"""The production core as a method."""

from __future__ import annotations

import numpy as np

from stream_rec import recommender
from stream_rec.config import Settings
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.method import World
from stream_rec.evaluation.schedule import read_groups, schedule
from stream_rec.events.item import Item
from stream_rec.kernels import run_kernels
from stream_rec.pipeline import Pipeline
from stream_rec.ranking.policy import RankingConfig
from tests.evaluation.logs import embeddings_of, many_rows, scanned

SETTINGS = Settings()
ITEMS = [Item("i0"), Item("i1", available=False), Item("i2"), Item("i3"), Item("new")]


def engine_on(tmp_path, settings=SETTINGS):
    """Return an engine and the groups of a log that knows items which are not listed."""
    log = scanned(tmp_path, many_rows(60), [item.item_id for item in ITEMS])
    vectors = np.eye(len(log.item_ids), 8, dtype=np.float32)
    vectors[len(ITEMS) :] = 0
    vectors[4] = vectors[3]  # "new" reads as i3 does
    is_listed = np.zeros(len(log.item_ids), bool)
    is_listed[[0, 2, 3, 4]] = True
    world = World(log.n_users, len(log.item_ids), log.item_ids, is_listed, vectors, 0, 1)
    engine = Engine(world, 0, settings=settings, items=ITEMS, embeddings=embeddings_of(ITEMS, vectors))
    return engine, list(read_groups(log, schedule(log, 0)))


def test_an_engine_comes_with_its_kernels_compiled(tmp_path):
    """A list's time is its own from the first on."""
    run_kernels.cache_clear()
    engine_on(tmp_path)

    assert run_kernels.cache_info().currsize == 1


def test_lists_are_those_of_production(tmp_path):
    """After a log the next list is what the pipeline sends on the last event."""
    engine, all_groups = engine_on(tmp_path)
    pipeline = Pipeline(Settings())
    pipeline.recommender.catalog = engine_on(tmp_path)[0]._pipeline.catalog
    for group in all_groups:
        engine.learn(group)
        for kind, event in group.events:
            user = pipeline.learn(kind, event)
    sent = pipeline.list_for(kind, event, user)

    made = engine.recommend(group.user, group.now_ms, 20)
    assert [engine_id for engine_id in made] == [[i.item_id for i in ITEMS].index(item.item_id) for item in sent.items]
    assert {4, 3} <= set(made.tolist()) and 1 not in made


def test_a_list_is_of_the_time_of_the_newest_event(tmp_path, monkeypatch):
    """As in production, where an event may come late."""
    engine, all_groups = engine_on(tmp_path)
    engine.learn(all_groups[0])
    times, rank = [], recommender.rank
    monkeypatch.setattr(
        recommender, "rank", lambda *args, now_ms, **more: times.append(now_ms) or rank(*args, now_ms=now_ms, **more)
    )
    engine.recommend(0, all_groups[0].now_ms + 5, 3)
    engine.recommend(0, all_groups[0].now_ms - 5, 3)

    assert times == [all_groups[0].now_ms + 5, all_groups[0].now_ms]


def test_asking_changes_nothing(tmp_path):
    """Also for a user who was never seen; the list is as long as was asked for. (What explores counts its lists.)"""
    ranking = RankingConfig(diversity=0, explore_share=0, tail_every=0)
    engine, all_groups = engine_on(tmp_path, Settings(ranking=ranking))
    for group in all_groups:
        engine.learn(group)
    first = [engine.recommend(user, group.now_ms, 3).tolist() for user in (0, 1, 99)]

    assert [engine.recommend(user, group.now_ms, 3).tolist() for user in (0, 1, 99)] == first
    assert all(len(one) == 3 for one in first)
    assert engine.recommend(0, group.now_ms, 2).tolist() == first[0][:2]
