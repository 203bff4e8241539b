"""What a list costs under more and more of the owner's rules.

    python benchmarks/rules.py [--lists 300]

CPU time of a list, without a broker, over the bundled log: without rules, and under so many of each kind on items that
lists show; a thousand, where so many are taken, are of all tags in turn. All kinds are measured in turn, five times
over, and the least counts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from functools import partial
from pathlib import Path

from stream_rec.catalog.rules import MOST_FLOORS
from stream_rec.config import Settings
from stream_rec.events.interaction import LoggedEvent
from stream_rec.events.item import Item
from stream_rec.events.rule import MOST_SLOTS, Rule, Target
from stream_rec.events.slate import AsOf
from stream_rec.events.validate import InputLimits
from stream_rec.logs.log import BadLine, read_events, read_items
from stream_rec.pipeline import Pipeline

EXAMPLE = Path(__file__).parents[1] / "examples" / "entree_chicago"
TAUGHT = 2_000
N_RULES = (1, 10, 20, 1_000)
MADE = {
    "exclude": partial(Rule, action="exclude", relation="bought"),
    "cap": partial(Rule, action="cap", count=3),
    "floor": partial(Rule, action="floor", count=1),
    "expose": partial(Rule, action="expose", share=0.01),
    "pin": partial(Rule, action="pin"),
    "boost": partial(Rule, action="boost", factor=1.5, ends_ms=2**53),
}


def main() -> None:
    """Run, and print one JSON object: microseconds a list, by kind and number of rules."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lists", type=int, default=300)
    arguments = parser.parse_args()
    limits = InputLimits()
    items = [line for line in read_items(EXAMPLE / "items.jsonl.gz", limits=limits) if not isinstance(line, BadLine)]
    log = read_events(EXAMPLE / "events.jsonl.gz", limits=limits, received_ms=time.time_ns() // 1_000_000)
    events = [line for line in itertools.islice(log, TAUGHT) if isinstance(line, LoggedEvent)]
    pipeline = Pipeline(Settings())
    for item in items:
        pipeline.catalog.put_item(item)
    for event in events:
        pipeline.learn(*event)
    asked = [events[number % len(events)] for number in range(arguments.lists)]
    tags = sorted({tag for item in items for tag in item.tags})
    cases = {"none": []}
    for action, n in itertools.product(MADE, N_RULES):
        if action not in ("floor", "expose") or n <= MOST_FLOORS:
            cases[f"{n} {action}"] = make_rules(action, n, tags, items)
    took: dict[str, float] = {}
    for _ in range(5):
        for name, rules in cases.items():
            found_us = measure(pipeline, rules, asked)
            took[name] = min(took.get(name, found_us), found_us)
    print(json.dumps({name: round(us) for name, us in took.items()}, indent=2))


def make_rules(action: str, n: int, tags: list[str], items: list[Item]) -> list[Rule]:
    """Return rules of one kind, each about the items with one of the most frequent tags; a pin is about an item."""
    often = sorted(tags, key=lambda tag: -sum(tag in item.tags for item in items))
    rules = []
    for number in range(n):
        target = Target(tag=often[number % len(often)])
        where: dict[str, int] = {}
        if action == "pin":
            target, where = Target(item_ids=[items[number % len(items)].item_id]), {"slot": 1 + number % MOST_SLOTS}
        rules.append(MADE[action](rule_id=f"r{number}", author="ann", reason="measured", target=target, **where))
    return rules


def measure(pipeline: Pipeline, rules: list[Rule], asked: list[LoggedEvent]) -> float:
    """Return microseconds of CPU a list under some rules, which are gone afterwards."""
    for rule in rules:
        pipeline.catalog.put_rule(rule)
    for kind, event in asked[:20]:  # what is about which item is found once
        make_list(pipeline, LoggedEvent(kind, event))
    began = time.process_time()
    for one in asked:
        make_list(pipeline, one)
    took = time.process_time() - began
    for rule in rules:
        pipeline.catalog.delete_rule(rule.rule_id)
    return 1e6 * took / len(asked)


def make_list(pipeline: Pipeline, one: LoggedEvent) -> None:
    """Make the list that an event brings about, for a user as they are now."""
    as_of = AsOf(one.kind.topic, 0, 0, one.event.event_id, one.event.timestamp_ms)
    pipeline.recommender.remake(one.event.user_id, pipeline.users[one.event.user_id], as_of)


if __name__ == "__main__":
    main()
