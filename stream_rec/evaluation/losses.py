"""Where a baseline is better than the engine: every part of the scored events, not only those that flatter."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stream_rec.evaluation.baselines.choice import describe_settings
from stream_rec.evaluation.bootstrap import Interval
from stream_rec.evaluation.contenders import ENGINE, is_baseline

WIDTH = 98
"""Of a line of the page."""

METRICS = ("ndcg", "hit_rate")


@dataclass(frozen=True, slots=True)
class Loss:
    """A part of the events, and a measure in which the engine is not the best there."""

    part: str
    n: int
    """Events of the part."""
    metric: str
    ours: float
    baseline: str
    """The best one."""
    theirs: float
    n_better: int
    """Baselines that are better than the engine."""
    difference: Interval | None = None
    """Of ours less theirs; None where it was not asked for, or there is none."""

    @property
    def is_certain(self) -> bool:
        """Whether there is an interval, and it leaves out 0."""
        return self.difference is not None and self.difference.high < 0


def find_losses(results: Mapping[str, Any]) -> list[Loss]:
    """Return every loss in the results of one log, in the order of the parts: all, halves, slices.

    Args:
        results: As ``stream-rec evaluate`` says them, by method; the engine's own runs are no baselines.
    """
    ours = list_parts(results[ENGINE])
    others = {
        name: list_parts(result) for name, result in results.items() if "error" not in result and is_baseline(name)
    }
    found = []
    for part, own in ours.items():
        for metric in METRICS:
            better = {
                name: of[part][metric] for name, of in others.items() if own["n"] and of[part][metric] > own[metric]
            }
            if better:
                best = max(better, key=lambda name: better[name])
                found.append(Loss(part, own["n"], metric, own[metric], best, better[best], len(better)))
    return found


def _is_chosen(result: Mapping[str, Any]) -> bool:
    """Return whether a method tried any settings."""
    return bool(result.get("chosen") and result["chosen"]["n_trials"])


def list_parts(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return size and accuracy by part, of one method: all, halves, slices."""
    halves = {f"half={name}": half for name, half in result["halves"].items()}
    n_events = sum(half["n"] for half in halves.values())
    everything = {"n": n_events, **{metric: result[metric] for metric in METRICS}}
    return {"all": everything, **halves, **result["slices"]}


def write_page(results: Mapping[str, Mapping[str, Any]], *, command: str) -> str:
    """Return a page of all losses by log, and of what baselines chose.

    Args:
        results: By log, what ``losses`` takes.
        command: What made them, to be shown.
    """
    lines = [
        "# Where a baseline is better than stream_rec, and what baselines chose",
        "",
        "Every part of the scored events (parts: `stream_rec/evaluation/slices.py`) in which at least one",
        "baseline has a higher ndcg@20 or hit_rate@20, with the best of them. Parts of few events are",
        "listed too; there the best of many methods is partly luck. Made by",
        "",
        f"    {command}",
        "",
        "Each baseline chose its settings on the warm-up of each log, by the ndcg@20 that stands beside them",
        "(`stream_rec/evaluation/baselines/choice.py`).",
    ]
    for log, methods in results.items():
        found = find_losses(methods)
        n_parts = sum(part["n"] > 0 for part in list_parts(methods[ENGINE]).values())
        lines += [
            "",
            f"## {log}",
            "",
            f"A baseline is better in {len({one.part for one in found})} of {n_parts} parts.",
        ]
        if found:
            lines += ["", "| part | events | measure | stream_rec | best baseline | which | better ones |"]
            lines += ["|---" * 7 + "|"]
        lines += [
            f"| {one.part} | {one.n:,} | {one.metric} | {one.ours:.4f} | {one.theirs:.4f} | {one.baseline} "
            f"| {one.n_better} |"
            for one in found
        ]
        chosen = {name: result["chosen"] for name, result in methods.items() if _is_chosen(result)}
        if chosen:
            lines += ["", "What baselines chose:", ""]
        for name, one in chosen.items():
            settings = describe_settings(one["settings"])
            text = f"- `{name}` ({one['n_trials']} trials, {one['warm_up_ndcg']:.4f}): {settings}."
            lines += textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines) + "\n"
