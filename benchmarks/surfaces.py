"""What one curve for all surfaces costs: two surfaces that are looked at differently, by one curve and by one each.

    python benchmarks/surfaces.py [--seeds 5]

2,000 simulated items with log-normal appeal (sigma 1) are shown on two surfaces, good ones on top: in a list that is
looked at from the top (1 / position) and in a row that is seen nearly whole (position ** -0.2). Said is how far the
estimated curves are from the true ones (RMS of the log), and how well the appeal that follows agrees with the true one
(correlation of logs): by one curve, by one each, and by the true curves. And how long an estimate takes with as many
slots as one, two and eight surfaces have. Seconds.
"""

from __future__ import annotations

import argparse
import time
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from stream_rec.knowledge import examination
from stream_rec.knowledge.examination import PRIOR, SHRINKAGE, estimate
from stream_rec.knowledge.slots import N_SLOTS, SLOTS

Numbers = NDArray[np.float64]
POSITIONS: Numbers = np.array(SLOTS, float)
LIST, ROW, USUAL = POSITIONS**-1.0, POSITIONS**-0.2, POSITIONS**-0.5
N_ITEMS, N_LARGE = 2_000, 20_000
SHOWN = 400.0
"""Impressions of an item."""


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="means of so many draws (%(default)s)")
    seeds = range(parser.parse_args().seeds)
    print("| items on | choices | off by: one curve | one each | agrees: one curve | one each | true |")
    print("|---|---|---|---|---|---|---|")
    worlds = {"both": (False, LIST, ROW), "mostly one": (True, LIST, ROW), "both, alike": (False, USUAL, USUAL)}
    for name, (is_split, *curves) in worlds.items():
        for n_choices in (1_000, 5_000, 20_000):
            found = np.mean([compare(seed, n_choices, is_split, curves) for seed in seeds], axis=0)
            print(f"| {name} | {n_choices:,} | {' | '.join(f'{value:.2f}' for value in found)} |")
    print(f"\n| slots | ms of CPU for an estimate from {N_LARGE:,} items |\n|---|---|")
    for n_surfaces in (1, 2, 8):
        print(f"| {n_surfaces * N_SLOTS} | {time_estimate(n_surfaces):.0f} |")


def compare(seed: int, n_choices: int, is_split: bool, curves: list[Numbers]) -> list[float]:
    """Return how far one curve is off, and one each, and how well appeal by one, each and the true ones agrees."""
    rng = np.random.default_rng(seed)
    appeal = rng.lognormal(0, 1, N_ITEMS)
    share = 0.05 + 0.9 * rng.integers(0, 2, N_ITEMS) if is_split else np.full(N_ITEMS, 0.5)
    shown = [place(rng, appeal, part) for part in (share, 1 - share)]
    expected = [times * curve * appeal[:, None] for times, curve in zip(shown, curves)]
    scale = n_choices / sum(each.sum() for each in expected)
    chosen = [rng.binomial(times, np.minimum(1, scale * each / times.clip(1))) for times, each in zip(shown, expected)]
    one = estimate(sum(shown), sum(chosen))  # type: ignore[arg-type]
    each = [estimate(*counts) for counts in zip(shown, chosen)]
    picked = sum(times.sum(axis=1) for times in chosen)
    beliefs: list[list[Numbers]] = [[one, one], each, curves]
    errors = [float(np.mean([find_error(*pair) for pair in zip(belief, curves)])) for belief in beliefs[:2]]
    return errors + [find_agreement(shown, picked, belief, appeal) for belief in beliefs]


def place(rng: np.random.Generator, appeal: Numbers, share: NDArray[Any]) -> NDArray[np.int64]:
    """Return how often each item is shown in each slot: most often where its appeal puts it, as far as that is seen."""
    order = np.argsort(np.argsort(-appeal * rng.lognormal(0, 0.7, N_ITEMS)))
    often = np.full((N_ITEMS, N_SLOTS), 0.3 / N_SLOTS)
    often[np.arange(N_ITEMS), order * N_SLOTS // N_ITEMS] += 0.7
    return rng.poisson(often * (SHOWN * share)[:, None])


def find_error(found: Numbers, true: Numbers) -> float:
    """Return the RMS of the difference of logs, of slots relative to the first."""
    return float(np.sqrt(np.mean((np.log(found / found[0]) - np.log(true / true[0])) ** 2)))


def find_agreement(shown: list[Any], picked: Any, curves: list[Numbers], appeal: Numbers) -> float:
    """Return the correlation of the log of appeal that follows from curves with the true one."""
    examined = sum(times @ curve for times, curve in zip(shown, curves))
    mean = picked.sum() / examined.sum()
    found = np.log((picked + SHRINKAGE) / (examined * mean + SHRINKAGE))
    return float(np.corrcoef(found, np.log(appeal))[0, 1])


def time_estimate(n_surfaces: int) -> float:
    """Return how many ms an estimate takes with the slots of so many surfaces."""
    rng = np.random.default_rng(0)
    shown = rng.poisson(3, (N_LARGE, n_surfaces * N_SLOTS))
    chosen = rng.binomial(shown, 0.02)
    prior = np.tile(PRIOR, n_surfaces)
    with patch.multiple(examination, N_SLOTS=n_surfaces * N_SLOTS, PRIOR=prior):
        began_ns = time.process_time_ns()
        estimate(shown, chosen, prior)
        return (time.process_time_ns() - began_ns) / 1e6


if __name__ == "__main__":
    main()
