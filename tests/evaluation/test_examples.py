"""Who is looked at from near, and that looking changes nothing."""

from __future__ import annotations

import io
from itertools import count

import numpy as np
import pytest

from stream_rec.config import Settings
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.examples import KINDS, ExampleTaker, read_examples
from stream_rec.evaluation.observation import EngineObserver, Observation
from stream_rec.evaluation.prequential import judge
from stream_rec.events.item import Item
from stream_rec.events.slate import Reason, SlateItem
from stream_rec.ranking.policy import RankingConfig
from tests.evaluation.logs import Always, experiment_on, many_rows, scanned


class Lister(Always):
    """Lists the same items, and after that as many as have been learned."""

    def __init__(self, *items: int) -> None:
        super().__init__(*items)
        self.learned = 0

    def learn(self, group) -> None:
        """Count."""
        self.learned += 1

    def last_list(self):
        """Return the items."""
        return [_item(f"i{item}") for item in self.items]

    def peek(self, user, now_ms, n, context):
        """Return one whose name says what was learned."""
        return [_item(f"learned {self.learned}")]


def _item(item_id: str) -> SlateItem:
    return SlateItem(item_id, 1.0, 1.0, {}, Reason("trending"))


def taken(tmp_path, rows, listed=None, items=(0,)):
    """Return the examples of a log of which nothing is warm-up; the list is always ``items``."""
    log = scanned(tmp_path, rows, ["i0", "i1", "i2"])
    experiment = experiment_on(log, listed, n=2, warmup=0.0)
    method = Lister(*items)
    taker = ExampleTaker(experiment, method)
    sink = io.BytesIO()
    judge(
        method,
        experiment,
        clock=count().__next__,
        lists=sink,
        observe=taker.observe,
        observe_learned=taker.observe_learned,
    )
    return {one.kind: one for one in read_examples(taker.collect())}


def test_one_of_each_from_the_middle_on(tmp_path):
    """Forty-two groups: who is new at 21 is taken, not the one at 19; then a regular, then those of 5 or more."""
    rows = [("a", "i1", at) for at in range(19)] + [("early", "i1", 19), ("a", "i1", 20)]
    rows += [("late", "i0", 21), ("a", "i0", 22), ("a", "i1", 23), ("later", "i0", 24)]
    rows += [("b", "i1", 25 + at) for at in range(5)] + [("b", "i0", 30)]
    rows += [("c", "i1", 31 + at) for at in range(5)] + [("c", "i2", 36)]
    found = taken(tmp_path, [*rows, *(("a", "i1", 37 + at) for at in range(5))])

    assert list(found) == ["new", "regular", "found", "missed"]
    assert [found[kind].done[0].timestamp_ms // 1000 for kind in KINDS] == [21, 22, 30, 36]
    assert [found[kind].n_earlier for kind in KINDS] == [0, 20, 5, 5]
    assert [one.item_id for one in found["new"].before] == ["i0"]
    assert [one.item_id for one in found["new"].after] == ["learned 22"]
    assert [deed.timestamp_ms // 1000 for deed in found["missed"].earlier] == [35, 34, 33, 32, 31]
    assert found["new"].earlier == [] and len(found["regular"].earlier) == 6


def test_who_is_not_there_is_not_made_up(tmp_path):
    """A log of new users has no others; events of items that may not be shown are no example."""
    rows = [(f"u{n}", "i0", n) for n in range(10)]

    assert list(taken(tmp_path / "a", _in(tmp_path / "a", rows))) == ["new"]
    assert taken(tmp_path / "b", _in(tmp_path / "b", rows), listed=[False, True, True], items=(1,)) == {}


def _in(folder, rows):
    folder.mkdir()
    return rows


@pytest.mark.slow
def test_looking_from_near_changes_nothing(tmp_path):
    """The same ranks and lists as without, though the engine explores and has a slot for what nobody has seen."""
    items = [Item(f"i{n}", title=f"thing {n}") for n in range(6)]
    log = scanned(tmp_path, many_rows(150), [item.item_id for item in items])
    experiment = experiment_on(log, np.ones(len(log.item_ids), bool), n=4)
    runs = []
    for takes_examples in (False, True):
        settings = Settings(ranking=RankingConfig(n=4, explore_share=0.2, tail_every=2))
        engine = Engine(experiment.world, 0, settings=settings, items=items, embeddings={})
        observer = EngineObserver(engine, experiment, diversity=None, takes_examples=takes_examples)
        sink = io.BytesIO()
        trial = judge(
            engine,
            experiment,
            clock=count().__next__,
            lists=sink,
            observe=observer.observe,
            observe_learned=observer.observe_learned,
        )
        runs.append((trial.ranks.tolist(), sink.getvalue(), read_examples(Observation(**observer.collect()).examples)))

    assert runs[0][:2] == runs[1][:2]
    assert runs[0][2] == []
    assert {"regular", "found"} <= {one.kind for one in runs[1][2]}
    assert all(one.before and one.after for one in runs[1][2])
