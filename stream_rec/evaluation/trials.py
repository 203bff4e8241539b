"""Trials of several methods over one log, each in a process of its own: its memory and its time are its own.

What goes between the processes lies in one folder: the experiment (``experiment.py``), and what each method did.
"""

from __future__ import annotations

import multiprocessing
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rec.errors import StreamRecError
from stream_rec.evaluation.baselines.choice import Choosing
from stream_rec.evaluation.experiment import Experiment
from stream_rec.evaluation.method import Group, Method, Observer, World
from stream_rec.evaluation.prequential import Clock, Trial, judge

Factory = Callable[[World, int], Method]
"""From the world and a seed to a method."""
Observing = Callable[[Any, Experiment], Observer]
"""From the method that a factory made, and the experiment, to who looks at it."""

POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Contender:
    """A method to be judged. It goes to another process, so both must be picklable."""

    make: Factory
    observe: Observing | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of a method that ran to the end."""

    trial: Trial
    lists: NDArray[np.int32]
    """(scored groups, n) item numbers, best first, filled up with -1; mapped from a file."""
    setup_s: float
    total_s: float
    """The whole run: making the method, reading the log, lists, learning, keeping results; not its observer."""
    peak_mb: float
    """Most memory that the process ever held, the interpreter and the shared log included."""
    observed: Mapping[str, NDArray[Any]] | None = None
    """What its observer found, if it had one."""
    chosen: Mapping[str, Any] | None = None
    """What a baseline chose on the warm-up: ``Choice.describe``."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a method has no result."""

    message: str


def run(
    contenders: Mapping[str, Contender],
    experiment: Experiment,
    *,
    clock: Clock,
    jobs: int = 1,
    on_progress: Callable[[str, int], None] = lambda name, n_events: None,
) -> dict[str, Finished | Failed]:
    """Run every method over the log and return what became of it, in the order of ``contenders``.

    Args:
        jobs: Processes at a time. More than one disturb each other's timings.
        on_progress: Called now and then with a method's name and the events that it has taken.
    """
    folder = experiment.save()
    waiting = dict(contenders)
    running: list[_Child] = []
    results: dict[str, Finished | Failed] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = next(iter(waiting))
                out = folder / f"trial-{len(contenders) - len(waiting)}"
                started = _start(name, waiting.pop(name), clock, out)
                if isinstance(started, Failed):
                    results[name] = started
                else:
                    running.append(started)
            ended = wait([child.connection for child in running], timeout=POLL_S)
            for child in list(running):
                on_progress(child.name, child.progress.value)
                if child.connection in ended:
                    running.remove(child)
                    results[child.name] = _collect(child, experiment.settings.n)
                    on_progress(child.name, child.progress.value)
    finally:
        for child in running:
            child.process.terminate()
            child.process.join()
    return {name: results[name] for name in contenders}


@dataclass(frozen=True, slots=True)
class _Child:
    """One method's process, and what comes from it."""

    name: str
    process: SpawnProcess
    connection: Connection[Any, Any]
    progress: Any
    """Its ``value`` is how many events the method has taken."""
    out: Path
    """The file of its lists; beside it lie the others."""


def _start(name: str, contender: Contender, clock: Clock, out: Path) -> _Child | Failed:
    """Start a method's process on the experiment that was saved to the folder of ``out``."""
    context = multiprocessing.get_context("spawn")  # a fork would begin with the memory of this process
    parent_end, child_end = context.Pipe(duplex=False)
    progress = context.Value("q", 0, lock=False)
    arguments = (contender, clock, out, progress, child_end)
    process = context.Process(target=_run_in_child, args=arguments, name=name, daemon=True)
    try:
        process.start()
    except Exception as error:  # not picklable
        return Failed(f"{name} cannot go to a process of its own: {error}")
    child_end.close()
    return _Child(name, process, parent_end, progress, out)


def _collect(child: _Child, n: int) -> Finished | Failed:
    """Return what a child says of itself, or, where it died without a word, what its exit code says."""
    try:
        said = child.connection.recv()
    except (EOFError, OSError):
        said = None
    child.connection.close()
    child.process.join()
    if said is None:
        code = child.process.exitcode
        of_memory = ", perhaps for want of memory" if code == -9 else ""
        return Failed(f"its process ended with exit code {code} before it was done{of_memory}")
    if isinstance(said, str):
        return Failed(said)
    with np.load(child.out.with_suffix(".npz")) as arrays:
        trial = Trial(**{name: arrays[name] for name in (field.name for field in fields(Trial))})
    observed = None
    if (file := _observed_file(child.out)).exists():
        with np.load(file) as arrays:
            observed = dict(arrays)
    return Finished(trial, np.memmap(child.out, np.int32, "r").reshape(-1, n), observed=observed, **said)


def _run_in_child(
    contender: Contender, clock: Clock, out: Path, progress: Any, connection: Connection[Any, Any]
) -> None:
    """Run one method and say how it went: what it cost and chose, or the message of what went wrong."""
    try:
        connection.send(_run_one(contender, clock, out, progress))
    except StreamRecError as error:
        connection.send(str(error))
    except ModuleNotFoundError as error:
        remedy = "install what the comparison needs: pip install 'stream-rec[bench]'"
        connection.send(str(error) if (error.name or "").startswith("stream_rec") else f"{error}; {remedy}")
    except Exception as error:
        print(traceback.format_exc(), file=sys.stderr)
        connection.send(f"{type(error).__name__}: {error} ({_where(error)})")


def _run_one(contender: Contender, clock: Clock, out: Path, progress: Any) -> dict[str, Any]:
    """Run one method, leave what it did beside ``out``, and return the other fields of ``Finished``."""
    began = clock()
    experiment = Experiment.open(out.parent)
    method = contender.make(experiment.world, experiment.settings.seed)
    setup_s = (clock() - began) / 1e9
    observer = contender.observe(method, experiment) if contender.observe else None
    observed_ns = 0

    def watch(look: Callable[[Group], None], group: Group) -> None:
        nonlocal observed_ns
        looked = clock()
        look(group)
        observed_ns += clock() - looked

    def count(n_events: int) -> None:
        progress.value = n_events

    watching = (
        {
            "observe": partial(watch, observer.observe),
            "observe_learned": partial(watch, observer.observe_learned),
        }
        if observer
        else {}
    )
    with out.open("wb") as lists:
        trial = judge(method, experiment, clock=clock, lists=lists, on_progress=count, **watching)
    peak_mb = _peak_mb()
    np.savez(out.with_suffix(".npz"), **asdict(trial))
    total_s = (clock() - began - observed_ns) / 1e9
    if observer:
        found: dict[str, Any] = dict(observer.collect())
        np.savez(_observed_file(out), **found)
    chosen = method.choice.describe() if isinstance(method, Choosing) else None
    return {"setup_s": setup_s, "total_s": total_s, "peak_mb": peak_mb, "chosen": chosen}


def _observed_file(out: Path) -> Path:
    """Return the file for what an observer found."""
    return out.with_name(f"{out.name}-observed.npz")


def _where(error: Exception) -> str:
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
