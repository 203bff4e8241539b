"""A rule: what the owner of the catalog will have in lists, whatever users do."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from stream_rec.events import scope as scopes
from stream_rec.events.interaction import Id
from stream_rec.events.scope import Scope

Action = Literal["ban", "exclude", "cap", "pin", "floor", "expose", "boost"]
Relation = Literal["seen", "bought", "shown", "underage"]
Name = Annotated[str, Meta(max_length=1000)]
Value = Annotated[str, Meta(min_length=1, max_length=1000)]
RuleTime = Annotated[int, Meta(ge=0, le=2**53, description="milliseconds since 1970-01-01 UTC, by the events' clock")]

MOST_SLOTS = 200
"""Slots of the longest list there can be."""


class Target(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which items a rule is about: those that have all that is said here."""

    item_ids: Annotated[list[Id], Meta(max_length=1000)] = []
    """Any of these."""
    category: Name = ""
    tag: Name = ""
    attributes: Annotated[dict[str, Value], Meta(max_length=8)] = {}
    """Each of these, compared as text: {"brand": "Acme"}. A list or an object is like no text."""


class Rule(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One record on ``rules`` (compacted); the record's key is ``rule_id`` and a null value ends the rule."""

    rule_id: Id
    action: Annotated[
        Action,
        Meta(
            description="ban: in no list. exclude: not for users who have a `relation` to the item. cap: at most "
            "`count` in a list. pin: in `slot`. floor: at least `count` in a list. expose: at least `share` of all "
            "slots over time. boost: as if `factor` times likelier"
        ),
    ]
    author: Annotated[str, Meta(min_length=1, max_length=200)]
    """Who is to be asked about it."""
    reason: Annotated[str, Meta(min_length=1, max_length=1000)]
    """Why it is there."""
    target: Target = field(default_factory=Target)
    """Needed but for `exclude`, which without one is about all items."""
    slot: Annotated[int, Meta(ge=1, le=MOST_SLOTS)] | None = None
    """Of `pin`, counted from 1. The first of ``item_ids`` that may be shown to the user is put there."""
    count: Annotated[int, Meta(ge=0, le=MOST_SLOTS)] | None = None
    """Of `cap` and `floor`."""
    factor: Annotated[float, Meta(ge=0.01, le=100)] | None = None
    """Of `boost`; below 1 it is a burden."""
    share: Annotated[float, Meta(gt=0, le=0.5)] | None = None
    """Of `expose`. Each worker sees to it for the lists that it makes, over some hundreds of them."""
    relation: Relation | None = None
    """Of `exclude`: `bought`, or `seen`, which is any event, as far as the user's weekly counts reach; `shown`, as the
    app's impressions say; `underage`: of all items of the target, who is not known to be `min_age` or older."""
    min_age: Annotated[int, Meta(ge=1, le=150)] | None = None
    """Of `exclude` with `underage`: years."""
    within_days: Annotated[float, Meta(gt=0, le=36_600)] | None = None
    """Of `exclude`: how long ago at most; without it, ever."""
    whole_target: bool = False
    """Of `exclude`: whether one item of the target stands for all of it. Who has a washing machine needs no other."""
    spares: Target | None = None
    """Of `exclude`: items that it leaves alone, as what is bought again and again. Not with `whole_target`."""
    scope: Scope | None = None
    """Without one it holds in all lists. An `expose` has none: its share is of all slots."""
    starts_ms: RuleTime = 0
    ends_ms: RuleTime | None = None
    """First moment at which the rule is over. A `boost` must have one."""


_NEEDS: dict[Action, tuple[str, ...]] = {
    "ban": (),
    "exclude": ("relation",),
    "cap": ("count",),
    "pin": ("slot",),
    "floor": ("count",),
    "expose": ("share",),
    "boost": ("factor", "ends_ms"),
}
"""Fields that an action cannot do without."""
_MAY_HAVE: dict[Action, tuple[str, ...]] = {"exclude": ("within_days", "whole_target", "spares", "min_age")}
"""Fields that it may have besides; those of other actions it may not."""


def find_fault(rule: Rule) -> str | None:
    """Return what is wrong with a rule whose fields are all right by themselves, or None."""
    needed = _NEEDS[rule.action]
    if missing := [name for name in needed if getattr(rule, name) is None]:
        return f"a {rule.action} needs {' and '.join(f'`{name}`' for name in missing)}"
    own = {name for names in (*_NEEDS.values(), *_MAY_HAVE.values()) for name in names} - {"ends_ms"}
    strange = sorted(own - {*needed, *_MAY_HAVE.get(rule.action, ())})
    if strange := [name for name in strange if getattr(rule, name) not in (None, False)]:
        return f"a {rule.action} has no {' and no '.join(f'`{name}`' for name in strange)}"
    target = rule.target
    if rule.action == "pin" and (not target.item_ids or target != Target(item_ids=target.item_ids)):
        return "a pin needs `target.item_ids` and nothing else in its target"
    if target == Target() and (rule.action != "exclude" or rule.whole_target):
        return f"a {rule.action} needs a `target`: without one it would be about all items"
    if rule.action == "exclude" and (fault := _find_fault_of_exclude(rule)):
        return fault
    if rule.scope is not None and rule.action == "expose":
        return "an expose has no `scope`: its share is of all slots"
    if rule.scope is not None and (fault := scopes.find_fault(rule.scope)):
        return fault
    if rule.ends_ms is not None and rule.ends_ms <= rule.starts_ms:
        return f"it ends before it starts: ends_ms={rule.ends_ms}, starts_ms={rule.starts_ms}"
    return None


def _find_fault_of_exclude(rule: Rule) -> str | None:
    """Return what is wrong with the fields that an `exclude` alone has, or None."""
    if (rule.relation == "underage") != (rule.min_age is not None):
        return "`relation` underage and `min_age` need each other"
    if rule.min_age is not None and (rule.within_days, rule.whole_target, rule.spares) != (None, False, None):
        return "an exclude of whom is underage has no `within_days`, `whole_target` or `spares`"
    if rule.min_age is not None and rule.target == Target():
        return "an exclude of whom is underage needs a `target`"
    if rule.spares == Target():
        return "an exclude that spares all items excludes none: say which in `spares`"
    if rule.spares is not None and rule.whole_target:
        return "an exclude with `whole_target` has no `spares`: say in `target` what stands for each other"
    return None
