"""From state to list: what may be in it, in which order, and why; and from what was chosen to a better head."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.slate import AsOf, SlateItem
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.features import GROUPS, NAMES
from stream_rec.ranking.head import Head, HeadConfig, cold
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend import Ranked, answer, draws, policy_name, rank, recommend, slate, teach
from stream_rec.reranking import reserve
from stream_rec.reranking.explain import LEAST_SIMILARITY
from stream_rec.retrieval.candidates import Workspace
from stream_rec.user import state as user_state
from stream_rec.user.state import COLD, UserState
from tests.catalog.stock import NEW, OLD, contents, embedded, stocked, taught
from tests.ranking.heads import SMALL, preferring, reserving
from tests.user.histories import arrivals, event_sets, folded, happened

NOW_MS = 5 * 7 * 86_400_000
PLAIN = RankingConfig(explore_share=0, fresh_worth=0, tail_every=0)
ITEMS = [f"i{n}" for n in range(10)]
POPULAR = preferring(popularity=1)
USUAL = preferring(popularity=1, own=4, follows_last=3, stan=2, text_last=1)
SHARED = Workspace()


def ranked_for(
    user: UserState, catalog: Catalog, head: Head = USUAL, *, user_id: str = "u", workspace: Workspace | None = None
) -> Ranked:
    return rank(user_id, user, catalog, head, workspace or Workspace(), now_ms=NOW_MS)


def made(
    user: UserState,
    catalog: Catalog,
    config: RankingConfig = PLAIN,
    head: Head = USUAL,
    *,
    request: str = "1",
    workspace: Workspace | None = None,
) -> list[SlateItem]:
    ranked = ranked_for(user, catalog, head, workspace=workspace)
    return recommend(ranked, catalog, head, config, Exposures(), request)


def listed(user: UserState, catalog: Catalog, config: RankingConfig = PLAIN, head: Head = USUAL) -> list[str]:
    return [item.item_id for item in made(user, catalog, config, head)]


def viewer(*item_ids: str) -> UserState:
    return folded(arrivals([happened(NOW_MS + at, item_id) for at, item_id in enumerate(item_ids)]))


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """Return a catalog after any changes: items with and without text, record, knowledge; some deleted."""
    catalog = Catalog()
    item = st.sampled_from(ITEMS)
    for item_id, change, number in draw(st.lists(st.tuples(item, st.integers(0, 6), st.integers(1, 50)), max_size=40)):
        match change:
            case 0 | 1:
                catalog.put_item(Item(item_id, available=number > 5))
            case 2:
                catalog.delete_item(item_id)
            case 3:
                catalog.put_embedding(item_id, embedded([1, number], OLD if number < 40 else NEW))
            case 4:
                catalog.delete_embedding(item_id)
            case _:
                before = draw(st.dictionaries(st.sampled_from([*ITEMS, "gone"]), st.integers(-2, 12), max_size=4))
                users = draw(st.dictionaries(st.sampled_from("uvw"), st.integers(0, NOW_MS), max_size=3))
                times = range(NOW_MS - number, NOW_MS)
                catalog.put_knowledge(item_id, taught(*times, predecessors=before, users=users, repeats=number // 2))
    return catalog


heads = st.builds(
    lambda share, weights: reserving(preferring(**weights), share),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.dictionaries(st.sampled_from(NAMES), st.floats(-3, 3), max_size=8),
)
configs = st.builds(
    RankingConfig,
    n=st.integers(1, 8),
    diversity=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    explore_share=st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0]),
    fresh_worth=st.sampled_from([0.0, 3.0]),
    tail_every=st.integers(0, 2),
)


@settings(max_examples=200, deadline=None)
@given(catalog=catalogs(), events=event_sets(max_size=25, items=14), config=configs, head=heads)
def test_every_list_keeps_the_rules(catalog, events, config, head):
    """Any user, catalog, head and settings: at most n items, none twice, all listed, each with a reason that holds.

    And the same arguments give the same list again, in a workspace that many users shared: nothing was changed.
    """
    user = folded(arrivals(events))
    user_before, catalog_before = user_state.encode(user), contents(catalog)

    items = made(user, catalog, config, head)

    ids = [item.item_id for item in items]
    assert len(items) == min(config.n, len(ranked_for(user, catalog, head).candidates)) or config.explore_share > 0
    assert len(items) <= config.n
    assert len(set(ids)) == len(ids)
    assert all(catalog.is_listed[catalog.find(item_id)] for item_id in ids)
    for item in items:
        assert 0 < item.score <= 1 and 0 < item.propensity <= 1
        assert config.explore_share > 0 or item.propensity == 1
        assert item.reason.kind in {*GROUPS, "explore"}
        assert set(item.sources) <= set(GROUPS) and min(item.sources.values(), default=1) >= 0
    if config.explore_share == config.diversity == config.fresh_worth == config.tail_every == 0:
        assert [item.score for item in items] == sorted((item.score for item in items), reverse=True)
    assert_reasons_hold(items, user, catalog)
    assert (user_state.encode(user), contents(catalog)) == (user_before, catalog_before)
    assert made(user, catalog, config, head, workspace=SHARED) == items


def assert_reasons_hold(items: list[SlateItem], user: UserState, catalog: Catalog) -> None:
    """Evidence is an event of this user, and it has to do with the item as the reason says."""
    by_event_id = {entry.event_id: entry for entry in user.ring}
    own = {tally.item_id for tally in user.tally}
    for item in items:
        reason, row = item.reason, catalog.find(item.item_id)
        if reason.event_id is not None:
            evidence = by_event_id[reason.event_id]
            assert (evidence.item_id, Kind(evidence.kind).label) == (reason.item_id, reason.event_kind)
        match reason.kind:
            case "repeat":
                assert item.item_id in own and reason.item_id == item.item_id
            case "followers":
                assert row in catalog.knowledge.followers.of(catalog.find(reason.item_id))[0]
            case "similar":
                one, other = catalog.embeddings.of(np.array([row, catalog.find(reason.item_id)]))
                assert one @ other >= LEAST_SIMILARITY - 1e-6 and reason.item_id != item.item_id
            case "neighbours":
                assert reason.event_id is not None
            case "fresh" | "explore":
                assert reason.item_id is None and catalog.knowledge.n_events_of(row) < 5
            case _:
                assert reason.item_id is None and catalog.knowledge.n_events_of(row) > 0


def test_a_user_without_history_gets_what_is_popular():
    """The most popular first, each with that reason; a cold head has no other opinion than its network's."""
    catalog = stocked("a", "b", "c")
    catalog.put_knowledge("a", taught(*[NOW_MS] * 5))
    catalog.put_knowledge("b", taught(*[NOW_MS] * 6))
    items = made(COLD, catalog, head=POPULAR)

    assert [item.item_id for item in items] == ["b", "a"]
    assert [(item.reason.kind, item.reason.item_id) for item in items] == [("trending", None)] * 2
    assert set(listed(COLD, catalog, head=cold(SMALL, 0))) == {"a", "b"}


def test_an_empty_catalog_gives_an_empty_list():
    """For everybody, whatever the settings."""
    for config in (PLAIN, RankingConfig(diversity=0.5, explore_share=0.5)):
        for user in (COLD, viewer("a", "b")):
            assert listed(user, Catalog(), config, reserving(USUAL)) == []


def test_an_item_of_the_history_that_the_catalog_does_not_know_does_no_harm():
    """Facts come first, the item may arrive later; what else is known still counts."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("b", taught(NOW_MS, predecessors={"a": 5}))

    assert listed(viewer("?"), catalog) == ["b"]
    assert set(listed(viewer("a", "?"), catalog)) == {"a", "b"}


def test_all_vectors_may_be_gone():
    """Items that had text lost it; the encoder's space is still there."""
    catalog = stocked("a", "b")
    catalog.put_embedding("a", embedded([1, 0, 0]))
    catalog.delete_embedding("a")

    assert listed(viewer("a"), catalog) == ["a", "b"]


def test_an_item_without_text_is_recommended_all_the_same():
    """Neither the item seen nor the one that follows it has a vector."""
    catalog = stocked("a", "b", "c")
    catalog.put_embedding("c", embedded([1, 0]))
    catalog.put_knowledge("b", taught(*[NOW_MS] * 6, predecessors={"a": 5}))
    items = made(viewer("a"), catalog, head=preferring(follows_last=1))

    assert items[0].item_id == "b"
    assert (items[0].reason.kind, items[0].reason.item_id) == ("followers", "a")


def test_text_alone_is_enough_for_a_new_item():
    """Nobody has seen b; it reads like what the user saw."""
    catalog = stocked("a", "b")
    catalog.put_embedding("a", embedded([1, 0]))
    catalog.put_embedding("b", embedded([1, 1]))

    assert listed(viewer("a"), catalog) == ["a", "b"]


def test_a_deleted_item_leaves_every_list():
    """Whatever proposed it: it trends, follows, reads alike and was seen before."""
    catalog = stocked("a", "b")
    catalog.put_embedding("a", embedded([1, 0]))
    catalog.put_embedding("b", embedded([1, 1]))
    catalog.put_knowledge("b", taught(NOW_MS, predecessors={"a": 5}))
    user = viewer("b", "a")
    assert "b" in listed(user, catalog)

    catalog.delete_item("b")
    assert listed(user, catalog) == ["a"]


def test_what_is_sold_out_does_not_crowd_out_the_rest():
    """100 items are more popular than a and b, and none of them can be had; then the last of them returns."""
    catalog = stocked("a", "b")
    for n in range(100):
        catalog.put_knowledge(f"gone{n}", taught(*[NOW_MS] * 7))
    for item_id in "ab":
        catalog.put_knowledge(item_id, taught(*[NOW_MS] * 6))
    assert listed(COLD, catalog, head=POPULAR) == ["a", "b"]

    catalog.put_item(Item("gone99"))
    assert listed(COLD, catalog, head=POPULAR) == ["gone99", "a", "b"]
    catalog.put_item(Item("a", available=False))
    assert listed(COLD, catalog, head=POPULAR) == ["gone99", "b"]


def test_equal_scores_stand_in_the_order_of_rows():
    """Ties have one order."""
    catalog = stocked("z", "m", "a")
    for item_id in "amz":
        catalog.put_knowledge(item_id, taught(NOW_MS))

    assert listed(COLD, catalog, head=POPULAR) == ["z", "m", "a"]


def test_own_visits_make_nobody_his_own_neighbour():
    """b was seen by u alone, who asks; to v, who shares a with u, it is found."""
    catalog = stocked("a", "b")
    catalog.put_knowledge("a", taught(*[NOW_MS] * 5, users={"u": NOW_MS, "v": NOW_MS}))
    catalog.put_knowledge("b", taught(*[NOW_MS] * 5, users={"u": NOW_MS}))
    stan = NAMES.index("stan")
    for user_id, is_found in (("u", False), ("v", True)):
        ranked = ranked_for(viewer("a"), catalog, user_id=user_id)
        place = ranked.candidates.rows.tolist().index(catalog.find("b"))
        assert (ranked.scored.inputs.items[place, stan] > 0) == is_found


def crowd() -> Catalog:
    """Return 30 popular items, p0 most of all, and 15 fresh ones: f14 was seen last."""
    catalog = stocked(*(f"p{n}" for n in range(30)), *(f"f{n}" for n in range(15)))
    for n in range(30):
        catalog.put_knowledge(f"p{n}", taught(*[NOW_MS] * (40 - n)))
    for n in range(15):
        catalog.put_knowledge(f"f{n}", taught(NOW_MS - 3_600_000 * (15 - n)))
    return catalog


def test_without_exploring_nothing_is_left_to_chance():
    """Every item is certain, whatever would be drawn."""
    lists = [made(COLD, crowd(), request=str(request)) for request in range(20)]

    assert [item.item_id for item in lists[0]] == [f"p{n}" for n in range(20)]
    assert {item.propensity for item in lists[0]} == {1.0}
    assert lists == lists[:1] * 20


def test_exploring_shows_fresh_items_with_their_propensities():
    """Half of ten slots show fresh items, of which chance chose these; the best ranked fill the rest."""
    config = msgspec.structs.replace(PLAIN, n=10, explore_share=0.5)
    for request in range(20):
        items = made(COLD, crowd(), config, POPULAR, request=str(request))
        exploring = [item for item in items if item.reason.kind == "explore"]
        rest = [item.item_id for item in items if item.reason.kind != "explore"]
        assert len(exploring) == 5
        assert all(item.item_id.startswith("f") and 0 < item.propensity < 1 for item in exploring)
        assert rest == ["p0", "p1", "p2", "p3", "p4"]


def test_a_request_draws_the_same_whenever_it_is_asked():
    """Whatever came before; another request, or another seed, draws others."""
    config = RankingConfig(n=10, explore_share=0.5)
    first = [made(COLD, crowd(), config, request=str(request)) for request in range(5)]
    again = [made(COLD, crowd(), config, request=str(request)) for request in reversed(range(5))]
    other = [made(COLD, crowd(), msgspec.structs.replace(config, seed=1), request=str(n)) for n in range(5)]

    assert again[::-1] == first
    assert len({str(items) for items in first}) > 1
    assert other != first


def test_what_was_shown_often_is_explored_less():
    """Ten thousand lists without an event: the others are tried."""
    catalog, config = crowd(), msgspec.structs.replace(PLAIN, n=10, explore_share=0.5)
    exposures = Exposures()
    shown = np.array([catalog.find(f"f{n}") for n in range(10)])
    for _ in range(1000):
        exposures.add(shown)
    ranked = ranked_for(COLD, catalog)
    found = {
        item.item_id
        for request in range(20)
        for item in recommend(ranked, catalog, USUAL, config, exposures, str(request))
        if item.reason.kind == "explore"
    }

    assert found == {f"f{n}" for n in range(10, 15)}


def test_reserved_slots_stand_at_the_end_when_they_pay():
    """The best fresh items, as the head of fresh items ranks them: here the newest first. They are certain."""
    head = msgspec.structs.replace(preferring(popularity=9), fresh=preferring(age_6h=1).linear)
    config = msgspec.structs.replace(PLAIN, n=10, fresh_worth=3)
    items = made(COLD, crowd(), config, reserving(head))
    m = sum(item.item_id.startswith("f") for item in items)

    assert 1 < m <= reserve.SLOTS
    assert [item.item_id for item in items] == [f"p{n}" for n in range(10 - m)] + [f"f{14 - n}" for n in range(m)]
    assert {item.propensity for item in items} == {1.0}
    assert [item.reason.kind for item in items[10 - m :]] == ["fresh"] * m
    plain = [f"p{n}" for n in range(10)]
    assert listed(COLD, crowd(), config, reserving(head, share=0.0)) == plain
    assert listed(COLD, crowd(), msgspec.structs.replace(config, fresh_worth=0), reserving(head)) == plain


def test_exploring_leaves_reserved_slots_alone():
    """All others explore; the last ones are still the reserved ones, and nobody stands there twice."""
    config = msgspec.structs.replace(PLAIN, n=10, fresh_worth=3)
    head = reserving(preferring(popularity=9))
    reserved = [item_id for item_id in listed(COLD, crowd(), config, head) if item_id.startswith("f")]
    m = len(reserved)
    items = made(COLD, crowd(), msgspec.structs.replace(config, explore_share=1.0), head)

    assert [item.item_id for item in items[10 - m :]] == reserved
    assert [item.reason.kind for item in items[: 10 - m]] == ["explore"] * (10 - m)
    assert [item.propensity for item in items[10 - m :]] == [1.0] * m
    assert len({item.item_id for item in items}) == 10


def test_now_and_then_the_last_slot_is_for_an_item_that_was_in_no_list():
    """Of the likeliest such candidate, in every third list, until there is none; the rest of the list stays."""
    catalog, exposures = crowd(), Exposures()
    config = msgspec.structs.replace(PLAIN, n=3, tail_every=3)
    lasts = []
    for _ in range(9):
        ranked = ranked_for(COLD, catalog, POPULAR)
        items = recommend(ranked, catalog, POPULAR, config, exposures, "1")
        exposures.add(np.array([catalog.find(item.item_id) for item in items]))
        assert [item.item_id for item in items[:2]] == ["p0", "p1"] and items[2].propensity == 1
        lasts.append(items[2].item_id)
    assert lasts == ["p3", "p2", "p2", "p4", "p2", "p2", "p5", "p2", "p2"]

    exposures.add(np.arange(len(catalog)))
    exposures.add(np.array([]))
    exposures.add(np.array([]))
    assert exposures.n_lists % 3 == 0
    assert [i.item_id for i in recommend(ranked, catalog, POPULAR, config, exposures, "1")][2] == "p2"


def test_exploring_leaves_the_slot_for_the_unseen_alone():
    """Also where the unseen one had made way for a fresh item before."""
    config = msgspec.structs.replace(PLAIN, n=10, tail_every=1)
    head = reserving(preferring(popularity=9))
    for fresh_worth, unseen in ((0.0, "p10"), (3.0, "p4")):
        shown = msgspec.structs.replace(config, fresh_worth=fresh_worth)
        before = listed(COLD, crowd(), shown, head)
        assert before[-1] == unseen
        reserved = [item_id for item_id in before if item_id.startswith("f")] + [unseen]
        items = made(COLD, crowd(), msgspec.structs.replace(shown, explore_share=1.0), head)
        ends = items[10 - len(reserved) :]
        assert [(item.item_id, item.propensity) for item in ends] == [(item_id, 1.0) for item_id in reserved]
        assert {item.reason.kind for item in items[: 10 - len(reserved)]} == {"explore"}


def test_diversity_brings_in_what_is_different():
    """p0 to p4 have one category and one text; with diversity the next list has others among the first."""
    catalog = crowd()
    for n in range(30):
        alike = n < 5
        catalog.put_item(Item(f"p{n}", category="same" if alike else f"c{n}"))
        vector = np.eye(32)[0 if alike else n]
        catalog.put_embedding(f"p{n}", embedded(vector))
    config = msgspec.structs.replace(PLAIN, n=5)
    varied = listed(COLD, catalog, msgspec.structs.replace(config, diversity=0.8), POPULAR)

    assert listed(COLD, catalog, config, POPULAR) == [f"p{n}" for n in range(5)]
    assert len({"p0", "p1", "p2", "p3", "p4"} & set(varied)) == 1


HEAD = HeadConfig(hidden=4)


def chosen(catalog: Catalog, *item_ids: str, kind: Kind = Kind.VIEW) -> list[tuple[int, Kind]]:
    return [(catalog.find(item_id), kind) for item_id in item_ids]


def test_what_was_chosen_becomes_likelier():
    """For the same user at the same time."""
    catalog = crowd()
    head = cold(HEAD, 0)
    before = ranked_for(COLD, catalog, head)
    place = before.candidates.rows.tolist().index(catalog.find("p7"))
    after = ranked_for(COLD, catalog, teach(before, chosen(catalog, "p7"), head, HEAD))

    assert after.scored.log_p[place] > before.scored.log_p[place]


def test_nothing_chosen_teaches_nothing():
    """Nor does a choice where nothing could be shown."""
    catalog, head = crowd(), cold(HEAD, 0)

    assert teach(ranked_for(COLD, catalog, head), [], head, HEAD) is head
    nothing = ranked_for(COLD, Catalog(), head)
    assert teach(nothing, [(0, Kind.VIEW)], head, HEAD) is head


def test_a_choice_that_was_no_candidate_teaches_nothing():
    """No list could have had it: not listed, before the first candidate, between two, or after the last."""
    catalog = stocked("first", *(f"x{n}" for n in range(3)), "last")
    for n in range(3):
        catalog.put_knowledge(f"x{n}", taught(*[NOW_MS] * 9))
    head = cold(HEAD, 0)
    ranked = ranked_for(COLD, catalog, head)
    assert ranked.candidates.rows.tolist() == [1, 2, 3]
    assert teach(ranked, chosen(catalog, "first", "last"), head, HEAD) is head

    mixed = teach(ranked, chosen(catalog, "first", "x1", "last"), head, HEAD)
    alone = teach(ranked, chosen(catalog, "x1"), head, HEAD)
    np.testing.assert_array_equal(mixed.linear.weights, alone.linear.weights)
    assert mixed.n_choices == 1


def test_a_kind_of_weight_zero_teaches_nothing():
    """An app may not want to learn from views."""
    catalog, head = crowd(), cold(HEAD, 0)
    config = HeadConfig(hidden=4, view_weight=0, click_weight=3)
    ranked = ranked_for(COLD, catalog, head)
    viewed = teach(ranked, chosen(catalog, "p1"), head, config)
    both = [*chosen(catalog, "p1"), *chosen(catalog, "p2", kind=Kind.CLICK)]

    assert viewed.linear is head.linear
    assert teach(ranked, both, head, config).n_choices == 1


def test_a_fresh_choice_teaches_the_fresh_head_among_fresh_items():
    """A popular one does not."""
    catalog, head = crowd(), cold(HEAD, 0)
    ranked = ranked_for(COLD, catalog, head)
    assert [catalog.item_ids[row] for row in ranked.candidates.rows[ranked.fresh]] == [f"f{n}" for n in range(15)]
    newest = teach(ranked, chosen(catalog, "f14", "p3"), head, HEAD)
    oldest = teach(ranked, chosen(catalog, "p3", "f0"), head, HEAD)

    assert newest.score_fresh(ranked.fresh_inputs).argmax() == 14
    assert oldest.score_fresh(ranked.fresh_inputs).argmax() == 0
    assert teach(ranked, chosen(catalog, "p3"), head, HEAD).fresh is head.fresh


def test_what_share_of_choices_is_fresh_is_learned():
    """By length of history: a stranger's choices say nothing of a user with events."""
    catalog, head = crowd(), cold(HEAD, 0)
    ranked = ranked_for(COLD, catalog, head)
    fresh = teach(ranked, chosen(catalog, "f3"), head, HEAD).reserve
    other = teach(ranked, chosen(catalog, "p3"), head, HEAD).reserve

    assert reserve.fresh_share(fresh, 0) > reserve.fresh_share(head.reserve, 0) > reserve.fresh_share(other, 0)
    assert reserve.fresh_share(fresh, 1) == reserve.fresh_share(head.reserve, 1)


def test_teaching_leaves_everything_as_it_was():
    """State in, state out: the head, what was ranked, and the catalog."""
    catalog, head = crowd(), cold(HEAD, 0)
    ranked = ranked_for(viewer("p1", "f2"), catalog, head)
    before = contents(catalog), head.linear.weights.copy(), ranked.scored.inputs.items.copy(), ranked.best.copy()
    teach(ranked, chosen(catalog, "f9", "p3"), head, HEAD)

    assert contents(catalog) == before[0]
    np.testing.assert_array_equal(head.linear.weights, before[1])
    np.testing.assert_array_equal(ranked.scored.inputs.items, before[2])
    np.testing.assert_array_equal(ranked.best, before[3])


def test_what_was_ranked_is_good_after_the_next_user():
    """The head may learn from it after others had their lists in the same workspace."""
    catalog, head, workspace = crowd(), cold(HEAD, 0), Workspace()
    ranked = ranked_for(viewer("p1", "f2"), catalog, head, workspace=workspace)
    expected = teach(ranked, chosen(catalog, "f9"), head, HEAD)
    ranked_for(viewer("p9"), catalog, head, workspace=workspace)
    late = teach(ranked, chosen(catalog, "f9"), head, HEAD)

    np.testing.assert_array_equal(late.linear.weights, expected.linear.weights)
    np.testing.assert_array_equal(late.network.of_items, expected.network.of_items)


def test_an_answer_says_what_it_was_made_on_and_counts_its_items():
    """Time is the events': of the newest that anything has seen."""
    catalog, exposures = crowd(), Exposures()
    last = arrivals([happened(NOW_MS - 7, "p1", Kind.CLICK)])[0]
    sent = answer(last, folded([last]), catalog, POPULAR, Workspace(), exposures, RankingConfig(n=3), policy="p")

    assert (sent.user_id, sent.policy, sent.generated_at_ms) == ("u", "p", NOW_MS)
    assert sent.as_of == AsOf("clicks", 0, 0, last.event.event_id, NOW_MS - 7)
    assert sent.seen == {"clicks": 0}
    rows = np.array([catalog.find(item.item_id) for item in sent.items])
    assert exposures.of(rows).tolist() == [1, 1, 1]
    assert exposures.of(np.array([catalog.find("p29")])).tolist() == [0]


def test_requests_have_random_numbers_of_their_own():
    """The same for the same seed and request, whatever came before."""
    keys = [(seed, request) for seed in (0, 1) for request in "ab"]
    drawn = [draws(*key) for key in keys]

    assert len({number for numbers in drawn for number in numbers}) == 8
    assert [draws(*key) for key in keys] == drawn


def test_random_numbers_are_uniform_and_independent():
    """Of 4,000 requests 250 in each sixteenth of the unit square, within 5 standard deviations."""
    drawn = np.array([draws(0, str(request)) for request in range(4000)])
    counts, _, _ = np.histogram2d(drawn[:, 0], drawn[:, 1], bins=4, range=[(0, 1), (0, 1)])

    assert (drawn >= 0).all() and (drawn < 1).all()
    assert counts == pytest.approx(np.full((4, 4), 250), abs=5 * np.sqrt(250))


@pytest.mark.parametrize(
    ("ranking", "head"), [({"n": 5}, {}), ({"seed": 1}, {}), ({"diversity": 0.1}, {}), ({}, {"rate": 0.1})]
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
