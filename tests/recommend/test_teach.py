"""From what was chosen to a better head."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Interaction, Kind
from stream_rec.ranking.action_weights import ActionWeight
from stream_rec.ranking.drift import DriftWatch
from stream_rec.ranking.fresh_choices import fresh_share
from stream_rec.ranking.head import cold
from stream_rec.ranking.policy import HeadConfig
from stream_rec.recommend.learn import learn, teach
from stream_rec.retrieval.candidates import Workspace
from stream_rec.user.state import COLD
from tests.catalog.stock import contents, stocked, taught
from tests.recommend.lists import NOW_MS, crowd, ranked_for, viewer

HEAD = HeadConfig(hidden=4)


def chosen(catalog: Catalog, *item_ids: str, weight: float = 1.0) -> list[tuple[int, float]]:
    return [(catalog.find(item_id), weight) for item_id in item_ids]


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
    assert teach(nothing, [(0, 1.0)], head, HEAD) is head


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
    np.testing.assert_array_equal(mixed.of_all.linear.weights, alone.of_all.linear.weights)
    assert mixed.n_choices == 1


def test_a_kind_of_weight_zero_teaches_nothing():
    """An app may not want to learn from views."""
    catalog, head = crowd(), cold(HEAD, 0)
    config = HeadConfig(hidden=4, view_weight=0, click_weight=3)
    ranked = ranked_for(COLD, catalog, head)
    viewed = teach(ranked, chosen(catalog, "p1", weight=config.weigh(Kind.VIEW)), head, config)
    both = [*chosen(catalog, "p1", weight=0.0), *chosen(catalog, "p2", weight=config.weigh(Kind.CLICK))]

    assert viewed.of_all is head.of_all
    assert teach(ranked, both, head, config).n_choices == 1


def test_an_action_of_an_apps_own_counts_as_declared():
    """In place of its kind, and only where the context says it as a text."""
    config = HeadConfig(action_weights={"wished": 3.5, "removed": 0.0})

    def weight_of(**context: object) -> float:
        return config.weigh(Kind.CLICK, Interaction("e", "ann", "tea", 1000, context=context))

    assert [weight_of(action=said) for said in ("wished", "removed", "scrolled", ["wished"])] == [3.5, 0.0, 2.0, 2.0]
    assert weight_of() == 2.0


def test_a_fresh_choice_teaches_the_fresh_head_among_fresh_items():
    """A popular one does not."""
    catalog, head = crowd(), cold(HEAD, 0)
    ranked = ranked_for(COLD, catalog, head)
    assert [catalog.item_ids[row] for row in ranked.candidates.rows[ranked.fresh]] == [f"f{n}" for n in range(15)]
    newest = teach(ranked, chosen(catalog, "f14", "p3"), head, HEAD)
    oldest = teach(ranked, chosen(catalog, "p3", "f0"), head, HEAD)

    inputs = ranked.fresh_scored.inputs
    assert newest.score_fresh(inputs).log_p.argmax() == 14
    assert oldest.score_fresh(inputs).log_p.argmax() == 0
    popular = teach(ranked, chosen(catalog, "p3"), head, HEAD)
    assert popular.of_fresh.linear is head.of_fresh.linear and popular.of_fresh.networks is head.of_fresh.networks


def test_what_share_of_choices_is_fresh_is_learned():
    """By length of history: a stranger's choices say nothing of a user with events."""
    catalog, head = crowd(), cold(HEAD, 0)
    ranked = ranked_for(COLD, catalog, head)
    fresh = teach(ranked, chosen(catalog, "f3"), head, HEAD).fresh_choices
    other = teach(ranked, chosen(catalog, "p3"), head, HEAD).fresh_choices

    assert fresh_share(fresh, 0) > fresh_share(head.fresh_choices, 0) > fresh_share(other, 0)
    assert fresh_share(fresh, 1) == fresh_share(head.fresh_choices, 1)


def test_teaching_leaves_everything_as_it_was():
    """State in, state out: the head, what was ranked, and the catalog."""
    catalog, head = crowd(), cold(HEAD, 0)
    ranked = ranked_for(viewer("p1", "f2"), catalog, head)
    before = contents(catalog), head.of_all.linear.weights.copy(), ranked.scored.inputs.items.copy(), ranked.best.copy()
    teach(ranked, chosen(catalog, "f9", "p3"), head, HEAD)

    assert contents(catalog) == before[0]
    np.testing.assert_array_equal(head.of_all.linear.weights, before[1])
    np.testing.assert_array_equal(ranked.scored.inputs.items, before[2])
    np.testing.assert_array_equal(ranked.best, before[3])


def test_what_was_ranked_is_good_after_the_next_user():
    """The head may learn from it after others had their lists in the same workspace."""
    catalog, head, workspace = crowd(), cold(HEAD, 0), Workspace()
    ranked = ranked_for(viewer("p1", "f2"), catalog, head, workspace=workspace)
    expected = teach(ranked, chosen(catalog, "f9"), head, HEAD)
    ranked_for(viewer("p9"), catalog, head, workspace=workspace)
    late = teach(ranked, chosen(catalog, "f9"), head, HEAD)

    np.testing.assert_array_equal(late.of_all.linear.weights, expected.of_all.linear.weights)
    np.testing.assert_array_equal(late.of_all.networks.of_items, expected.of_all.networks.of_items)


def test_a_type_that_nobody_declared_counts_as_was_learned():
    """Of a group with several types each answers for its own part; one that is declared is not learned of."""
    catalog, config = crowd(), HeadConfig(hidden=4, action_weights={"wished": 3.0})
    known = {"played": ActionWeight(log_factor=np.log(0.25))}
    head = replace(cold(config, 0), of_actions=known)
    said = {"p1": "played", "p2": "wished", "p3": "scrolled", "p4": None}
    events = [
        (Kind.VIEW, Interaction(item, "u", item, NOW_MS, context={} if action is None else {"action": action}))
        for item, action in said.items()
    ]
    ranked = ranked_for(COLD, catalog, head)
    learned, _ = learn(ranked, events, catalog, head, DriftWatch(0), config)

    weights = {"p1": 0.25, "p2": 3.0, "p3": 1.0, "p4": 1.0}
    plain = teach(ranked, [(catalog.find(item), weight) for item, weight in weights.items()], head, config)
    np.testing.assert_array_equal(learned.of_all.linear.weights, plain.of_all.linear.weights)
    moved = learned.of_all.linear.weights - head.of_all.linear.weights
    assert list(learned.of_actions) == ["played", "scrolled"]
    np.testing.assert_allclose(learned.of_actions["played"].trace, 0.25 / 5.25 * moved)
    np.testing.assert_allclose(learned.of_actions["scrolled"].trace, 1.0 / 5.25 * moved)
