"""Try many inputs on every decoder, and print a table: `python -m tests.fuzz --examples 1000000 --seed 1`.

Ends with 1 where a decoder raised what it must not. What failed is printed with its number: with the same seed,
`--only NAME --first NUMBER` tries again from there. The world is a new one every ``WORLD`` inputs: begin at a multiple.
"""

from __future__ import annotations

import argparse
import logging
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from random import Random

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.fuzz.decoders import DECODERS, Decoder
from tests.fuzz.world import World

WORLD = 200
"""Inputs that one world takes, one after the other: a state must also fit on what others left."""
SHOWN = 5
"""Failures printed of one decoder."""


class Counts:
    """What became of one decoder's inputs."""

    def __init__(self) -> None:
        self.inputs = self.values = self.failures = 0
        self.slowest_ms = 0.0
        self.seen: set[str] = set()


def main() -> None:
    """Read the arguments, try, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--examples", type=int, default=10_000, help="over all decoders (default 10000)")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", choices=[decoder.name for decoder in DECODERS], help="one decoder alone")
    options.add_argument("--first", type=int, default=0, help="number of the first input of each decoder")
    options.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long")
    args = options.parse_args()
    decoders = [decoder for decoder in DECODERS if args.only in (None, decoder.name)]
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of numbers that are then refused
    shares = sum(decoder.share for decoder in decoders)
    n_inputs = {decoder.name: max(1, round(args.examples * decoder.share / shares)) for decoder in decoders}
    counts_of = {decoder.name: Counts() for decoder in decoders}
    deadline = time.monotonic() + 60 * args.minutes
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with tempfile.TemporaryDirectory() as folder, Progress(*columns, console=console) as progress:
        bar = progress.add_task("inputs", total=sum(n_inputs.values()))
        for number in range(max(n_inputs.values())):
            if number % WORLD == 0 and time.monotonic() > deadline:
                break
            for decoder in decoders:
                # Spread evenly: a run that is cut short has tried every decoder in proportion.
                share = n_inputs[decoder.name] / max(n_inputs.values())
                if int((number + 1) * share) == int(number * share):
                    continue
                counts = counts_of[decoder.name]
                if counts.inputs % WORLD == 0:
                    counts.world = World(Path(folder))
                _try(decoder, args.first + counts.inputs, args.seed, counts, console)
                progress.advance(bar)
    Console().print(_table(counts_of))
    sys.exit(1 if any(counts.failures for counts in counts_of.values()) else 0)


def _try(decoder: Decoder, number: int, seed: int, counts: Counts, console: Console) -> None:
    counts.inputs += 1
    made = decoder.made(Random(f"{seed}/{decoder.name}/{number}"))
    began = time.perf_counter()
    try:
        counts.values += decoder.take(counts.world, made)
    except Exception as error:
        counts.failures += 1
        counts.world = World(counts.world.folder)
        *_, where = traceback.extract_tb(error.__traceback__)
        what = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
        if what not in counts.seen and len(counts.seen) < SHOWN:
            console.print(f"{decoder.name} {number}: {what}: {str(error)[:200]!r}", markup=False, highlight=False)
            console.print(f"    {made!r:.300}", markup=False, highlight=False)
        counts.seen.add(what)
    counts.slowest_ms = max(counts.slowest_ms, 1000 * (time.perf_counter() - began))


def _table(counts_of: dict[str, Counts]) -> Table:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table = Table("decoder", title=f"peak memory {peak_mb:.0f} MB")
    for heading in ("inputs", "refused", "values", "failures", "slowest (ms)"):
        table.add_column(heading, justify="right")
    rows = [(name, t.inputs, t.values, t.failures, t.slowest_ms) for name, t in counts_of.items()]
    total = [sum(column) for column in list(zip(*rows))[1:4]]
    rows.append(("all", *total, max(row[4] for row in rows)))
    for name, inputs, values, failures, slowest_ms in rows:
        refused = inputs - values - failures
        table.add_row(name, f"{inputs:,}", f"{refused:,}", f"{values:,}", f"{failures:,}", f"{slowest_ms:.1f}")
    return table


if __name__ == "__main__":
    main()
