"""Parts that the engine is judged without."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stream_rec.config import Settings, override
from stream_rec.evaluation.ablation import PARTS, find_idle, make_without, name_contender
from stream_rec.evaluation.contenders import is_baseline
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.experiment import Experiment
from stream_rec.evaluation.schedule import read_groups
from stream_rec.events.item import Item
from stream_rec.ranking.features import NAMES
from stream_rec.retrieval.candidates import SOURCES
from tests.evaluation.logs import embeddings_of, experiment_on, impression_line, many_rows, scanned, search_line

SETTINGS = override(Settings(), {"ranking.explore_share": 0.0, "user.context_keys": "country"})
ITEMS = [
    Item(f"i{n}", title=f"thing {n}", category="odd" if n % 2 else "even", vectors={"image": [n, 40 - n, n % 3]})
    for n in range(40)
]
N = 6


def log_lines() -> list[str]:
    """Return events with contexts, searches and impressions among them."""
    lines: list[str] = []
    for number, (user, _, time) in enumerate(many_rows(260, n_users=9)):
        item, country = f"i{(5 * number + 3 * int(user[1:])) % 36}", ("de", "fr")[int(user[1:]) % 2]
        event = {"event_type": "view", "user_id": user, "item_id": item, "timestamp": time}
        lines.append(json.dumps(event | {"context": {"country": country}}))
        if number % 7 == 0:
            lines.append(search_line(user, f"thing {number % 40}", time))
        if number % 3 == 0:
            lines.append(impression_line(user, [item, "i0", "i1"], time, impression_id=f"s{number}"))
    return lines


@pytest.fixture(scope="module")
def experiment(tmp_path_factory) -> Experiment:
    """Return one on such a log; texts come in pairs of near twins."""
    log = scanned(tmp_path_factory.mktemp("log"), log_lines(), [item.item_id for item in ITEMS])
    vectors = np.repeat(np.eye(20, 24, dtype=np.float32), 2, axis=0)
    vectors[1::2, 0] += 0.2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return experiment_on(log, np.ones(len(ITEMS), bool), vectors, n=N)


def lists_of(engine: Engine, experiment: Experiment) -> list[list[int]]:
    """Return the list before each scored group."""
    made = []
    for number, group in enumerate(read_groups(experiment.log, experiment.plan)):
        for user, record in group.before:
            (engine.take_search if hasattr(record, "query") else engine.take_impression)(user, record)
        if number >= experiment.plan.n_warm_groups:
            engine.take_context(group.events[0].event.context)
            made.append(engine.recommend(group.user, group.now_ms, N).tolist())
        for user, record in group.shown:
            engine.take_impression(user, record)
        engine.learn(group)
    return made


def without(experiment: Experiment, *parts: str) -> list[list[int]]:
    """Return lists without some parts; with all of them where none is named."""
    given = {"settings": SETTINGS, "items": ITEMS, "embeddings": embeddings_of(ITEMS, experiment.world.vectors)}
    if not parts:
        return lists_of(Engine(experiment.world, 0, **given), experiment)
    return lists_of(make_without(experiment.world, 0, parts=parts, **given), experiment)


@pytest.fixture(scope="module")
def whole(experiment) -> list[list[int]]:
    """Return the lists of the whole engine."""
    return without(experiment)


def test_every_feature_and_source_is_of_some_part():
    """A new one cannot be forgotten: rules are the owner's, what is asked goes with searches, profiles no log has."""
    features = frozenset().union(*(part.left_out.features for part in PARTS.values()))
    sources = frozenset().union(*(part.left_out.sources for part in PARTS.values()))

    assert features == set(NAMES)
    assert sources | {"rules", "asked", "interest"} == set(SOURCES)


@pytest.mark.slow
@pytest.mark.parametrize("part", sorted(PARTS.keys() - {"drift"}))  # which so short a log does not have
def test_lists_change_without_a_part(part: str, experiment, whole):
    """So each does leave something out; and the same part gives the same lists."""
    made = without(experiment, part)

    assert made != whole
    assert all(len(shown) == N for shown in made)
    assert made == without(experiment, part)


@pytest.mark.slow
def test_parts_are_left_out_together(experiment, whole):
    """Which is another thing than each alone."""
    made = without(experiment, "text", "factors")

    assert made not in (whole, without(experiment, "text"), without(experiment, "factors"))


@pytest.mark.slow
def test_what_nobody_is_told_is_as_if_it_were_not_in_the_log(experiment, tmp_path):
    """Lists without searches are those of the log from which they were taken."""
    lines = [line for line in log_lines() if json.loads(line)["event_type"] != "search"]
    log = scanned(tmp_path, lines, [item.item_id for item in ITEMS])
    silent = experiment_on(log, np.ones(len(ITEMS), bool), experiment.world.vectors, n=N)

    assert without(experiment, "searches") == without(silent)


def test_what_changes_nothing_is_known_beforehand(experiment, tmp_path):
    """Of this log nothing; of one without searches, impressions, texts and contexts these."""
    log = scanned(tmp_path, many_rows(20))
    plain = override(Settings(), {"ranking.diversity": 0.0, "head.drift_delta": 0.0, "user.context_keys": ""})

    assert find_idle(SETTINGS, experiment.log, has_vectors=True, has_own_vectors=True) == {}
    assert find_idle(plain, log, has_vectors=False).keys() == {
        "vectors",
        *("text", "similar", "searches", "impressions", "context", "diversity", "drift"),
    }


def test_it_is_no_baseline():
    """Whatever it lacks."""
    assert name_contender(["text", "factors"]) == "stream_rec_without_text+factors"
    assert not is_baseline(name_contender(["text", "factors"]))
