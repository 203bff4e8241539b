"""`stream-rec evaluate`: how good the lists are, next to baselines, on a log."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import click
from rich.progress import Progress

from stream_rec import __version__
from stream_rec.cli.compile import compile_with_progress
from stream_rec.cli.critiques import critiques_option, name_unused
from stream_rec.cli.files import FORMATS, SkippedLines
from stream_rec.cli.interrupt import end_on_interrupt
from stream_rec.cli.judging import (
    WARMUP,
    columns,
    read_log,
    require_plots,
    require_writable,
    run_methods,
    settings_file,
    settings_of_lists,
)
from stream_rec.cli.progress import show_progress
from stream_rec.cli.reading import load_items
from stream_rec.cli.results import print_results, warn
from stream_rec.cli.rule_file import read_rules
from stream_rec.config import Settings, override
from stream_rec.embedding.random_encoder import RandomEncoder
from stream_rec.evaluation import scored_events
from stream_rec.evaluation.ablation import JOIN, PARTS, find_idle, make_without, name_contender
from stream_rec.evaluation.against import Run, compare_runs, read_run, require_same
from stream_rec.evaluation.contenders import CONTROL, ENGINE, EXPLORING, RULED
from stream_rec.evaluation.control import make_control
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.evaluation import Evaluation
from stream_rec.evaluation.experiment import Experiment
from stream_rec.evaluation.observation import EngineObserver
from stream_rec.evaluation.ratings import judge_ratings
from stream_rec.evaluation.scored_events import ScoredEvents, name_file
from stream_rec.evaluation.tracking import MlflowRun
from stream_rec.evaluation.trials import Contender, Failed, Finished
from stream_rec.events.rule import Rule
from stream_rec.replay.embedded import CACHE, EmbeddedItems
from stream_rec.stop_signals import exit_on_signal
from stream_rec.tuning.chosen import require_unseen
from stream_rec.user.ratings import RatingsConfig


@click.command(epilog=FORMATS)
@click.option("--items", "items_file", required=True, type=click.Path(path_type=Path), help="Items: JSON lines or CSV.")
@click.option("--events", "events_file", required=True, type=click.Path(path_type=Path), help="Events, as a log.")
@click.option("--limit", type=click.IntRange(min=1), help="Take the first so many usable events. [default: all]")
@critiques_option
@click.option("--ignore-searches", is_flag=True, help="Tell no method what users searched for.")
@click.option("--ignore-impressions", is_flag=True, help="Tell no method what users were shown.")
@click.option("--warmup", default=WARMUP, type=click.FloatRange(0, 1, max_open=True), help="Share that only teaches.")
@click.option("--list-size", type=click.IntRange(1, 1000), help="Length of a list. [default: setting ranking.n]")
@click.option("--baselines", default="all", help="What to compare with: all, none, or names with commas between.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything measured to this file.")
@click.option("--report", "report_dir", type=click.Path(path_type=Path), help="Write index.html to this folder.")
@click.option(
    "--mlflow", "mlflow", metavar="URI_OR_FOLDER", help="Log to MLflow too, with what --json and --report write."
)
@click.option("--against", type=click.Path(path_type=Path), help="Compare with an earlier --json of the same log.")
@click.option(
    "--control/--no-control", default=True, help="Also judge the engine on random vectors: what it lacks is text."
)
@click.option("--exploring", is_flag=True, help="Also judge the engine as it explores: stream_rec itself never does.")
@click.option("--rules", "rules_file", type=click.File("rb"), help="Also judge the engine under these: their price.")
@click.option(
    "--without",
    "without",
    multiple=True,
    metavar="PART",
    help="Also judge the engine without a part, may be repeated: what it is worth. a+b: without both; all: each of "
    "them; list: name them.",
)
@click.option("--seed", type=int, help="Of every random choice. [default: setting ranking.seed]")
@click.option("--encoder", help="As of `embedder`. [default: setting embedder.encoder]")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, help="Where embeddings are kept.")
@click.option("--jobs", default=1, type=click.IntRange(min=1), help="Methods at a time; above 1 timings suffer.")
@click.pass_obj
@end_on_interrupt("no result; what was embedded is kept for the next run")
def evaluate(settings: Settings, /, **flags: Any) -> None:
    """Say how good the lists are: over a log, each list is made first, then scored, then learned from.

    The same input, settings and seed give the same numbers, except for times and memory. Lines that cannot be used
    are counted by reason on stderr; they, and methods that fail, make the exit code 1. The engine does not explore
    here unless asked to: a log cannot answer for what it has not shown, so exploring only costs.
    """
    options = _Options(**flags)
    click.get_current_context().with_resource(exit_on_signal())
    settings = options.override(settings)
    if "list" in options.without:
        return _list_parts()
    without = choose_parts(options.without)
    baselines = _choose_baselines(options.baselines)
    rules = (options.rules_file and read_rules(options.rules_file, settings.limits, option="--rules")) or []
    earlier = options.against and read_run(options.against)
    if earlier:
        require_same(earlier.said["protocol"], options.protocol(settings))
    if options.report_dir:
        require_plots()
    for file in options.results:
        require_writable(file)
    tracked = options.mlflow and _begin_tracking(options.mlflow, options.events_file)
    skipped = SkippedLines()
    compile_with_progress()  # once, here, where it can be seen: each method runs in a process of its own
    with (
        TemporaryDirectory(prefix="stream-rec-", ignore_cleanup_errors=True) as folder,
        show_progress(*columns(), is_kept=True) as progress,
    ):
        items = load_items(options.items_file, settings, options.cache, skipped, progress)
        experiment = read_log(
            options.events_file,
            settings,
            items.items,
            items.vectors,
            Path(folder),
            skipped,
            progress,
            limit=options.limit,
            warmup=options.warmup,
            critiques=options.critiques,
            has_searches=not options.ignore_searches,
            has_impressions=not options.ignore_impressions,
        )
        require_unseen(settings_file(), experiment.log, experiment.plan.first_scored, "--warmup")
        evaluation = Evaluation(experiment, items.items)
        if earlier:
            require_same(earlier.said["protocol"], evaluation.count())
        named = frozenset(settings.catalog.modalities)
        own = any(named & item.vectors.keys() for item in items.items)
        idle = find_idle(settings, experiment.log, has_vectors=bool(items.embeddings), has_own_vectors=own)
        without = _leave_idle(without, idle)
        contenders = _engines(options, settings, items, rules, without) | baselines
        outcomes = run_methods(contenders, experiment, options.jobs, progress)
        found = _sum_up(outcomes, experiment, evaluation, items, options, settings, without, progress)
    found["protocol"]["not_used"] = dict(sorted(skipped.by_reason.items()))
    found["settings"] = settings_of_lists(settings)
    found["version"] = __version__
    events = evaluation.keep_events(outcomes)
    if earlier and events:
        found["against"] = compare_runs(earlier, Run(options.events_file, found, events))
    warn(found["protocol"])
    name_unused(options.critiques, experiment.log.n_critiques)
    _write_json(found, events, options)
    if options.report_dir:
        _write_page(options.report_dir, found, evaluation, outcomes, items)
    print_results(found)
    if tracked:
        run_id = tracked.log(found, [file for file in options.results if file.exists()])
        click.echo(f"logged to MLflow at {options.mlflow}: run {run_id}", err=True)
    failed = {name: result["error"] for name, result in found["results"].items() if "error" in result}
    for name, message in failed.items():
        click.secho(f"{name} failed: {message}", fg="red", err=True)
    sys.exit(skipped.report() or (1 if failed else 0))


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What the command is asked for."""

    items_file: Path
    events_file: Path
    limit: int | None
    critiques: Mapping[str, str]
    ignore_searches: bool
    ignore_impressions: bool
    warmup: float
    list_size: int | None
    baselines: str
    json_file: Path | None
    report_dir: Path | None
    mlflow: str | None
    against: Path | None
    control: bool
    exploring: bool
    rules_file: IO[bytes] | None
    without: Sequence[str]
    seed: int | None
    encoder: str | None
    cache: Path
    jobs: int

    @property
    def results(self) -> list[Path]:
        """Files to write."""
        page = self.report_dir and self.report_dir / "index.html"
        events = self.json_file and name_file(self.json_file)
        return [file for file in (self.json_file, events, page) if file]

    def protocol(self, settings: Settings) -> dict[str, Any]:
        """Return how lists are judged: what is known before the log is read."""
        return {
            "limit": self.limit,
            "warmup": self.warmup,
            "list_size": settings.ranking.n,
            "seed": settings.ranking.seed,
        }

    def override(self, settings: Settings) -> Settings:
        """Return the settings with those that are options here."""
        flags = {"ranking.seed": self.seed, "ranking.n": self.list_size, "embedder.encoder": self.encoder}
        return override(settings, flags)


def _engines(
    options: _Options,
    settings: Settings,
    items: EmbeddedItems,
    rules: Sequence[Rule],
    without: Sequence[tuple[str, ...]],
) -> dict[str, Contender]:
    """Return the engine, which does not explore; also the control, under rules, as it explores, and without parts.

    There is no control where nothing has a vector, or where the engine's own are random already.
    """
    engine = partial(Engine, items=items.items, embeddings=items.embeddings)
    observer = partial(
        EngineObserver, diversity=settings.ranking.diversity, takes_examples=options.report_dir is not None
    )
    without_exploring = override(settings, {"ranking.explore_share": 0.0})
    engines = {ENGINE: Contender(partial(engine, settings=without_exploring), observer)}
    if options.control and items.embeddings and settings.embedder.encoder != RandomEncoder.name:
        n_spaces = len(items.identities)
        control = partial(make_control, items=items.items, settings=without_exploring, n_spaces=n_spaces)
        engines[CONTROL] = Contender(control, partial(EngineObserver, diversity=None))
    if rules:
        engines[RULED] = Contender(partial(engine, settings=without_exploring, rules=rules))
    if options.exploring:
        engines[EXPLORING] = Contender(partial(engine, settings=settings))
    for parts in without:
        lacking = partial(
            make_without, parts=parts, settings=without_exploring, items=items.items, embeddings=items.embeddings
        )
        engines[name_contender(parts)] = Contender(lacking, partial(EngineObserver, diversity=None))
    return engines


def choose_parts(wanted: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the parts that are left out together, for each run that is asked for, each once."""
    chosen: dict[tuple[str, ...], None] = {}
    for one in wanted:
        names = [(name,) for name in PARTS] if one == "all" else [tuple(one.split(JOIN))]
        for name in (name for names_of_one in names for name in names_of_one if name not in PARTS):
            near = get_close_matches(name, PARTS, n=1)
            known = f"did you mean {near[0]}?" if near else f"all, list, or some of: {', '.join(PARTS)}"
            raise click.BadParameter(f"there is no part {name!r}; {known}", param_hint="--without")
        chosen |= dict.fromkeys(tuple(dict.fromkeys(parts)) for parts in names)
    for parts in chosen:
        if {"linear", "networks"} <= set(parts):
            raise click.BadParameter("linear and networks are all experts: one has to stay", param_hint="--without")
    return list(chosen)


def _list_parts() -> None:
    """Name the parts that --without takes."""
    width = max(map(len, PARTS))
    for name, part in PARTS.items():
        click.echo(f"{name:{width}}  {part.says}")


def _leave_idle(without: Sequence[tuple[str, ...]], idle: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return the runs in which something is left out that is there, and say of the others why they are not made."""
    kept = []
    for parts in without:
        if all(part in idle for part in parts):
            click.echo(f"--without {JOIN.join(parts)} changes nothing here: {idle[parts[0]]}", err=True)
        else:
            kept.append(parts)
    return kept


def _sum_up(
    outcomes: Mapping[str, Finished | Failed],
    experiment: Experiment,
    evaluation: Evaluation,
    items: EmbeddedItems,
    options: _Options,
    settings: Settings,
    without: Sequence[tuple[str, ...]],
    progress: Progress,
) -> dict[str, Any]:
    """Return what was measured, and on what."""
    task = progress.add_task("summing up", total=1, has_rate=False)
    results, comparison = evaluation.summarize(outcomes)
    text = evaluation.measure_text(outcomes)
    ratings = _judge_ratings(outcomes.get(ENGINE), experiment, settings.ratings)
    worth = evaluation.measure_without(outcomes, without)
    progress.update(task, completed=1)
    protocol = {
        "items": options.items_file.name,
        "events": options.events_file.name,
        "limit": options.limit,
        **({"critiques": sorted(options.critiques)} if options.critiques else {}),
        **({"ignores_searches": True} if options.ignore_searches else {}),
        **({"ignores_impressions": True} if options.ignore_impressions else {}),
        "warmup": options.warmup,
        "list_size": experiment.settings.n,
        "seed": experiment.settings.seed,
        "encoder": items.encoder,
        **evaluation.count(),
        "n_items_without_text": items.n_without_text,
    }
    found = {"protocol": protocol, "results": results, "comparison": comparison, "text": text, "without": worth}
    return found | ({"ratings": ratings} if ratings else {})


def _judge_ratings(
    engine: Finished | Failed | None, experiment: Experiment, config: RatingsConfig
) -> dict[str, Any] | None:
    """Return how well ratings are predicted; None where the settings have no scale, or the log no ratings."""
    if not config.scale:
        return None
    observed = engine.observed if isinstance(engine, Finished) else None
    return judge_ratings(experiment, config, observed["ratings"] if observed is not None else None)


def _write_json(found: Mapping[str, Any], events: ScoredEvents | None, options: _Options) -> None:
    """Write what was found, if asked for, and beside it what a later evaluation is compared by."""
    if options.json_file:
        options.json_file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        if events:
            scored_events.write(name_file(options.json_file), events)


def _write_page(
    folder: Path,
    found: Mapping[str, Any],
    evaluation: Evaluation,
    outcomes: Mapping[str, Finished | Failed],
    items: EmbeddedItems,
) -> None:
    """Write the page to a folder."""
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its fonts
    from stream_rec.evaluation.report import render_page

    page = render_page(
        found,
        losses=evaluation.judge_losses(outcomes, found["results"]),
        examples=evaluation.find_examples(outcomes),
        titles={item.item_id: item.title for item in items.items},
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


def _begin_tracking(target: str, events_file: Path) -> MlflowRun:
    """Reach MLflow, before the work. It reports its use to its makers unless it is told not to."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # who names a folder wants one
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    return MlflowRun(target, name=events_file.name)


def _choose_baselines(wanted: str) -> dict[str, Contender]:
    """Return the baselines that were asked for."""
    from stream_rec.evaluation.baselines import BASELINES

    if wanted in ("all", "none"):
        return {name: Contender(factory) for name, factory in BASELINES.items() if wanted == "all"}
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    if unknown := sorted(set(names) - BASELINES.keys()):
        raise click.BadParameter(
            f"there is no baseline {', '.join(unknown)}; all, none, or some of: {', '.join(BASELINES)}",
            param_hint="--baselines",
        )
    return {name: Contender(BASELINES[name]) for name in names}
