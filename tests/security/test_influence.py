"""What one user, or a hundred, can do to everybody's lists with ten thousand fake clicks, or searches.

The log is real: the first 2,000 events of the bundled one, 175 users, then the fakes within an hour, then what the
other users did next. Numbers in comments are what was measured; the bounds leave room around them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import msgspec
import numpy as np
import pytest

from stream_rec.catalog.bpr import FARTHEST
from stream_rec.config import Settings
from stream_rec.embedding.hashing import HashingEncoder
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.embedding.text import canonical_text
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind, LoggedEvent
from stream_rec.events.search import Search
from stream_rec.logs.log import read_events, read_items
from stream_rec.pipeline import Pipeline
from stream_rec.ranking.mixture import Mixture

pytestmark = pytest.mark.slow

LOG = Path(__file__).parents[2] / "examples" / "entree_chicago"
LATER_MS = 2_000_000_000_000
N_BEFORE, N_AFTER = 2000, 300
TARGET = "A0012"
"""Had two events of 2,000: far from every list."""
OTHER = "C0387"
"""The most popular item."""
SETTINGS = Settings()
PLAIN = msgspec.structs.replace(SETTINGS.ranking, explore_share=0.0, tail_every=0)
WEEKLY_TRAINING_EVENTS = SETTINGS.user.weekly_training_events


@cache
def log() -> list[LoggedEvent]:
    lines = read_events(LOG / "events.jsonl.gz", limits=SETTINGS.limits, received_ms=LATER_MS)
    return list(islice(lines, N_BEFORE + N_AFTER))


@cache
def _honest() -> Pipeline:
    """Return the pipeline that has learned what honest users did."""
    pipeline = Pipeline(SETTINGS)
    encoder = HashingEncoder(dimensions=64)
    items = list(read_items(LOG / "items.jsonl.gz", limits=SETTINGS.limits))
    for item, vector in zip(items, encoder.encode_passages([canonical_text(item) for item in items])):
        pipeline.catalog.put_item(item)
        pipeline.catalog.put_embedding(
            item.item_id, ItemEmbedding(b"\0" * 16, (SpaceVector(encoder.identity, vector),))
        )
    for kind, event in log()[:N_BEFORE]:
        pipeline.learn(kind, event)
    return pipeline


def after_clicks(users: int, item_ids: Sequence[str], n: int = 10_000) -> Pipeline:
    """Return the same after ``n`` clicks by so many users in turn, on items in turn, within one hour."""
    pipeline = deepcopy(_honest())
    began_ms = log()[N_BEFORE - 1].event.timestamp_ms
    for number, item_id in zip(range(n), cycle(item_ids)):
        click = Interaction(f"fake {number}", f"fake {number % users}", item_id, began_ms + number * 300)
        pipeline.learn(Kind.CLICK, click)
    return pipeline


def default_list(pipeline: Pipeline) -> list[str]:
    """Return the list on the key ``*``."""
    return [item.item_id for item in pipeline.recommender.default_list(generated_at_ms=0).items]


def others(pipeline: Pipeline) -> tuple[float, float]:
    """Return what the others had of it next: mean ndcg@20 of their lists, and the share of lists with the target."""
    gains, with_target = [], 0
    pipeline = deepcopy(pipeline)
    for kind, event in log()[N_BEFORE:]:
        late = msgspec.structs.replace(event, timestamp_ms=event.timestamp_ms + 3_600_000)
        item_ids = shown(pipeline, pipeline.rank(event.user_id, late.timestamp_ms))
        gains.append(1 / math.log2(item_ids.index(event.item_id) + 2) if event.item_id in item_ids else 0.0)
        with_target += TARGET in item_ids
        pipeline.learn(kind, late)
    return float(np.mean(gains)), with_target / len(gains)


def shown(pipeline: Pipeline, ranked) -> list[str]:
    return [item.item_id for item in pipeline.recommender.items(ranked, "", PLAIN)]


def mixtures(pipeline: Pipeline) -> tuple[Mixture, Mixture]:
    return pipeline.recommender.head.of_all, pipeline.recommender.head.of_fresh


def assert_same_for_everybody(one: Pipeline, other: Pipeline) -> None:
    """Assert that all that is shared between users is the same to the last bit."""
    assert one.items == other.items
    for mine, its in zip(mixtures(one), mixtures(other)):
        np.testing.assert_array_equal(mine.linear.weights, its.linear.weights)
        np.testing.assert_array_equal(mine.networks.of_items, its.networks.of_items)
        assert mine.record == its.record
    of_asked = one.recommender.head.of_asked, other.recommender.head.of_asked
    np.testing.assert_array_equal(*(head.weights for head in of_asked))
    np.testing.assert_array_equal(one.catalog.factors.vectors, other.catalog.factors.vectors)


def test_ten_thousand_clicks_of_one_user_are_ten():
    """Popularity, pairs, the head, factors: what others see is to the last bit what the first ten did."""
    after = after_clicks(1, [TARGET])

    assert_same_for_everybody(after, after_clicks(1, [TARGET], n=WEEKLY_TRAINING_EVENTS))
    assert after.items[TARGET].counts[Kind.CLICK] == _honest().items[TARGET].counts[Kind.CLICK] + WEEKLY_TRAINING_EVENTS
    assert after.users["fake 0"].counts == (0, 10_000, 0)


def test_going_back_and_forth_between_two_items_is_bounded_too():
    """Who clicks A and B in turn for ever makes as many pairs of them as the first ten clicks on each."""
    assert_same_for_everybody(
        after_clicks(1, [TARGET, OTHER]), after_clicks(1, [TARGET, OTHER], n=2 * WEEKLY_TRAINING_EVENTS)
    )


def test_one_user_does_not_decide_what_others_see():
    """Of 300 lists of other users none, or hardly any, holds the item; what they find stays as good."""
    quality, _ = others(_honest())
    with_fakes, share = others(after_clicks(1, [TARGET]))

    assert share <= 0.01  # without the bound: 0.13, and first place of the default list
    assert default_list(after_clicks(1, [TARGET]))[0] != TARGET
    assert with_fakes > 0.98 * quality


def test_a_hundred_users_count_as_a_hundred():
    """A crowd can lift an item, as a crowd should; each of them counts ten times, and what others find stays good."""
    after = after_clicks(100, [TARGET])
    quality, _ = others(_honest())
    with_fakes, share = others(after)
    row = after.catalog.find(TARGET)

    assert (
        after.items[TARGET].counts[Kind.CLICK]
        == _honest().items[TARGET].counts[Kind.CLICK] + 100 * WEEKLY_TRAINING_EVENTS
    )
    assert default_list(after)[0] == TARGET
    assert share < 0.3
    assert with_fakes > 0.9 * quality
    assert np.linalg.norm(after.catalog.factors.own[row]) <= FARTHEST


def test_one_user_who_clicks_on_everything_hardly_moves_the_head():
    """At most 200 choices of a week teach how lists are ranked: without the bounds NDCG fell by 11 %, not by 3 %."""
    item_ids = sorted(_honest().items)
    after = after_clicks(1, item_ids)
    quality, _ = others(_honest())
    with_fakes, _ = others(after)

    assert after.recommender.head.n_choices - _honest().recommender.head.n_choices <= SETTINGS.user.weekly_choices
    assert with_fakes > 0.93 * quality


def test_one_user_who_is_shown_everything_in_vain_hardly_moves_the_head():
    """Of 1,000 impressions of a week 200 teach how lists are ranked, and what others find stays as good."""
    after = deepcopy(_honest())
    began_ms = log()[N_BEFORE - 1].event.timestamp_ms
    item_ids = sorted(after.items)
    for number in range(1_000):
        items = [ShownItem(item_ids[(20 * number + n) % len(item_ids)], n + 1) for n in range(20)]
        after.impress(Impression(f"fake {number}", "fake", "", items, began_ms + number * 3_000))
    after.impress(Impression("last", "fake", "", items, began_ms + 4 * 3_600_000))
    quality, _ = others(_honest())
    with_fakes, _ = others(after)

    assert 100 < after.recommender.head.n_outcomes <= SETTINGS.user.weekly_impressions
    assert with_fakes > 0.9 * quality


def asked_and_clicked(n: int, *, late: int = 0) -> Pipeline:
    """Return the honest pipeline after ``n`` searches of one user, each for something new and each with a click.

    Args:
        late: Searches more, from just before the last click, that come after it: each is then what it answers.
    """
    pipeline = deepcopy(_honest())
    began_ms = log()[N_BEFORE - 1].event.timestamp_ms
    for number in range(n):
        at_ms = began_ms + number * 300
        pipeline.search(Search(f"asked {number}", "fake 0", f"new word{number}", at_ms, OTHER))
        pipeline.learn(Kind.CLICK, Interaction(f"fake {number}", "fake 0", TARGET, at_ms + 200))
    for number in range(late):
        at_ms = began_ms + n * 300 - 100 - late + number
        pipeline.search(Search(f"late {number}", "fake 0", f"late word{number}", at_ms, OTHER))
    return pipeline


def test_a_flood_of_searches_is_ten_answers():
    """Each for something new, with a click after it: what others see is to the last bit what the first ten did."""
    after = asked_and_clicked(1_000)

    assert_same_for_everybody(after, asked_and_clicked(WEEKLY_TRAINING_EVENTS))
    assert len(after.items[TARGET].queries) == 2 * WEEKLY_TRAINING_EVENTS
    assert len(after.users["fake 0"].recent_searches) == SETTINGS.user.recent_searches


def test_searches_that_come_late_put_no_more_answers_to_an_item():
    """They change what was answered, and there is never more of it than the ten clicks say."""
    after = asked_and_clicked(WEEKLY_TRAINING_EVENTS, late=1_000)
    answers = after.items[TARGET].queries.values()

    assert len(answers) <= 2 * WEEKLY_TRAINING_EVENTS
    assert sum(weight for weight, _, _ in answers) == 2 * 8 * WEEKLY_TRAINING_EVENTS
