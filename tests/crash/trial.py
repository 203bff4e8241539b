"""One run: a pipeline under load, the faults of a schedule, quiescence, and the verdict."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.crash.broker import Broker
from tests.crash.faults import all_faults
from tests.crash.lists import Absence
from tests.crash.load import Load, probes, steady_log
from tests.crash.rig import Durations, NotHere, Rig
from tests.crash.schedule import Planned
from tests.crash.verdict import Verdict, judge

SETTLE_TIMEOUT_S = 240.0
LOG_BYTES = 4 << 20
"""Kept of the end of each log of a run that failed."""


class Injected(Struct, frozen=True, kw_only=True):
    """One fault that happened."""

    fault: str
    at_event: int
    took_s: float
    next_list_s: float | None
    """From where its harm began until users of every partition had lists of later events; the longest of several."""
    problem: str = ""
    is_possible: bool = True


class Outcome(Struct, frozen=True, kw_only=True):
    """All that is told of one run."""

    seed: int
    rate: float
    injected: list[Injected]
    verdict: Verdict
    restarts: dict[str, int]
    exits: list[tuple[str, int]]
    settled_s: float
    wall_s: float

    @property
    def problems(self) -> list[str]:
        """Whatever was wrong."""
        faults = all_faults()
        ended = self.exits if not any(faults[one.fault].may_end_processes for one in self.injected) else []
        return [
            *(f"{one.fault}: {one.problem}" for one in self.injected if one.problem),
            *(f"{name} ended with exit code {code}" for name, code in ended),
            *self.verdict.problems,
        ]


class Progress:
    """How far a run is; read by whoever shows it."""

    def __init__(self) -> None:
        self.phase = "starting"
        self.load: Load | None = None
        self.active: list[str] = []
        """Faults under way."""

    @property
    def n_sent(self) -> int:
        """Events of the steady log so far."""
        return self.load.n_steady if self.load else 0


def run(
    broker: Broker,
    seed: int,
    planned: Sequence[Planned],
    *,
    n_events: int,
    rate: float,
    durations: Durations,
    progress: Progress | None = None,
    keep_logs: Path | None = None,
) -> Outcome:
    """Run it.

    Args:
        progress: Kept up to date while it runs.
        keep_logs: Where the processes' logs go if something was wrong.
    """
    progress = progress or Progress()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stream-rec-crash-", ignore_cleanup_errors=True) as temporary:
        directory = Path(temporary)
        is_right = False
        try:
            with Rig(broker, steady_log(seed, n_events), rate, durations, directory) as rig:
                progress.phase, progress.load = "under load", rig.load
                rig.load.start()
                injected = _inject_all(rig, planned, progress)
                progress.phase = "settling"
                settling = time.monotonic()
                problems = _problem_of(lambda: rig.settle(SETTLE_TIMEOUT_S))
                settled_s = time.monotonic() - settling
                progress.phase = "judging"
                verdict = judge(rig)
                outcome = Outcome(
                    seed=seed,
                    rate=rate,
                    injected=injected,
                    verdict=msgspec.structs.replace(verdict, problems=[*problems, *verdict.problems]),
                    restarts=dict(rig.supervisor.starts),
                    exits=rig.supervisor.exits,
                    settled_s=round(settled_s, 1),
                    wall_s=round(time.monotonic() - began, 1),
                )
            is_right = not outcome.problems
        finally:
            if keep_logs is not None and not is_right:
                _keep_logs(directory, keep_logs)
    return outcome


def _inject_all(rig: Rig, planned: Sequence[Planned], progress: Progress) -> list[Injected]:
    """Let each fault happen in its time, in a thread of its own; return when all are over and lists came again."""
    faults = all_faults()
    results: dict[Planned, tuple[float, Exception | None]] = {}

    def inject(one: Planned) -> None:
        progress.active.append(one.fault)
        began = time.monotonic()
        error = None
        try:
            faults[one.fault].inject(rig, random.Random(one.seed))
        except Exception as raised:
            error = raised
        results[one] = time.monotonic() - began, error
        progress.active.remove(one.fault)

    hands = [
        threading.Thread(target=inject, args=[one], name=str(number), daemon=True) for number, one in enumerate(planned)
    ]
    try:
        for one, hand in zip(planned, hands):
            rig.load.wait_until_sent(one.at_event)
            hand.start()
        for hand in hands:
            hand.join()
    except BaseException:
        rig.break_off()
        for hand in hands:
            if hand.is_alive():
                hand.join()
        raise
    rig.load.wait_until_sent(rig.load.n_planned)
    rig.load.put_events(probes())  # for faults that outlasted the load
    strikes = [absence for absences in rig.strikes.values() for absence in absences]
    with suppress(TimeoutError):
        rig.wait_until(lambda: all(absence.longest_s is not None for absence in strikes), SETTLE_TIMEOUT_S)
    return [_injected(one, *results[one], rig.strikes[hand.name]) for one, hand in zip(planned, hands)]


def _injected(one: Planned, took_s: float, error: Exception | None, strikes: Sequence[Absence]) -> Injected:
    seconds = [absence.longest_s for absence in strikes]
    next_list_s = max(seconds) if seconds and None not in seconds else None
    is_possible = not isinstance(error, NotHere)
    problem = "" if error is None or not is_possible else f"{type(error).__name__}: {error}"[:500]
    if is_possible and not problem and next_list_s is None:
        problem = "users of some partition had no list any more"
    return Injected(
        fault=one.fault,
        at_event=one.at_event,
        took_s=round(took_s, 2),
        next_list_s=None if next_list_s is None else round(next_list_s, 2),
        problem=problem,
        is_possible=is_possible,
    )


def _problem_of(work: Callable[[], object]) -> list[str]:
    try:
        work()
    except Exception as error:
        return [f"{type(error).__name__}: {error}"[:500]]
    return []


def _keep_logs(directory: Path, target: Path) -> None:
    """Keep the ends of the processes' logs."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for log in directory.glob("*.log"):
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_BYTES))
            (target / log.name).write_bytes(file.read())
