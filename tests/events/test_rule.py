"""Rules: which are good, and what is said of the others."""

from __future__ import annotations

import msgspec
import pytest

from stream_rec.events import validate
from stream_rec.events.rule import Rule, Target, find_fault
from stream_rec.events.scope import Arm, Scope, Segment
from stream_rec.events.validate import InputLimits, Rejection

TOYS = Target(category="toys")
GOOD = [
    {"action": "ban", "target": TOYS},
    {"action": "exclude", "relation": "seen"},
    {"action": "exclude", "relation": "bought", "within_days": 30.0, "target": TOYS, "whole_target": True},
    {"action": "exclude", "relation": "bought", "spares": TOYS},
    {"action": "exclude", "relation": "underage", "min_age": 18, "target": TOYS},
    {"action": "cap", "count": 0, "target": TOYS},
    {"action": "pin", "slot": 1, "target": Target(item_ids=["a", "b"])},
    {"action": "floor", "count": 2, "target": Target(attributes={"brand": "Acme"}), "starts_ms": 5, "ends_ms": 6},
    {"action": "expose", "share": 0.1, "target": TOYS},
    {"action": "boost", "factor": 2.0, "target": TOYS, "ends_ms": 6},
    {"action": "ban", "target": TOYS, "scope": Scope(["new"], Segment(events_max=0), Arm("autumn", (0, 50)))},
    {"action": "cap", "count": 1, "target": TOYS, "scope": Scope(segment=Segment(idle_days_min=3, idle_days_max=3))},
]
WRONG = [
    ({"action": "ban"}, "a ban needs a `target`"),
    ({"action": "exclude", "target": TOYS}, "exclude needs `relation`"),
    ({"action": "exclude", "relation": "seen", "whole_target": True}, "needs a `target`"),
    ({"action": "cap", "target": TOYS}, "a cap needs `count`"),
    ({"action": "cap", "count": 1, "slot": 1, "target": TOYS}, "a cap has no `slot`"),
    ({"action": "pin", "slot": 1, "target": TOYS}, "a pin needs `target.item_ids` and nothing else"),
    ({"action": "pin", "target": Target(item_ids=["a"])}, "a pin needs `slot`"),
    ({"action": "floor", "count": 1}, "a floor needs a `target`"),
    ({"action": "boost", "factor": 2.0, "target": TOYS}, "a boost needs `ends_ms`"),
    ({"action": "ban", "target": TOYS, "relation": "seen"}, "a ban has no `relation`"),
    ({"action": "ban", "target": TOYS, "starts_ms": 7, "ends_ms": 7}, "it ends before it starts"),
    ({"action": "cap", "count": 1, "target": TOYS, "spares": TOYS}, "a cap has no `spares`"),
    ({"action": "exclude", "relation": "underage", "target": TOYS}, "underage and `min_age` need each other"),
    (
        {"action": "exclude", "relation": "seen", "min_age": 18, "target": TOYS},
        "underage and `min_age` need each other",
    ),
    ({"action": "exclude", "relation": "underage", "min_age": 18}, "underage needs a `target`"),
    (
        {"action": "exclude", "relation": "underage", "min_age": 18, "target": TOYS, "within_days": 3.0},
        "underage has no `within_days`",
    ),
    ({"action": "ban", "min_age": 18, "target": TOYS}, "a ban has no `min_age`"),
    ({"action": "exclude", "relation": "bought", "spares": Target()}, "spares all items excludes none"),
    (
        {"action": "exclude", "relation": "bought", "target": TOYS, "whole_target": True, "spares": TOYS},
        "with `whole_target` has no `spares`",
    ),
    ({"action": "expose", "share": 0.1, "target": TOYS, "scope": Scope(["new"])}, "an expose has no `scope`"),
    ({"action": "ban", "target": TOYS, "scope": Scope()}, "says nothing holds everywhere"),
    ({"action": "ban", "target": TOYS, "scope": Scope(["new"], Segment())}, "says nothing holds everywhere"),
    ({"action": "ban", "target": TOYS, "scope": Scope(arm=Arm("a", (50, 50)))}, "nobody is in an arm from 50 to 50"),
    (
        {"action": "ban", "target": TOYS, "scope": Scope(segment=Segment(events_min=2, events_max=1))},
        "events_min=2 above events_max=1",
    ),
    (
        {"action": "ban", "target": TOYS, "scope": Scope(segment=Segment(idle_days_min=2, idle_days_max=1))},
        "idle_days_min=2 above idle_days_max=1",
    ),
    (
        {"action": "ban", "target": TOYS, "scope": Scope(segment=Segment(events_max=0, bought_category="x"))},
        "who has no event bought nothing",
    ),
]


def rule(**fields: object) -> Rule:
    return Rule("r", author="ann", reason="a test", **fields)


@pytest.mark.parametrize("fields", GOOD, ids=str)
def test_a_good_rule_is_taken(fields):
    """As it stands on the topic."""
    value = msgspec.json.encode(rule(**fields))

    assert find_fault(rule(**fields)) is None
    assert validate.rule(b"r", value, limits=InputLimits()) == rule(**fields)


@pytest.mark.parametrize(("fields", "fault"), WRONG)
def test_what_is_wrong_is_said(fields, fault):
    """In words that name the field."""
    rejected = validate.rule(b"r", msgspec.json.encode(rule(**fields)), limits=InputLimits())

    assert isinstance(rejected, Rejection) and rejected.reason == "bad_rule"
    assert fault in rejected.detail
