"""What learning from impressions brings: simulated users of three public logs meet an arm that hears and a deaf one.

    python benchmarks/impressions.py --logs ../shared/data [--only movietweetings] [--lists 20000] [--seed 0]

No log says what users would have chosen of lists that they were not shown. So users are made whose tastes are those of
the log's most active users (`stream_rec/evaluation/simulated_users.py`), who look at lists from the top, choose, and
tire of what they have seen (`stream_rec/evaluation/simulated_choices.py`). The production core learns the log's first
events, and then makes lists for them in two arms: one takes the impression of each list before the choices, the other
the choices alone. Both meet the same visits with the same random numbers. Other arms can be given, such as what
exploring brings to who hears:

    ... --arm plain,hears,ranking.explore_share=0,ranking.tail_every=0 --arm exploring,hears

where `--arrivals 60` lets so many new items come one after the other, in place of all being there from the beginning.
Or an arm that hears and does not take a part of it into account (`no-fatigue`, `no-appeal`): what each part brings.

    ... --arm deaf --arm neither,hears,no-fatigue,no-appeal --arm fatigue,hears,no-appeal \
        --arm appeal,hears,no-fatigue --arm both,hears

A table for each log comes to standard output, progress to standard error, and everything measured as JSON to the file
`--json`. A `--set` is a setting of all arms. Some minutes a log.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog.fresh import EVENTS
from stream_rec.config import Settings, override
from stream_rec.errors import SettingsError, StreamRecError
from stream_rec.evaluation.bootstrap import Change
from stream_rec.evaluation.click_through import (
    ClickThrough,
    compare_click_through,
    compare_expected,
    measure_click_through,
)
from stream_rec.evaluation.simulated_arrivals import plan_arrivals, split_items
from stream_rec.evaluation.simulated_choices import HabitConfig
from stream_rec.evaluation.simulated_users import SimulatedUsers, TasteConfig, build_users, find_share_kept
from stream_rec.evaluation.simulated_visits import plan_visits
from stream_rec.evaluation.simulation import Arm, Core, ShownLists, simulate, warm_up
from stream_rec.events.interaction import LoggedEvent
from stream_rec.kernels import compile_kernels
from stream_rec.logs.log import read_events, read_items, usable
from stream_rec.ranking import shown
from stream_rec.replay.embedded import embed_items

LIMITS = {"online_retail": 150_000, "entree_chicago": 150_000, "movietweetings": 60_000}
"""Events of each log that tastes come from, as in the published figures of the evaluation."""
HEARS = "hears"
ARMS = ("deaf", f"hearing,{HEARS}")
PARTS = {"no-appeal": ("appeal",), "no-fatigue": ("tired_1h", "tired_1d", "tired_7d", "shown_7d")}
"""Inputs of the expert for what was shown, by the word that leaves them out."""
ARMS_HELP = f"may be repeated, the first is compared with (--arm {' --arm '.join(ARMS)})"
SAY_EVERY_S = 5.0


class PartialArm(NamedTuple):
    """An arm, and the inputs of the expert for what was shown that are 0 in it."""

    arm: Arm
    missing: tuple[str, ...]


def main() -> None:
    """Run, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, required=True, help="folder with one folder for each log")
    parser.add_argument("--only", action="append", choices=LIMITS, help="this log alone, may be repeated")
    parser.add_argument("--arm", action="append", metavar="NAME[,WORD][,SETTING=VALUE]...", help=ARMS_HELP)
    parser.add_argument("--lists", type=int, default=20_000, help="lists of each arm (%(default)s)")
    parser.add_argument("--warm", type=int, default=10_000, help="events learned beforehand (%(default)s)")
    parser.add_argument("--users", type=int, default=TasteConfig().n_users, help="simulated users (%(default)s)")
    parser.add_argument(
        "--arrivals",
        type=int,
        help="items that come while users do, of those that the warm-up does not know; else all are there",
    )
    parser.add_argument(
        "--fatigue",
        type=float,
        default=HabitConfig().fatigue,
        help="what each look without a choice leaves of an item's probability; 1: nobody tires (%(default)s)",
    )
    parser.add_argument("--encoder", default="hashing", help="of the items' texts (%(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of all arms")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (%(default)s)")
    parser.add_argument("--json", type=Path, help="file for everything measured")
    arguments = parser.parse_args()
    if arguments.lists < 1:
        parser.error(f"--lists {arguments.lists}: there must be at least one")
    flags = {"embedder.encoder": arguments.encoder, "ranking.seed": arguments.seed}
    settings = override(Settings(), flags | dict(each.split("=", 1) for each in arguments.set))
    try:
        arms = [read_arm(text, settings) for text in arguments.arm or ARMS]
    except StreamRecError as error:
        parser.error(str(error))
    if len({one.arm.name for one in arms}) < len(arms):
        parser.error("two arms have one name; give each --arm its own")
    say("compiling, a minute where it was not done yet")
    compile_kernels()
    found = {}
    for log in arguments.only or LIMITS:
        found[log] = run(arguments, log, arms)
        print(render(log, found[log]), flush=True)
        if arguments.json:  # after each log: what is done is not lost
            arguments.json.write_text(json.dumps(msgspec.to_builtins(found), indent=1) + "\n", encoding="utf-8")


def read_arm(text: str, settings: Settings) -> PartialArm:
    """Return an arm as the command line has it.

    Raises:
        SettingsError: there is no such setting, or it cannot have that value.
    """
    name, *words = text.split(",")
    flags = dict(word.split("=", 1) for word in words if "=" in word)
    known = (HEARS, *PARTS)
    if unknown := {word for word in words if "=" not in word} - {*known}:
        said = f"{', '.join(known)}, SETTING=VALUE"
        raise SettingsError(f"--arm {text}: what is {', '.join(sorted(unknown))}? After the name: {said}")
    missing = tuple(name for word, names in PARTS.items() if word in words for name in names)
    return PartialArm(Arm(name, override(settings, flags), hears=HEARS in words), missing)


@contextmanager
def without(missing: Sequence[str]) -> Iterator[None]:
    """Have some inputs of the expert for what was shown be 0, in lists and where it learns."""
    whole, columns = shown.compute_inputs, [shown.NAMES.index(name) for name in missing]

    def compute_inputs(*arguments: Any) -> NDArray[np.float32] | None:
        inputs = whole(*arguments)
        if inputs is not None:
            inputs[:, columns] = 0.0
        return inputs

    with patch.object(shown, "compute_inputs", compute_inputs):
        yield


def run(arguments: argparse.Namespace, log: str, arms: Sequence[PartialArm]) -> dict[str, Any]:
    """Return what was measured on one log."""
    settings, folder = arms[0].arm.settings, arguments.logs / log
    lines = usable(read_items(folder / "items.jsonl.gz", limits=settings.limits), print)
    embedded = embed_items(lines, settings.embedder, settings.limits)
    events = read(folder / "events.jsonl.gz", settings, LIMITS[log])
    item_ids, new_ids = [item.item_id for item in embedded.items], list[str]()
    if arguments.arrivals is not None:
        listed_ids, new_ids = split_items(events, item_ids, arguments.warm, arguments.arrivals, seed=arguments.seed)
        item_ids = listed_ids + new_ids
    is_new = set(new_ids)
    config = TasteConfig(n_users=arguments.users, by_rate=arguments.arrivals is not None)
    users = build_users(events, item_ids, arguments.warm, seed=arguments.seed, config=config)
    visits = plan_visits(users, arguments.lists, seed=arguments.seed)
    arrivals = plan_arrivals(new_ids, visits)
    n_events = Counter(event.item_id for _, event in events[: arguments.warm])
    counts = np.array([n_events[item_id] for item_id in item_ids])
    without_fresh, without_unseen = (
        find_share_kept(users.likely, counts >= least, settings.ranking.n) for least in (EVENTS, 1)
    )
    say(f"{log}: {describe(users)}")
    said = f"{without_fresh:.3f} of the best, without what is unseen: {without_unseen:.3f}"
    say(f"{log}: best lists without what is fresh after the warm-up: {said}")
    listed = [item for item in embedded.items if item.item_id not in is_new]
    new_items = [item for item in embedded.items if item.item_id in is_new]
    lists: dict[str, ShownLists] = {}
    for arm, missing in arms:
        warm = events[: arguments.warm]
        count = Progress(f"{log}: {arm.name}: learned", len(warm), "events")
        pipeline = warm_up(arm.settings, listed, embedded.embeddings, warm, on_progress=count)
        count = Progress(f"{log}: {arm.name}: made", arguments.lists, "lists")
        with without(missing):
            lists[arm.name] = simulate(
                arm,
                Core(pipeline, new_items, embedded.embeddings),
                users,
                visits,
                seed=arguments.seed,
                clock=time.process_time_ns,
                habits=HabitConfig(fatigue=arguments.fatigue),
                arrivals=arrivals,
                on_progress=count,
            )
    base, *others = lists
    return {
        "log": describe(users),
        "lists": arguments.lists,
        "seed": arguments.seed,
        "fatigue": arguments.fatigue,
        "arrivals": arguments.arrivals,
        "best_without_fresh": without_fresh,
        "best_without_unseen": without_unseen,
        "days": float((visits.times_ms[-1] - visits.times_ms[0]) / 86_400_000),
        "arms": {name: measure_click_through(one, len(item_ids)) for name, one in lists.items()},
        "base": base,
        "changes": {
            name: compare_click_through(visits.users, lists[base], lists[name], seed=arguments.seed) for name in others
        },
        "changes_expected": {
            name: compare_expected(visits.users, lists[base], lists[name], seed=arguments.seed) for name in others
        },
    }


def read(file: Path, settings: Settings, limit: int) -> list[LoggedEvent]:
    """Return the first events of a log, in order of time."""
    log = read_events(file, limits=settings.limits, received_ms=time.time_ns() // 1_000_000)
    events = [one for one in itertools.islice(usable(log, print), limit) if isinstance(one, LoggedEvent)]
    return sorted(events, key=lambda one: one.event.timestamp_ms)


def describe(users: SimulatedUsers) -> str:
    """Return a line on the users."""
    n_known = int((users.chosen_ms > 0).any(axis=1).sum())
    return (
        f"{len(users.user_ids)} users, {n_known} of them known from the warm-up, {len(users.item_ids)} items, "
        f"{users.repeat_share:.0%} repeats, an item is chosen with probability {users.likely.mean():.4f} on average"
    )


def render(log: str, found: dict[str, Any]) -> str:
    """Return the tables of one log."""
    arms: dict[str, ClickThrough] = found["arms"]
    rows: dict[str, Callable[[ClickThrough], str]] = {
        "lists, and empty ones": lambda arm: f"{arm.n_lists}, {arm.n_empty}",
        "chosen per list": lambda arm: f"{arm.chosen_per_list:.4f}",
        "to be expected per list": lambda arm: f"{arm.expected_per_list:.4f}",
        "chosen of slots looked at": lambda arm: f"{arm.chosen_per_look:.4f}",
        "slot 1, 2, 5, 10, 20 chosen": lambda arm: ", ".join(
            f"{arm.by_slot[slot - 1]:.3f}" for slot in (1, 2, 5, 10, 20) if slot <= len(arm.by_slot)
        ),
        "chosen per list, over time": lambda arm: " ".join(f"{value:.3f}" for value in thin(arm.over_time)),
        "looked at though tired of": lambda arm: f"{arm.tired_share:.4f}",
        "looked at though had": lambda arm: f"{arm.had_share:.4f}",
        "catalog coverage": lambda arm: f"{arm.coverage:.3f}",
        "CPU ms of a list: made, impression, choices": lambda arm: (
            f"{arm.list_ms:.2f}, {arm.impress_ms:.2f}, {arm.learn_ms:.2f}"
        ),
    }
    lines = [f"| {log} | {' | '.join(arms)} |", "|---" * (1 + len(arms)) + "|"]
    lines += [f"| {title} | {' | '.join(map(of, arms.values()))} |" for title, of in rows.items()]
    for what, changes in (("chosen", found["changes"]), ("to be expected", found["changes_expected"])):
        for name, change in changes.items():
            said = say_ratio(change)
            lines.append(f"\n{log}: {what} per list, {name} / {found['base']}: {said}, 95 of 100 draws of users")
    return "\n".join([*lines, ""])


def say_ratio(change: Change | None) -> str:
    """Return the ratio of two arms, and its interval where there is one."""
    if change is None:
        return "no visit has lists of both"
    ratio = f"{change.value / max(change.base, 1e-9):.4f}"
    if change.relative is not None:
        ratio += f" ({1 + change.relative.low:.4f} to {1 + change.relative.high:.4f})"
    return ratio


def thin(values: Sequence[float]) -> Sequence[float]:
    """Return at most ten of them, evenly apart, the last among them."""
    return values[:: -max(1, -(-len(values) // 10))][::-1]


class Progress:
    """Says now and then how far something is, where it does not disturb the result."""

    def __init__(self, title: str, total: int, what: str) -> None:
        self._title, self._total, self._what = title, total, what
        self._began = self._said = time.monotonic()

    def __call__(self, n: int) -> None:
        """Say that ``n`` are done, if it is time to."""
        now = time.monotonic()
        if now - self._said > SAY_EVERY_S:
            self._said, rate = now, n / (now - self._began)
            left = f", {(self._total - n) / rate:.0f} s left" if n < self._total else ""
            say(f"{self._title} {n:,} of {self._total:,} {self._what}, {rate:,.0f}/s{left}")


def say(text: str) -> None:
    """Print progress where it does not disturb the result."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
