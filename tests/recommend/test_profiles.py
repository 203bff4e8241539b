"""Lists that follow a profile: of a user who has done nothing, less of one who has, and as others learn from."""

from __future__ import annotations

from random import Random

import msgspec
import numpy as np
import pytest

from stream_rec.config import Settings
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.pipeline import Pipeline
from stream_rec.ranking import interests as interest_expert

KIND = Kind.CLICK
BEGIN_MS = 1_767_225_600_000
"""The first day of 2026."""
TOPICS = ("jazz", "hiking", "chess", "pottery")
N_ITEMS = 200


def shop() -> Pipeline:
    """Return a pipeline with items of four topics, the first of which sells best."""
    pipeline = Pipeline(Settings())
    for number in range(N_ITEMS):
        topic = TOPICS[number % len(TOPICS)]
        pipeline.catalog.put_item(Item(f"{topic}-{number}", title=f"thing {number}", category=topic))
    random = Random(0)
    for number in range(300):
        pipeline.learn(KIND, click(f"u{number}", f"jazz-{4 * int(40 * random.random() ** 2)}", number))
    return pipeline


def click(user_id: str, item_id: str, number: int, **context: object) -> Interaction:
    return Interaction(f"e{number}", user_id, item_id, BEGIN_MS + 1000 * number, context=context)


def topics_of(pipeline: Pipeline, profile: Profile, n: int = 10) -> list[str]:
    """Return the topics of the list that goes out on a profile."""
    made = pipeline.list_for_profile(profile, pipeline.declare(profile))
    return [item.item_id.partition("-")[0] for item in made.items[:n]]


def test_a_new_user_gets_what_they_like():
    """In words of the items, of each interest some, behind what sells best; nobody else had any of it. The reason says
    which interest."""
    pipeline = shop()
    profile = Profile("ann", BEGIN_MS + 400_000, ["Chess", "pottery and clay"])

    assert topics_of(pipeline, profile)[0] == "jazz"
    assert set(topics_of(pipeline, profile)[1:]) == {"chess", "pottery"}
    made = pipeline.list_for_profile(profile, pipeline.users["ann"])
    assert {(item.reason.kind, item.reason.interest) for item in made.items[1:10]} == {
        ("interest", "Chess"),
        ("interest", "pottery and clay"),
    }
    assert all(item.sources["interest"] > 0 for item in made.items[1:10])
    assert (made.as_of.topic, made.as_of.event_id, made.seen) == ("profiles", "profiles/0/1", {"profiles": 1})
    assert "chess" not in topics_of(pipeline, Profile("bob", BEGIN_MS + 400_000, language="de"))


SAID = [("ann", []), ("bob", ["mountain walks"])]


def test_meaning_finds_what_words_do_not():
    """By the vectors of interest and items."""
    pipeline, towards = shop(), np.random.default_rng(0).normal(size=(len(TOPICS), 64))

    def vector(topic: str, noise: float, seed: int) -> tuple[SpaceVector]:
        made = towards[TOPICS.index(topic)] + noise * np.random.default_rng(seed).normal(size=64)
        return (SpaceVector("test", (made / np.linalg.norm(made)).astype(np.float16)),)

    for number in range(N_ITEMS):
        topic = TOPICS[number % len(TOPICS)]
        embedding = ItemEmbedding(b"\0" * 16, vector(topic, 0.4, number))
        pipeline.catalog.put_embedding(f"{topic}-{number}", embedding)
    pipeline.recommender._encode_query = lambda query: vector("hiking", 0.1, 999)

    without, found = (topics_of(pipeline, Profile(user, BEGIN_MS, texts, "de"), 20) for user, texts in SAID)
    assert (without.count("hiking"), found.count("hiking") >= 5) == (0, True)


def test_what_a_user_does_counts_more_and_more():
    """Of a user with one event a little is left of it, with twenty nothing: the list is to the last bit that of a user
    without a profile."""
    lists = {}
    for interests in ([], ["chess"]):
        pipeline = shop()
        made = []
        if interests:
            pipeline.declare(Profile("ann", BEGIN_MS + 400_000, interests))
        for number in range(400, 421):
            event = click("ann", f"hiking-{4 * (number % 7) + 1}", number)
            user = pipeline.fold(KIND, event)
            listed = pipeline.recommender.remake("ann", user, Arrival_as_of(pipeline, event))
            made.append([(item.item_id, item.score) for item in listed.items])
        lists[bool(interests)] = made

    assert all(lists[True][n] != lists[False][n] for n in range(4))
    assert lists[True][19:] == lists[False][19:]


def Arrival_as_of(pipeline: Pipeline, event: Interaction):  # noqa: N802
    return pipeline.list_for(KIND, event, pipeline.users["ann"]).as_of


@pytest.mark.parametrize("means_it", [True, False])
def test_choices_say_what_a_profile_is_worth(means_it: bool):
    """Where new users choose what they say they like it comes to count more, where they choose anything, less."""
    pipeline, random = shop(), Random(1)
    before = interest_expert.COLD.weights[0] + interest_expert.COLD.weights[1]
    for number in range(500, 700):
        liked = random.choice(TOPICS)
        pipeline.declare(Profile(f"n{number}", BEGIN_MS + 1000 * number, [liked]))
        topic = TOPICS.index(liked) if means_it else 0
        pipeline.learn(KIND, click(f"n{number}", f"{TOPICS[topic]}-{4 * random.randrange(50) + topic}", number))

    after = pipeline.recommender.head.of_interests.weights
    words = interest_expert.NAMES.index("words")
    assert (after[0] + after[1])[words] > before[words] if means_it else (after[0] + after[1])[words] < before[words]


def test_without_profiles_lists_are_what_they_were():
    """To the last bit, and nothing is learned of interests; of who has one, other users' lists neither."""

    def lists(*, declares: bool) -> list[bytes]:
        pipeline = shop()
        if declares:
            pipeline.declare(Profile("ann", BEGIN_MS, ["jazz"]))
        made = []
        for number in range(400, 440):
            event = click(f"u{number % 5}", f"chess-{4 * (number % 9) + 2}", number)
            made.append(msgspec.json.encode(pipeline.list_for(KIND, event, pipeline.learn(KIND, event))))
        assert pipeline.recommender.head.of_interests is interest_expert.COLD
        return made

    assert lists(declares=False) == lists(declares=True)


def test_a_search_is_answered_before_a_profile_is_followed():
    """What is asked for now leads the list."""
    pipeline = shop()
    pipeline.declare(Profile("ann", BEGIN_MS + 400_000, ["chess"]))
    search = Search("q", "ann", "pottery", BEGIN_MS + 401_000)
    made = pipeline.list_for_search(search, pipeline.search(search))

    assert [item.reason.kind for item in made.items[:5]] == ["asked"] * 5
    assert {item.item_id.partition("-")[0] for item in made.items[:5]} == {"pottery"}


def test_users_of_one_language_find_what_others_of_it_do():
    """A new user's list follows the language of the profile, where no event has said any."""
    pipeline, tastes, random = Pipeline(Settings()), {"de": "chess", "fr": "pottery"}, Random(2)
    for number in range(N_ITEMS):
        pipeline.catalog.put_item(Item(f"{TOPICS[number % 4]}-{number}", title=f"thing {number}"))
    for number in range(600):
        language = random.choice(list(tastes))
        pipeline.declare(Profile(f"u{number}", BEGIN_MS + 1000 * number, language=language))
        topic = TOPICS.index(tastes[language])
        pipeline.learn(KIND, click(f"u{number}", f"{tastes[language]}-{4 * random.randrange(50) + topic}", number))

    for language, topic in tastes.items():
        profile = Profile(f"new-{language}", BEGIN_MS + 700_000, language=language)
        assert topics_of(pipeline, profile).count(topic) >= 8


def test_rules_of_age_know_the_year_of_birth():
    """Who may be underage by it is taken for it; who asks with an age of their own is believed."""
    pipeline = shop()
    rule = Rule("adults", "exclude", "ann", "law", Target(category="jazz"), relation="underage", min_age=18)
    pipeline.catalog.put_rule(rule)
    for user_id, birth_year in (("old", 2007), ("young", 2008), ("nobody", None)):
        profile = Profile(user_id, BEGIN_MS + 400_000, ["jazz"], birth_year=birth_year)
        assert ("jazz" in topics_of(pipeline, profile)) == (user_id == "old")
    ranked = pipeline.recommender.rank("young", pipeline.users["young"], now_ms=BEGIN_MS + 400_000, age=30)
    assert "jazz" in {item.item_id.partition("-")[0] for item in pipeline.recommender.items(ranked, "r")}
