"""One evaluation against an earlier one of the same log: what a change of settings, encoder or program brought."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_rec.errors import FileProblem
from stream_rec.evaluation import scored_events
from stream_rec.evaluation.changes import MEASURES, compare, describe
from stream_rec.evaluation.contenders import ENGINE
from stream_rec.evaluation.scored_events import ScoredEvents

SAME = {
    "limit": "--limit",
    "warmup": "--warmup",
    "list_size": "--list-size",
    "seed": "--seed",
    "digest": "the log, or which of its items are listed",
}
"""Keys of the protocol that both evaluations must agree in, and what makes them differ."""
OF_UNSCORED = {"searches": ("critiques", "ignores_searches"), "impressions": ("ignores_impressions",)}
"""Keys of the protocol, where they are used: what is known of what is not scored may differ, as settings may."""
COSTS = {"list_ms": "per list", "learn_ms": "per event learned"}
"""Mean milliseconds that are compared."""
HEAD = ("measure", "part", "events", "before", "after", "change", "95 % of the change")


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation: what it says, and what became of each event."""

    file: Path
    said: Mapping[str, Any]
    """As in the JSON of ``stream-rec evaluate``."""
    events: ScoredEvents


def read_said(file: Path) -> Mapping[str, Any]:
    """Return what an evaluation said with ``--json``.

    Raises:
        FileProblem: the file is missing, or cannot be used.
    """
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        protocol, engine = said["protocol"], said["results"][ENGINE]
        if "error" in engine:
            raise FileProblem(f"{file} has no result of {ENGINE}: {engine['error']}")
        known = protocol.keys() >= SAME.keys() and engine.keys() >= {"cost"} and "settings" in said
    except OSError as error:
        raise FileProblem(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileProblem(f"{file} is not what `stream-rec evaluate --json` writes: {error!r}") from error
    if not known:
        raise FileProblem(f"{file} was written by an older version: run that evaluation again with --json")
    checked: Mapping[str, Any] = said
    return checked


def read_run(file: Path) -> Run:
    """Return an evaluation that was written with ``--json``.

    Raises:
        FileProblem: the file or the one beside it is missing, or cannot be used.
    """
    return Run(file, read_said(file), scored_events.read(scored_events.name_file(file)))


def require_same(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuse protocols that differ in what makes results comparable, as far as ``after`` knows it yet.

    Raises:
        FileProblem: they differ; it says in what.
    """
    differing = find_unlike(before, after)
    if differing:
        raise FileProblem(
            f"the earlier evaluation differs in {', '.join(differing)}: compare runs over the same events, judged alike"
        )


def find_unlike(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return in what two protocols differ that makes results comparable, as far as ``after`` knows it yet."""
    return [
        f"{what} ({before[key]} before, {after[key]} now)"
        for key, what in SAME.items()
        if key in after and before[key] != after[key]
    ]


def compare_runs(before: Run, after: Run) -> dict[str, Any]:
    """Return how the engine of a run differs from that of an earlier one, as plain data.

    A part of the events that only one of them has is left out: those by searches are only where a log has searches.

    Raises:
        FileProblem: they are of different logs, or judged differently.
    """
    require_same(before.said["protocol"], after.said["protocol"])
    protocol = after.said["protocol"]
    was, now = before.events, after.events
    parts = {name: mask for name, mask in now.parts.items() if name in was.parts}
    judged = {"n": protocol["list_size"], "seed": protocol["seed"]}
    costs = {
        key: {"base": before.said["results"][ENGINE]["cost"][key]["mean"],
              "value": after.said["results"][ENGINE]["cost"][key]["mean"]}
        for key in COSTS
    }  # fmt: skip
    return {
        "file": before.file.name,
        "encoder": {"base": before.said["protocol"]["encoder"], "value": protocol["encoder"]},
        "settings": find_changed_settings(before.said, after.said),
        "parts": compare(was.results, now.results, now.users, parts, **judged),
        "cost": costs,
    }


def list_rows(against: Mapping[str, Any], n: int) -> list[tuple[str, ...]]:
    """Return the rows under ``HEAD``: each measure by part, lists having ``n`` items, then what it costs."""
    rows: list[tuple[str, ...]] = []
    for measure in MEASURES:
        title = "candidate recall" if measure == "recall" else f"{measure}@{n}"
        for part, of in against["parts"].items():
            change = of[measure]
            numbers = f"{change['base']:.4f}", f"{change['value']:.4f}"
            rows.append((title, part, f"{of['n']:,}", *numbers, *describe(change)))
    for key, title in COSTS.items():
        base, value = against["cost"][key]["base"], against["cost"][key]["value"]
        rows.append((f"ms {title}", "", "", f"{base:.3f}", f"{value:.3f}", f"{value / base - 1:+.1%}", ""))
    return rows


def render_markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)) + "\n"


def describe_differences(against: Mapping[str, Any]) -> str:
    """Return in what the runs differ."""
    changed = {"encoder": against["encoder"], **against["settings"]}
    parts = [f"{name}: {of['base']} → {of['value']}" for name, of in changed.items() if of["base"] != of["value"]]
    return "; ".join(parts) or "the same settings and encoder"


def find_changed_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of two evaluations that differ, and what is known of what is not scored.

    The version of the program is among them where both say it.
    """
    told = _find_differing(*map(_find_known, (before, after)))
    if before.get("version") and after.get("version"):
        told |= _find_differing(
            {"stream_rec": {"version": before["version"]}}, {"stream_rec": {"version": after["version"]}}
        )
    return told | _find_differing(before["settings"], after["settings"])


def _find_known(said: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what was known of what is not scored, in sections as settings are."""
    return {section: {key: said["protocol"].get(key) for key in keys} for section, keys in OF_UNSCORED.items()}


def _find_differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings that differ, by ``section.key``; None where there is no such setting."""
    was, now = (
        {f"{section}.{key}": value for section, values in tree.items() for key, value in values.items()}
        for tree in (before, after)
    )
    return {
        name: {"base": was.get(name), "value": now.get(name)}
        for name in sorted(was.keys() | now.keys())
        if was.get(name) != now.get(name)
    }
