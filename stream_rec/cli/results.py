"""What an evaluation found, for people to read: a table of all methods, and what to know of the log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream_rec.evaluation.against import HEAD, describe_differences, list_rows
from stream_rec.evaluation.baselines.choice import describe_settings
from stream_rec.evaluation.changes import describe
from stream_rec.evaluation.contenders import ENGINE

WIDTH = 144
"""Of the table where stdout is no terminal."""

Result = Mapping[str, Any]
"""What is said of one method."""


@dataclass(frozen=True)
class Column:
    """One number of each method."""

    title: str
    value_of: Callable[[Result], float | None]
    form: str
    best_of: Callable[[Iterable[float]], float] = max

    def texts(self, results: Iterable[Result]) -> list[str]:
        """Return a cell for each result, the best ones bold, an empty one where there is no number."""
        values = [self.value_of(result) for result in results]
        best = self.best_of(known) if (known := [value for value in values if value is not None]) else None
        return [
            "" if value is None else f"[bold]{value:{self.form}}[/bold]" if value == best else format(value, self.form)
            for value in values
        ]


def columns(n: int) -> list[Column]:
    """Return the columns of the table for lists of ``n`` items."""
    return [
        Column(f"ndcg@{n}", lambda result: result["ndcg"], ".4f"),
        Column(f"hit_rate@{n}", lambda result: result["hit_rate"], ".4f"),
        Column(f"mrr@{n}", lambda result: result["mrr"], ".4f"),
        Column("user<5", lambda result: result["slices"]["user<5"]["ndcg"], ".4f"),
        Column("item<5", lambda result: result["slices"]["item<5"]["ndcg"], ".4f"),
        Column("pair=new", lambda result: result["slices"]["pair=new"]["ndcg"], ".4f"),
        Column("coverage", lambda result: result["coverage"], ".3f"),
        Column("ms/event", lambda result: result["cost"]["event_ms"], ".3f", min),
        Column("peak MB", lambda result: result["cost"]["peak_mb"], ".0f", min),
    ]


def warn(protocol: Mapping[str, Any]) -> None:
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


def print_results(found: Mapping[str, Any]) -> None:
    """Print the table, the best NDCG first, what baselines chose, and the engine beside the best of them."""
    protocol, comparison = found["protocol"], found["comparison"]
    done = {name: result for name, result in found["results"].items() if "error" not in result}
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(
        f"{protocol['n_scored_events']:,} of {protocol['n_events']:,} events scored, {protocol['n_users']:,} users, "
        f"{protocol['n_items_listed']:,} items, {protocol['encoder'] or 'no text'}",
        highlight=False,
    )
    console.print(_table(done, protocol["list_size"]))
    for name, result in done.items():
        if result["chosen"]:
            settings = describe_settings(result["chosen"]["settings"])
            console.print(f"{name} chose {settings}", highlight=False, soft_wrap=True)
    if comparison and "low" in comparison["ndcg"]:
        ndcg = comparison["ndcg"]
        console.print(
            f"NDCG of {ENGINE} less that of {comparison['baseline']}: {ndcg['mean']:+.4f} "
            f"(95 %: {ndcg['low']:+.4f} to {ndcg['high']:+.4f})",
            highlight=False,
        )

    if ratings := found.get("ratings"):
        console.print(_table_ratings(ratings))
        for name, error in ratings["errors"].items():
            console.print(escape(f"{name}: {error}"), highlight=False, soft_wrap=True)
    if ENGINE in done:
        console.print(_say_by_list(done[ENGINE], protocol["list_size"]), highlight=False, soft_wrap=True)
    if text := found.get("text"):
        console.print(_say_what_text_brings(text["parts"], protocol["list_size"]), highlight=False, soft_wrap=True)
    if without := found.get("without"):
        console.print(_table_without(without, protocol["list_size"]))
    if against := found.get("against"):
        console.print(f"against {against['file']}, {describe_differences(against)}", highlight=False, soft_wrap=True)
        console.print(table_against(against, protocol["list_size"]))


def _table_ratings(ratings: Mapping[str, Any]) -> Table:
    """Return a table of how well ratings are predicted, the lowest RMSE first."""
    least, most = ratings["scale"]
    caption = f"{ratings['n']:,} ratings from {least:g} to {most:g}, each predicted before it was learned"
    table = Table(caption=caption)
    for title in ("ratings", "rmse", "mae", "stream_rec's mae less (95 %)", "settings"):
        table.add_column(title, justify="left" if title in ("ratings", "settings") else "right")
    for name, method in sorted(ratings["methods"].items(), key=lambda one: float(one[1]["rmse"])):
        less = method.get("mae_difference")
        table.add_row(
            escape(name),
            f"{method['rmse']:.4f}",
            f"{method['mae']:.4f}",
            f"{less['mean']:+.4f} ({less['low']:+.4f} to {less['high']:+.4f})" if less else "",
            escape(describe_settings(method["settings"])),
            style="cyan" if name == ENGINE else None,
        )
    return table


def _say_by_list(result: Result, n: int) -> str:
    """Return one sentence on the engine: precision, recall and F1, and what its probabilities are like."""
    by_list = f"precision@{n} {result['precision']:.4f}, recall@{n} {result['recall']:.4f}, F1@{n} {result['f1']:.4f}"
    auc, said = result.get("roc_auc", {}).get("mean"), result.get("probabilities", {})
    if auc is None or said["brier"] is None:
        return f"{ENGINE}, by list: {by_list}"
    right = f"Brier score {said['brier']:.5f}, calibration error {said['calibration_error']:.5f}"
    return f"{ENGINE}, by list: {by_list}; among candidates: ROC-AUC {auc:.4f}; probabilities: {right}"


def _table_without(without: Mapping[str, Any], n: int) -> Table:
    """Return a table of what each part of the engine is worth, over all events."""
    table = Table(caption="what NDCG and hit rate are more with a part than without it, and where they are so in 95 %")
    for title in ("without", f"ndcg@{n}", "worth", "95 %", f"hit_rate@{n}", "worth", "95 %"):
        table.add_column(title, justify="left" if title == "without" else "right", no_wrap=True)
    for part, of in without.items():
        changes = [of["parts"]["all"][measure] for measure in ("ndcg", "hit_rate")]
        cells = [cell for change in changes for cell in (f"{change['base']:.4f}", *describe(change))]
        table.add_row(escape(part), *cells)
    return table


def _say_what_text_brings(parts: Mapping[str, Any], n: int) -> str:
    """Return one sentence: the change of NDCG, and of the hit rate of new items, over random vectors."""
    said = []
    for part, metric, of in (("all", "ndcg", ""), ("item<5", "hit_rate", " of items with under 5 events")):
        if part in parts:
            change, interval = describe(parts[part][metric])
            said.append(f"{metric}@{n}{of} {change} (95 %: {interval})" if change else f"{metric}@{n}{of} unknown")
    return f"what text brings, over random vectors: {'; '.join(said)}"


def table_against(against: Mapping[str, Any], n: int) -> Table:
    """Return a table of what has changed since an earlier evaluation, by part; lists have ``n`` items."""
    table = Table()
    for title in HEAD:
        table.add_column(title, justify="left" if title in HEAD[:2] else "right", no_wrap=title in HEAD[:2])
    rows = list_rows(against, n)
    for row, after in zip(rows, [*rows[1:], ("",)]):
        table.add_row(*map(escape, row), end_section=row[0] != after[0])
    return table


def _table(done: Mapping[str, Result], n: int) -> Table:
    table = Table(caption="user<5, item<5, pair=new: NDCG of events whose user or item is new, or that repeat nothing")
    table.add_column("method", no_wrap=True)
    table.add_column("95 % of NDCG", justify="right", no_wrap=True)
    results = dict(sorted(done.items(), key=lambda one: -one[1]["ndcg"]))
    cells = []
    for column in columns(n):
        table.add_column(column.title, justify="right")
        cells.append(column.texts(results.values()))
    for (name, result), row in zip(results.items(), zip(*cells)):
        interval = result["ci"] and result["ci"]["ndcg"]
        within = f"{interval['low']:.4f}-{interval['high']:.4f}" if interval else ""
        table.add_row(escape(name), within, *row, style="cyan" if name == ENGINE else None)
    return table
