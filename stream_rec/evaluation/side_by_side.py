"""Two evaluations beside each other: what differs between them, and how each figure has changed.

Where both judged the same events alike, changes have intervals, event for event (``against.py``). Where they did not,
the figures still stand side by side, with why no more can be said.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stream_rec.errors import FileProblem
from stream_rec.evaluation import scored_events
from stream_rec.evaluation.against import (
    Run,
    compare_runs,
    find_changed_settings,
    find_unlike,
    read_said,
)
from stream_rec.evaluation.contenders import ENGINE
from stream_rec.evaluation.losses import list_parts
from stream_rec.evaluation.scored_events import name_file

METRICS = ("ndcg", "hit_rate", "mrr")
"""Of each method."""
PART_METRICS = ("ndcg", "hit_rate")
FACTS = ("items", "events", "limit", "warmup", "list_size", "seed", "n_events", "n_users", "n_items_listed")
"""Of the protocol: what is told where it differs."""


def compare_files(before: Path, after: Path) -> dict[str, Any]:
    """Return how two evaluations that were written with ``--json`` differ, as plain data.

    Under ``against`` stands what ``against.compare_runs`` says, or None; then ``unpaired`` says why, a sentence each.

    Raises:
        FileProblem: a file is missing, or is not what ``stream-rec evaluate --json`` writes.
    """
    was, now = read_said(before), read_said(after)
    unpaired = [f"They differ in {what}." for what in find_unlike(was["protocol"], now["protocol"])]
    against = None
    if not unpaired:
        try:
            runs = [
                Run(file, said, scored_events.read(name_file(file))) for file, said in ((before, was), (after, now))
            ]
            against = compare_runs(*runs)
        except FileProblem as error:
            unpaired = [f"There are no intervals: {error}."]
    base, value = _done(was), _done(now)
    return {
        "files": _name(before, after),
        "n": now["protocol"]["list_size"],
        "unpaired": unpaired,
        "differences": _find_differences(was, now),
        "methods": {
            name: {metric: _pair(base[name][metric], value[name][metric]) for metric in METRICS}
            for name in value
            if name in base
        },
        "only": {"base": sorted(base.keys() - value.keys()), "value": sorted(value.keys() - base.keys())},
        "parts": _compare_parts(base[ENGINE], value[ENGINE]),
        "cost": {key: _pair(*(done[ENGINE]["cost"][key] for done in (base, value))) for key in ("event_ms", "peak_mb")},
        "against": against,
    }


def find_change(pair: Mapping[str, Any]) -> float | None:
    """Return by how much of itself the first of two figures has changed; None where there is none, or it is 0."""
    if pair["base"] is None or pair["value"] is None or not pair["base"]:
        return None
    change: float = pair["value"] / pair["base"] - 1
    return change


def _find_differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return by name what differs in the log, the cut, the program and its settings."""
    pairs = {key: _pair(was["protocol"].get(key), now["protocol"].get(key)) for key in FACTS}
    pairs["the log's digest"] = _pair(was["protocol"]["digest"], now["protocol"]["digest"])
    pairs["encoder"] = _pair(was["protocol"]["encoder"], now["protocol"]["encoder"])
    differing = {name: pair for name, pair in pairs.items() if pair["base"] != pair["value"]}
    return differing | find_changed_settings(was, now)


def _compare_parts(base: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return events and figures of the engine in each part that both have events in."""
    was, now = list_parts(base), list_parts(value)
    return {
        part: {
            "n": _pair(was[part]["n"], now[part]["n"]),
            **{metric: _pair(was[part][metric], now[part][metric]) for metric in PART_METRICS},
        }
        for part in now
        if part in was and was[part]["n"] and now[part]["n"]
    }


def _done(said: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the results of the methods that ran to their end."""
    return {name: result for name, result in said["results"].items() if "error" not in result}


def _name(before: Path, after: Path) -> dict[str, str]:
    """Return what the files are called: with their folder where the names alone are one."""
    if before.name != after.name:
        return _pair(before.name, after.name)
    return _pair(*(str(Path(file.resolve().parent.name) / file.name) for file in (before, after)))


def _pair(base: Any, value: Any) -> dict[str, Any]:
    return {"base": base, "value": value}
