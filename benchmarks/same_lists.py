"""Whether a change left lists and figures as they were: replays and evaluations of the first events of each log.

    python benchmarks/same_lists.py --logs ../shared/data --out before      # on the code of before
    python benchmarks/same_lists.py --logs ../shared/data --out after --against before

Every list is compared by its user, items and scores, and every figure of the engine and of all baselines but times and
memory, to the last digit. Says what differs first, and ends with 1. Items have the vectors of the hashing encoder.
Where a figure, or what it is of, got another name meanwhile, `--renamed OLD=NEW` says so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

LOGS = ("online_retail", "entree_chicago", "movietweetings")
UNSTEADY = ("ms", "seconds", "_s", "mb", "bytes", "per_second", "path", "command", "version")
"""How the names of what depends on the machine end."""


def main() -> None:
    """Run, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, required=True, help="folder with one folder for each log")
    parser.add_argument("--out", type=Path, required=True, help="folder for what was made")
    parser.add_argument("--against", type=Path, help="folder of an earlier run: compare with it")
    parser.add_argument("--limit", type=int, default=2_000, help="events of each log (%(default)s)")
    parser.add_argument(
        "--renamed",
        type=renaming,
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="a name of before; may be repeated",
    )
    arguments = parser.parse_args()
    names = dict(arguments.renamed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    differing = []
    for name in LOGS:
        lists, figures = run(arguments.logs / name, arguments.out / name, arguments.limit)
        said = f"{name}: {len(lists)} lists, {len(figures)} figures"
        if arguments.against:
            before = kept(arguments.against / name)
            figures_before = [(renamed(path, names), value) for path, value in before[1]]
            differences = [*compare("list", before[0], lists), *compare("figure", figures_before, figures)]
            said += f", {len(differences)} differ" + "".join(f"\n  {each}" for each in differences[:5])
            differing += differences
        print(said, flush=True)
    sys.exit(1 if differing else 0)


def renaming(text: str) -> tuple[str, str]:
    """Return the old and the new name of `OLD=NEW`."""
    old, between, new = text.partition("=")
    if not (old and between and new):
        raise argparse.ArgumentTypeError(f"{text} is not OLD=NEW")
    return old, new


def renamed(path: str, names: dict[str, str]) -> str:
    """Return a figure's path with the names of now; `ndcg@10` has the name `ndcg`."""
    parts = (part.partition("@") for part in path.split("/"))
    return "/".join(names.get(name, name) + at + k for name, at, k in parts)


def run(log: Path, out: Path, limit: int) -> tuple[list[Any], list[Any]]:
    """Replay and evaluate one log; return what ``kept`` returns."""
    command = [Path(sys.executable).parent / "stream-rec", "--log-level", "warning"]
    source = ["--items", log / "items.jsonl.gz", "--events", log / "events.jsonl.gz"]
    options = [*source, "--limit", limit, "--encoder", "hashing"]
    for words in (
        ["replay", *options, "--out", f"{out}.jsonl"],
        ["evaluate", *options, "--exploring", "--json", f"{out}.json"],
    ):
        subprocess.run([*map(str, command), *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return kept(out)


def kept(out: Path) -> tuple[list[Any], list[Any]]:
    """Return (user, [(item, score), ...]) of every list, and (path, value) of every figure."""
    lists = []
    for line in Path(f"{out}.jsonl").read_text().splitlines():
        slate = json.loads(line)
        lists.append((slate["user_id"], [(item["item_id"], item["score"]) for item in slate["items"]]))
    return lists, list(figures_in(json.loads(Path(f"{out}.json").read_text())))


def figures_in(node: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Walk over plain data; yield the numbers that do not depend on the machine."""
    if isinstance(node, dict):
        for name, value in node.items():
            if not name.endswith(UNSTEADY):
                yield from figures_in(value, f"{path}/{name}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from figures_in(value, f"{path}/{place}")
    elif isinstance(node, int | float):
        yield path, node


def compare(what: str, before: list[Any], after: list[Any]) -> Iterator[str]:
    """Yield what differs."""
    for number, (old, new) in enumerate(zip_longest(before, after)):
        if old != new:
            yield f"{what} {number}: {str(old)[:150]} was, {str(new)[:150]} is"


if __name__ == "__main__":
    main()
