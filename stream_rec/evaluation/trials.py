"""Trials of several methods over one log, each in a process of its own: its memory and its time are its own.

What goes between the processes lies in one folder: the log (``scan.py``), the world, and what each method did.
"""

from __future__ import annotations

import multiprocessing
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from stream_rec.errors import StreamRecError
from stream_rec.evaluation.baselines.choice import Choosing
from stream_rec.evaluation.method import Group, Method, Observer, World
from stream_rec.evaluation.prequential import Clock, Schedule, Trial, judge, schedule
from stream_rec.evaluation.scan import ScannedLog

Factory = Callable[[World, int], Method]
"""From the world and a seed to a method. It goes to another process, so it must be picklable."""
Observing = Callable[[Any, Schedule], Observer]
"""From the method that a factory made, and the groups of the log. It goes to the same process."""

POLL_S = 0.2
TRAINED_EVERY = 0.02
"""Share of the events after which a batch model is trained again."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a method that ran to the end."""

    trial: Trial
    lists: np.ndarray
    """(scored groups, n) int32 item numbers, best first, filled up with -1; mapped from a file."""
    setup_s: float
    total_s: float
    """The whole run: making the method, reading the log, lists, learning, keeping results; not its observer."""
    peak_mb: float
    """Most memory that the process ever held, the interpreter and the shared log included."""
    observed: Mapping[str, np.ndarray] | None = None
    """What its observer found, if it had one."""
    chosen: Mapping[str, Any] | None = None
    """What a baseline chose on the warm-up: ``Choice.said``."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a method has no result."""

    message: str


def world_of(log: ScannedLog, plan: Schedule, is_listed: np.ndarray, vectors: np.ndarray) -> World:
    """Return what every method may know.

    Args:
        is_listed: (items of the item file,) bool.
        vectors: (items of the item file, d) float32; items that only events name have none.
    """
    n_others = len(log.item_ids) - len(is_listed)
    return World(
        n_users=log.n_users,
        n_items=len(log.item_ids),
        item_ids=log.item_ids,
        is_listed=np.pad(is_listed, (0, n_others)),
        vectors=np.pad(vectors, ((0, n_others), (0, 0))),
        n_warm_groups=plan.n_warm_groups,
        n_events_between_trainings=_between_trainings(log),
    )


def _between_trainings(log: ScannedLog) -> int:
    """Return how often a batch model is trained again, in events."""
    return max(1, round(TRAINED_EVERY * len(log)))


def run(
    factories: Mapping[str, Factory],
    log: ScannedLog,
    world: World,
    *,
    warmup: float,
    n: int,
    seed: int,
    clock: Clock,
    observers: Mapping[str, Observing] = MappingProxyType({}),
    jobs: int = 1,
    on_progress: Callable[[str, int], None] = lambda name, n_events: None,
) -> dict[str, Finished | Failed]:
    """Run every method over the log and return what became of it, in the order of ``factories``.

    Args:
        observers: Of some of the methods, by name.
        jobs: Processes at a time. More than one disturb each other's timings.
        on_progress: Called now and then with a method's name and the events that it has taken.
    """
    context = multiprocessing.get_context("spawn")  # a fork would begin with the memory of this process
    np.save(log.folder / "is_listed.npy", world.is_listed)
    np.save(log.folder / "vectors.npy", world.vectors)
    waiting = dict(enumerate(factories.items()))
    running: dict[Connection, tuple[str, Any, Any, Path]] = {}
    results: dict[str, Finished | Failed] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                number = next(iter(waiting))
                name, factory = waiting.pop(number)
                parent_end, child_end = context.Pipe(duplex=False)
                progress = context.Value("q", 0, lock=False)
                out = log.folder / f"trial-{number}"
                observing = observers.get(name)
                arguments = (factory, observing, log, warmup, n, seed, clock, out, progress, child_end)
                process = context.Process(target=_in_child, args=arguments, name=name, daemon=True)
                try:
                    process.start()
                except Exception as error:  # not picklable
                    results[name] = Failed(f"{name} cannot go to a process of its own: {error}")
                    continue
                child_end.close()
                running[parent_end] = name, process, progress, out
            ended = wait(list(running), timeout=POLL_S)
            for name, _, progress, _ in running.values():
                on_progress(name, progress.value)
            for connection in ended:
                name, process, progress, out = running.pop(connection)
                results[name] = _result(connection, process, out, n)
                on_progress(name, progress.value)
    finally:
        for _, process, _, _ in running.values():
            process.terminate()
            process.join()
    return {name: results[name] for name in factories}


def _result(connection: Connection, process: Any, out: Path, n: int) -> Finished | Failed:
    """Return what a child says of itself, or, where it died without a word, what its exit code says."""
    try:
        said = connection.recv()
    except (EOFError, OSError):
        said = None
    connection.close()
    process.join()
    if said is None:
        of_memory = ", perhaps for want of memory" if process.exitcode == -9 else ""
        return Failed(f"its process ended with exit code {process.exitcode} before it was done{of_memory}")
    if isinstance(said, str):
        return Failed(said)
    with np.load(out.with_suffix(".npz")) as arrays:
        trial = Trial(**{name: arrays[name] for name in (field.name for field in fields(Trial))})
    observed = None
    if (file := _observed(out)).exists():
        with np.load(file) as arrays:
            observed = dict(arrays)
    lists = np.memmap(out, np.int32, "r").reshape(-1, n)
    costs, chosen = said
    return Finished(trial, lists, *costs, observed, chosen)


def _in_child(
    factory: Factory,
    observing: Observing | None,
    log: ScannedLog,
    warmup: float,
    n: int,
    seed: int,
    clock: Clock,
    out: Path,
    progress: Any,
    connection: Connection,
) -> None:
    """Run one method and say how it went: what it cost and chose, or the message of what went wrong."""
    began = clock()
    try:
        plan = schedule(log, warmup)
        is_listed, vectors = np.load(log.folder / "is_listed.npy"), np.load(log.folder / "vectors.npy")
        world = World(
            log.n_users,
            len(log.item_ids),
            log.item_ids,
            is_listed,
            vectors,
            plan.n_warm_groups,
            _between_trainings(log),
        )
        method = factory(world, seed)
        setup_s = (clock() - began) / 1e9
        observer = observing(method, plan) if observing else None
        observed_ns = 0

        def observe(group: Group) -> None:
            nonlocal observed_ns
            if observer:
                looked = clock()
                observer.observe(group)
                observed_ns += clock() - looked

        def on_progress(n_events: int) -> None:
            progress.value = n_events

        with out.open("wb") as lists:
            trial = judge(
                method,
                log,
                plan,
                is_listed,
                n=n,
                clock=clock,
                lists=lists,
                observe=observe,
                on_progress=on_progress,
            )
        peak_mb = _peak_mb()
        np.savez(out.with_suffix(".npz"), **asdict(trial))
        total_s = (clock() - began - observed_ns) / 1e9
        if observer:
            np.savez(_observed(out), **observer.found())
        chosen = method.choice.said() if isinstance(method, Choosing) else None
        connection.send(((setup_s, total_s, peak_mb), chosen))
    except StreamRecError as error:
        connection.send(str(error))
    except ModuleNotFoundError as error:
        remedy = "install what the comparison needs: pip install 'stream-rec[bench]'"
        connection.send(str(error) if (error.name or "").startswith("stream_rec") else f"{error}; {remedy}")
    except Exception as error:
        print(traceback.format_exc(), file=sys.stderr)
        connection.send(f"{type(error).__name__}: {error} ({_place(error)})")


def _observed(out: Path) -> Path:
    """Return the file for what an observer found."""
    return out.with_name(f"{out.name}-observed.npz")


def _place(error: Exception) -> str:
    """Return the file and line that raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{'/'.join(Path(last.filename).parts[-2:])}:{last.lineno}"


def _peak_mb() -> float:
    """Return the most memory that this process ever held.

    Linux carries ``ru_maxrss`` over from the process that started this one, so its own high-water mark is read.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
