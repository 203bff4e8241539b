"""Promotions of a request: in their slots, under the owner's rules."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.promotion import Promotion, find_fault
from stream_rec.events.rule import Target
from stream_rec.events.slate import SlateItem
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend.make_list import recommend
from stream_rec.user.state import COLD, UserState
from tests.recommend.lists import ITEMS, PLAIN, POPULAR, SHARED, catalogs, configs, crowd, heads, ranked_for
from tests.recommend.test_rules import allowed, events, history, matches, rule, rule_sets, ruled

FIVE = msgspec.structs.replace(PLAIN, n=5)


def promoting(
    catalog: Catalog, *promotions: Promotion, config: RankingConfig = FIVE, user: UserState = COLD, head=POPULAR
) -> list[SlateItem]:
    ranked = ranked_for(user, catalog, head, workspace=SHARED)
    return recommend(ranked, catalog, head, config, Exposures(), "1", promotions=promotions)


def ids(items: list[SlateItem]) -> list[str]:
    return [item.item_id for item in items]


def test_the_best_of_a_promotion_take_its_slots():
    """And say by which; all others stand as they were."""
    made = promoting(crowd(), Promotion("sale", ["p20", "p10", "p15"], [4, 2]), Promotion("new", ["f3"], [5]))

    assert ids(made) == ["p0", "p10", "p1", "p15", "f3"]
    assert [item.reason.promotion for item in made] == [None, "sale", None, "sale", "new"]
    assert all(item.reason.rule is None and item.propensity == 1.0 for item in made)


def test_what_is_promoted_though_it_leads_anyhow_goes_down_to_its_slot():
    """A slot is a place, not a rank that is at least had; behind the end of the list there is none."""
    assert ids(promoting(crowd(), Promotion("a", ["p0"], [3]))) == ["p1", "p2", "p0", "p3", "p4"]
    beyond = promoting(crowd(), Promotion("a", ["p9", "p8", "p7"], [400, 5, 6]))
    assert ids(beyond) == ["p0", "p1", "p2", "p3", "p7"] and beyond[4].reason.promotion == "a"


def test_the_first_promotion_has_the_item():
    """The other has its next one; with no other its slot is like any."""
    made = promoting(
        crowd(), Promotion("a", ["p7"], [1]), Promotion("b", ["p7", "p8"], [2]), Promotion("c", ["p8"], [3])
    )

    assert ids(made) == ["p7", "p8", "p0", "p1", "p2"]
    assert [item.reason.promotion for item in made[:3]] == ["a", "b", None]


def test_the_owner_comes_first():
    """What is banned is not shown, whoever promotes it, what is capped not too often, and a pinned slot stays so."""
    catalog = ruled(
        rule("ban", Target(item_ids=["p20"]), "ban"),
        rule("cap", Target(item_ids=["p10", "p11", "p12"]), "cap", count=1),
        rule("pin", Target(item_ids=["p30", "p29"]), "pin", slot=2),
        catalog=crowd(),
    )
    made = promoting(catalog, Promotion("a", ["p20"], [1]), Promotion("b", ["p12", "p10", "p11", "p13"], [2, 3]))

    assert ids(made) == ["p0", "p29", "p13", "p10", "p1"]  # p10 was to stand where the pin is
    assert [(i.reason.rule, i.reason.promotion) for i in made[1:4]] == [("pin", None), (None, "b"), (None, "b")]


@pytest.mark.parametrize(
    ("promotions", "said"),
    [
        ([Promotion("a", ["p1"], [2, 2])], "slot 2 is promised twice"),
        ([Promotion("a", ["p1"], [2]), Promotion("b", ["p2"], [1, 2])], "slot 2 is promised twice"),
        ([Promotion("a", ["p1", "nowhere"], [1])], "item 'nowhere' of promotion 'a' is not among `item_ids`"),
        ([], None),
        ([Promotion("a", ["p1", "p1"], [1]), Promotion("b", ["p1"], [2])], None),
    ],
)
def test_what_cannot_be_promoted_has_a_reason(promotions: list[Promotion], said: str | None):
    """Or none where it can."""
    assert find_fault(promotions, ["p1", "p2"]) == said


promotion_sets = st.lists(
    st.tuples(
        st.lists(st.sampled_from([*ITEMS, "gone"]), min_size=1, max_size=4),
        st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    ),
    max_size=3,
).map(lambda drawn: [Promotion(f"promotion {n}", *each) for n, each in enumerate(drawn)])


@settings(max_examples=300, deadline=None)
@given(catalog=catalogs(), rules=rule_sets, promotions=promotion_sets, past=events, config=configs, head=heads)
def test_no_rule_is_broken_for_a_promotion(catalog, rules, promotions, past, config, head):
    """Nothing is shown that may not be, or more often than a cap allows; what is pinned is still there."""
    rules = [each for each in rules if each.scope is None]
    ruled(*rules, catalog=catalog)
    user = history(past)
    made = promoting(catalog, *promotions, config=config, user=user, head=head)
    shown = ids(made)
    holding = [each for each in rules if each.ends_ms is None or each.ends_ms > catalog.now_ms]
    holding = [each for each in holding if each.starts_ms <= catalog.now_ms]

    assert len(shown) == len(set(shown)) <= config.n
    assert set(shown) <= allowed(catalog, holding, past, None)
    for cap in (each for each in holding if each.action == "cap"):
        assert sum(matches(cap.target, catalog.item(catalog.find(item_id))) for item_id in shown) <= cap.count
    pins = {each.rule_id for each in holding if each.action == "pin"}
    without = {i.item_id for i in promoting(catalog, config=config, user=user, head=head) if i.reason.rule in pins}
    assert without <= {item.item_id for item in made if item.reason.rule in pins}
    by_label = {each.label: set(each.item_ids) for each in promotions}
    for item in made:
        assert item.reason.promotion is None or item.item_id in by_label[item.reason.promotion]


@settings(max_examples=200, deadline=None)
@given(catalog=catalogs(), promotions=promotion_sets, past=events, config=configs, head=heads)
def test_without_rules_every_slot_that_can_be_filled_is(catalog, promotions, past, config, head):
    """In a list that is long enough, each promotion's candidates are in its own slots, as many as there are of both."""
    slots = [slot for each in promotions for slot in each.slots]
    if len(set(slots)) < len(slots):
        return
    user = history(past)
    made = promoting(catalog, *promotions, config=config, user=user, head=head)
    if len(made) < config.n or max(slots, default=0) > config.n:
        return
    ranked = ranked_for(user, catalog, head, workspace=SHARED)
    candidates = {catalog.item_ids[row] for row in ranked.candidates.rows[ranked.best].tolist()}
    taken: set[str] = set()
    for each in promotions:
        items = (set(each.item_ids) & candidates) - taken
        n = min(len(each.slots), len(items))
        placed = [made[slot - 1] for slot in sorted(each.slots)[:n]]
        assert [item.reason.promotion for item in placed] == [each.label] * n
        taken |= {item.item_id for item in placed}
