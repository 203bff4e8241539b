"""The crash matrix: many seeds of faults under load, and a table of what each fault cost.

    python -m tests.crash --seeds 0:100 --events 50000 --rate 500 --json runs.jsonl

A run that is already in the JSON file, with the same arguments, is not done again, so that hours of them can be
interrupted. Exit code 1 where anything was lost, doubled or otherwise wrong.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import click
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from stream_rec.config import load
from tests.crash import trial
from tests.crash.broker import Broker
from tests.crash.faults import all_faults
from tests.crash.rig import SHORT, Durations
from tests.crash.schedule import FAULTS_A_RUN, schedule
from tests.crash.trial import Outcome, Progress

console = Console(stderr=True)


class Arguments(Struct, frozen=True, kw_only=True):
    """What makes one run the same as another, the seed aside."""

    events: int
    rate: float
    faults: list[str]
    n_faults: int
    short: bool

    def command(self, seed: int) -> str:
        """Return the command that runs one seed again."""
        names = "all" if self.faults == list(all_faults()) else ",".join(self.faults)
        return (
            f"python -m tests.crash --seeds {seed}:{seed + 1} --events {self.events} --rate {self.rate:g} "
            f"--faults {names} --faults-a-run {self.n_faults}{' --short' if self.short else ''}"
        )


class Line(Struct, frozen=True, kw_only=True):
    """One line of the JSON file."""

    arguments: Arguments
    outcome: Outcome | None
    crashed: str = ""
    """Why there is no outcome."""


@click.command(help=__doc__)
@click.option("--seeds", default="0:1", show_default=True, help="First seed and the one after the last, A:B.")
@click.option("--events", default=50_000, show_default=True, help="Of the steady log.")
@click.option("--rate", default=500.0, show_default=True, help="Events a second.")
@click.option("--faults", "names", default="all", show_default=True, help="Names, with commas between; see --list.")
@click.option("--faults-a-run", "n_faults", default=FAULTS_A_RUN, show_default=True, help="Injected in one run.")
@click.option("--alone", is_flag=True, help="Each fault in runs of its own, instead of mixed.")
@click.option("--short", is_flag=True, help="Outages of seconds instead of a minute.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="JSON lines, one a run; appended to.")
@click.option("--logs", type=click.Path(path_type=Path), help="Folder for the processes' logs of runs that failed.")
@click.option("--list", "is_list", is_flag=True, help="Name the faults and end.")
def main(
    seeds: str, events: int, rate: float, names: str, n_faults: int, alone: bool, short: bool,
    path: Path | None, logs: Path | None, is_list: bool,
) -> None:  # fmt: skip
    faults = all_faults()
    if is_list:
        for name in faults:
            click.echo(name)
        return
    chosen = list(faults) if names == "all" else names.split(",")
    if unknown := set(chosen) - faults.keys():
        raise click.BadParameter(f"no such fault: {', '.join(sorted(unknown))}; see --list", param_hint="--faults")
    first, _, end = seeds.partition(":")
    groups = [[name] for name in chosen] if alone else [chosen]
    plans = [
        (Arguments(events=events, rate=rate, faults=group, n_faults=n_faults, short=short), seed)
        for seed in range(int(first), int(end))
        for group in groups
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that contexts end, and with them all processes
    # Once, into numba's cache: else every process of the first run does, and is late.
    subprocess.run([sys.executable, "-m", "stream_rec", "compile"], check=True, stdout=subprocess.DEVNULL)
    lines = _run_all(plans, path, logs)
    Console().print(table(line.outcome for line in lines if line.outcome))
    sys.exit(1 if _report_failures(lines) else 0)


def table(outcomes: Iterable[Outcome]) -> Table:
    """Return what each fault came to, over the runs in which it happened, and what all runs came to."""
    outcomes = list(outcomes)
    runs_of: dict[str, list[Outcome]] = defaultdict(list)
    seconds_of: dict[str, list[float]] = defaultdict(list)
    n_injected: dict[str, int] = defaultdict(int)
    for outcome in outcomes:
        for one in outcome.injected:
            if one.is_possible:
                n_injected[one.fault] += 1
                if outcome not in runs_of[one.fault]:
                    runs_of[one.fault].append(outcome)
                if one.next_list_s is not None:
                    seconds_of[one.fault].append(one.next_list_s)
    found = Table(title="faults, and what the runs with them came to", title_justify="left")
    found.add_column("fault", no_wrap=True)
    for name in ("times", "runs", "wrong", "events", "lost", "double", "next list s", "longest"):
        found.add_column(name, justify="right")
    for name in [name for name in all_faults() if name in runs_of]:
        found.add_row(name, str(n_injected[name]), *_sums(runs_of[name]), *_seconds(seconds_of[name]))
    found.add_section()
    every = [second for seconds in seconds_of.values() for second in seconds]
    found.add_row("all", str(sum(n_injected.values())), *_sums(outcomes), *_seconds(every))
    return found


def _sums(outcomes: Sequence[Outcome]) -> list[str]:
    verdicts = [outcome.verdict for outcome in outcomes]
    return [
        str(len(outcomes)),
        str(sum(bool(outcome.problems) for outcome in outcomes)),
        f"{sum(verdict.events for verdict in verdicts):,}",
        str(sum(verdict.lost for verdict in verdicts)),
        str(sum(verdict.double for verdict in verdicts)),
    ]


def _seconds(seconds: Sequence[float]) -> list[str]:
    return [f"{statistics.median(seconds):.1f}", f"{max(seconds):.1f}"] if seconds else ["", ""]


def _run_all(plans: Sequence[tuple[Arguments, int]], path: Path | None, logs: Path | None) -> list[Line]:
    """Return a line for each plan: those of the file, and those run now, which are put there."""
    known = {_key(line.arguments, line.outcome.seed): line for line in _read(path) if line.outcome}
    lines = []
    with _bars() as bars:
        runs = bars.add_task("runs", total=len(plans), what="")
        for arguments, seed in plans:
            line = known.get(_key(arguments, seed)) or _run_one(arguments, seed, bars, logs)
            if _key(arguments, seed) not in known:
                _append(path, line)
                _say(line, seed)
            lines.append(line)
            n_wrong = sum(line.outcome is None or bool(line.outcome.problems) for line in lines)
            bars.update(runs, advance=1, what=f"{n_wrong} wrong")
    return lines


def _run_one(arguments: Arguments, seed: int, bars: Bars, logs: Path | None) -> Line:
    n_faults = arguments.n_faults if len(arguments.faults) > 1 else 1
    planned = schedule(seed, arguments.faults, n_events=arguments.events, n_faults=n_faults)
    try:
        with _shown(seed, arguments.events, bars) as progress, Broker(load().broker) as broker:
            outcome = trial.run(
                broker,
                seed,
                planned,
                n_events=arguments.events,
                rate=arguments.rate,
                durations=SHORT if arguments.short else Durations(),
                progress=progress,
                keep_logs=logs and logs / f"seed-{seed}-{'-'.join(arguments.faults)[:60]}",
            )
        return Line(arguments=arguments, outcome=outcome)
    except Exception as error:
        return Line(arguments=arguments, outcome=None, crashed=f"{type(error).__name__}: {error}"[:2000])


@contextmanager
def _shown(seed: int, n_events: int, bars: Bars) -> Iterator[Progress]:
    """Give the progress of one run, and show it while the block runs."""
    progress = Progress()
    task = bars.add_task(f"seed {seed}", total=n_events, what="")
    is_over = Event()

    def show() -> None:
        while not is_over.wait(0.2):
            bars.update(task, completed=progress.n_sent, what=", ".join([progress.phase, *progress.active]))

    Thread(target=show, name="progress", daemon=True).start()
    try:
        yield progress
    finally:
        is_over.set()
        bars.remove_task(task)


def _say(line: Line, seed: int) -> None:
    """Say what one run came to, and of a wrong one how to run it again."""
    if line.outcome is None:
        console.print(f"[red]seed {seed}: no outcome: {line.crashed}", highlight=False)
    else:
        verdict = line.outcome.verdict
        faults = ", ".join(
            f"{one.fault} {one.next_list_s if one.next_list_s is not None else '-'}" for one in line.outcome.injected
        )
        colour = "red" if line.outcome.problems else "green"
        console.print(
            f"[{colour}]seed {seed}[/]: {verdict.events:,} events, lost {verdict.lost}, double {verdict.double}, "
            f"{verdict.lists_again} lists again, {line.outcome.wall_s:.0f} s; next list after s: {faults}",
            highlight=False,
        )
        for problem in line.outcome.problems:
            console.print(f"    {problem}", highlight=False, markup=False)
    if line.outcome is None or line.outcome.problems:
        console.print(f"    again: {line.arguments.command(seed)}", highlight=False, markup=False)


def _report_failures(lines: Sequence[Line]) -> int:
    wrong = [line for line in lines if line.outcome is None or line.outcome.problems]
    if wrong:
        console.print(f"[red]{len(wrong)} of {len(lines)} runs went wrong")
    return len(wrong)


def _bars() -> Bars:
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[what]}"),
    )  # fmt: skip
    return Bars(*columns, console=console, disable=not console.is_terminal)


def _key(arguments: Arguments, seed: int) -> bytes:
    return msgspec.json.encode([arguments, seed])


def _read(path: Path | None) -> Iterator[Line]:
    if path is not None and path.exists():
        for line in path.read_bytes().splitlines():
            yield msgspec.json.decode(line, type=Line)


def _append(path: Path | None, line: Line) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
