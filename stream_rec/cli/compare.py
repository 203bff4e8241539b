"""`stream-rec compare`: what has changed from one evaluation to another."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream_rec.cli.judging import require_plots, require_writable
from stream_rec.cli.results import WIDTH, table_against
from stream_rec.evaluation.side_by_side import compare_files, find_change

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("before", type=FILE)
@click.argument("after", type=FILE)
@click.option("--json", "json_file", type=FILE, help="Write the comparison to this file.")
@click.option("--report", "report_dir", type=FILE, help="Write index.html to this folder.")
def compare(before: Path, after: Path, json_file: Path | None, report_dir: Path | None) -> None:
    """Say what has changed between two files of `evaluate --json`: by part, with intervals.

    The .npz that lies beside each file is read too. Where the two did not judge the same events alike, stderr says in
    what they differ, and figures come without intervals.
    """
    page = report_dir and report_dir / "index.html"
    if page:
        require_plots()
    compared = compare_files(before, after)
    for file in filter(None, (json_file, page)):
        require_writable(file)
    for reason in compared["unpaired"]:
        click.secho(f"not event for event: {reason}", fg="yellow", err=True)
    if json_file:
        json_file.write_text(json.dumps(compared, indent=1) + "\n", encoding="utf-8")
    if page:
        logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its fonts
        from stream_rec.evaluation.comparison_page import render_comparison

        page.write_text(render_comparison(compared), encoding="utf-8")
    _print(compared)


def _print(compared: Mapping[str, Any]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(f"{compared['files']['base']} → {compared['files']['value']}", highlight=False, markup=False)
    for name, pair in compared["differences"].items():
        line = f"{name}: {pair['base']} → {pair['value']}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if compared["against"]:
        console.print(table_against(compared["against"], compared["n"]))
    else:
        console.print(_table("part", {name: _figures(part) for name, part in compared["parts"].items()}))
    console.print(_table("method", compared["methods"]))


def _figures(part: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return what of a part is no count."""
    return {metric: pair for metric, pair in part.items() if metric != "n"}


def _table(what: str, rows: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    """Return a table of pairs: before, after and change of each measure."""
    table = Table()
    table.add_column(what, no_wrap=True)
    for metric in next(iter(rows.values())):
        for title in (metric, "after", "change"):
            table.add_column(title, justify="right")
    for name, pairs in rows.items():
        cells = []
        for pair in pairs.values():
            change = find_change(pair)
            cells += [f"{pair['base']:.4f}", f"{pair['value']:.4f}", "" if change is None else f"{change:+.1%}"]
        table.add_row(escape(name), *cells)
    return table
