"""Contexts on a real broker: each country's new users get what its users choose, also after a worker was killed."""

from __future__ import annotations

import pytest

from stream_rec.client import RecommendationsView
from stream_rec.events.item import Item
from stream_rec.knowledge.contexts import key_of, numbers_of
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

PLAIN = {"explore_share": 0.0, "tail_every": 0, "diversity": 0.0, "fresh_worth": 0.0, "n": 10}
"""A list is the best by score."""
TASTES = {"FR": "fromage", "JP": "sushi"}
N_VISITORS = 60


def test_each_country_gets_a_list_of_its_own(bootstrap: str) -> None:
    """Two new users do the same in two countries; how often items were come to is exact, in states of a worker that
    was killed in between."""
    settings = quick_settings(ranking=PLAIN, worker={"session_timeout_s": 6.0})
    with (
        RunningPipeline(bootstrap, settings, embedder=False) as running,
        running.producer() as producer,
        running.view() as view,
    ):
        for item_id in ("bread", *TASTES.values()):
            producer.item(Item(item_id))
        for number in range(N_VISITORS):
            country = list(TASTES)[number % 2]
            producer.click(f"visitor-{number}", TASTES[country], context={"country": country, "order": number})
            if number == N_VISITORS // 2:
                producer.flush()
                running.children["worker-1"].kill()
                running.start_worker()
        producer.flush()
        running.wait_until_settled()
        for country, item_id in TASTES.items():
            (in_country,) = numbers_of({"country": country}, "country")
            sums = running.item_states()[item_id].contexts
            n_of = {number: n for number, (n, _, _) in sums.items()}
            assert n_of == {in_country: N_VISITORS // 2, key_of(in_country): N_VISITORS // 2}
        for number in range(N_VISITORS):  # one by one: each choice teaches what is known of those before
            country = list(TASTES)[number % 2]
            event_id = producer.click(f"later-{number}", TASTES[country], context={"country": country})
            producer.flush()
            list_after(view, f"later-{number}", event_id)
        for country, item_id in TASTES.items():
            event_id = producer.view(f"new-{country}", "bread", context={"country": country})
            producer.flush()
            made = list_after(view, f"new-{country}", event_id)
            assert made.index(item_id) == min(map(made.index, TASTES.values()))


def list_after(view: RecommendationsView, user_id: str, event_id: str) -> list[str]:
    """Return the items of the list that was made on an event."""
    wait_until(lambda: (made := view.own(user_id)) and made.as_of.event_id == event_id)
    return [item.item_id for item in view.own(user_id).items]
