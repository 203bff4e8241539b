"""`stream-rec tune`: settings for logs of one's own, chosen on their first part and reported on the rest."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from stream_rec import __version__
from stream_rec.cli.compile import compile_with_progress
from stream_rec.cli.files import FORMATS, SkippedLines
from stream_rec.cli.interrupt import end_on_interrupt
from stream_rec.cli.judging import (
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
from stream_rec.cli.results import WIDTH
from stream_rec.config import Settings, override
from stream_rec.errors import FileProblem, StreamRecError
from stream_rec.evaluation import metrics
from stream_rec.evaluation.changes import describe
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.evaluation import EVERYTHING, Evaluation
from stream_rec.evaluation.experiment import Experiment
from stream_rec.evaluation.observation import EngineObserver
from stream_rec.evaluation.trials import Contender, Failed, Finished, run
from stream_rec.file_lock import only_one
from stream_rec.replay.embedded import CACHE, EmbeddedItems
from stream_rec.stop_signals import exit_on_signal
from stream_rec.tuning.chosen import read_parts, require_unseen, write_chosen
from stream_rec.tuning.results import (
    BEFORE,
    CHOSEN,
    MEASURES,
    differing,
    judge_reported,
    summarize_search,
    value_of,
)
from stream_rec.tuning.search import Search, Tried, choose_best
from stream_rec.tuning.space import Space, dump_space, read_space
from stream_rec.tuning.split import Part, describe_part, find_split, take_first, take_rest

JOURNAL, PROTOCOL, BEST = "trials.journal", "search.json", "best.toml"
"""Files of a search, in its folder."""


@click.command(epilog=FORMATS)
@click.option(
    "--logs",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with items.* and events.*, or of such folders; may be repeated: one choice for all.",
)
@click.option("--items", "items_file", type=click.Path(path_type=Path), help="In place of --logs: items of one log.")
@click.option("--events", "events_file", type=click.Path(path_type=Path), help="And its events.")
@click.option("--limit", type=click.IntRange(min=1), help="Take the first so many usable events. [default: all]")
@click.option("--space", default="defaults", metavar="FILE", help="What is searched: a TOML file, or defaults.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the search: it goes on there.")
@click.option("--trials", default=50, type=click.IntRange(min=1), help="Settings that are tried, in all.")
@click.option("--budget", type=click.FloatRange(min=0), help="Minutes after which no other trial begins.")
@click.option("--split", default=0.5, type=click.FloatRange(0, 1, True, True), help="Share of each log to choose on.")
@click.option(
    "--judged", default=0.4, type=click.FloatRange(0, 1, True, True), help="Share of that, its end, to judge."
)
@click.option(
    "--report-from", type=click.FloatRange(0, 1, True, True), help="Share behind which is reported. [default: --split]"
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything measured to this file.")
@click.option("--report", "report_dir", type=click.Path(path_type=Path), help="Write index.html to this folder.")
@click.option("--seed", type=int, help="Of every random choice. [default: setting ranking.seed]")
@click.option("--encoder", help="As of `embedder`. [default: setting embedder.encoder]")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, help="Where embeddings are kept.")
@click.option("--jobs", default=1, type=click.IntRange(min=1), help="Trials at a time.")
@click.pass_obj
@end_on_interrupt("trials that came to their end are kept: the same command goes on")
def tune(settings: Settings, /, **flags: Any) -> None:
    """Search for settings that suit logs: chosen on their first part, reported on the rest, which no trial has seen.

    Each trial is the engine over the first part, scored on the end of it. Its value is NDCG as a share of that of the
    settings that were there before, the mean over logs. What is reported is those before and the best, over the whole
    log, scored behind the split. --out gets best.toml, for --config; what would report on events again that they were
    chosen on is refused, also by `evaluate`.
    """
    options = _Options(**flags)
    click.get_current_context().with_resource(exit_on_signal())
    flags = {"ranking.seed": options.seed, "embedder.encoder": options.encoder, "ranking.explore_share": 0.0}
    given, settings = settings, override(settings, flags)
    space = read_space(options.space)
    files = options.find_logs()
    if options.reported_from < options.split:
        raise click.BadParameter(
            f"{options.reported_from:g} lies in the first {options.split:g} of each log, on which settings are chosen: "
            "what is reported has to come later",
            param_hint="--report-from",
        )
    if options.report_dir:
        require_plots()
    for file in options.results:
        require_writable(file)
    skipped = SkippedLines()
    options.out.mkdir(parents=True, exist_ok=True)
    compile_with_progress()
    with (
        only_one(options.out / "lock", waiting_for="the search that runs there"),
        TemporaryDirectory(prefix="stream-rec-", ignore_cleanup_errors=True) as folder,
        show_progress(*columns(), is_kept=True) as progress,
    ):
        logs = [
            _read(name, *pair, settings, options, Path(folder) / str(number), skipped, progress)
            for number, (name, pair) in enumerate(files.items())
        ]
        protocol = _describe(logs, settings, space, options)
        _require_same_search(options.out / PROTOCOL, protocol)
        search = Search(options.out / JOURNAL, space, seed=settings.ranking.seed)
        _search(search, logs, settings, space, options, progress)
        tried = search.tried()
        best = choose_best(tried)
        chosen = differing(best.settings, tried[0].settings)
        reported = {log.name: _report(log, settings, chosen, options, progress) for log in logs}
    found = {
        "protocol": protocol,
        **summarize_search(tried, best, search.importances(), len(tried) - 1),
        "reported": reported,
        "says": _say(best, chosen, reported),
        "version": __version__,
    }
    parts = [*read_parts(settings_file()), *([log.part for log in logs] if chosen else [])]
    write_chosen(options.out / BEST, override(given, chosen), parts, found["says"])
    if options.json_file:
        options.json_file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.report_dir:
        logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its fonts
        from stream_rec.tuning.page import render_page

        (options.report_dir / "index.html").write_text(render_page(found), encoding="utf-8")
    _print(found, options)
    sys.exit(skipped.report())


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What the command is asked for."""

    logs: Sequence[Path]
    items_file: Path | None
    events_file: Path | None
    limit: int | None
    space: str
    out: Path
    trials: int
    budget: float | None
    split: float
    judged: float
    report_from: float | None
    json_file: Path | None
    report_dir: Path | None
    seed: int | None
    encoder: str | None
    cache: Path
    jobs: int

    @property
    def reported_from(self) -> float:
        """Share of each log behind which is reported."""
        return self.split if self.report_from is None else self.report_from

    @property
    def results(self) -> list[Path]:
        """Files to write."""
        page = self.report_dir and self.report_dir / "index.html"
        return [file for file in (self.json_file, page, self.out / BEST) if file]

    def find_logs(self) -> dict[str, tuple[Path, Path]]:
        """Return the files of items and events of each log, by its name."""
        if self.items_file and self.events_file and not self.logs:
            return {self.events_file.name: (self.items_file, self.events_file)}
        if not self.logs or self.items_file or self.events_file:
            raise click.UsageError("give --logs, or --items and --events of one log")
        found: dict[str, tuple[Path, Path]] = {}
        for folder in self.logs:
            of_folder = {
                one.resolve().name: pair
                for one in (folder, *sorted(folder.iterdir()))
                if one.is_dir() and (pair := _find_pair(one))
            }
            if not of_folder:
                raise click.BadParameter(
                    f"{folder} has no items.* and events.*, nor a folder that has", param_hint="--logs"
                )
            if twice := found.keys() & of_folder.keys():
                raise click.BadParameter(f"two logs are called {min(twice)}", param_hint="--logs")
            found |= of_folder
        return found


@dataclass(frozen=True, slots=True)
class _Log:
    """One log, and its two parts."""

    name: str
    items: EmbeddedItems
    part: Part
    first: Experiment
    """What trials see."""
    rest: Experiment
    """What is reported: the whole log, scored behind the first part."""

    def engine(self, settings: Settings) -> partial[Engine]:
        """Return what makes the engine with some settings."""
        return partial(Engine, settings=settings, items=self.items.items, embeddings=self.items.embeddings)


def _find_pair(folder: Path) -> tuple[Path, Path] | None:
    """Return the files of items and events in a folder; None where there is not one of each."""
    items, events = (
        sorted(file for file in folder.glob(f"{name}.*") if file.is_file()) for name in ("items", "events")
    )
    return (items[0], events[0]) if len(items) == len(events) == 1 else None


def _read(
    name: str,
    items_file: Path,
    events_file: Path,
    settings: Settings,
    options: _Options,
    folder: Path,
    skipped: SkippedLines,
    progress: Progress,
) -> _Log:
    """Read one log and split it; ``folder`` takes what its trials share."""
    for one in (folder / "whole", folder / "first"):
        one.mkdir(parents=True)
    items = load_items(items_file, settings, options.cache, skipped, progress)
    whole = read_log(
        events_file, settings, items.items, items.vectors, folder / "whole", skipped, progress, limit=options.limit
    )
    n_known, n_events = len(items.items), find_split(whole.log, options.split)
    n_before = n_events if options.report_from is None else find_split(whole.log, options.report_from)
    require_unseen(settings_file(), whole.log, n_before, "--split")
    return _Log(
        name,
        items,
        describe_part(name, whole.log, n_events),
        take_first(whole, n_events, judged=options.judged, n_known=n_known, folder=folder / "first"),
        take_rest(whole, n_before, n_known=n_known),
    )


def _describe(logs: Sequence[_Log], settings: Settings, space: Space, options: _Options) -> dict[str, Any]:
    """Return all that trials depend on, as plain data: nothing of the rest of a log."""
    return {
        "logs": [msgspec.to_builtins(log.part) for log in logs],
        "encoder": [log.items.encoder for log in logs],
        "split": options.split,
        "judged": options.judged,
        "list_size": settings.ranking.n,
        "seed": settings.ranking.seed,
        "space": dump_space(space),
        "settings": settings_of_lists(settings),
    }


def _require_same_search(file: Path, protocol: Mapping[str, Any]) -> None:
    """Refuse to mix two searches: what trials were chosen on is not reported on, nor compared with others.

    Raises:
        FileProblem: the folder is of another search; it says in what that differs.
    """
    if not file.exists():
        file.write_text(json.dumps(protocol, indent=1) + "\n", encoding="utf-8")
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        differing = [key for key in protocol if before[key] != json.loads(json.dumps(protocol[key]))]
    except (ValueError, KeyError, TypeError) as error:
        raise FileProblem(f"{file} is not what `stream-rec tune` writes: {error!r}; take another --out") from error
    if differing:
        what = [
            f"{key} ({before[key]} before, {protocol[key]} now)"
            if key in ("split", "judged", "seed", "list_size")
            else key
            for key in differing
        ]
        raise FileProblem(
            f"{file.parent} is of a search that differs in {', '.join(what)}: its trials were chosen on other events, "
            "or with other settings, and this run would report on what they were chosen on; take another --out"
        )


def _search(
    search: Search, logs: Sequence[_Log], settings: Settings, space: Space, options: _Options, progress: Progress
) -> None:
    """Try settings until there are as many trials as asked for, or the time is over."""
    ends_s = time.monotonic() + 60 * options.budget if options.budget is not None else None
    bar = progress.add_task("trials", total=options.trials, has_rate=False)
    if not search.before:
        ndcg = _judge({BEFORE: settings}, logs, options.jobs, progress)[BEFORE]
        if isinstance(ndcg, str):
            raise StreamRecError(f"the engine fails with the settings that are there: {ndcg}")
        if missed := [log for log, value in ndcg.items() if value == 0]:
            raise FileProblem(f"nothing is hit on {', '.join(missed)}, so nothing can be chosen by it: give more of it")
        search.put_before(_values(settings, space), ndcg)
    while (n_done := len(search.tried()) - 1) < options.trials and (ends_s is None or time.monotonic() < ends_s):
        best = choose_best(search.tried())
        progress.update(bar, completed=n_done, description=f"trials, the best {best.value:.4f}")
        asked = dict(search.ask() for _ in range(min(options.jobs, options.trials - n_done)))
        judged = _judge(
            {f"trial {number}": override(settings, chosen) for number, chosen in asked.items()},
            logs,
            options.jobs,
            progress,
        )
        for number in asked:
            ndcg = judged[f"trial {number}"]
            if isinstance(ndcg, str):
                search.tell_failed(number, ndcg)
            else:
                search.tell(number, value_of(ndcg, search.before), ndcg)
    progress.update(bar, completed=len(search.tried()) - 1)


def _values(settings: Settings, space: Space) -> dict[str, Any]:
    """Return the values of some settings that a space names."""
    return {name: getattr(getattr(settings, name.partition(".")[0]), name.partition(".")[2]) for name in space}


def _judge(
    tried: Mapping[str, Settings], logs: Sequence[_Log], jobs: int, progress: Progress
) -> dict[str, dict[str, float] | str]:
    """Return NDCG by log of each of some settings, or why one cannot be used."""
    found: dict[str, dict[str, float] | str] = {name: {} for name in tried}
    for log in logs:
        left = {name: settings for name, settings in tried.items() if not isinstance(found[name], str)}
        bar = progress.add_task(f"{', '.join(left)}: {log.name}", total=len(log.first.log) * len(left))
        done = dict.fromkeys(left, 0)

        def on_progress(name: str, n_events: int, bar: Any = bar, done: dict[str, int] = done) -> None:
            done[name] = n_events
            progress.update(bar, completed=sum(done.values()))

        contenders = {name: Contender(log.engine(settings)) for name, settings in left.items()}
        outcomes = run(contenders, log.first, clock=time.perf_counter_ns, jobs=jobs, on_progress=on_progress)
        progress.update(bar, visible=False)
        for name, outcome in outcomes.items():
            of = found[name]
            if isinstance(outcome, Failed):
                found[name] = f"{log.name}: {outcome.message}"
            elif isinstance(of, dict):
                of[log.name] = float(metrics.ndcg(outcome.trial.ranks, log.first.settings.n).mean())
    return found


def _report(
    log: _Log, settings: Settings, chosen: Mapping[str, Any], options: _Options, progress: Progress
) -> dict[str, Any]:
    """Return what settings before and those that were chosen come to on the rest of a log."""
    both = {BEFORE: settings, **({CHOSEN: override(settings, chosen)} if chosen else {})}
    observer = partial(EngineObserver, diversity=None)
    contenders = {name: Contender(log.engine(one), observer) for name, one in both.items()}
    outcomes = run_methods(contenders, log.rest, options.jobs, progress)
    for name, outcome in outcomes.items():
        if isinstance(outcome, Failed):
            raise StreamRecError(f"the engine fails on the rest of {log.name} with settings {name}: {outcome.message}")
    evaluation = Evaluation(log.rest, log.items.items)
    results, _ = evaluation.summarize(outcomes)
    done = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Finished)}
    return {
        "n_scored_events": len(log.rest.log) - log.rest.plan.first_scored,
        "first_scored": log.rest.plan.first_scored,
        "results": {name: {key: results[name][key] for key in (*MEASURES, "ci", "cost")} for name in done},
        "parts": evaluation.compare(done.get(BEFORE), done.get(CHOSEN)),
    }


def _say(best: Tried, chosen: Mapping[str, Any], reported: Mapping[str, Any]) -> str:
    """Return in words what was chosen, and whether that holds."""
    if not chosen:
        return "No trial is better than the settings that were there before: keep them."
    changes = {log: of["parts"][EVERYTHING] for log, of in reported.items()}
    return f"Trial {best.number} is the best, NDCG {best.value or 0.0:.4f} of before. {judge_reported(changes)}"


def _print(found: Mapping[str, Any], options: _Options) -> None:
    """Print what was chosen, and what it is worth on the rest."""
    n = found["protocol"]["list_size"]
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    table = Table(caption=f"on what comes after the first {options.reported_from:.0%} of each log")
    for title in (
        "log",
        "events",
        f"ndcg@{n} before",
        "chosen",
        "change",
        "95 %",
        f"hit_rate@{n} before",
        "chosen",
        "change",
    ):
        table.add_column(title, justify="left" if title == "log" else "right", no_wrap=True)
    for log, of in found["reported"].items():
        before = of["results"][BEFORE]
        cells = [f"{before['ndcg']:.4f}", "", "", "", f"{before['hit_rate']:.4f}", "", ""]
        if of["parts"]:
            ndcg, hits = (of["parts"][EVERYTHING][measure] for measure in ("ndcg", "hit_rate"))
            cells = [f"{ndcg['base']:.4f}", f"{ndcg['value']:.4f}", *describe(ndcg)]
            cells += [f"{hits['base']:.4f}", f"{hits['value']:.4f}", describe(hits)[0]]
        table.add_row(escape(log), f"{of['n_scored_events']:,}", *cells)
    console.print(table)
    before = found["trials"][0]["settings"]
    for name, value in found["chosen"].items():
        console.print(f"{name} = {json.dumps(value)}, before {json.dumps(before[name])}", highlight=False, markup=False)
    if found["importances"]:
        told = ", ".join(f"{name} {share:.0%}" for name, share in found["importances"].items())
        console.print(f"what told good trials from others: {told}", highlight=False, soft_wrap=True)
    failed = f", {found['n_failed']} failed" if found["n_failed"] else ""
    console.print(f"{found['n_trials']} trials{failed}. {found['says']}", highlight=False, soft_wrap=True)
    console.print(f"stream-rec --config {options.out / BEST} ...", highlight=False, markup=False, soft_wrap=True)
