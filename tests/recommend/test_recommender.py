"""The message that goes out: on what it was made, its name, its random numbers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from stream_rec.events.interaction import Kind
from stream_rec.events.slate import AsOf
from stream_rec.ranking.policy import HeadConfig, RankingConfig
from stream_rec.recommend.make_list import draw
from stream_rec.recommend.slates import policy_name, slate
from stream_rec.recommender import LocalHead, Recommender
from stream_rec.user.state import COLD
from tests.catalog.stock import stocked, taught
from tests.recommend.lists import NOW_MS, POPULAR, crowd, made
from tests.user.histories import arrivals, folded, happened


def test_an_answer_says_what_it_was_made_on_and_counts_its_items():
    """Time is the events': of the newest that anything has seen."""
    ranking, learning = RankingConfig(n=3), HeadConfig()
    recommender = Recommender(crowd(), LocalHead(POPULAR), ranking, learning)
    catalog, exposures = recommender.catalog, recommender._exposures
    last = arrivals([happened(NOW_MS - 7, "p1", Kind.CLICK)])[0]
    user = folded([last])
    sent = recommender.recommend("u", user, last.as_of(user))

    assert (sent.user_id, sent.policy, sent.generated_at_ms) == ("u", policy_name(ranking, learning), NOW_MS)
    assert sent.as_of == AsOf("clicks", 0, 0, last.event.event_id, NOW_MS - 7)
    assert sent.seen == {"clicks": 0}
    rows = np.array([catalog.find(item.item_id) for item in sent.items])
    assert exposures.of(rows).tolist() == [1, 1, 1]
    assert exposures.of(np.array([catalog.find("p29")])).tolist() == [0]


def test_requests_have_random_numbers_of_their_own():
    """The same for the same seed and request, whatever came before."""
    keys = [(seed, request) for seed in (0, 1) for request in "ab"]
    drawn = [draw(*key) for key in keys]

    assert len({number for numbers in drawn for number in numbers}) == 8
    assert [draw(*key) for key in keys] == drawn


def test_random_numbers_are_uniform_and_independent():
    """Of 4,000 requests 250 in each sixteenth of the unit square, within 5 standard deviations."""
    drawn = np.array([draw(0, str(request)) for request in range(4000)])
    counts, _, _ = np.histogram2d(drawn[:, 0], drawn[:, 1], bins=4, range=[(0, 1), (0, 1)])

    assert (drawn >= 0).all() and (drawn < 1).all()
    assert counts == pytest.approx(np.full((4, 4), 250), abs=5 * np.sqrt(250))


@pytest.mark.parametrize(
    ("ranking", "head"), [({"n": 5}, {}), ({"seed": 1}, {}), ({"diversity": 0.2}, {}), ({}, {"rate": 0.1})]
)
def test_any_setting_changes_the_policys_name(ranking, head):
    """Lists of two policies must be told apart; equal settings have one name in every process."""
    usual = policy_name(RankingConfig(), HeadConfig())

    assert usual == policy_name(RankingConfig(), HeadConfig()) and usual.startswith("softmax-")
    assert policy_name(RankingConfig(**ranking), HeadConfig(**head)) != usual


def test_a_list_is_named_by_its_contents():
    """Equal ids mean equal lists; any difference makes another id."""
    catalog = stocked("a")
    catalog.put_knowledge("a", taught(NOW_MS))
    items = made(COLD, catalog)
    first = slate("u", items, policy="p", generated_at_ms=5)

    assert first == slate("u", items, policy="p", generated_at_ms=5)
    assert msgspec.structs.replace(first, list_id="").seen == {}
    others = [
        slate("v", items, policy="p", generated_at_ms=5),
        slate("u", [], policy="p", generated_at_ms=5),
        slate("u", items, policy="q", generated_at_ms=5),
        slate("u", items, policy="p", generated_at_ms=6),
        slate("u", items, policy="p", generated_at_ms=5, seen={"views": 1}),
        slate("u", items, policy="p", generated_at_ms=5, as_of=AsOf("views", 0, 1, "e", 5)),
    ]
    assert len({first.list_id, *(other.list_id for other in others)}) == 7
