"""Small evaluations as the command says them, for tests of what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stream_rec.config import Settings, redact
from stream_rec.evaluation import scored_events
from stream_rec.evaluation.bootstrap import Interval
from stream_rec.evaluation.examples import Deed, Example, Place
from stream_rec.evaluation.losses import Loss
from stream_rec.evaluation.scored_events import name_file
from stream_rec.evaluation.side_by_side import compare_files
from stream_rec.events.slate import Reason
from tests.evaluation.test_evaluation import CHOSEN, LISTS, OBSERVED, evaluation, finished

HOSTILE = '<script>alert("1")</script><img src=x onerror=alert(2)> & \'"'
"""A title, and the name of a log, of somebody who means harm."""
CONTROL = finished([1, 0, 0, 0], LISTS, observed=OBSERVED.observed)


def said(tmp_path: Path, **outcomes: Any) -> dict[str, Any]:
    """Return a small evaluation as the command says it."""
    made = evaluation(tmp_path)
    results, comparison = made.summarize(outcomes)
    text = made.measure_text(outcomes)
    protocol = {"items": "i", "events": "<e>.jsonl", "limit": 9, "warmup": 0.3, "list_size": 10, "seed": 0}
    more = {"encoder": "", "n_items_without_text": 0, "not_used": {"not_json": 2}}
    settings = {"ranking": redact(Settings())["ranking"] | {"diversity": 0.0}}
    return {
        "protocol": {**protocol, **more, **made.count()},
        "results": results,
        "comparison": comparison,
        "text": text,
        "settings": settings,
    }


def write_run(folder: Path, outcome: Any = OBSERVED, **protocol: Any) -> Path:
    """Write an evaluation as ``--json`` does, with the file beside it; return its path."""
    folder.mkdir(parents=True)
    told = said(folder, stream_rec=outcome, other=finished([2, 0, 1, 0], LISTS))
    told["protocol"] |= protocol
    events = evaluation(folder).keep_events({"stream_rec": outcome})
    assert events is not None
    file = folder / "run.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    scored_events.write(name_file(file), events)
    return file


def compared(tmp_path: Path) -> dict[str, Any]:
    """Return two runs that can be compared event for event, of which the second is worse, and hostile."""
    worse = finished([1, 0, 0, 0], LISTS, observed=OBSERVED.observed)
    return compare_files(write_run(tmp_path / "a"), write_run(tmp_path / "b", worse, encoder=HOSTILE))


def hostile_page(tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return all that a page can be of, and what ``render_page`` takes besides."""
    other = finished([2, 0, 1, 0], LISTS, chosen=CHOSEN)
    found = said(tmp_path, stream_rec=OBSERVED, stream_rec_random=CONTROL, other=other)
    found["protocol"] |= {"events": HOSTILE, "encoder": HOSTILE, "not_used": {HOSTILE: 3}}
    found["against"] = {
        "file": HOSTILE,
        "encoder": {"base": HOSTILE, "value": "b@1"},
        "settings": {"ranking.diversity": {"base": 0.1, "value": 0.0}},
        "parts": found["text"]["parts"],
        "cost": {"list_ms": {"base": 2.0, "value": 1.5}, "learn_ms": {"base": 1.0, "value": 1.0}},
    }
    losses = [Loss("all", 400, "ndcg", 0.1, "other", 0.2, 1, Interval(-0.1, -0.2, -0.05))]
    return found, {"losses": losses, "examples": [example("new"), example("missed")], "titles": {"a": HOSTILE}}


def example(kind: str, n: int = 10) -> Example:
    """Return somebody who chose the item ``a``, which was in the list after and not before."""
    deed = Deed("view", "a", 1_000_000_000_000)
    earlier = [Deed("click", "a" * 200, 999_999_000_000)]
    places = [Place(f"i{number}", Reason("similar", "a", event_kind="view")) for number in range(n)]
    return Example(kind, 1, earlier, [deed], places, [Place("a", Reason("trending")), *places[:-1]])
