"""Lists under the owner's rules: none is ever broken, whatever the catalog, the user, the head and the settings."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog.catalog import Catalog
from stream_rec.events.interaction import Kind
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target, find_fault
from stream_rec.events.scope import Arm, Scope, Segment
from stream_rec.ranking.exposures import Exposures
from stream_rec.ranking.policy import RankingConfig
from stream_rec.recommend.make_list import recommend
from stream_rec.retrieval.scope import NOBODYS, is_in_arm
from stream_rec.user.state import COLD, UserState
from tests.catalog.stock import stocked, taught
from tests.recommend.lists import (
    ITEMS,
    NOW_MS,
    PLAIN,
    POPULAR,
    SHARED,
    catalogs,
    configs,
    crowd,
    heads,
    listed,
    made,
    ranked_for,
    viewer,
)
from tests.user.histories import arrivals, folded, happened

DAY_MS = 86_400_000
TOP = ["p0", "p1", "p2", "p3", "p4"]
GONE = Item("of no record", category="none")
FIVE = msgspec.structs.replace(PLAIN, n=5)

targets = st.one_of(
    st.builds(Target, item_ids=st.lists(st.sampled_from(ITEMS), min_size=1, max_size=3, unique=True)),
    st.builds(Target, category=st.sampled_from("abc")),
    st.builds(Target, item_ids=st.lists(st.sampled_from(ITEMS), max_size=5), category=st.sampled_from("abc")),
)
counts = st.integers(0, 4)
times = {"starts_ms": st.sampled_from([0, NOW_MS, NOW_MS + 1]), "ends_ms": st.sampled_from([None, NOW_MS, NOW_MS + 1])}
actions = st.one_of(
    st.fixed_dictionaries({"action": st.just("ban"), "target": targets, **times}),
    st.fixed_dictionaries(
        {
            "action": st.just("exclude"),
            "target": st.one_of(st.just(Target()), targets),
            "relation": st.sampled_from(["seen", "bought"]),
            "within_days": st.sampled_from([None, 1.0]),
            "whole_target": st.booleans(),
            "spares": st.one_of(st.none(), targets),
            **times,
        }
    ),
    st.fixed_dictionaries(
        {
            "action": st.just("exclude"),
            "target": targets,
            "relation": st.just("underage"),
            "min_age": st.sampled_from([16, 18]),
            **times,
        }
    ),
    st.fixed_dictionaries({"action": st.just("expose"), "target": targets, "share": st.sampled_from([0.05, 0.5])}),
    st.fixed_dictionaries({"action": st.sampled_from(["cap", "floor"]), "target": targets, "count": counts, **times}),
    st.fixed_dictionaries(
        {
            "action": st.just("pin"),
            "target": st.builds(Target, item_ids=st.lists(st.sampled_from(ITEMS), min_size=1, max_size=2)),
            "slot": st.integers(1, 9),
        }
    ),
    st.fixed_dictionaries(
        {
            "action": st.just("boost"),
            "target": targets,
            "factor": st.sampled_from([0.01, 0.5, 3.0, 100.0]),
            "ends_ms": st.just(NOW_MS + 1),
        }
    ),
)
scopes = st.builds(
    Scope,
    surfaces=st.sampled_from([[], [], ["home"], ["new", "x"]]),
    segment=st.one_of(
        st.none(),
        st.builds(
            Segment,
            events_min=st.sampled_from([None, 1, 3]),
            events_max=st.sampled_from([None, 0, 4]),
            idle_days_min=st.sampled_from([None, 1.0]),
            idle_days_max=st.sampled_from([None, 2.0]),
            bought_category=st.sampled_from(["", "", "a"]),
        ),
    ),
    arm=st.sampled_from([None, Arm("one", (0, 50)), Arm("one", (50, 100)), Arm("two", (0, 100))]),
)
rule_sets = (
    st.lists(st.tuples(actions, st.one_of(st.none(), scopes)), max_size=6)
    .map(
        lambda drawn: [
            Rule(f"r{n}", author="a", reason="n", scope=scope, **fields) for n, (fields, scope) in enumerate(drawn)
        ]
    )
    .map(lambda rules: [rule for rule in rules if find_fault(rule) is None])
)
events = st.lists(
    st.tuples(st.sampled_from(ITEMS), st.sampled_from(list(Kind)), st.integers(0, 3 * DAY_MS)), max_size=8
)


def rule(action: str, target: Target | None = None, rule_id: str = "r", **fields: object) -> Rule:
    made_up = Rule(rule_id, action, author="ann", reason="a test", target=target or Target(), **fields)
    assert find_fault(made_up) is None
    return made_up


def ruled(*rules: Rule, catalog: Catalog | None = None) -> Catalog:
    """Return the crowd's catalog, or another, under some rules."""
    catalog = catalog or crowd()
    for each in rules:
        catalog.put_rule(each)
    catalog.see_time(NOW_MS)  # as a recommender does
    return catalog


def history(past: list[tuple[str, Kind, int]]) -> UserState:
    return folded(arrivals([happened(NOW_MS - ago_ms, item_id, kind) for item_id, kind, ago_ms in past]))


def matches(target: Target, item: Item) -> bool:
    return (not target.item_ids or item.item_id in target.item_ids) and target.category in ("", item.category)


def allowed(catalog: Catalog, rules: list[Rule], past: list[tuple[str, Kind, int]], age: int | None) -> set[str]:
    """Return what may be shown: available, not banned, and excluded by nothing that the user did or is."""
    items = {item.item_id: item for row in range(len(catalog)) if (item := catalog.item(row)) and item.available}
    left = set(items)
    for each in rules:
        about = {item_id for item_id, item in items.items() if matches(each.target, item)}
        if each.action == "ban":
            left -= about
        elif each.min_age is not None:
            left -= set() if age is not None and age >= each.min_age else about
        elif each.action == "exclude":
            reach_ms = NOW_MS if each.within_days is None else each.within_days * DAY_MS
            had = {
                item_id
                for item_id, kind, ago_ms in past
                if ago_ms <= reach_ms and (each.relation == "seen" or kind == Kind.PURCHASE)
            }
            spared = {item_id for item_id in had if each.spares and matches(each.spares, items.get(item_id, GONE))}
            left -= about if each.whole_target and any_about(had, catalog, each) else (about & had) - spared
    return left


def any_about(had: set[str], catalog: Catalog, each: Rule) -> bool:
    records = [catalog.item(row) or Item(item_id) for item_id in had if (row := catalog.find(item_id)) is not None]
    return any(matches(each.target, record) for record in records)


@settings(max_examples=300, deadline=None)
@given(
    catalog=catalogs(),
    rules=rule_sets,
    past=events,
    config=configs,
    head=heads,
    surface=st.sampled_from(["home", "new"]),
    age=st.sampled_from([None, 15, 16, 40]),
)
def test_no_rule_is_ever_broken(catalog, rules, past, config, head, surface, age):
    """By an oracle that sees the list, the records and the rules alone; what yields does so in the documented order."""
    ruled(*rules, catalog=catalog)
    holding = [
        each
        for each in rules
        if each.starts_ms <= NOW_MS
        and (each.ends_ms is None or each.ends_ms > NOW_MS)
        and (each.scope is None or is_in(each.scope, surface, past, catalog))
    ]
    items = made(history(past), catalog, config, head, workspace=SHARED, surface=surface, age=age)
    shown = [item.item_id for item in items]
    record = {item_id: catalog.item(catalog.find(item_id)) for item_id in shown}
    may_be_shown = allowed(catalog, holding, past, age)

    def count(limit: Rule, item_ids: list[str]) -> int:
        records = [catalog.item(catalog.find(item_id)) for item_id in item_ids]
        return sum(matches(limit.target, each) for each in records)

    assert len(shown) == len(set(shown)) <= config.n
    assert set(shown) <= may_be_shown
    caps = [each for each in holding if each.action == "cap"]
    assert [cap for cap in caps if count(cap, shown) > cap.count] == []

    pinned: list[str] = []
    slots: dict[int, str] = {}
    for pin in sorted((each for each in holding if each.action == "pin"), key=lambda each: (each.slot, each.rule_id)):
        item_id = next((each for each in pin.target.item_ids if each in may_be_shown), None)
        if item_id is None or item_id in pinned or len(pinned) == config.n:
            continue
        if any(
            count(cap, [*pinned, item_id]) > cap.count
            for cap in caps
            if matches(cap.target, record_of(catalog, item_id))
        ):
            continue
        pinned.append(item_id)
        slot = min(pin.slot, config.n) - 1
        while slot in slots:
            slot = (slot + 1) % config.n
        slots[slot] = item_id
    for slot, item_id in slots.items():
        assert item_id in shown
        assert shown.index(item_id) == slot or len(shown) < config.n
        assert items[shown.index(item_id)].propensity == 1.0
    floors = [each for each in holding if each.action == "floor"]
    for floor in floors:
        if count(floor, shown) >= floor.count:
            continue
        dispensable = [
            item_id
            for item_id in shown
            if item_id not in pinned
            and all(not matches(each.target, record[item_id]) or count(each, shown) > each.count for each in floors)
        ]
        spare = [
            item_id
            for item_id in may_be_shown - set(shown)
            if matches(floor.target, record_of(catalog, item_id))
            and all(count(cap, [*shown, item_id]) <= cap.count for cap in caps)
        ]
        assert not spare or (len(shown) == config.n and not dispensable), floor


def is_in(scope: Scope, surface: str, past: list[tuple[str, Kind, int]], catalog: Catalog) -> bool:
    """Return whether the list is in a scope: of user "u", whom `one` draws in its first half, as it must for ever."""
    if scope.surfaces and surface not in scope.surfaces:
        return False
    if scope.arm is not None and scope.arm.percent == (50, 100):
        return False
    segment, n_events = scope.segment or Segment(), len(set(past))
    idle_days = min((ago_ms for _, _, ago_ms in past), default=None)
    if (least := segment.idle_days_min) is not None and (idle_days is None or idle_days < least * DAY_MS):
        return False
    if (most := segment.idle_days_max) is not None and (idle_days is None or idle_days > most * DAY_MS):
        return False
    bought = {item_id for item_id, kind, _ in past if kind == Kind.PURCHASE}
    records = [catalog.item(row) for item_id in bought if (row := catalog.find(item_id)) is not None]
    return (
        n_events >= (segment.events_min or 0)
        and n_events <= (99 if segment.events_max is None else segment.events_max)
        and (not segment.bought_category or any(item and item.category == segment.bought_category for item in records))
    )


def record_of(catalog: Catalog, item_id: str) -> Item:
    return catalog.item(catalog.find(item_id))


@settings(max_examples=50, deadline=None)
@given(catalog=catalogs(), past=events, config=configs, head=heads)
def test_without_rules_and_under_ended_ones_lists_are_the_same(catalog, past, config, head):
    """To the bit."""
    before = made(history(past), catalog, config, head, workspace=SHARED)
    ruled(rule("ban", Target(item_ids=ITEMS), ends_ms=NOW_MS - 9 * DAY_MS), catalog=catalog)

    assert made(history(past), catalog, config, head, workspace=SHARED) == before
    catalog.delete_rule("r")
    assert made(history(past), catalog, config, head, workspace=SHARED) == before


def test_what_is_banned_is_in_no_list_until_the_ban_ends():
    """At once, of a category too, and of an item that comes later."""
    catalog = ruled(rule("ban", Target(item_ids=["p0", "p2"])), rule("ban", Target(category="toys"), "toys"))
    catalog.put_item(Item("p1", category="toys"))
    assert listed(COLD, catalog, FIVE, POPULAR) == ["p3", "p4", "p5", "p6", "p7"]

    catalog.delete_rule("r")
    catalog.delete_rule("toys")
    assert listed(COLD, catalog, FIVE, POPULAR) == TOP


def test_a_ban_begins_and_ends_with_the_events_time():
    """Also for lists that are published already, which are cut by what is listed."""
    catalog = ruled(rule("ban", Target(item_ids=["p0"]), starts_ms=NOW_MS + 1, ends_ms=NOW_MS + 3))
    row = catalog.find("p0")
    assert catalog.is_listed[row]
    for now_ms, is_listed in ((1, False), (2, False), (3, True)):
        catalog.put_knowledge("p9", taught(NOW_MS + now_ms))
        assert catalog.is_listed[row] == is_listed


def test_another_ban_of_the_same_id_lets_back_what_it_no_longer_names():
    """The newest record is the rule."""
    catalog = ruled(rule("ban", Target(item_ids=["p0"])), rule("ban", Target(item_ids=["p1"])))

    assert listed(COLD, catalog, FIVE, POPULAR) == ["p0", "p2", "p3", "p4", "p5"]


def test_a_pin_stands_in_its_slot_and_says_so():
    """The first of its items that may be shown, whether it would have been found or not."""
    catalog = ruled(rule("pin", Target(item_ids=["gone", "p29"]), slot=2))
    items = made(COLD, catalog, FIVE, POPULAR)

    assert [item.item_id for item in items] == ["p0", "p29", "p1", "p2", "p3"]
    assert [item.reason.rule for item in items] == [None, "r", None, None, None]


def test_two_pins_for_one_slot_stand_side_by_side():
    """The lower id first; beyond the end of the list is its end."""
    pins = [rule("pin", Target(item_ids=[f"p{n}"]), f"r{n}", slot=slot) for n, slot in ((9, 1), (8, 1), (7, 100))]

    assert listed(COLD, ruled(*pins), FIVE, POPULAR) == ["p8", "p9", "p0", "p1", "p7"]


def test_a_list_of_pins_has_nothing_else():
    """More pins than slots: those of the first slots."""
    pins = [rule("pin", Target(item_ids=[f"p{n + 10}"]), f"r{n}", slot=n + 1) for n in range(6)]

    assert listed(COLD, ruled(*pins), FIVE, POPULAR) == ["p10", "p11", "p12", "p13", "p14"]


def test_a_cap_leaves_the_best_of_its_items():
    """The next others take the slots; a pin counts."""
    assert listed(COLD, ruled(rule("cap", Target(item_ids=TOP), count=2)), FIVE, POPULAR) == [
        "p0",
        "p1",
        "p5",
        "p6",
        "p7",
    ]

    catalog = ruled(rule("cap", Target(item_ids=TOP), count=1), rule("pin", Target(item_ids=["p4"]), "pin", slot=3))
    assert listed(COLD, catalog, FIVE, POPULAR) == ["p5", "p6", "p4", "p7", "p8"]


def test_a_floor_takes_the_last_slots_for_its_best_items():
    """Those that no floor needs make way; what is there by itself counts."""
    target = Target(item_ids=["p0", "p20", "p25", "f3"])
    items = made(COLD, ruled(rule("floor", target, count=3)), FIVE, POPULAR)

    assert [item.item_id for item in items] == ["p0", "p1", "p2", "p20", "p25"]
    assert [item.reason.rule for item in items] == [None, None, None, "r", "r"]


def test_a_floor_finds_items_that_no_source_proposes():
    """Without events or text: they are listed, and the owner wants them seen."""
    catalog = ruled(rule("floor", Target(category="new"), count=2))
    for n in range(4):
        catalog.put_item(Item(f"n{n}", category="new", available=n != 1))

    assert listed(COLD, catalog, FIVE, POPULAR) == [*TOP[:3], "n2", "n0"]


def test_a_boost_multiplies_how_likely_an_item_is():
    """The strongest of several is named; a burden lets others pass."""
    end = {"ends_ms": NOW_MS + 1}
    boosts = [
        rule("boost", Target(item_ids=["p9"]), "small", factor=1.5, **end),
        rule("boost", Target(item_ids=["p9"]), "large", factor=100.0, **end),
        rule("boost", Target(item_ids=["p0"]), "burden", factor=0.01, **end),
    ]
    items = made(COLD, ruled(*boosts), FIVE, POPULAR)

    assert [item.item_id for item in items] == ["p9", "p1", "p2", "p3", "p4"]
    assert items[0].reason.rule == "large"
    plain = {item.item_id: item.score for item in made(COLD, crowd(), RankingConfig(n=20), POPULAR)}
    np.testing.assert_allclose(items[0].score, 150 * plain["p9"], rtol=1e-3)


def test_what_was_bought_is_excluded_for_a_while():
    """Its views are not; of another user it is not."""
    bought = history([("p0", Kind.PURCHASE, DAY_MS), ("p1", Kind.VIEW, DAY_MS)])
    catalog = ruled(rule("exclude", relation="bought", within_days=2.0))
    assert shown(bought, catalog).isdisjoint({"p0"}) and "p1" in shown(bought, catalog)
    assert "p0" in shown(viewer("p0"), catalog)

    catalog = ruled(rule("exclude", relation="bought", within_days=0.5))
    assert "p0" in shown(bought, catalog)
    catalog = ruled(rule("exclude", relation="seen"))
    assert shown(bought, catalog).isdisjoint({"p0", "p1"})


def test_milk_is_offered_again():
    """An exclude of all that was bought spares what its owner says is bought again and again."""
    bought = history([("p0", Kind.PURCHASE, DAY_MS), ("p1", Kind.PURCHASE, DAY_MS)])
    catalog = crowd()
    catalog.put_item(Item("p1", attributes={"repeatable": True}))
    ruled(rule("exclude", relation="bought", spares=Target(attributes={"repeatable": "true"})), catalog=catalog)

    assert "p0" not in shown(bought, catalog) and "p1" in shown(bought, catalog)
    catalog.put_item(Item("p1", attributes={"repeatable": False}))
    assert "p1" not in shown(bought, catalog)


def test_one_washing_machine_is_enough():
    """With ``whole_target`` one item bought keeps all like it from the list, and nothing from others'."""
    machines = Target(item_ids=["p1", "p2", "p3"])
    catalog = ruled(rule("exclude", machines, relation="bought", whole_target=True))

    assert shown(history([("p2", Kind.PURCHASE, 0)]), catalog).isdisjoint(machines.item_ids)
    assert shown(history([("p0", Kind.PURCHASE, 0)]), catalog) >= set(machines.item_ids)


def test_what_is_not_for_the_young_is_kept_from_whose_age_is_not_known():
    """In years; also where it is pinned."""
    wine = Target(item_ids=["p0"])
    catalog = ruled(
        rule("exclude", wine, relation="underage", min_age=18), rule("pin", wine, "pin", slot=1), catalog=crowd()
    )
    firsts = {age: made(COLD, catalog, FIVE, POPULAR, age=age)[0].item_id for age in (None, 0, 17, 18, 80)}

    assert firsts == {None: "p1", 0: "p1", 17: "p1", 18: "p0", 80: "p0"}


def shown(user: UserState, catalog: Catalog) -> set[str]:
    return set(listed(user, catalog, PLAIN, POPULAR))


def test_exploring_never_displaces_what_a_floor_needs():
    """With half of all slots exploring, and every request."""
    catalog = ruled(
        rule("floor", Target(item_ids=["p3", "p4"]), count=2), rule("cap", Target(item_ids=["f0"]), "c", count=0)
    )
    config = msgspec.structs.replace(PLAIN, n=5, explore_share=0.5)
    for request in range(30):
        items = {item.item_id: item for item in made(COLD, catalog, config, POPULAR, request=str(request))}
        assert len(items) == 5 and {"p3", "p4"} <= set(items) and "f0" not in items
        assert any(item.reason.kind == "explore" for item in items.values())


def test_rules_teach_nothing():
    """What a ranking is learned from is what it was without them, but for what pins and floors add."""
    catalog = stocked(*ITEMS)
    for n, item_id in enumerate(ITEMS):
        catalog.put_knowledge(item_id, taught(*range(NOW_MS - n - 1, NOW_MS)))
    before = ranked_for(viewer("i0"), catalog)
    ruled(
        rule("ban", Target(item_ids=["gone"]), "b"),
        rule("boost", Target(item_ids=["i1"]), factor=9.0, ends_ms=NOW_MS + 9),
        catalog=catalog,
    )
    after = ranked_for(viewer("i0"), catalog)

    np.testing.assert_array_equal(after.scored.log_p, before.scored.log_p)
    np.testing.assert_array_equal(after.best, before.best)


def test_an_item_is_ranked_by_its_own_boost():
    """As if so many times as likely; together with boosts, and gone with its record."""
    catalog = crowd()
    catalog.put_item(Item("p9", boost=100.0))
    catalog.put_item(Item("p0", boost=0.01))
    assert listed(COLD, catalog, FIVE, POPULAR) == ["p9", "p1", "p2", "p3", "p4"]
    assert {item.reason.rule for item in made(COLD, catalog, FIVE, POPULAR)} == {None}

    ruled(rule("boost", Target(item_ids=["p9"]), factor=0.01, ends_ms=NOW_MS + 1), catalog=catalog)
    assert "p9" not in listed(COLD, catalog, FIVE, POPULAR)
    for item_id in ("p0", "p9"):
        catalog.put_item(Item(item_id))
    catalog.delete_rule("r")
    assert listed(COLD, catalog, FIVE, POPULAR) == TOP and not catalog.has_boosts


def test_what_must_be_exposed_gets_its_share_over_time():
    """Of a hundred lists a tenth of the slots, evenly; the best of its items, named; and no more once it has it."""
    catalog = ruled(rule("expose", Target(item_ids=[f"p{n}" for n in range(20, 30)]), share=0.1))
    exposures, shares = Exposures(), []
    for number in range(200):
        items = recommend(ranked_for(COLD, catalog, POPULAR), catalog, POPULAR, FIVE, exposures, str(number))
        exposed = [item for item in items if int(item.item_id[1:]) >= 20]
        assert [item.reason.rule for item in exposed] == ["r"] * len(exposed)
        exposures.add(np.array([catalog.find(item.item_id) for item in items]))
        shares.append(len(exposed) / 5)

    assert 0.09 < np.mean(shares[:100]) < 0.11 and 0.09 < np.mean(shares[100:]) < 0.11
    assert set(shares) == {0.0, 0.2}


def test_what_is_shown_enough_by_itself_is_not_moved():
    """An `expose` is a floor, not a quota."""
    catalog = ruled(rule("expose", Target(item_ids=["p0", "p1"]), share=0.3))
    exposures = Exposures()
    for number in range(50):
        items = recommend(ranked_for(COLD, catalog, POPULAR), catalog, POPULAR, FIVE, exposures, str(number))
        exposures.add(np.array([catalog.find(item.item_id) for item in items]))
        assert [item.item_id for item in items] == TOP


@pytest.mark.parametrize(("n", "share", "count"), [(20, 0.005, 5), (10, 0.05, 6), (10, 0.2, 4), (10, 1.0, 10)])
def test_a_floor_holds_however_much_is_explored(n, share, count):
    """Also where all of the list's end is of it: whoever is kept back puts the one before at risk."""
    wanted = {f"p{number}" for number in range(n - count, n)}
    catalog = ruled(rule("floor", Target(item_ids=sorted(wanted)), count=count))
    config = msgspec.structs.replace(PLAIN, n=n, explore_share=share)
    for request in range(200):
        items = made(COLD, catalog, config, POPULAR, request=str(request))
        assert len(wanted & {item.item_id for item in items}) == count


def test_a_pin_without_a_rival_stands_in_its_slot():
    """Who makes way for a lower id takes a slot that is nobody's; and the second of a pin's items stands in."""
    pins = [rule("pin", Target(item_ids=[f"p{n}"]), f"r{n}", slot=slot) for n, slot in ((10, 1), (11, 1), (12, 2))]
    assert listed(COLD, ruled(*pins), FIVE, POPULAR)[:3] == ["p10", "p12", "p11"]

    pins = [
        rule("pin", Target(item_ids=ids), f"r{slot}", slot=slot) for ids, slot in ((["p10"], 1), (["p10", "p20"], 3))
    ]
    assert listed(COLD, ruled(*pins), FIVE, POPULAR)[:3] == ["p10", "p0", "p20"]
    cap = rule("cap", Target(item_ids=["p10"]), "c", count=0)
    assert listed(COLD, ruled(cap, pins[1]), FIVE, POPULAR)[2] == "p20"


def test_a_floor_finds_what_a_cap_lets_in():
    """Candidates that no slot is left for do not count as there."""
    catalog = ruled(rule("floor", Target(category="new"), "f", count=3), rule("cap", Target(tag="acme"), "c", count=1))
    for n in range(3):
        catalog.put_item(Item(f"p{n + 20}", category="new", tags=["acme"]))
    for n in range(4):
        catalog.put_item(Item(f"n{n}", category="new"))
        catalog.put_knowledge(f"n{n}", taught(*[1] * 5))
    shown = listed(COLD, catalog, FIVE, POPULAR)

    assert sum(catalog.item(catalog.find(item_id)).category == "new" for item_id in shown) == 3


def test_a_long_list_exposes_its_share():
    """As many are looked for as its length asks for."""
    catalog = ruled(rule("expose", Target(category="new"), share=0.2))
    for n in range(60):
        catalog.put_item(Item(f"n{n}", category="new"))
    config = msgspec.structs.replace(PLAIN, n=50)

    assert sum(item_id.startswith("n") for item_id in listed(COLD, catalog, config, POPULAR)) >= 10


def test_boosts_without_measure_leave_finite_scores():
    """However many there are."""
    many = [rule("boost", Target(item_ids=["p9"]), f"r{n}", factor=100.0, ends_ms=NOW_MS + 1) for n in range(200)]
    items = made(COLD, ruled(*many), RankingConfig(n=5), POPULAR)

    assert items[0].item_id == "p9" and all(np.isfinite(item.score) for item in items)


def test_an_attribute_may_be_as_deep_as_an_item_may():
    """It is like no text, and no list ends of it."""
    deep: object = 1
    for _ in range(980):
        deep = [deep]
    catalog = ruled(rule("ban", Target(attributes={"x": "[1]"})), rule("cap", Target(tag="t"), "c", count=1))
    catalog.put_item(Item("p0", attributes={"x": deep, "y": {"z": 1}}))

    assert listed(COLD, catalog, FIVE, POPULAR) == TOP


def test_a_rule_holds_in_its_lists_only():
    """Also a ban, which keeps its item on sale elsewhere."""
    scope = Scope(surfaces=["new"])
    catalog = ruled(rule("ban", Target(item_ids=["p0"]), scope=scope))

    assert listed(COLD, catalog, FIVE, POPULAR) == TOP
    elsewhere = [item.item_id for item in made(COLD, catalog, FIVE, POPULAR, surface="new")]
    assert elsewhere == ["p1", "p2", "p3", "p4", "p5"]
    assert catalog.is_listed[catalog.find("p0")]


@pytest.mark.parametrize("holding", ["r1", "r2", "r3"])
def test_of_several_rules_of_a_kind_those_of_the_list_hold(holding):
    """Each about its own items, whichever of them are out."""
    catalog = crowd()
    for number in range(1, 4):
        scope = Scope(surfaces=["home" if f"r{number}" == holding else "elsewhere"])
        ruled(rule("ban", Target(item_ids=[f"p{number}"]), f"r{number}", scope=scope), catalog=catalog)

    assert set(TOP) - set(listed(COLD, catalog, FIVE, POPULAR)) == {f"p{holding[1]}"}


def test_a_rule_for_a_segment_holds_for_its_users():
    """New ones, busy ones, idle ones, and those who bought of a category."""
    catalog = crowd()
    catalog.put_item(Item("p7", category="tea"))
    buyer = history([("p7", Kind.PURCHASE, 2 * DAY_MS)])
    idle = history([("p7", Kind.VIEW, 4 * DAY_MS)])
    busy = history([(f"p{n}", Kind.VIEW, n) for n in range(10, 15)])
    users = {"new": COLD, "buyer": buyer, "idle": idle, "busy": busy}
    for segment, expected in (
        (Segment(events_max=0), {"new"}),
        (Segment(events_min=5), {"busy"}),
        (Segment(events_min=1, events_max=4), {"buyer", "idle"}),
        (Segment(idle_days_min=4), {"idle"}),
        (Segment(idle_days_max=2), {"buyer", "busy"}),
        (Segment(idle_days_max=3), {"buyer", "busy"}),
        (Segment(bought_category="tea"), {"buyer"}),
        (Segment(bought_category="tea", idle_days_max=1), set()),
    ):
        catalog.put_rule(rule("ban", Target(item_ids=["p0"]), scope=Scope(segment=segment)))
        assert {name for name, user in users.items() if "p0" not in listed(user, catalog)} == expected, segment


def test_the_arms_of_an_experiment_part_its_users():
    """Each user is in one, evenly, the same for ever; another draws anew; nobody in particular is in none."""
    thirds = [Arm("autumn", (0, 30)), Arm("autumn", (30, 60)), Arm("autumn", (60, 100))]
    users = [f"u{n}" for n in range(2000)]
    drawn = [[is_in_arm(arm, user) for arm in thirds] for user in users]

    assert {sum(each) for each in drawn} == {1}
    np.testing.assert_allclose(np.mean(drawn, axis=0), [0.3, 0.3, 0.4], atol=0.03)
    other = [is_in_arm(Arm("winter", (0, 30)), user) for user in users]
    assert abs(np.mean([one and two[0] for one, two in zip(other, drawn)]) - 0.09) < 0.03
    assert not any(is_in_arm(Arm("autumn", (0, 100)), nobody) for nobody in NOBODYS)
    assert [is_in_arm(thirds[0], user) for user in ("ann", "bob", "u")] == [False, False, True]


def test_a_rule_for_an_arm_holds_for_its_users():
    """Of two users who are alike one has it."""
    arms = {user_id: is_in_arm(Arm("autumn", (0, 50)), user_id) for user_id in ("ann", "u")}
    catalog = ruled(rule("ban", Target(item_ids=["p0"]), scope=Scope(arm=Arm("autumn", (0, 50)))))

    assert set(arms.values()) == {True, False}
    for user_id, is_in_it in arms.items():
        first = made(COLD, catalog, FIVE, POPULAR, user_id=user_id)[0]
        assert (first.item_id != "p0") == is_in_it
