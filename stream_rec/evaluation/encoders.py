"""Which encoder to take: the engine on the vectors of each, over the same events, beside random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stream_rec.evaluation.changes import describe, is_certain
from stream_rec.evaluation.evaluation import EVERYTHING, Evaluation
from stream_rec.evaluation.trials import Failed, Finished

RANDOM = "random"
"""The encoder that all others are compared with."""
NEW_ITEMS = "item<5"


def compare_encoders(
    evaluation: Evaluation, outcomes: Mapping[str, Finished | Failed], embed_s: Mapping[str, float | None]
) -> dict[str, Any]:
    """Return what is said of each encoder, the highest NDCG first, and which to choose.

    Args:
        outcomes: Of the engine, by encoder, each observed; ``RANDOM`` among them.
        embed_s: Seconds that embedding all texts took, by encoder; None where they were known.
    """
    results, _ = evaluation.summarize(outcomes)
    done = sorted((name for name in results if "error" not in results[name]), key=lambda name: -results[name]["ndcg"])
    rows = {
        name: {
            **{key: results[name][key] for key in ("ndcg", "hit_rate", "slices", "halves", "candidates", "cost")},
            "embed_s": embed_s[name],
            "over_random": _compare(evaluation, outcomes, RANDOM, name),
        }
        for name in done
    }
    encoders = [name for name in done if name != RANDOM]
    best = encoders[0] if encoders else None
    to_best = {name: _compare(evaluation, outcomes, best, name) for name in encoders[1:]} if best else {}
    return {
        "encoders": rows,
        "failed": {name: result["error"] for name, result in results.items() if "error" in result},
        "best": best,
        "to_best": {name: parts and parts[EVERYTHING] for name, parts in to_best.items()},
        "advice": advise(rows, {name: parts[EVERYTHING]["ndcg"] for name, parts in to_best.items() if parts}),
    }


def advise(rows: Mapping[str, Mapping[str, Any]], to_best: Mapping[str, Mapping[str, Any]]) -> str:
    """Return which encoder to choose, in words, and how certain that is.

    Args:
        rows: By encoder, the highest NDCG first.
        to_best: Change of NDCG from that of the best encoder to that of each other; ``RANDOM`` is not in it.
    """
    encoders = [name for name in rows if name != RANDOM]
    if not encoders:
        return "No encoder has run: nothing can be said."
    best = encoders[0]
    level = [best, *(name for name, change in to_best.items() if not is_certain(change))]
    choice, why = _choose_lightest(level, rows)
    over = (rows[best]["over_random"] or {}).get(EVERYTHING, {}).get("ndcg")
    if over is None:
        return f"{best} has the highest NDCG; without the run of `{RANDOM}` nothing is known of what text brings."
    if not _is_better(over):
        said = (
            f"No encoder is certainly better than random vectors over all events: {best}, the best, by {_say(over)}. "
        )
        return said + _name_worse(encoders, rows) + _advise_for_new_items(encoders, rows)
    said = f"{best} has the highest NDCG, over random vectors {_say(over)}. {_name_worse(encoders, rows)}"
    if len(encoders) == 1:
        return said + "No other was compared."
    if len(level) == 1:
        return said + f"Every other is certainly worse over these events: choose {best}."
    others = ", ".join(level[1:])
    if choice == best:
        return said + f"Over these events it cannot be told apart from {others}, and {why}: choose {best}."
    level_with = f"Over these events it cannot be told apart from {others}, of which {choice} {why}"
    return said + f"{level_with}: choose {choice}, or {best} if a longer log says the same."


def _advise_for_new_items(encoders: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what to choose where text brings nothing over all events: it may for items that are new."""
    changes = {name: rows[name]["over_random"].get(NEW_ITEMS, {}).get("hit_rate") for name in encoders}
    better = {name: change for name, change in changes.items() if change and _is_better(change)}
    harmless = [name for name in encoders if name not in _find_worse(encoders, rows)]
    if not better and not harmless:
        return f"Each does harm here: choose {RANDOM}."
    lightest, why = _choose_lightest(harmless or encoders, rows)
    if not better:
        return f"Text brings nothing that can be seen here: choose {lightest}, which {why}."
    best = max(better, key=lambda name: better[name]["value"])
    otherwise = f" if new items matter, else {lightest}, which {why}" if lightest != best else f", which also {why}"
    return (
        f"Of items with under 5 events {best} has the highest hit rate, over random vectors {_say(better[best])}: "
        f"choose it{otherwise}."
    )


def _name_worse(encoders: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a sentence on the encoders that do harm, if there are any."""
    worse = _find_worse(encoders, rows)
    return f"Certainly worse than random vectors: {', '.join(worse)}. " if worse else ""


def _find_worse(encoders: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    changes = {name: (rows[name]["over_random"] or {}).get(EVERYTHING, {}).get("ndcg") for name in encoders}
    return [name for name, of in changes.items() if of and is_certain(of) and of["value"] < of["base"]]


def _choose_lightest(names: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """Return the encoder that costs least, and why it does: embedding, where it was timed for all, else the engine."""
    seconds = {name: rows[name]["embed_s"] for name in names}
    if all(value is not None for value in seconds.values()):
        return min(names, key=lambda name: seconds[name] or 0.0), "embeds fastest"
    return min(names, key=lambda name: rows[name]["cost"]["event_ms"]), "takes least time for an event"


def _compare(
    evaluation: Evaluation, outcomes: Mapping[str, Finished | Failed], base: str, value: str
) -> dict[str, Any] | None:
    """Return how an encoder differs from another, by part; None where one failed, or both are one."""
    return None if base == value else evaluation.compare(outcomes.get(base), outcomes.get(value))


def _is_better(change: Mapping[str, Any]) -> bool:
    return is_certain(change) and change["value"] > change["base"]


def _say(change: Mapping[str, Any]) -> str:
    """Return a change in words."""
    text, interval = describe(change)
    return f"{text} (95 %: {interval})" if text else "an unknown amount"
