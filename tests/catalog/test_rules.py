"""Rules by item and by time."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_rec.catalog import rules as module
from stream_rec.catalog.catalog import Catalog
from stream_rec.catalog.rules import NONE, Rules, is_about, unpack
from stream_rec.events.item import Item
from stream_rec.events.rule import Rule, Target
from tests.catalog.stock import stocked, taught

ITEM = Item("i", category="toys", tags=["wood", "blue"], attributes={"brand": "Acme", "price": 3.0, "new": True})


def ban(target: Target, rule_id: str = "r", **fields: object) -> Rule:
    return Rule(rule_id, "ban", author="ann", reason="a test", target=target, **fields)


@pytest.mark.parametrize(
    ("target", "matches"),
    [
        (Target(), True),
        (Target(item_ids=["h", "i"]), True),
        (Target(item_ids=["h"]), False),
        (Target(category="toys"), True),
        (Target(category="toy"), False),
        (Target(tag="blue"), True),
        (Target(tag="red"), False),
        (Target(attributes={"brand": "Acme"}), True),
        (Target(attributes={"brand": "acme"}), False),
        (Target(attributes={"price": "3", "new": "true"}), True),
        (Target(attributes={"size": "null"}), False),
        (Target(category="toys", tag="red"), False),
        (Target(item_ids=["i"], attributes={"brand": "Acme"}), True),
    ],
)
def test_an_item_is_meant_if_it_has_all_that_is_said(target, matches):
    """Also by the index, which looks at few rules for each item."""
    catalog = Catalog()
    catalog.put_item(ITEM)
    catalog.put_rule(ban(target, starts_ms=9))

    assert is_about(target, "i", ITEM) == matches
    assert catalog.rules.find_about("i", ITEM) == (["r"] if matches else [])
    assert unpack(catalog.rules_about(np.array([0])), np.array([0]))[0, 0] == matches
    assert catalog.find_members(target).tolist() == ([0] if matches else [])


def test_an_item_without_a_record_has_its_id_alone():
    """It was heard of in events."""
    assert is_about(Target(item_ids=["i"]), "i", None)
    assert not is_about(Target(item_ids=["i"], category="toys"), "i", None)


def test_rules_hold_from_their_start_until_their_end():
    """The end itself is after it; each set has a number of its own."""
    rules = Rules(lambda target: ())
    rules.put(ban(Target(tag="x"), "a", starts_ms=10, ends_ms=20))
    rules.put(ban(Target(tag="y"), "b", ends_ms=15))
    holding = {now_ms: rules.active(now_ms) for now_ms in (20, 19, 15, 14, 10, 9, 0)}

    assert {now_ms: [rule.rule_id for rule in active.of("ban").rules] for now_ms, active in holding.items()} == {
        **{20: [], 19: ["a"], 15: ["a"], 14: ["a", "b"], 10: ["a", "b"], 9: ["b"], 0: ["b"]}
    }
    assert holding[20] == NONE
    assert len({active.number for active in holding.values()}) == 4


def test_a_changed_rule_is_another_world():
    """So that lists made under the old one are made anew; its end brings the first world back."""
    catalog = stocked("a", "b")
    world = catalog.world()
    catalog.put_rule(Rule("r", "cap", "ann", "a test", Target(tag="x"), count=1))
    one = catalog.world()
    catalog.put_rule(Rule("r", "cap", "ann", "a test", Target(tag="x"), count=2))
    other = catalog.world()
    catalog.delete_rule("r")

    assert len({world.rules, one.rules, other.rules}) == 3
    assert catalog.world() == world


def test_a_ban_takes_its_items_off_every_list():
    """Those that come later too, and those that change; what is not available stays so when the ban ends."""
    catalog = stocked("a")
    catalog.put_item(Item("b", tags=["x"]))
    catalog.put_rule(ban(Target(tag="x")))
    catalog.put_item(Item("c", tags=["x"]))
    catalog.put_item(Item("d", tags=["x"], available=False))
    assert catalog.is_listed.tolist() == [True, False, False, False]

    catalog.put_item(Item("b"))
    catalog.put_item(Item("a", tags=["x"]))
    assert catalog.is_listed.tolist() == [False, True, False, False]

    catalog.delete_item("c")
    catalog.delete_rule("r")
    assert catalog.is_listed.tolist() == [True, True, False, False]


def test_bans_go_with_the_events_time():
    """An event that is later begins or ends them."""
    catalog = stocked("a", "b")
    catalog.put_rule(ban(Target(item_ids=["a"]), starts_ms=5, ends_ms=7))
    found = []
    for now_ms in (4, 5, 6, 7):
        catalog.put_knowledge("b", taught(now_ms))
        found.append(bool(catalog.is_listed[0]))

    assert found == [True, False, False, True]
    catalog.put_knowledge("b", taught(1))  # time never goes back
    assert catalog.is_listed[0]


def test_beyond_the_bound_rules_wait(monkeypatch):
    """What was put last, of the kind that yields first; it is obeyed when another has ended."""
    monkeypatch.setattr(module, "MOST", 3)
    rules = Rules(lambda target: ())
    boost = Rule("b", "boost", "ann", "a test", Target(tag="x"), factor=2.0, ends_ms=9)
    for put_ms, rule_id in enumerate("zyx"):
        assert rules.find_ousted(ban(Target(tag="x"), rule_id)) == []
        rules.put(ban(Target(tag="x"), rule_id), put_ms)
    assert rules.find_ousted(ban(Target(tag="x"), "a")) == ["a"]
    rules.put(ban(Target(tag="x"), "a"), 4)
    assert (list("xyz"), ["a"]) == ([rule.rule_id for rule in rules], rules.left_out)

    rules.put(ban(Target(tag="y"), "y"), 5)  # it is the newest now
    assert (list("axz"), ["y"]) == ([rule.rule_id for rule in rules], rules.left_out)
    rules.delete("x")
    assert (list("ayz"), []) == ([rule.rule_id for rule in rules], rules.left_out)
    rules.delete("a")
    rules.put(boost)
    assert rules.find_ousted(ban(Target(tag="x"), "c")) == ["b"]
    rules.put(ban(Target(tag="x"), "c"), 6)
    assert (list("cyz"), ["b"]) == ([rule.rule_id for rule in rules], rules.left_out)
    assert rules.find("b") == boost and rules.find("none") is None


def test_of_floors_there_are_fewer(monkeypatch):
    """A floor that finds room later knows its items then."""
    monkeypatch.setattr(module, "MOST_FLOORS", 1)
    catalog = stocked("a", "b")
    floor = Rule("f", "floor", "ann", "a test", Target(item_ids=["a"]), count=1)
    catalog.put_rule(floor, 1)
    catalog.put_rule(msgspec.structs.replace(floor, rule_id="g", target=Target(item_ids=["b", "c"])), 2)
    catalog.put_rule(ban(Target(tag="x"), "h"), 3)
    assert catalog.rules.left_out == ["g"] and catalog.rules.find_about("b", Item("b")) == []

    catalog.put_item(Item("c"))
    catalog.delete_rule("f")
    assert catalog.rules.left_out == [] and catalog.rules.members("g").tolist() == [1, 2]


@settings(max_examples=100, deadline=None)
@given(
    order=st.permutations([(action, n) for n in range(4) for action in ("ban", "floor", "expose", "boost")]),
    changes=st.lists(st.integers(0, 15), max_size=6),
)
def test_which_rules_are_left_out_depends_on_the_rules_alone(order, changes):
    """Not on the order in which they are read, nor on what was there before."""
    fields = {
        "ban": {},
        "floor": {"count": 1},
        "expose": {"share": 0.1},
        "boost": {"factor": 2.0, "ends_ms": 9},
    }
    made = [Rule(f"{action}-{n}", action, "ann", "a test", Target(tag="x"), **fields[action]) for action, n in order]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST", 6)
        patch.setattr(module, "MOST_FLOORS", 3)
        lived, fresh = Rules(lambda target: ()), Rules(lambda target: ())
        newest = {rule.rule_id: (rule, int(rule.rule_id[-1])) for rule in made}
        for rule, put_ms in newest.values():
            lived.put(rule, put_ms)
        for put_ms, number in enumerate(changes, start=10):
            rule = made[number]
            if rule.rule_id in newest and put_ms % 2:
                lived.delete(rule.rule_id)
                del newest[rule.rule_id]
            else:
                lived.put(rule, put_ms)
                newest[rule.rule_id] = rule, put_ms
        for rule, put_ms in sorted(newest.values(), key=lambda each: each[0].rule_id):
            fresh.put(rule, put_ms)

        assert list(lived) == list(fresh) and lived.left_out == fresh.left_out
        n_floors = sum(rule_id.startswith(("floor", "expose")) for rule_id in newest)
        assert len(lived) == min(6, len(newest) - n_floors + min(3, n_floors))


def test_an_ended_rule_leaves_nothing():
    """In none of the indices; its column goes to the next one."""
    rules = Rules(lambda target: [1])
    names = ("_all", "_order", "_rules", "_columns", "_targets", "_waiting", "_members", "_member_rows", "_pinned_rows")
    for target in (Target(item_ids=["a", "b"]), Target(tag="x"), Target(attributes={"a": "b"}), Target(category="c")):
        rules.put(Rule("r", "floor", "ann", "a test", target, count=1))
        assert rules.members("r").tolist() == [1]
        rules.compare(int(rules.find_unknown(np.array([1]))[0]), "a", Item("a", tags=["x"], category="c"))
    rules.delete("r")
    rules.delete("never there")

    assert {name: len(getattr(rules, name)) for name in names} == dict.fromkeys(names, 0)
    assert rules.find_unknown(np.array([1])).tolist() == [1]


@settings(max_examples=50, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 30), st.sampled_from("wxyz"), st.booleans()), max_size=60))
def test_which_rules_are_about_an_item_is_known_whatever_came_before(changes):
    """Of as many rules as there are columns for, and more; rules that end, come back, and take columns of others."""
    catalog = Catalog()
    targets: dict[str, str] = {}
    for number, tag in enumerate("wxyz"):
        catalog.put_item(Item(tag, tags=[tag, "wxyz"[number - 1]]))
    for number, tag, is_put in changes:
        rule_id = f"r{number}"
        if is_put:
            catalog.put_rule(Rule(rule_id, "cap", "ann", "a test", Target(tag=tag), count=1))
            targets[rule_id] = tag
        else:
            catalog.delete_rule(rule_id)
            targets.pop(rule_id, None)
        active = catalog.rules.active(0)
        about = unpack(catalog.rules_about(np.arange(4)), active.of("cap").columns)
        assert [rule.rule_id for rule in active.of("cap").rules] == sorted(targets)
        for row, found in enumerate(about):
            expected = [targets[rule_id] in catalog.item(row).tags for rule_id in sorted(targets)]
            assert found.astype(bool).tolist() == expected


BANS = [
    *(Target(tag=tag) for tag in "xy"),
    Target(category="c"),
    Target(category="c", tag="x"),
    Target(attributes={"k": "1"}),
    Target(attributes={"k": "1"}, tag="y"),
    Target(item_ids=["i0", "i1", "never"]),
]
ban_changes = st.one_of(
    st.builds(
        Item,
        st.sampled_from(["i0", "i1", "i2"]),
        category=st.sampled_from(["", "c"]),
        tags=st.lists(st.sampled_from("xy"), max_size=2),
        attributes=st.dictionaries(st.just("k"), st.sampled_from([1, "1", 2])),
        available=st.booleans(),
    ),
    st.sampled_from(["i0", "i1", "i2"]),
    st.builds(
        ban,
        st.sampled_from(BANS),
        st.sampled_from("pqr"),
        starts_ms=st.sampled_from([0, 5]),
        ends_ms=st.sampled_from([None, 8]),
    ),
    st.sampled_from("pqr").map(lambda rule_id: (rule_id,)),
    st.integers(1, 9),
)


@settings(max_examples=200, deadline=None)
@given(changes=st.lists(ban_changes, max_size=25))
def test_what_is_banned_is_known_whatever_came_before(changes):
    """Against asking each ban about each item: items and rules that change and go, and time."""
    catalog, now_ms = Catalog(), 0
    for change in changes:
        match change:
            case Item():
                catalog.put_item(change)
            case str():
                catalog.delete_item(change)
            case Rule():
                catalog.put_rule(change)
            case (rule_id,):
                catalog.delete_rule(rule_id)
            case _:
                now_ms = max(now_ms, change)
                catalog.see_time(change)
        bans = catalog.rules.active(now_ms).of("ban").rules
        items = [(item_id, catalog.item(row)) for row, item_id in enumerate(catalog.item_ids)]
        assert catalog.is_listed.tolist() == [
            item is not None and item.available and not any(is_about(rule.target, item_id, item) for rule in bans)
            for item_id, item in items
        ]
        unseen = catalog.fresh.unseen
        assert sorted(unseen.rows().tolist()) == np.flatnonzero(catalog.is_listed).tolist()
        assert np.flatnonzero(unseen.is_in).tolist() == sorted(unseen.rows().tolist())
        for target in BANS:
            assert catalog.find_members(target).tolist() == [
                row for row, each in enumerate(items) if each[1] is not None and is_about(target, *each)
            ]
