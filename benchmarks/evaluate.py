"""The table of docs/measurements.md: the engine and all baselines over three public logs, by `stream-rec evaluate`.

    python benchmarks/evaluate.py --logs ../shared/data --out evaluation

For each log a report page and everything measured as JSON come to the folder `--out`; the tables, as Markdown, to
standard output; where a baseline is better and what each chose, as `docs/baselines.md`, to the file `--page`. About
half an hour on two cores. Times are true only with --jobs 1. With `--only LOG` one log is run, and the others are taken
from `--out`. With `--against DIR`, the `--out` of an earlier run, a table for each log says what has changed since.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from stream_rec.errors import StreamRecError
from stream_rec.evaluation.against import (
    HEAD,
    Run,
    compare_runs,
    describe_differences,
    list_rows,
    read_run,
    render_markdown,
)
from stream_rec.evaluation.baselines.choice import describe_settings
from stream_rec.evaluation.changes import describe
from stream_rec.evaluation.losses import write_page

LIMITS = {"online_retail": 150_000, "entree_chicago": 150_000, "movietweetings": 60_000}
"""Events taken of each log, as in the published figures that these are compared with."""
OURS = "stream_rec"
SLICES = ("user=0", "user<5", "pair=seen", "pair=new", "item<5")
LEAST = 200
"""Events below which a slice says nothing."""


def main() -> None:
    """Run, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=Path, required=True, help="folder with one folder for each log")
    parser.add_argument("--out", type=Path, default=Path("evaluation"), help="where pages and numbers go (%(default)s)")
    parser.add_argument("--baselines", default="all", help="all, none, or some (%(default)s)")
    parser.add_argument("--only", action="append", help="run this log alone, may be repeated; `none`: run nothing")
    parser.add_argument("--page", type=Path, help="file for where a baseline is better and what each chose")
    parser.add_argument("--engine-only", action="store_true", help="no baselines, no control, no exploring: quick")
    parser.add_argument("--against", type=Path, help="folder of an earlier run: print what has changed since")
    parser.add_argument("--jobs", type=int, default=1, help="methods at a time (%(default)s)")
    arguments = parser.parse_args()
    if missing := [name for name in LIMITS if not (arguments.logs / name / "events.jsonl.gz").is_file()]:
        parser.error(
            f"{arguments.logs} has no {', '.join(missing)}: docs/measurements.md says where the logs come from"
        )
    earlier = read_runs(arguments.against) if arguments.against else {}
    results = {}
    for name, limit in LIMITS.items():
        folder, out = arguments.logs / name, arguments.out / name
        if arguments.only and name not in arguments.only:
            if (out / "result.json").is_file():
                results[name] = read_results(out / "result.json")
            continue
        options = ["--limit", limit, "--jobs", arguments.jobs]
        if arguments.engine_only:
            options += ["--baselines", "none", "--no-control"]
        else:
            options += ["--baselines", arguments.baselines, "--exploring"]
        files = ["--items", folder / "items.jsonl.gz", "--events", folder / "events.jsonl.gz"]
        command = ["stream-rec", "--log-level", "warning", "evaluate", *files, *options]
        command += ["--report", out, "--json", out / "result.json"]
        print(f"{name}: {' '.join(map(str, command[3:]))}", file=sys.stderr)
        ran = subprocess.run([Path(sys.executable).parent / command[0], *map(str, command[1:])], stdout=subprocess.PIPE)
        if ran.returncode:
            sys.exit(ran.returncode)
        results[name] = read_results(out / "result.json")
    tables = (
        table_of_methods,
        table_of_slices,
        table_of_lists,
        table_of_candidates,
        table_of_sources,
        table_of_diversity,
        table_of_choices,
    )
    if arguments.page:
        command = "python benchmarks/evaluate.py --logs LOGS --page docs/baselines.md"
        arguments.page.write_text(write_page(results, command=command), encoding="utf-8")
    print(*(table(results) for table in tables), sep="\n")
    said = {name: json.loads((arguments.out / name / "result.json").read_text()) for name in results}
    if texts := {name: one["text"] for name, one in said.items() if one.get("text")}:
        print(table_of_text(texts))
    for name, run in earlier.items():
        if name in results:
            print(table_of_changes(name, run, read_run(arguments.out / name / "result.json")))


def read_runs(folder: Path) -> dict[str, Run]:
    """Return the earlier run of each log in a folder; end the program where one cannot be used."""
    try:
        runs = {
            name: read_run(folder / name / "result.json")
            for name in LIMITS
            if (folder / name / "result.json").is_file()
        }
    except StreamRecError as error:
        sys.exit(str(error))
    return runs or sys.exit(f"{folder} has no LOG/result.json of {', '.join(LIMITS)}: give the --out of another run")


def table_of_changes(name: str, before: Run, after: Run) -> str:
    """Return what has changed in one log: accuracy and candidate recall by part, and milliseconds."""
    try:
        against = compare_runs(before, after)
    except StreamRecError as error:
        return f"{name}: {error}\n"
    table = render_markdown(HEAD, list_rows(against, after.said["protocol"]["list_size"]))
    return f"{name}: {describe_differences(against)}\n\n{table}"


def read_results(path: Path) -> dict[str, dict]:
    """Return the results of one log."""
    results = json.loads(path.read_text())["results"]
    if any("hr" in metrics for metrics in results.values()):
        sys.exit(f"{path} is of an older version, whose metrics have other names: run without --only")
    return results


def table_of_methods(results: dict[str, dict]) -> str:
    """Return NDCG and hit rate of every method that ran on all logs, the highest mean NDCG first; one figure a cell."""
    names = list(results)
    methods = [method for method in results[names[0]] if all("ndcg" in of.get(method, {}) for of in results.values())]
    methods.sort(key=lambda method: -sum(results[name][method]["ndcg"] for name in names))
    heads = [f"{name} {metric}" for name in names for metric in ("ndcg@20", "hit_rate@20")]
    lines = _head("method", *heads)
    for method in methods:
        cells = [_short(results[name][method][metric]) for name in names for metric in ("ndcg", "hit_rate")]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    gains = []
    for name in names:
        for metric in ("ndcg", "hit_rate"):
            ours, best = results[name][OURS], _best(results[name], metric)
            gains.append(f"{ours[metric] / results[name][best][metric] - 1:+.1%} ({best})" if best else "")
    return "\n".join([*lines, f"| {OURS} to the best other | {' | '.join(gains)} |", ""])


def table_of_slices(results: dict[str, dict]) -> str:
    """Return NDCG by part of the events, hit rate for new items: ours, and the highest that any baseline has there."""
    heads = [f"{name} {whose}" for name in results for whose in (OURS, "best other")]
    lines = _head("part", *heads)
    for part in ("second half", *SLICES):
        metric = "hit_rate" if part == "item<5" else "ndcg"
        cells = []
        for methods in results.values():
            parts = {
                name: one["halves"]["second"] if part == "second half" else one["slices"][part]
                for name, one in methods.items()
                if "error" not in one
            }
            others = [of[metric] for name, of in parts.items() if not name.startswith(OURS)]
            if parts[OURS]["n"] < LEAST:
                cells += ["too few"] * 2
            else:
                cells += [_short(parts[OURS][metric]), _short(max(others)) if others else "–"]
        lines.append(f"| {part} ({metric}@20) | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def table_of_lists(results: dict[str, dict]) -> str:
    """Return what the lists are like, and what they cost."""
    lines = _head("log", "method", "coverage", "Gini", "intra-list similarity", "ms per event", "peak MB")
    for name, methods in results.items():
        for method in filter(None, (OURS, f"{OURS}_exploring", _best(methods))):
            if method in methods:
                one = methods[method]
                similar = one["intra_list_similarity"]
                figures = [f"{one['coverage']:.2f}", f"{one['gini']:.2f}", "–" if similar is None else f"{similar:.2f}"]
                figures += [f"{one['cost']['event_ms']:.2f}", f"{one['cost']['peak_mb']:.0f}"]
                lines.append(f"| {name} | {method} | {' | '.join(figures)} |")
    return "\n".join(lines)


def table_of_text(texts: dict[str, dict]) -> str:
    """Return what the encoder brings over random vectors, by part of the events."""
    lines = _head("what text brings", *(f"{name} {what}" for name in texts for what in ("", "95 %")))
    for part in ("all", *SLICES, "item=0"):
        for metric in ("ndcg", "hit_rate"):
            cells = []
            for text in texts.values():
                of = text["parts"].get(part)
                cells += describe(of[metric]) if of and of["n"] >= LEAST else ("too few", "")
            lines.append(f"| {part} ({metric}@20) | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def table_of_candidates(results: dict[str, dict]) -> str:
    """Return how many candidates a list is made from, and how often the item was among them, by slice."""
    of = {name: methods[OURS]["candidates"] for name, methods in results.items()}
    counts = [f"{made['per_list']['mean']:.0f} ({made['per_list']['p99']:.0f})" for made in of.values()]
    lines = [
        *_head("candidate recall", *of),
        f"| candidates a list, mean (p99) | {' | '.join(counts)} |",
        f"| all events | {' | '.join(_short(made['recall']) for made in of.values())} |",
    ]
    for part in SLICES:
        parts = [made["slices"][part] for made in of.values()]
        cells = [_short(one["recall"]) if one["n"] >= LEAST else "too few" for one in parts]
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def table_of_sources(results: dict[str, dict]) -> str:
    """Return the share of all events that each source proposes, and that only it proposes."""
    of = {name: methods[OURS]["candidates"]["sources"] for name, methods in results.items()}
    lines = _head("source: proposes (alone)", *of)
    for source in next(iter(of.values())):
        cells = [f"{_short(one[source]['covers'])} ({_short(one[source]['only'])})" for one in of.values()]
        lines.append(f"| {source} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def table_of_diversity(results: dict[str, dict]) -> str:
    """Return what each diversity costs in NDCG, and what it gives."""
    lines = _head("log", "diversity", "NDCG, change", "intra-list similarity", "coverage", "calibration")
    for name, methods in results.items():
        points = methods[OURS]["frontier"]
        for point in points:
            measured = (point[key] for key in ("intra_list_similarity", "coverage", "calibration"))
            figures = " | ".join("–" if value is None else f"{value:.3f}" for value in measured)
            change = f"{point['ndcg'] / points[0]['ndcg'] - 1:+.1%}"
            lines.append(f"| {name} | {point['diversity']:g} | {_short(point['ndcg'])}, {change} | {figures} |")
    return "\n".join([*lines, ""])


def table_of_choices(results: dict[str, dict]) -> str:
    """Return what each baseline chose on each log's warm-up, and how long that took of how long a run."""
    lines = _head("chosen", *results)
    methods = [name for name, one in next(iter(results.values())).items() if one["chosen"]]
    for method in methods:
        chosen = [describe_settings(of[method]["chosen"]["settings"]) for of in results.values()]
        lines.append(f"| {method} | {' | '.join(chosen)} |")
    seconds = [
        (
            sum(of[method]["cost"]["choosing_s"] or 0 for method in methods),
            sum(one["cost"]["total_s"] for one in of.values()),
        )
        for of in results.values()
    ]
    lines.append(f"| choosing took | {' | '.join(f'{part:.0f} of {whole:.0f} s' for part, whole in seconds)} |")
    return "\n".join([*lines, ""])


def _head(*titles: str) -> list[str]:
    """Return the first lines of a table."""
    return [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]


def _best(methods: dict[str, dict], metric: str = "ndcg") -> str | None:
    others = [name for name in methods if not name.startswith(OURS)]
    return max(others, key=lambda name: methods[name][metric], default=None)


def _short(share: float) -> str:
    return f"{share:.4f}".lstrip("0")


if __name__ == "__main__":
    main()
