"""A rule in English: what it does to which items, where, for how long, by whom and why."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from stream_rec.events.rule import Rule, Target
from stream_rec.events.scope import Scope


def describe(rule: Rule, now_ms: int) -> str:
    """Return a rule as one line: id, what it does to what, when, by whom and why.

    >>> from stream_rec.events.rule import Target
    >>> describe(Rule("r1", "cap", "ann", "too many", Target(category="toys"), count=2), now_ms=0)
    'r1  cap at 2: category toys  (ann: too many)'
    """
    starts = [f"from {_time(rule.starts_ms)}"] if rule.starts_ms > now_ms else []
    ends = [] if rule.ends_ms is None else [f"{'ended' if rule.ends_ms <= now_ms else 'until'} {_time(rule.ends_ms)}"]
    when = f"  [{', '.join([*starts, *ends])}]" if starts or ends else ""
    return (
        f"{rule.rule_id}  {describe_effect(rule)}: {describe_target(rule.target)}{when}  ({rule.author}: {rule.reason})"
    )


def describe_effect(rule: Rule) -> str:
    """Return what a rule does, and where, without the items that it is about.

    >>> describe_effect(Rule("r1", "pin", "ann", "new", Target(["a"]), slot=3))
    'pin to slot 3'
    """
    what = {
        "ban": "ban",
        "exclude": f"exclude what was {rule.relation}" if rule.min_age is None else f"exclude below {rule.min_age}",
        "cap": f"cap at {rule.count}",
        "pin": f"pin to slot {rule.slot}",
        "floor": f"floor of {rule.count}",
        "expose": f"expose to {100 * (rule.share or 0.0):g} % of all slots",
        "boost": f"boost by {rule.factor:g}" if rule.factor else "boost",
    }[rule.action]
    if rule.within_days is not None:
        what += f" within {rule.within_days:g} days"
    if rule.whole_target:
        what += ", and all like it"
    if rule.spares is not None:
        what += f", but not {describe_target(rule.spares)}"
    if rule.scope is not None:
        what += f" {describe_scope(rule.scope)}"
    return what


def describe_target(target: Target) -> str:
    """Return which items a rule is about, in words.

    >>> describe_target(Target(["a", "b"], attributes={"brand": "Acme"})), describe_target(Target())
    ('items a b, brand Acme', 'all items')
    """
    parts = []
    if target.item_ids:
        parts.append(f"items {' '.join(target.item_ids[:5])}{' ...' if len(target.item_ids) > 5 else ''}")
    if target.category:
        parts.append(f"category {target.category}")
    if target.tag:
        parts.append(f"tag {target.tag}")
    parts += [f"{name} {value}" for name, value in target.attributes.items()]
    return ", ".join(parts) or "all items"


def describe_scope(scope: Scope) -> str:
    """Return where a rule holds, in words.

    >>> from stream_rec.events.scope import Arm, Segment
    >>> describe_scope(Scope(["new", "home"], Segment(events_min=5, bought_category="tea"), Arm("autumn", (0, 50))))
    'in new, home for users with events_min 5, bought_category tea in 0 to 50 % of autumn'
    """
    parts = [f"in {', '.join(scope.surfaces)}"] if scope.surfaces else []
    if scope.segment is not None:
        said = msgspec.to_builtins(scope.segment)
        parts.append(f"for users with {', '.join(f'{name} {value}' for name, value in said.items())}")
    if scope.arm is not None:
        least, most = scope.arm.percent
        parts.append(f"in {least:g} to {most:g} % of {scope.arm.experiment}")
    return " ".join(parts)


def _time(time_ms: int) -> str:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"
