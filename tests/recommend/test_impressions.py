"""Lists of users who were shown something: what they hold then, and what is learned from what was not chosen."""

from __future__ import annotations

import numpy as np
import pytest

from stream_rec.config import Settings, override
from stream_rec.events.impression import Impression, ShownItem
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule
from stream_rec.events.search import Search
from stream_rec.pipeline import Pipeline
from stream_rec.ranking import shown
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend.make_list import recommend

NOW_MS = 1_700_000_000_000
MINUTE_MS, DAY_MS = 60_000, 86_400_000
ITEMS = [f"item-{number:02}" for number in range(40)]
PLAIN = {"ranking.explore_share": 0.0, "ranking.tail_every": 0, "ranking.diversity": 0.0, "ranking.fresh_worth": 0.0}


class Shop:
    """A pipeline whose users like the first items most."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(override(Settings(), PLAIN))
        self.now_ms = NOW_MS
        self.n = 0
        for item_id in ITEMS:
            self.pipeline.catalog.put_item(Item(item_id, title=f"thing {item_id}"))
        for number, item_id in enumerate(ITEMS):
            for visitor in range(len(ITEMS) - number):
                self.did("view", f"visitor-{visitor}", item_id)

    def did(self, what: str, user_id: str, item_id: str) -> None:
        """Let a user do something, a second later."""
        self.now_ms += 1000
        self.n += 1
        kind = Kind.VIEW if what == "view" else Kind.CLICK
        self.pipeline.learn(kind, Interaction(f"e{self.n}", user_id, item_id, self.now_ms))

    def show(self, user_id: str, *item_ids: str, first: int = 1) -> None:
        """Show a user items, a second later."""
        self.now_ms += 1000
        self.n += 1
        items = [ShownItem(item_id, position) for position, item_id in enumerate(item_ids, first)]
        self.pipeline.impress(Impression(f"e{self.n}", user_id, "", items, self.now_ms))

    def list_of(self, user_id: str, n: int = 10, **config: object) -> list[str]:
        """Return the user's list of now."""
        ranking = override(Settings(), PLAIN | {"ranking.n": n} | config).ranking
        ranked = self.pipeline.rank(user_id, self.now_ms)
        return [item.item_id for item in self.pipeline.recommender.items(ranked, "1", ranking)]


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_rule_may_keep_from_the_user_what_was_shown(shop: Shop):
    """To those who were, for as long as it says; what they came to since is no exception."""
    rule = Rule("r", "exclude", "ann", "fresh lists", relation="shown", within_days=0.5)
    shop.pipeline.catalog.put_rule(rule)
    shown = shop.list_of("ann", 5)
    shop.show("ann", *shown)
    shop.did("view", "ann", shown[0])

    assert not set(shown) & set(shop.list_of("ann", 30)) and set(shown) <= set(shop.list_of("bob", 10))
    shop.now_ms += DAY_MS // 2
    shop.did("view", "bob", ITEMS[-1])
    assert set(shown[1:]) <= set(shop.list_of("ann", 30))


def test_who_was_shown_nothing_is_ranked_as_ever(shop: Shop):
    """While no impression has come at all, there is nothing of them in a ranking."""
    ranked = shop.pipeline.rank("ann", shop.now_ms)

    assert ranked.shown is None
    assert np.array_equal(ranked.scored.log_p, shop.pipeline.recommender.head.score(ranked.scored.inputs).log_p)
    assert not shop.pipeline.users["visitor-1"].shown_counts


def test_what_was_shown_in_vain_makes_way_and_comes_back(shop: Shop):
    """For that user; a month later it is where it was."""
    first = shop.list_of("ann")
    for _ in range(12):
        shop.show("ann", *first[:4])
    before = [first.index(item_id) for item_id in first[:4]]
    now = shop.list_of("ann", 40)

    assert min(now.index(item_id) for item_id in first[:4]) > max(before)
    shop.now_ms += 30 * DAY_MS
    assert set(first[:4]) <= set(shop.list_of("ann"))


def test_a_list_far_down_was_hardly_shown(shop: Shop):
    """What stood where few look is taken for seen in part."""
    first = shop.list_of("ann")
    for _ in range(3):
        shop.show("ann", first[0], first=30)
        shop.show("bob", first[0], first=1)

    assert shop.list_of("ann").index(first[0]) < shop.list_of("bob", 40).index(first[0])


def test_who_comes_to_it_after_all_is_not_tired_of_it(shop: Shop):
    """From the choice on it counts as never shown; another that was shown beside it does not."""
    for _ in range(6):
        shop.show("ann", "item-05", "item-06")
    before = shop.pipeline.rank("ann", shop.now_ms).request.history.shown
    shop.did("click", "ann", "item-05")
    after = shop.pipeline.rank("ann", shop.now_ms).request.history.shown

    assert [shop.pipeline.catalog.item_ids[row] for row in before.rows] == ["item-05", "item-06"]
    assert [shop.pipeline.catalog.item_ids[row] for row in after.rows] == ["item-06"]


def test_the_head_learns_when_an_impression_is_over(shop: Shop):
    """Half an hour later, or when many others have come; once; from what was known before the choice."""
    head = lambda: shop.pipeline.recommender.head  # noqa: E731
    shop.show("ann", "item-01", "item-02", "item-03")
    waiting = shop.pipeline.users["ann"].recent_impressions[0]
    shop.did("click", "ann", "item-02")
    shop.show("ann", "item-07")
    assert (head().of_shown, head().n_outcomes) == (shown.COLD, 0)
    shop.now_ms += 31 * MINUTE_MS
    shop.did("view", "ann", "item-09")
    learned = head().of_shown

    assert waiting.features and not any(each.features for each in shop.pipeline.users["ann"].recent_impressions)
    assert head().n_outcomes == 2 and learned.weights[0, shown.NAMES.index("one")] != 0
    shop.did("view", "ann", "item-10")
    assert head().of_shown is learned
    for number in range(9):
        shop.show("ann", ITEMS[number])
    assert head().n_outcomes == 3


def test_items_that_are_no_candidates_teach_nothing(shop: Shop):
    """Nobody has heard of one; the other is not listed any more."""
    cold = shop.pipeline.recommender.head.of_shown
    shop.pipeline.catalog.delete_item("item-03")
    for _ in range(20):
        shop.show("ann", "unheard-of", "item-03")

    assert shop.pipeline.recommender.head.of_shown is cold
    assert "item-03" not in shop.list_of("ann", 40)


def test_an_app_whose_users_do_not_tire_is_learned(shop: Shop):
    """They come to what they were shown again and again: in the end being shown it is no reason against it."""
    tired = [shown.NAMES.index(name) for name in ("tired_1h", "tired_1d", "tired_7d")]
    users = [f"user-{number}" for number in range(30)]
    rng = np.random.default_rng(0)
    for _ in range(25):
        for user_id in users:
            shown_now = list(rng.choice(ITEMS[:12], 6, replace=False))
            shop.show(user_id, *shown_now)
            seen = {count.item_id for count in shop.pipeline.users[user_id].shown_counts if count.n > 1}
            again = [item_id for item_id in shown_now if item_id in seen]
            if again:
                shop.did("click", user_id, again[0])
    before = shown.COLD.weights[0, tired].sum()

    assert shop.pipeline.recommender.head.of_shown.weights[0, tired].sum() > before / 2


def test_searches_and_impressions_count_together(shop: Shop):
    """What answers a search leads the list; what was shown for it in vain makes way for another that answers."""
    shop.pipeline.search(Search("s1", "ann", "thing item-20", shop.now_ms + 1))
    assert shop.list_of("ann")[0] == "item-20"
    for _ in range(8):
        shop.show("ann", "item-20")
        shop.pipeline.search(Search(f"s{shop.n}", "ann", "item-20 or item-21", shop.now_ms + 500))

    made = shop.list_of("ann")
    assert made.index("item-21") < made.index("item-20") if "item-20" in made else "item-21" in made


def test_exploration_knows_what_was_really_shown(shop: Shop):
    """The last slot is for what was on no screen yet, whatever was in lists of this process."""
    recommender, catalog = shop.pipeline.recommender, shop.pipeline.catalog
    for _ in range(3):
        shop.show("bob", *[item_id for item_id in ITEMS if item_id != "item-35"])
        for item_id in ITEMS[:10]:
            shop.did("click", "bob", item_id)
    ranked = shop.pipeline.rank("ann", shop.now_ms)

    def last_of(tail_every: int) -> str:
        config = RankingConfig(n=5, explore_share=0, tail_every=tail_every, diversity=0, fresh_worth=0)
        return recommend(ranked, catalog, recommender.head, config, Exposures(), "1")[-1].item_id

    assert last_of(tail_every=0) != "item-35"
    assert last_of(tail_every=1) == "item-35"
