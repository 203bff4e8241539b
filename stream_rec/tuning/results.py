"""What a search came to, as plain data: trials, the best, and what that is worth on events that no trial has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from stream_rec.evaluation.changes import is_certain
from stream_rec.tuning.search import Tried

BEFORE, CHOSEN = "before", "chosen"
"""Names of the two that are reported."""
MEASURES = ("ndcg", "hit_rate", "mrr", "precision", "recall", "f1", "coverage")


def value_of(ndcg: Mapping[str, float], before: Mapping[str, float]) -> float:
    """Return the mean over logs of NDCG as a share of that of the settings that were there before.

    Example:
        >>> value_of({"a": 0.11, "b": 0.2}, {"a": 0.1, "b": 0.2})
        1.05
    """
    return round(sum(ndcg[log] / before[log] for log in before) / len(before), 9)


def differing(settings: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that differ from those that were there before, by name."""
    return {name: value for name, value in settings.items() if value != before[name]}


def summarize_search(
    tried: Sequence[Tried], best: Tried, importances: Mapping[str, float], n_asked: int
) -> dict[str, Any]:
    """Return the trials and what was chosen."""
    return {
        "trials": [msgspec.to_builtins(one) for one in tried],
        "n_trials": n_asked,
        "n_failed": sum(one.error is not None for one in tried),
        "best": msgspec.to_builtins(best),
        "chosen": differing(best.settings, tried[0].settings),
        "importances": dict(importances),
    }


def judge_reported(reported: Mapping[str, Mapping[str, Any]]) -> str:
    """Return in one sentence whether the choice holds on events that no trial has seen.

    Args:
        reported: By log, as ``changes.compare`` gives it for all events, under ``ndcg``.
    """
    changes = {log: of["ndcg"] for log, of in reported.items()}
    better = [log for log, of in changes.items() if is_certain(of) and of["value"] > of["base"]]
    worse = [log for log, of in changes.items() if is_certain(of) and of["value"] < of["base"]]
    if worse:
        return f"On the rest it is worse beyond chance on {', '.join(worse)}: keep the settings of before."
    if len(better) == len(changes):
        return f"On the rest it is better beyond chance on {'all logs' if len(changes) > 1 else 'this log'}."
    if better:
        return f"On the rest it is better beyond chance on {', '.join(better)}, and cannot be told apart on the others."
    return (
        "On the rest the two cannot be told apart: what trials gained was the luck of the search, or it takes a longer "
        "log to show."
    )
