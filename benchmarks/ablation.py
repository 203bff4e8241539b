"""The table of docs/measurements.md of what each part of the engine is worth: left out alone, on cuts of three logs.

    python benchmarks/ablation.py --logs ../shared/data --out ablation

For each log everything measured as JSON comes to the folder `--out`; the table, as Markdown, to standard output. With
`--only LOG` one log is run, and the others are taken from `--out`; `--only none` makes the table again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stream_rec.evaluation.changes import describe, is_certain

LOGS = ("online_retail", "entree_chicago", "movietweetings")


def main() -> None:
    """Run, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, required=True, help="folder with one folder for each log")
    parser.add_argument("--out", type=Path, default=Path("ablation"), help="where the numbers go (%(default)s)")
    parser.add_argument("--limit", type=int, default=20_000, help="events of each log (%(default)s)")
    parser.add_argument("--without", action="append", help="as of `evaluate`, may be repeated (all)")
    parser.add_argument("--only", action="append", help="run this log alone, may be repeated; `none`: run nothing")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time (%(default)s)")
    parser.add_argument("--cache", type=Path, help="as of `evaluate`")
    arguments = parser.parse_args()
    said = {}
    for name in LOGS:
        file = arguments.out / f"{name}.json"
        if not arguments.only or name in arguments.only:
            run(name, file, arguments)
        if file.is_file():
            said[name] = json.loads(file.read_text())
    print(table_of_parts(said))


def run(name: str, file: Path, arguments: argparse.Namespace) -> None:
    """Judge the engine with and without its parts on one log; end the program where that fails."""
    folder = arguments.logs / name
    options = ["--limit", arguments.limit, "--jobs", arguments.jobs, "--baselines", "none", "--json", file]
    options += [option for part in arguments.without or ["all"] for option in ("--without", part)]
    options += ["--cache", arguments.cache] if arguments.cache else []
    files = ["--items", folder / "items.jsonl.gz", "--events", folder / "events.jsonl.gz"]
    command = ["stream-rec", "--log-level", "warning", "evaluate", *files, *options]
    print(f"{name}: {' '.join(map(str, command[3:]))}", file=sys.stderr)
    ran = subprocess.run([Path(sys.executable).parent / command[0], *map(str, command[1:])], stdout=subprocess.PIPE)
    if ran.returncode:
        sys.exit(ran.returncode)


def table_of_parts(said: dict[str, Any]) -> str:
    """Return what each part is worth: by how much NDCG is higher with it than without, in bold beyond chance."""
    lines = [f"| part | {' | '.join(said)} |", "|---" * (1 + len(said)) + "|"]
    of_text = {name: {"text": one["text"]} for name, one in said.items() if one.get("text")}
    worth = {name: one.get("without") or {} for name, one in said.items()}
    rows = [("text, over random vectors", "text", of_text)] if of_text else []
    parts = dict.fromkeys(part for of in worth.values() for part in of)
    for title, part, of in [*rows, *((part, part, worth) for part in parts)]:
        changes = [of[name][part]["parts"]["all"]["ndcg"] if part in of.get(name, {}) else None for name in said]
        lines.append(f"| {title} | {' | '.join(map(_cell, changes))} |")
    return "\n".join(lines)


def _cell(change: dict[str, Any] | None) -> str:
    if change is None:
        return "–"
    text, interval = describe(change)
    text = f"**{text}**" if is_certain(change) else text
    return f"{text} [{interval.replace(' to ', ', ').replace('%', '')}]" if text else "–"


if __name__ == "__main__":
    main()
