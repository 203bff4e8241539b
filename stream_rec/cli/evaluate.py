"""`stream-rec evaluate`: how good the lists are, next to baselines, on a log."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from stream_rec.cli.compile import compile_with_progress
from stream_rec.cli.files import FORMATS, SkippedLines
from stream_rec.cli.interrupt import end_on_interrupt, exit_on_signal
from stream_rec.cli.progress import Rate, show_progress
from stream_rec.cli.reading import load_items
from stream_rec.config import Settings, override, redact
from stream_rec.errors import FileProblem
from stream_rec.evaluation.baselines.choice import describe_settings
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.evaluation import ENGINE, Evaluation
from stream_rec.evaluation.experiment import EvaluationSettings, Experiment
from stream_rec.evaluation.observation import EngineObserver
from stream_rec.evaluation.scan import LogFile, ScannedLog, scan
from stream_rec.evaluation.trials import Contender, Factory, run
from stream_rec.replay.embedded import CACHE, EmbeddedItems

SECTIONS = ("embedder", "limits", "user", "knowledge", "ranking", "head")
"""Of the settings: what lists depend on."""
MACHINE = ("data_dir", "instance_id", "device", "dtype", "token_budget")
"""Keys of the embedder that say where it runs."""
WIDTH = 144
"""Of the table where stdout is no terminal."""


@click.command(epilog=FORMATS)
@click.option("--items", "items_file", required=True, type=click.Path(path_type=Path), help="Items: JSON lines or CSV.")
@click.option("--events", "events_file", required=True, type=click.Path(path_type=Path), help="Events, as a log.")
@click.option("--limit", type=click.IntRange(min=1), help="Take the first so many usable events. [default: all]")
@click.option("--warmup", default=0.2, type=click.FloatRange(0, 1, max_open=True), help="Share that only teaches.")
@click.option("--list-size", type=click.IntRange(1, 1000), help="Length of a list. [default: setting ranking.n]")
@click.option("--baselines", default="all", help="What to compare with: all, none, or names with commas between.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything measured to this file.")
@click.option("--report", "report_dir", type=click.Path(path_type=Path), help="Write index.html to this folder.")
@click.option("--exploring", is_flag=True, help="Also judge the engine as it explores: stream_rec itself never does.")
@click.option("--seed", type=int, help="Of every random choice. [default: setting ranking.seed]")
@click.option("--encoder", help="As of `embedder`. [default: setting embedder.encoder]")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, help="Where embeddings are kept.")
@click.option("--jobs", default=1, type=click.IntRange(min=1), help="Methods at a time; above 1 timings suffer.")
@click.pass_obj
@end_on_interrupt("no result; what was embedded is kept for the next run")
def evaluate(
    settings: Settings,
    items_file: Path,
    events_file: Path,
    limit: int | None,
    warmup: float,
    list_size: int | None,
    baselines: str,
    json_file: Path | None,
    report_dir: Path | None,
    exploring: bool,
    seed: int | None,
    encoder: str | None,
    cache: Path,
    jobs: int,
) -> None:
    """Say how good the lists are: over a log, each list is made first, then scored, then learned from.

    The same input, settings and seed give the same numbers, except for times and memory. Lines that cannot be used
    are counted by reason on stderr; they, and methods that fail, make the exit code 1. The engine does not explore
    here unless asked to: a log cannot answer for what it has not shown, so exploring only costs.
    """
    flags = {"ranking.seed": seed, "ranking.n": list_size, "embedder.encoder": encoder}
    click.get_current_context().with_resource(exit_on_signal())
    settings = override(settings, flags)
    others = _chosen(baselines)
    for file in filter(None, (json_file, report_dir and report_dir / "index.html")):
        _require_writable(file)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of the methods' processes: each has one core, as a worker has
    skipped = SkippedLines()
    n, seed = settings.ranking.n, settings.ranking.seed
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    compile_with_progress()  # once, here, where it can be seen: each method runs in a process of its own
    folder = Path(tempfile.mkdtemp(prefix="stream-rec-"))
    try:
        with show_progress(*columns, is_kept=True) as progress:
            made = load_items(items_file, settings, cache, skipped, progress)
            if not made.items:
                raise FileProblem(f"{items_file} has no item that can be used: there is nothing to recommend")
            log = _scanned(events_file, folder, made, settings, limit, skipped, progress)
            experiment = Experiment.of(
                log,
                EvaluationSettings(n=n, warmup=warmup, seed=seed),
                is_listed=np.array([item.available for item in made.items]),
                vectors=made.vectors,
            )
            engine = partial(Engine, items=made.items, encoder=made.encoder)
            contenders = {
                ENGINE: Contender(
                    partial(engine, settings=override(settings, {"ranking.explore_share": 0.0})),
                    partial(EngineObserver, diversity=settings.ranking.diversity),
                )
            }
            if exploring:
                contenders[f"{ENGINE}_exploring"] = Contender(partial(engine, settings=settings))
            contenders |= {name: Contender(factory) for name, factory in others.items()}
            tasks = {name: progress.add_task(name, total=len(log), start=False) for name in contenders}

            def on_progress(name: str, n_events: int) -> None:
                if n_events and not progress.tasks[tasks[name]].started:
                    progress.start_task(tasks[name])
                progress.update(tasks[name], completed=n_events)

            outcomes = run(contenders, experiment, clock=time.perf_counter_ns, jobs=jobs, on_progress=on_progress)
            summing_up = progress.add_task("summing up", total=1, has_rate=False)
            evaluation = Evaluation(experiment, made.items)
            results, comparison = evaluation.summarize(outcomes)
            progress.update(summing_up, completed=1)
        said = {
            "protocol": {
                "items": items_file.name,
                "events": events_file.name,
                "limit": limit,
                "warmup": warmup,
                "list_size": n,
                "seed": seed,
                "encoder": made.encoder,
                **evaluation.count(),
                "n_items_without_text": made.n_without_text,
                "not_used": dict(sorted(skipped.by_reason.items())),
            },
            "results": results,
            "comparison": comparison,
            "settings": _settings(settings),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _warn(said["protocol"])
    if json_file:
        json_file.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    if report_dir:
        logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its fonts
        from stream_rec.evaluation.report import render_page

        (report_dir / "index.html").write_text(render_page(said), encoding="utf-8")
    _print(said)
    failed = {name: result["error"] for name, result in results.items() if "error" in result}
    for name, message in failed.items():
        click.secho(f"{name} failed: {message}", fg="red", err=True)
    sys.exit(skipped.report() or (1 if failed else 0))


def _chosen(wanted: str) -> dict[str, Factory]:
    """Return the baselines that were asked for."""
    from stream_rec.evaluation.baselines import BASELINES

    if wanted in ("all", "none"):
        return dict(BASELINES) if wanted == "all" else {}
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if unknown := sorted(set(names) - BASELINES.keys()):
        raise click.BadParameter(
            f"there is no baseline {', '.join(unknown)}; all, none, or some of: {', '.join(BASELINES)}",
            param_hint="--baselines",
        )
    return {name: BASELINES[name] for name in names}


def _require_writable(file: Path) -> None:
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


def _scanned(
    events_file: Path,
    folder: Path,
    made: EmbeddedItems,
    settings: Settings,
    limit: int | None,
    skipped: SkippedLines,
    progress: Progress,
) -> ScannedLog:
    task = progress.add_task("reading events (%)", total=100, has_rate=False)
    log = scan(
        LogFile(str(events_file), settings.limits, received_ms=time.time_ns() // 1_000_000, limit=limit),
        folder,
        item_ids=[item.item_id for item in made.items],
        on_bad=skipped.lines_of(events_file),
        on_progress=lambda share: progress.update(task, completed=int(100 * share)),
    )
    progress.update(task, completed=100)
    return log


def _settings(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the settings that lists depend on."""
    tree = {section: values for section, values in redact(settings).items() if section in SECTIONS}
    tree["embedder"] = {key: value for key, value in tree["embedder"].items() if key not in MACHINE}
    return tree


def _warn(protocol: Mapping[str, Any]) -> None:
    """Say what a reader of the numbers should know of the log."""
    if protocol["n_out_of_order"]:
        click.echo(f"{protocol['n_out_of_order']} events were out of order; all were sorted by time", err=True)
    if protocol["n_items_without_text"]:
        click.echo(f"{protocol['n_items_without_text']} items have no text, so no embedding", err=True)
    if protocol["n_scored_of_unlisted_items"]:
        click.echo(
            f"{protocol['n_scored_of_unlisted_items']} of {protocol['n_scored_events']} scored events have an item "
            "that is not in the item file, or not available: they teach, and count as misses",
            err=True,
        )


def _print(said: Mapping[str, Any]) -> None:
    """Print the table, the best NDCG first, the best of each column bold."""
    results, protocol = said["results"], said["protocol"]
    n = protocol["list_size"]
    done = {name: result for name, result in results.items() if "error" not in result}
    columns = {
        f"ndcg@{n}": (lambda r: r["ndcg"], ".4f", max),
        f"hit_rate@{n}": (lambda r: r["hit_rate"], ".4f", max),
        f"mrr@{n}": (lambda r: r["mrr"], ".4f", max),
        "user<5": (lambda r: r["slices"]["user<5"]["ndcg"], ".4f", max),
        "item<5": (lambda r: r["slices"]["item<5"]["ndcg"], ".4f", max),
        "pair=new": (lambda r: r["slices"]["pair=new"]["ndcg"], ".4f", max),
        "coverage": (lambda r: r["coverage"], ".3f", max),
        "ms/event": (lambda r: r["cost"]["event_ms"], ".3f", min),
        "peak MB": (lambda r: r["cost"]["peak_mb"], ".0f", min),
    }
    best = {
        title: choose(values)
        for title, (of, _, choose) in columns.items()
        if (values := [of(result) for result in done.values() if of(result) is not None])
    }
    table = Table(caption="user<5, item<5, pair=new: NDCG of events whose user or item is new, or that repeat nothing")
    table.add_column("method", no_wrap=True)
    table.add_column("95 % of NDCG", justify="right", no_wrap=True)
    for title in columns:
        table.add_column(title, justify="right")
    for name, result in sorted(done.items(), key=lambda one: -one[1]["ndcg"]):
        ci = result["ci"] and result["ci"]["ndcg"]
        cells = [escape(name), f"{ci['low']:.4f}-{ci['high']:.4f}" if ci else ""]
        for title, (of, form, _) in columns.items():
            value = of(result)
            text = "" if value is None else format(value, form)
            cells.append(f"[bold]{text}[/bold]" if value is not None and value == best[title] else text)
        table.add_row(*cells, style="cyan" if name == ENGINE else None)
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(
        f"{protocol['n_scored_events']:,} of {protocol['n_events']:,} events scored, {protocol['n_users']:,} users, "
        f"{protocol['n_items_listed']:,} items, {protocol['encoder'] or 'no text'}",
        highlight=False,
    )
    console.print(table)
    for name, result in done.items():
        if result["chosen"]:
            settings = describe_settings(result["chosen"]["settings"])
            console.print(f"{name} chose {settings}", highlight=False, soft_wrap=True)
    compared = said["comparison"]
    if compared and "low" in compared["ndcg"]:
        console.print(
            f"NDCG of {ENGINE} less that of {compared['baseline']}: {compared['ndcg']['mean']:+.4f} "
            f"(95 %: {compared['ndcg']['low']:+.4f} to {compared['ndcg']['high']:+.4f})",
            highlight=False,
        )
