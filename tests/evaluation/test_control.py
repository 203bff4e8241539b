"""The engine without what text says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_rec.config import Settings
from stream_rec.evaluation.control import make_control
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.method import World
from stream_rec.evaluation.schedule import read_groups, schedule
from stream_rec.events.item import Item
from stream_rec.ranking.policy import RankingConfig
from tests.evaluation.logs import many_rows, scanned

SETTINGS = Settings(ranking=RankingConfig(explore_share=0, tail_every=0, diversity=0))
TITLES = ["tea", "teapot", "tea", "", "cup"]
ITEMS = [Item(f"i{n}", title=title) for n, title in enumerate(TITLES)]


def world_of(tmp_path):
    """Return a world in which all items but one have a vector, and the groups of a log."""
    log = scanned(tmp_path, many_rows(60), [item.item_id for item in ITEMS])
    vectors = np.zeros((len(log.item_ids), 8), np.float32)
    vectors[[0, 1, 2, 4]] = np.eye(8, dtype=np.float32)[[0, 0, 1, 2]]
    is_listed = np.arange(len(log.item_ids)) < len(ITEMS)
    world = World(log.n_users, len(log.item_ids), log.item_ids, is_listed, vectors, 0, 1)
    return world, list(read_groups(log, schedule(log, 0)))


def spaces(engine: Engine) -> np.ndarray:
    """Return the vectors that an engine's catalog has, by row, as the encoder made them."""
    catalog_spaces = engine._pipeline.catalog.spaces
    vectors = [catalog_spaces.find(row) for row in range(len(ITEMS))]
    d = max(len(vector) for vector in vectors if vector is not None)
    return np.array([np.zeros(d) if vector is None else vector for vector in vectors], dtype=np.float32)


def test_the_same_items_have_vectors_that_know_the_text_only_by_name(tmp_path):
    """Two items of one text are the same; others, of which the encoder said that they are alike, are not."""
    world, _ = world_of(tmp_path)
    rows = spaces(make_control(world, 0, settings=SETTINGS, items=ITEMS))
    cosines = rows @ rows.T

    assert np.any(rows, axis=1).tolist() == [True, True, True, False, True]
    assert cosines[0, 2] > 0.99
    assert abs(cosines[0, 1]) < 0.5


def test_it_has_as_many_spaces_as_the_engine(tmp_path):
    """Which are not the same one twice: of two texts one space says something else than the other."""
    world, _ = world_of(tmp_path)
    control = make_control(world, 0, settings=SETTINGS, items=ITEMS, n_spaces=2)
    catalog_spaces = control._pipeline.catalog.spaces

    assert len(set(catalog_spaces.identities)) == 2
    first, second = catalog_spaces.vectors()[:2].transpose(1, 0, 2)
    assert abs(float(first[0] @ first[1]) - float(second[0] @ second[1])) > 1e-3


def test_the_same_seed_gives_the_same_lists_and_another_another_space(tmp_path):
    """So an evaluation can be repeated."""
    world, groups = world_of(tmp_path)
    lists = []
    for _ in range(2):
        control = make_control(world, 3, settings=SETTINGS, items=ITEMS)
        for group in groups:
            control.learn(group)
        lists.append([control.recommend(user, group.now_ms, 4).tolist() for user in range(world.n_users)])
    ours, other = (spaces(make_control(world, seed, settings=SETTINGS, items=ITEMS))[0] for seed in (3, 4))

    assert lists[0] == lists[1] and lists[0][0]
    assert abs(float(ours @ other)) < 0.6


def test_the_vectors_of_the_encoder_are_of_no_account(tmp_path):
    """Only which items have one."""
    world, _ = world_of(tmp_path)
    turned = replace(world, vectors=world.vectors[:, ::-1].copy())

    ours, same = (spaces(make_control(one, 0, settings=SETTINGS, items=ITEMS)) for one in (world, turned))
    assert ours.tolist() == same.tolist()
