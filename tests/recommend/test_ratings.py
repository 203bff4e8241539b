"""Ratings through the whole pipeline."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pytest

from stream_rec.config import Settings
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.source import Source
from stream_rec.pipeline import Pipeline
from stream_rec.recommender import COLD_RATINGS
from stream_rec.user.arrival import Arrival
from stream_rec.user.ratings import RatingsConfig

STARS = Settings(ratings=RatingsConfig(scale="1,5"))
IN_LISTS = Settings(ratings=RatingsConfig(scale="1,5", in_lists=True))


HOUR_MS = 3_600_000
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "ratings.md"


def events(n: int = 60, n_users: int = 5, n_items: int = 8) -> list[Interaction]:
    """Return ratings: users differ by up to 2 stars, and items by as many."""
    rng = np.random.default_rng(1)
    made = []
    for number in range(n):
        user, item = rng.integers(n_users), rng.integers(n_items)
        value = float(np.clip(1 + 0.5 * user + 2 * item / n_items, 1, 5))
        made.append(Interaction(f"e{number}", f"u{user}", f"i{item}", 10 * HOUR_MS * number, value=value))
    return made


def opened(settings: Settings, n_items: int = 8) -> Pipeline:
    pipeline = Pipeline(settings)
    for number in range(n_items):
        pipeline.catalog.put_item(Item(f"i{number}", category=f"c{number % 3}"))
    return pipeline


def lists(settings: Settings, came: list[Interaction]) -> list[bytes]:
    """Return the list that goes out on each event."""
    pipeline = opened(settings)
    return [
        msgspec.json.encode(pipeline.answer(Arrival(event, Source.VIEW, 0, offset)))
        for offset, event in enumerate(came)
    ]


def test_lists_are_the_same_whether_values_are_ratings_or_not():
    """Bit for bit: what is learned of ratings is said, and ranks nothing."""
    plain = lists(Settings(), events())

    assert lists(STARS, events()) == plain
    assert b"predicted_value" not in plain[-1]


def test_a_list_says_how_its_items_would_be_rated_where_it_is_asked_to():
    """Within the scale, and in nothing else another list but for its name and that of its policy."""
    plain, asked = ([msgspec.json.decode(each) for each in lists(s, events())] for s in (STARS, IN_LISTS))
    values = [item.pop("predicted_value") for each in asked for item in each["items"]]

    assert [each["items"] for each in asked] == [each["items"] for each in plain]
    assert len(values) > 100 and all(1 <= value <= 5 for value in values) and len(set(values)) > 20
    assert asked[0]["policy"] != plain[0]["policy"] and asked[0]["list_id"] != plain[0]["list_id"]


def test_what_users_and_items_are_like_is_learned():
    """After some ratings the next ones are predicted better than by their mean; each before it is learned."""
    pipeline, errors, of_mean = opened(STARS), [], []
    came = events(300)
    for event in came:
        row = np.array([pipeline.catalog.find(event.item_id)])
        ranked = pipeline.rank(event.user_id, event.timestamp_ms)
        errors.append(pipeline.recommender.predict_values(ranked, row)[0] - event.value)
        of_mean.append(np.mean([each.value for each in came]) - event.value)
        pipeline.learn(Kind.VIEW, event)

    assert np.abs(errors[150:]).mean() < 0.25 * np.abs(of_mean[150:]).mean()
    assert pipeline.recommender._head.ratings.n_ratings == 299  # the first has no mean to lie above


def test_a_replay_gives_the_same_bytes():
    """Of a log that was taken twice."""
    assert lists(IN_LISTS, events()) == lists(IN_LISTS, events())


def test_without_a_scale_nothing_is_learned():
    """Nor kept: of an item, of a user, or in the head."""
    pipeline = opened(Settings())
    for event in events():
        pipeline.learn(Kind.VIEW, event)

    assert pipeline.recommender._head.ratings is COLD_RATINGS
    assert {state.ratings for state in pipeline.users.values()} == {(0, 0)}
    assert {state.ratings for state in pipeline.items.values()} == {(0, 0)}


def test_items_have_the_sums_of_their_ratings():
    """Of each event that teaches once, as the catalog has them."""
    pipeline = opened(STARS)
    for event in events():
        pipeline.learn(Kind.VIEW, event)
    wanted = {}
    for event in events():
        n, total = wanted.get(event.item_id, (0, 0))
        wanted[event.item_id] = n + 1, total + round(1000 * event.value)

    assert {item_id: state.ratings for item_id, state in pipeline.items.items()} == wanted
    rows = np.array([pipeline.catalog.find(item_id) for item_id in wanted])
    assert pipeline.catalog.ratings.of(rows).tolist() == [list(map(float, sums)) for sums in wanted.values()]


@pytest.mark.parametrize("value", [None, 9.0])
def test_what_is_no_rating_teaches_no_rating(value: float | None):
    """An event without a value, or with one that is not on the scale."""
    pipeline = opened(STARS)
    pipeline.learn(Kind.VIEW, Interaction("e", "ann", "i1", 1000, value=value))

    assert pipeline.recommender._head.ratings is COLD_RATINGS


def test_the_guides_python_runs_as_it_is_printed(capsys):
    """And prints what the guide says."""
    text = GUIDE.read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(code, str(GUIDE), "exec"), {})

    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3 and all(f"`{line}`" in text for line in printed)
