"""What an evaluation means in plain words, for somebody who sells things, and whether the engine is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stream_rec.evaluation.contenders import ENGINE, is_baseline
from stream_rec.evaluation.losses import Loss

PARTS = {
    "all": "all events",
    "half=first": "the first half of the log",
    "half=second": "the second half of the log",
    "user=0": "users without history",
    "user<5": "users with under 5 events",
    "user=1-4": "users with 1 to 4 events",
    "user=5-19": "users with 5 to 19 events",
    "user=20+": "users with 20 events or more",
    "item=0": "items that nobody had chosen",
    "item<5": "items with under 5 events",
    "item=1-4": "items with 1 to 4 events",
    "item=5-19": "items with 5 to 19 events",
    "item=20+": "items with 20 events or more",
    "pair=seen": "things that the user had chosen before",
    "pair=new": "things that were new to the user",
    "kind=view": "views",
    "kind=click": "clicks",
    "kind=purchase": "purchases",
    "after=search": "what came after a search",
    "after=event": "what came after no search",
    "item=unlisted": "items that may not be shown",
}
"""What each part of the events is called where no table explains it."""
LEAST_EVENTS = 100
"""Of a part: of fewer, one method is easily ahead of others by chance."""
MOST_NAMED = 6
"""Parts that a sentence names."""


def tell_figures(said: Mapping[str, Any]) -> str:
    """Return what the hit rates mean, counted in things that users did; "" where the engine has no result.

    Args:
        said: What ``stream-rec evaluate`` says.
    """
    hits = {name: result["hit_rate"] for name, result in said["results"].items() if "error" not in result}
    if ENGINE not in hits:
        return ""
    n = said["protocol"]["list_size"]
    ours = hits[ENGINE]
    others = {name: rate for name, rate in hits.items() if is_baseline(name)}
    best = max(others, key=lambda name: others[name], default=None)
    scale = _choose_scale([ours] if best is None else [ours, others[best]])
    told = (
        f"Of {scale:,} things that users did next, {_count(ours, scale)} stood in the {n} that they would have been "
        "shown at that moment."
    )
    return told if best is None else f"{told} The best simple method, {best}, had {_count(others[best], scale)}."


def judge(said: Mapping[str, Any], losses: Sequence[Loss]) -> list[str]:
    """Return whether the engine is better, worse, or not told apart, and in which parts a simpler method is better.

    Args:
        said: What ``stream-rec evaluate`` says.
        losses: Where a baseline is ahead, with intervals where there are any.
    """
    if "error" in said["results"].get(ENGINE, {"error": ""}):
        return []
    compared = said["comparison"]
    if not compared:
        return ["No simple method was run beside it, so whether this is much or little is not known."]
    return [_judge_all(compared), _judge_parts(losses)]


def name_outcome(comparison: Mapping[str, Any] | None) -> str:
    """Return better, worse or level, by the interval of the difference of NDCG; unknown where there is none."""
    if not comparison or "low" not in comparison["ndcg"]:
        return "unknown"
    ndcg = comparison["ndcg"]
    return "better" if ndcg["low"] > 0 else "worse" if ndcg["high"] < 0 else "level"


def _judge_all(compared: Mapping[str, Any]) -> str:
    best = compared["baseline"]
    ahead = "ahead of" if compared["ndcg"]["mean"] > 0 else "behind"
    match name_outcome(compared):
        case "better":
            return (
                f"stream_rec is better than {best}, the best of the simple methods, when places further up count more: "
                "the lead is larger than chance among these users would make it."
            )
        case "worse":
            return (
                f"stream_rec is worse than {best}, the best of the simple methods, when places further up count more, "
                "and not by chance: here the simple method is the one to take."
            )
        case "level":
            return (
                f"stream_rec and {best}, the best of the simple methods, cannot be told apart on this log: it is "
                f"{ahead} it by no more than chance among these users may make. More events would tell."
            )
    return f"stream_rec is {ahead} {best}; of a single user nothing can be said of others."


def _judge_parts(losses: Sequence[Loss]) -> str:
    """Return in which parts a baseline has the better NDCG: beyond chance, and by less."""
    losses = [one for one in losses if one.metric == "ndcg" and one.part != "all" and not one.part.startswith("half=")]
    large = [one for one in losses if one.n >= LEAST_EVENTS]
    certain = [one for one in large if one.is_certain]
    others = len(losses) - len(certain)
    if not losses:
        return "In no part of the events is a simple method better."
    rest = (
        f"In {others} other part{'s' if others > 1 else ''} one is ahead by no more than chance may make, or of too "
        "few events to tell."
    )
    if not certain:
        return f"In no part of the events is a simple method better beyond chance. {rest.replace(' other', '')}"
    named = _join(f"{PARTS.get(one.part, one.part)} ({one.baseline})" for one in certain[:MOST_NAMED])
    more = f", and {len(certain) - MOST_NAMED} more" if len(certain) > MOST_NAMED else ""
    return f"A simple method is better for {named}{more}." + (f" {rest}" if others else "")


def _choose_scale(rates: Sequence[float]) -> int:
    """Return of how many to count, so that different rates give different counts, and none but 0 gives 0."""
    for scale in (100, 1000):
        counts = [_count(rate, scale) for rate in rates]
        if len(set(counts)) == len(set(rates)) and all(n >= 5 for n, rate in zip(counts, rates) if rate):
            return scale
    return 10_000


def _count(rate: float, scale: int) -> int:
    return round(rate * scale)


def _join(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
