"""Logs that are hard in one way, for `stream-rec evaluate`: bursts of ratings, and a clock that shows days.

    python benchmarks/hard_logs.py bursts --out bursts
    python benchmarks/hard_logs.py days --events EVENTS --out days
    stream-rec evaluate --items bursts/items.jsonl.gz --events bursts/events.jsonl.gz --baselines covisits,stan

In `bursts`, which is made up, 420 users each rate films that they know one after the other within minutes, as new
members of such sites do: what comes next says little, what they have in common says much, and nothing is taken twice.
`days` is a log of yours with each time at the beginning of its day, so that all that a user did in it looks like one
order.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILMS, USERS, TASTES = 2_500, 420, 16
BEGIN_S, SPAN_DAYS = 1_000_000_000, 180
DAY_S = 86_400


def main() -> None:
    """Write the log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    bursts = kinds.add_parser("bursts", help="a made-up log of ratings")
    bursts.add_argument("--seed", type=int, default=3, help="of all that is drawn (%(default)s)")
    days = kinds.add_parser("days", help="a log whose clock shows days")
    days.add_argument("--events", type=Path, required=True, help="events as JSON lines, with gzip, times in seconds")
    for each in (bursts, days):
        each.add_argument("--out", type=Path, required=True, help="folder for the log")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.kind == "days":
        with gzip.open(arguments.events, "rt", encoding="utf-8") as lines:
            write(arguments.out / "events.jsonl.gz", map(floored, map(json.loads, lines)))
        return
    films, events = make_bursts(np.random.default_rng(arguments.seed))
    write(arguments.out / "items.jsonl.gz", films)
    write(arguments.out / "events.jsonl.gz", events)


def floored(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event at the beginning of its day."""
    return {**event, "timestamp": event["timestamp"] // DAY_S * DAY_S}


def make_bursts(random: np.random.Generator) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return items and events, as JSON has them, in order of time."""
    tastes = random.normal(size=(FILMS, TASTES))
    popularity = random.normal(0, 1.3, FILMS)
    films = [
        {"item_id": f"f{film}", "title": f"Film {film} genre{np.argmax(of)} style{np.argmin(of)}"}
        for film, of in enumerate(tastes)
    ]
    ratings = []
    for user in range(USERS):
        time_s = BEGIN_S + int(random.uniform(0, SPAN_DAYS * DAY_S))
        for film in known_films(random, tastes, popularity):
            time_s += int(random.exponential(12))
            if random.uniform() < 0.01:  # goes on another day
                time_s += int(random.exponential(10 * DAY_S))
            ratings.append((time_s, user, film))
    events = [
        {"event_id": f"e{n}", "user_id": f"u{user}", "item_id": f"f{film}", "event_type": "view", "timestamp": time_s}
        for n, (time_s, user, film) in enumerate(sorted(ratings))
    ]
    return films, events


def known_films(random: np.random.Generator, tastes: NDArray[Any], popularity: NDArray[Any]) -> list[int]:
    """Return what one user rates, those that a site would show first in front: 20 to 400 films of their taste."""
    liking = popularity + 0.55 * (tastes @ random.normal(size=TASTES))
    n_films = int(np.clip(random.lognormal(4.2, 0.8), 20, 400))
    known = np.argsort(-(liking + random.gumbel(size=FILMS)))[:n_films]
    shown = popularity[known] + random.normal(0, 1.5, n_films)
    films: list[int] = known[np.argsort(-shown)].tolist()
    return films


def write(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines, with gzip."""
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)


if __name__ == "__main__":
    main()
