"""`stream-rec encoders compare`: which encoder to take for a log of one's own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from stream_rec.cli.compile import compile_with_progress
from stream_rec.cli.files import FORMATS, SkippedLines
from stream_rec.cli.interrupt import end_on_interrupt
from stream_rec.cli.judging import columns, read_log, require_writable, run_methods
from stream_rec.cli.progress import show_progress
from stream_rec.cli.reading import embed
from stream_rec.cli.results import WIDTH
from stream_rec.config import Settings, override
from stream_rec.embedding.encoder import split
from stream_rec.embedding.known_encoders import KNOWN_ENCODERS, find_missing, find_missing_extra
from stream_rec.errors import EncoderUnavailable
from stream_rec.evaluation.changes import describe
from stream_rec.evaluation.encoders import NEW_ITEMS, RANDOM, compare_encoders
from stream_rec.evaluation.engine import Engine
from stream_rec.evaluation.evaluation import EVERYTHING, Evaluation
from stream_rec.evaluation.observation import EngineObserver
from stream_rec.evaluation.trials import Contender
from stream_rec.events.item import Item
from stream_rec.logs.log import read_items, usable
from stream_rec.replay.embedded import CACHE, EmbeddedItems
from stream_rec.stop_signals import exit_on_signal

BY_NAME = {encoder.name: encoder for encoder in KNOWN_ENCODERS}
OVER_RANDOM = "over random (95 %)"


@click.command("compare", epilog=FORMATS)
@click.option("--items", "items_file", required=True, type=click.Path(path_type=Path), help="Items: JSON lines or CSV.")
@click.option("--events", "events_file", required=True, type=click.Path(path_type=Path), help="Events, as a log.")
@click.option("--encoders", "wanted", help="Names as of `embedder`, with commas between. [default: all that are here]")
@click.option("--limit", type=click.IntRange(min=1), help="Take the first so many usable events. [default: all]")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything measured to this file.")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, help="Where embeddings are kept.")
@click.option("--jobs", default=1, type=click.IntRange(min=1), help="Encoders at a time; above 1 timings suffer.")
@click.pass_obj
@end_on_interrupt("no result; what was embedded is kept for the next run")
def compare(
    settings: Settings,
    items_file: Path,
    events_file: Path,
    wanted: str | None,
    limit: int | None,
    json_file: Path | None,
    cache: Path,
    jobs: int,
) -> None:
    """Say which encoder brings most for a log: the engine on the vectors of each, and on random ones.

    Two encoders joined with "+" are one. Without --encoders: the setting embedder.encoder, and all that are ready
    here. Each takes as long as the engine in `evaluate`: some 2 minutes for 50,000 events. Seconds are those of
    embedding all texts; there are none where the cache has them.
    """
    click.get_current_context().with_resource(exit_on_signal())
    settings = override(settings, {"ranking.explore_share": 0.0})
    of_encoder = {name: override(settings, {"embedder.encoder": name}) for name in _choose(wanted, settings)}
    if json_file:
        require_writable(json_file)
    skipped = SkippedLines()
    compile_with_progress()
    with (
        TemporaryDirectory(prefix="stream-rec-", ignore_cleanup_errors=True) as folder,
        show_progress(*columns(), is_kept=True) as progress,
    ):
        items = list(usable(read_items(items_file, limits=settings.limits), skipped.lines_of(items_file)))
        embedded, embed_s = _embed_all(items, of_encoder, cache, skipped, progress)
        items = next(iter(embedded.values())).items
        no_vectors = np.zeros((len(items), 0), np.float32)
        experiment = read_log(events_file, settings, items, no_vectors, Path(folder), skipped, progress, limit=limit)
        contenders = {
            name: Contender(
                partial(Engine, settings=of_encoder[name], items=items, embeddings=made.embeddings),
                partial(EngineObserver, diversity=None),
            )
            for name, made in embedded.items()
        }
        outcomes = run_methods(contenders, experiment, jobs, progress)
        evaluation = Evaluation(experiment, items)
        found = compare_encoders(evaluation, outcomes, embed_s)
    protocol = {"items": items_file.name, "events": events_file.name, "limit": limit, **evaluation.count()}
    identities = {name: made.encoder for name, made in embedded.items()}
    found = {"protocol": protocol, "identities": identities, **found}
    if json_file:
        json_file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    _print(found, settings.ranking.n)
    for name, message in found["failed"].items():
        click.secho(f"{name} failed: {message}", fg="red", err=True)
    sys.exit(skipped.report() or (1 if found["failed"] else 0))


def _choose(wanted: str | None, settings: Settings) -> list[str]:
    """Return the encoders to compare, each once, `random` last.

    Raises:
        SettingsError: a name is empty, or names too many.
        EncoderUnavailable: one that has a name needs what is not installed.
    """
    if wanted is None:
        names = _find_ready(settings)
    else:
        names = [name.strip() for name in wanted.split(",")]
        for name in names:
            _require_usable(override(settings, {"embedder.encoder": name}))
    return [*dict.fromkeys(name for name in names if name != RANDOM), RANDOM]


def _require_usable(settings: Settings) -> None:
    """Raise, before the work, where an encoder of the settings has a wrong name, or needs what is not installed."""
    for part in split(settings.embedder):
        install = find_missing_extra(BY_NAME[part.encoder]) if part.encoder in BY_NAME else ""
        if install:
            raise EncoderUnavailable(f"encoder {part.encoder!r} needs packages that are not here: {install}")


def _find_ready(settings: Settings) -> list[str]:
    """Return the encoder of the settings and all that have a name, as far as nothing has to be fetched for them."""
    missing = {one.name: find_missing(one, settings.embedder) for one in KNOWN_ENCODERS}
    parts = [one.encoder for one in split(settings.embedder)]
    of_settings = [] if any(missing.get(part) for part in parts) else [settings.embedder.encoder]
    return [*of_settings, *(name for name, what in missing.items() if not what)]


def _embed_all(
    items: list[Item], of_encoder: Mapping[str, Settings], cache: Path, skipped: SkippedLines, progress: Progress
) -> tuple[dict[str, EmbeddedItems], dict[str, float | None]]:
    """Return the items with the embeddings of each encoder, and the seconds that all texts took; None if known before.

    Each single encoder comes first, so that it is timed alone and pairs find its vectors.
    """
    names = {name: [one.encoder for one in split(settings.embedder)] for name, settings in of_encoder.items()}
    settings = next(iter(of_encoder.values()))
    seconds: dict[str, float | None] = {}
    for single in dict.fromkeys(part for parts in names.values() for part in parts):
        began = time.perf_counter()
        made = embed(items, override(settings, {"embedder.encoder": single}), cache, skipped, progress)
        n_texts = len({one.content_hash for one in made.embeddings.values()})
        seconds[single] = time.perf_counter() - began if made.n_embedded >= n_texts else None
    embedded = {name: embed(items, one, cache, SkippedLines(), progress) for name, one in of_encoder.items()}
    return embedded, {name: _add([seconds[part] for part in parts]) for name, parts in names.items()}


def _add(seconds: Iterable[float | None]) -> float | None:
    """Return the sum, None where one is not known."""
    known = list(seconds)
    return None if None in known else sum(value for value in known if value is not None)


def _print(found: Mapping[str, Any], n: int) -> None:
    """Print a row an encoder, the highest NDCG first, and which to choose."""
    protocol = found["protocol"]
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(
        f"{protocol['n_scored_events']:,} of {protocol['n_events']:,} events scored, {protocol['n_users']:,} users, "
        f"{protocol['n_items_listed']:,} items",
        highlight=False,
    )
    table = Table(
        caption="item<5: hit rate of events whose item had under 5; item=0, user=0: of items and users without events"
    )
    titles = ("encoder", f"ndcg@{n}", OVER_RANDOM, f"hit_rate@{n}", "item<5", OVER_RANDOM, "item=0", "user=0")
    for title in (*titles, "ms/event", "embed s"):
        is_left = title == "encoder"
        table.add_column(title, justify="left" if is_left else "right", no_wrap=is_left or title == OVER_RANDOM)
    for name, row in found["encoders"].items():
        parts, slices = row["over_random"] or {}, row["slices"]
        table.add_row(
            escape(name),
            _write(row["ndcg"], ".4f"),
            _write_change(parts.get(EVERYTHING), "ndcg"),
            _write(row["hit_rate"], ".4f"),
            _write(slices[NEW_ITEMS]["hit_rate"], ".4f"),
            _write_change(parts.get(NEW_ITEMS), "hit_rate"),
            _write(slices["item=0"]["hit_rate"], ".4f"),
            _write(slices["user=0"]["hit_rate"], ".4f"),
            _write(row["cost"]["event_ms"], ".2f"),
            _write(row["embed_s"], ".1f"),
            style="cyan" if name == found["best"] else None,
        )
    console.print(table)
    console.print(found["advice"], highlight=False, soft_wrap=True)


def _write(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _write_change(part: Mapping[str, Any] | None, measure: str) -> str:
    change, interval = describe(part[measure]) if part else ("", "")
    return f"{change} ({interval})" if interval else change
