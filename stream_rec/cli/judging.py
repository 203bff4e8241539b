"""What the commands that judge methods over a log have in common: reading the log, running methods, and their bars."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from stream_rec.cli.files import SkippedLines
from stream_rec.cli.progress import Rate
from stream_rec.config import Settings, redact
from stream_rec.errors import FileProblem, StreamRecError
from stream_rec.evaluation.experiment import EvaluationSettings, Experiment
from stream_rec.evaluation.scan import LogFile, scan
from stream_rec.evaluation.trials import Contender, Failed, Finished, run
from stream_rec.events.item import Item

WARMUP = 0.2
"""Share of the events that only teaches, unless another is asked for."""
SECTIONS = ("embedder", "limits", "user", "knowledge", "ranking", "head")
"""Of the settings: what lists depend on."""
MACHINE = ("data_dir", "models_dir", "instance_id", "device", "dtype", "token_budget")
"""Keys of the embedder that say where it runs."""


def columns() -> list[ProgressColumn]:
    """Return the columns of the progress bars."""
    return [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn()]


def read_log(
    events_file: Path,
    settings: Settings,
    items: Sequence[Item],
    vectors: NDArray[np.float32],
    folder: Path,
    skipped: SkippedLines,
    progress: Progress,
    *,
    limit: int | None,
    warmup: float = WARMUP,
    critiques: Mapping[str, str] = MappingProxyType({}),
    has_searches: bool = True,
    has_impressions: bool = True,
) -> Experiment:
    """Read the events; ``folder`` takes what the methods share.

    Args:
        vectors: (items, d) of the items' texts, for methods that know one space.
        limit: Take the first so many usable records.
        critiques: As of ``read_events``: query by word.
        has_searches: Whether methods are told of searches.
        has_impressions: Whether they are told of impressions.

    Raises:
        FileProblem: there is no item or no event that can be used.
    """
    if not items:
        raise FileProblem("no item of the item file can be used: there is nothing to recommend")
    task = progress.add_task("reading events (%)", total=100, has_rate=False)
    received_ms = time.time_ns() // 1_000_000
    log = scan(
        LogFile(str(events_file), settings.limits, received_ms=received_ms, limit=limit, critiques=dict(critiques)),
        folder,
        item_ids=[item.item_id for item in items],
        on_bad=skipped.lines_of(events_file),
        on_progress=lambda share: progress.update(task, completed=int(100 * share)),
    )
    progress.update(task, completed=100)
    return Experiment.of(
        log,
        EvaluationSettings(
            n=settings.ranking.n,
            warmup=warmup,
            seed=settings.ranking.seed,
            has_searches=has_searches,
            has_impressions=has_impressions,
        ),
        is_listed=np.array([item.available for item in items]),
        vectors=vectors,
    )


def run_methods(
    contenders: Mapping[str, Contender], experiment: Experiment, jobs: int, progress: Progress
) -> dict[str, Finished | Failed]:
    """Run all methods, ``jobs`` at a time, each with a progress bar."""
    tasks = {name: progress.add_task(name, total=len(experiment.log), start=False) for name in contenders}

    def on_progress(name: str, n_events: int) -> None:
        if n_events and not progress.tasks[tasks[name]].started:
            progress.start_task(tasks[name])
        progress.update(tasks[name], completed=n_events)

    return run(contenders, experiment, clock=time.perf_counter_ns, jobs=jobs, on_progress=on_progress)


def settings_of_lists(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the settings that lists depend on."""
    sections = (*SECTIONS, "ratings") if settings.ratings.scale else SECTIONS
    tree = {section: values for section, values in redact(settings).items() if section in sections}
    tree["embedder"] = {key: value for key, value in tree["embedder"].items() if key not in MACHINE}
    return tree


def settings_file() -> Path | None:
    """Return the file that the running command has its settings from."""
    file = click.get_current_context().find_root().params.get("file")
    return file if isinstance(file, Path) else None


def require_plots() -> None:
    """Check that pages can be drawn.

    Raises:
        StreamRecError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise StreamRecError("--report draws with matplotlib, which is not here: pip install 'stream-rec[report]'")


def require_writable(file: Path) -> None:
    """Find out before the work, not after it, that a result cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        was_there = file.exists()
        with file.open("a", encoding="utf-8"):
            pass
        if not was_there:
            file.unlink()
    except OSError as error:
        raise FileProblem(f"{file} cannot be written: {error.strerror}; give another place") from error
