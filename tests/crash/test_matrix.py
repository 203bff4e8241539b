"""The crash matrix in its short form: every fault once, on logs of some thousand events. The long: ``make test-crash``.

Faults of one group share a run, so that the whole fits into minutes: a test for each fault says whether its users had
lists again, and one for each group whether anything was lost, doubled or different.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from stream_rec.config import load
from stream_rec.kernels import compile_kernels
from tests.crash import trial
from tests.crash.broker import Broker
from tests.crash.faults import all_faults
from tests.crash.rig import SHORT
from tests.crash.schedule import schedule
from tests.crash.trial import Outcome

pytestmark = [pytest.mark.thorough, pytest.mark.kafka, pytest.mark.timeout(600)]

EVENTS, RATE = 3_000, 250.0
LONGEST_S = 120.0
"""Faults follow each other within seconds, and each of a group's waits for those before it."""
SEED = 5
GROUPS = {
    "processes": [
        f"{verb}-{role}" for verb in ("kill", "terminate") for role in ("worker", "second-worker", "embedder", "ingest")
    ],
    "zombies": ["freeze-worker", "freeze-second-worker", "freeze-embedder", "freeze-ingest", "expelled-member"],
    "broker": ["kill-broker", "freeze-broker", "unreachable-broker", "silent-broker", "slow-broker"],
    "disks and refusals": [
        *("full-disk", "lost-state", "old-state", "corrupt-state"),
        *("refused-size", "too-few-replicas", "stuck-coordinator"),
    ],
    "encoders": ["another-encoder", "lost-space", "killed-while-embedding"],
    "scale": ["scale-1-3-1", "rolling-restart"],
    "input": [
        *("malformed-input", "huge-message", "tombstones", "bad-embeddings", "future-versions", "busy-user"),
        "clock-jumps",
    ],
    "clients": ["late-duplicates", "transactions", "codecs", "sold-out", "owners-rules"],
}
SLOW_HALF = ("zombies", "disks and refusals", "encoders", "scale")
"""Of `make test-long`."""


def marks(group: str) -> list[pytest.MarkDecorator]:
    """Return the marks of a group's tests besides those of all."""
    return [pytest.mark.long] if group in SLOW_HALF else []


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A broker that can be killed."""
    compile_kernels()  # into numba's cache: else every worker does, and is late
    with Broker(load().broker) as running:
        yield running


@pytest.fixture(scope="module")
def outcome_of(broker: Broker) -> Callable[[str], Outcome]:
    """Give what a group's run came to; it runs when it is asked for first."""
    outcomes: dict[str, Outcome] = {}

    def outcome_of(group: str) -> Outcome:
        if group not in outcomes:
            faults = GROUPS[group]
            planned = schedule(SEED, faults, n_events=EVENTS, n_faults=len(faults))
            outcomes[group] = trial.run(broker, SEED, planned, n_events=EVENTS, rate=RATE, durations=SHORT)
        return outcomes[group]

    return outcome_of


@pytest.mark.parametrize(
    ("group", "fault"),
    [pytest.param(group, fault, marks=marks(group)) for group, faults in GROUPS.items() for fault in faults],
)
def test_lists_come_again_after(outcome_of: Callable[[str], Outcome], group: str, fault: str) -> None:
    """Whatever happened, the users of every partition get lists of what they did after it."""
    (injected,) = [one for one in outcome_of(group).injected if one.fault == fault]

    if not injected.is_possible:
        pytest.skip(f"{fault} is not possible on this machine")
    assert not injected.problem
    assert injected.next_list_s < LONGEST_S


@pytest.mark.parametrize("group", [pytest.param(group, marks=marks(group)) for group in GROUPS])
def test_nothing_is_lost_doubled_or_different_after(outcome_of: Callable[[str], Outcome], group: str) -> None:
    """Users, items, lists, rejections and embeddings are as the replay has them; all offsets are committed."""
    outcome = outcome_of(group)

    assert outcome.problems == []
    assert (outcome.verdict.lost, outcome.verdict.double) == (0, 0)


def test_every_fault_has_its_group() -> None:
    """None is left out of the short form."""
    assert sorted(fault for faults in GROUPS.values() for fault in faults) == sorted(all_faults())
