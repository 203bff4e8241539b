"""Lists of users who searched for something: what they hold, why, and what is learned from what is chosen then."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from stream_rec.events.search import Search
from stream_rec.events.slate import AsOf, Reason
from stream_rec.knowledge import queries
from stream_rec.ranking import asked
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.policy import HeadConfig, RankingConfig
from stream_rec.recommend.learn import teach
from stream_rec.recommend.make_list import recommend
from stream_rec.recommend.rank import rank
from stream_rec.recommender import LocalHead, Recommender
from stream_rec.retrieval.candidates import Workspace
from stream_rec.user.answers import REACH_MS
from stream_rec.user.bounds import UserConfig
from stream_rec.user.searches import fold_search
from stream_rec.user.state import COLD, UserState
from tests.catalog.stock import OLD, embedded, space_vector, taught
from tests.recommend.lists import NOW_MS, POPULAR, crowd, listed, made, ranked_for, viewer
from tests.user.histories import arrivals, folded, happened

HEAD = HeadConfig()


def asking(
    query: str, item_id: str | None = None, *, user: UserState = COLD, at_ms: int = NOW_MS, number: int = 0
) -> UserState:
    """Return a user who searched for something."""
    return fold_search(user, Search(f"q{number}", "u", query, at_ms, item_id), number, UserConfig())


def shop() -> Catalog:
    """Return a crowd of thirty popular items and three that nobody looks at."""
    catalog = crowd()
    for item in (Item("KX-85123A", title="Blue kettle"), Item("cup", title="Blue cup"), Item("pot", title="Red pot")):
        catalog.put_item(item)
        catalog.put_knowledge(item.item_id, taught(*range(NOW_MS - 5, NOW_MS)))
    return catalog


def answered(item_id: str, catalog: Catalog, query: str, about: str | None = None, n: int = 5) -> None:
    """Let users have chosen an item after a search."""
    state = taught(*range(NOW_MS - 5, NOW_MS))
    known = {number: (8 * n, 8.0 * n, NOW_MS) for number in queries.numbers_of(query, about)}
    catalog.put_knowledge(item_id, msgspec.structs.replace(state, queries=known))


@pytest.mark.parametrize(
    ("query", "first"), [("kettle", "KX-85123A"), ("85123a", "KX-85123A"), ("RED  pots pot", "pot")]
)
def test_a_user_of_whom_nothing_is_known_gets_what_they_ask_for(query: str, first: str):
    """By a word of its title, or by its code; the reason is the search."""
    catalog = shop()
    items = made(asking(query), catalog, head=POPULAR)

    assert items[0].item_id == first
    assert items[0].reason == Reason("asked", None, "q0", "search")
    assert items[0].sources["asked"] > 0
    assert items[1].reason.kind != "asked"


def test_what_others_chose_after_such_a_search_leads():
    """Without a word in common; about an item before about anything; and the reason names it."""
    catalog = shop()
    answered("cup", catalog, "cheaper", n=20)
    answered("pot", catalog, "cheaper", "KX-85123A")

    assert listed(asking("cheaper"), catalog, head=POPULAR)[:2] == ["cup", "pot"]
    items = made(asking("Cheaper!", "KX-85123A"), catalog, head=POPULAR)
    assert items[0].item_id == "pot"
    assert items[0].reason == Reason("asked", "KX-85123A", "q0", "search")


def test_what_is_near_in_meaning_is_found():
    """By vectors of the query, whitened as those of items; of encoders that items have none of nothing is compared."""
    catalog = shop()
    for number, item_id in enumerate(["p1", "p2", "p3", "cup", "pot", "KX-85123A"]):
        catalog.put_embedding(item_id, embedded(np.eye(6)[number]))
    wanted = {
        "mug": (space_vector(np.eye(6)[3], OLD),),
        "tin": (space_vector(np.eye(6)[3], "another@1"),),
        "jar": (None,),
    }

    def first(query: str) -> str:
        user, workspace = asking(query), Workspace()
        ranked = rank("u", user, catalog, POPULAR, workspace, now_ms=NOW_MS, encode_query=wanted.__getitem__)
        return recommend(ranked, catalog, POPULAR, RankingConfig(), Exposures(), "1")[0].item_id

    assert first("mug") == "cup"
    assert first("tin").startswith("p") and first("jar").startswith("p")


def test_a_search_of_long_ago_changes_nothing():
    """Bit for bit: the list of a user whose search is over is that of one who never searched."""
    catalog = shop()
    plain, searched = viewer("p3"), asking("kettle", user=viewer("p3"), at_ms=NOW_MS - REACH_MS - 1)

    assert made(searched, catalog) == made(plain, catalog)
    assert made(asking("kettle", user=viewer("p3")), catalog) != made(plain, catalog)


def test_how_long_ago_is_for_the_users_own_time_to_say():
    """Somebody whose clock is a day ahead does not end the searches of others."""
    recommender = Recommender(shop(), LocalHead(POPULAR), RankingConfig(n=3), HEAD)
    day_ms = 86_400_000
    recommender.catalog.put_knowledge("p7", taught(*range(NOW_MS, NOW_MS + 4), NOW_MS + day_ms))
    ranked = recommender.rank("u", asking("kettle"), now_ms=NOW_MS + 1)

    assert ranked.request.asked is not None
    assert recommender.items(ranked, "1")[0].item_id == "KX-85123A"
    assert recommender.rank("u", asking("kettle"), now_ms=NOW_MS + REACH_MS + 1).request.asked is None


def test_a_list_that_is_made_anew_forgets_a_search_that_is_over():
    """By the time of all: the user may not have come back."""
    recommender = Recommender(shop(), LocalHead(POPULAR), RankingConfig(n=3), HEAD)
    as_of = AsOf("searches", 0, 0, "q0", NOW_MS)
    assert recommender.remake("u", asking("kettle"), as_of).items[0].item_id == "KX-85123A"
    recommender.catalog.put_knowledge("p7", taught(*range(NOW_MS, NOW_MS + 4), NOW_MS + REACH_MS + 1))
    assert recommender.remake("u", asking("kettle"), as_of).items[0].item_id != "KX-85123A"


def test_where_all_answer_alike_the_search_is_the_reason():
    """No item answers more than the average, and nothing else is to be said of them."""
    catalog = Catalog()
    for number in range(5):
        catalog.put_item(Item(f"tea-{number}", title="Tea"))
    assert {item.reason.kind for item in made(asking("tea"), catalog)} == {"asked"}


def test_a_vector_of_another_length_is_not_compared():
    """Whoever wrote the items' vectors under that name: lists are made all the same."""
    catalog = shop()
    catalog.put_embedding("cup", embedded([1.0, 0.0, 0.0]))
    ranked = rank(
        *("u", asking("kettle"), catalog, POPULAR, Workspace()),
        now_ms=NOW_MS,
        encode_query=lambda query: (space_vector([1.0, 0.0], OLD),),
    )

    assert not ranked.request.asked.vectors.any()


@pytest.mark.parametrize("query", ["...", "xyzzy", "?" * 2000])
def test_a_search_that_nothing_answers_leaves_a_usual_list(query: str):
    """In the same order, with no word of a search."""
    catalog = shop()
    items = made(asking(query, user=viewer("p3")), catalog)

    assert [item.item_id for item in items] == listed(viewer("p3"), catalog)
    assert all(item.reason.kind != "asked" for item in items)


def test_the_newest_search_counts():
    """Whatever came first."""
    catalog = shop()
    user = asking("pot", user=asking("kettle"), at_ms=NOW_MS + 1, number=1)
    late = asking("kettle", user=asking("pot", at_ms=NOW_MS + 1), number=1)

    assert listed(user, catalog, head=POPULAR)[0] == "pot" == listed(late, catalog, head=POPULAR)[0]


def test_rules_are_obeyed_in_answers():
    """What is banned, deleted or not available answers no search."""
    catalog = shop()
    catalog.put_rule(Rule("r", "ban", "ann", "recalled", Target(item_ids=["KX-85123A"])))
    assert "KX-85123A" not in listed(asking("kettle"), catalog, head=POPULAR)
    catalog.delete_rule("r")
    assert listed(asking("kettle"), catalog, head=POPULAR)[0] == "KX-85123A"
    catalog.put_item(Item("KX-85123A", title="Blue kettle", available=False))
    assert "KX-85123A" not in listed(asking("kettle"), catalog, head=POPULAR)
    catalog.delete_item("KX-85123A")
    assert "KX-85123A" not in listed(asking("kettle"), catalog, head=POPULAR)


def test_what_is_chosen_after_searches_says_what_they_are_worth():
    """Users who search and choose something popular all the same get their searches answered less and less."""
    catalog, head = shop(), POPULAR
    ranked = ranked_for(asking("kettle"), catalog, head)
    popular = catalog.find("p0")
    before = np.exp(ranked.scored.log_p[np.searchsorted(ranked.candidates.rows, popular)])
    for _ in range(200):
        head = teach(ranked_for(asking("kettle"), catalog, head), [(popular, HEAD.weigh(Kind.VIEW))], head, HEAD)
    ranked = ranked_for(asking("kettle"), catalog, head)
    after = np.exp(ranked.scored.log_p[np.searchsorted(ranked.candidates.rows, popular)])

    assert after > 3 * before
    assert head.of_asked is not asked.COLD


def test_without_searches_nothing_is_learned_of_them():
    """The expert stays as it was."""
    catalog = shop()
    head = teach(
        ranked_for(viewer("p3"), catalog, POPULAR), [(catalog.find("p0"), HEAD.weigh(Kind.VIEW))], POPULAR, HEAD
    )

    assert head.of_asked is asked.COLD


def test_answers_fade_as_the_user_goes_on():
    """Three parts of weights: before the first answer, for the next two, and behind."""
    catalog, user, parts = shop(), asking("blue"), []
    for number in range(4):
        ranked = ranked_for(user, catalog, POPULAR)
        parts.append(ranked.answers.part)
        user = folded(arrivals([happened(NOW_MS + 1 + number, f"p{number}")]), state=user)

    assert parts == [0, 1, 1, 2]


def test_the_message_says_that_it_was_made_on_a_search():
    """And up to where the topic of searches has been seen."""
    recommender = Recommender(shop(), LocalHead(POPULAR), RankingConfig(n=3), HEAD)
    sent = recommender.recommend("u", asking("kettle"), AsOf("searches", 0, 0, "q0", NOW_MS))

    assert (sent.as_of.topic, sent.seen) == ("searches", {"searches": 0})
    assert sent.items[0].item_id == "KX-85123A"


def test_an_empty_catalog_answers_nothing():
    """With a list that is empty."""
    assert made(asking("kettle"), Catalog()) == []
