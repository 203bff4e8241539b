"""Nothing is compiled while events wait, nor in a list's time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream_rec.kernel_compilation import LOCK

DATA = Path(__file__).parent / "data"

CODE = """
import sys
from itertools import islice
from pathlib import Path

import numpy as np
from numba.core.registry import CPUDispatcher

from stream_rec.catalog.word_index import WordIndex
from stream_rec.config import Settings
from stream_rec.embedding.item_embedding import ItemEmbedding, SpaceVector
from stream_rec.events.item import Item
from stream_rec.ranking.policy import RankingConfig
from stream_rec.kernels import compile_kernels
from stream_rec.logs.log import read_events
from stream_rec.pipeline import Pipeline


def compiled():
    modules = [(name, module) for name, module in sys.modules.items() if name.startswith("stream_rec")]
    return {
        f"{module}.{name}": list(value.signatures)
        for module, holder in modules
        for name, value in vars(holder).items()
        if isinstance(value, CPUDispatcher)
    }


compile_kernels()
before = compiled()
assert any(before.values())
rng = np.random.default_rng(0)
policies = RankingConfig(), RankingConfig(diversity=0.5, explore_share=0.5), RankingConfig(diversity=1, fresh_worth=0)
for number, ranking in enumerate(policies):
    pipeline = Pipeline(Settings(ranking=ranking))
    log = read_events(Path(sys.argv[1]), limits=Settings().limits, received_ms=2 * 10**12)
    for place, (kind, event) in enumerate(islice(log, 200)):
        category = "" if number == 0 or place % 5 == 0 else "abc"[place % 3]
        pipeline.catalog.put_item(Item(event.item_id, category=category))
        if number == 1 and place % 4:
            vector = rng.normal(size=32).astype(np.float32)
            vector /= np.linalg.norm(vector)
            pipeline.catalog.put_embedding(event.item_id, ItemEmbedding(bytes(16), (SpaceVector("test", vector),)))
        pipeline.list_for(kind, event, pipeline.learn(kind, event))
word_index = WordIndex()
for row in range(200):
    word_index.put(row % 150, Item(f"i{row}", title="tea pot" if row % 3 else "tea", description=f"of {row}"))
word_index.delete(7)
rows, _ = word_index.search("pot of tea", 5, np.arange(150) % 2 == 0)
word_index.score("pot of tea", rows)
word_index.score("pot", np.arange(300))
assert compiled() == before, {k: v for k, v in compiled().items() if v != before.get(k)}
"""


def test_a_real_log_finds_every_kernel_compiled():
    """With the very types that events and lists bring, whatever the settings and whatever is known of the items."""
    file = DATA / "entree_chicago-events.jsonl"
    done = subprocess.run([sys.executable, "-c", CODE, str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


OF_OUR_OWN = """
import importlib.util, sys

spec = importlib.util.spec_from_file_location("stream_rec.two_kernels", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)

from stream_rec import kernel_compilation, kernels

kernels.run_kernels = lambda: (module.outer(3), module.outer(3.0))
kernel_compilation.start_helper = lambda: print("a helper is started", flush=True)
kernel_compilation.dispatchers = lambda: {"inner": module.inner, "outer": module.outer}
if sys.argv[2:] == ["helper"]:
    kernel_compilation.compile_from_the_end(kernels.run_kernels)
kernels.compile_kernels(lambda step: print(*step, flush=True))
print("done in", kernels.cache_path())
"""
TWO_KERNELS = """
import numba

@numba.njit(cache=True)
def inner(x):
    return x + 1

@numba.njit(cache=True)
def outer(x):
    return 2 * inner(x)
"""


def start(folder: Path, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """Start a process that compiles two kernels for two types each, unless they are in the cache."""
    file = folder / "two_kernels.py"
    if not file.exists():
        file.write_text(TWO_KERNELS)
    command = [sys.executable, "-c", OF_OUR_OWN, str(file), *arguments]
    return subprocess.Popen(command, env=os.environ | environ, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_each_kernel_is_told_of_before_it_is_compiled_and_nothing_where_all_are(tmp_path):
    """What is in the cache is only loaded. There are more steps than kernels where one is compiled for two types."""
    first, _ = start(tmp_path).communicate(timeout=120)
    second, _ = start(tmp_path).communicate(timeout=120)

    steps = first.splitlines()
    assert steps[:5] == ["a helper is started", "1 2 outer", "2 2 inner", "3 3 outer", "4 4 inner"]
    assert second.splitlines() == [f"done in {tmp_path / '__pycache__'}"]


@pytest.mark.slow
def test_what_is_compiled_beside_the_kernels_is_used_elsewhere_unless_that_is_newer(tmp_path):
    """A wheel's kernels, in a folder that cannot be written; what was compiled elsewhere since is not lost by them."""
    elsewhere = {"NUMBA_CACHE_DIR": str(tmp_path / "elsewhere")}
    start(tmp_path).communicate(timeout=120)
    copied, _ = start(tmp_path, **elsewhere).communicate(timeout=120)
    (tmp_path / "two_kernels.py").write_text(TWO_KERNELS.replace("x + 1", "x + 2"))
    changed, _ = start(tmp_path, **elsewhere).communicate(timeout=120)
    kept, _ = start(tmp_path, **elsewhere).communicate(timeout=120)

    assert copied.startswith(f"done in {tmp_path / 'elsewhere'}")
    assert changed.splitlines()[1] == "1 2 outer"
    assert kept == copied


@pytest.mark.slow
def test_of_two_processes_one_compiles_and_the_other_waits_and_says_so(tmp_path):
    """What the first has compiled meanwhile the second loads: at most the kernel that it waited with comes again."""
    (tmp_path / "__pycache__").mkdir()
    with (tmp_path / "__pycache__" / LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = start(tmp_path)
        assert waiting.stdout.readline() == "0 2 another process compiles\n"
        assert waiting.poll() is None
    rest, _ = waiting.communicate(timeout=120)

    assert rest.splitlines()[0] == "1 2 outer"
    assert waiting.returncode == 0


@pytest.mark.slow
def test_a_helper_begins_with_the_last_and_what_it_has_compiled_is_loaded(tmp_path):
    """So that two processes meet in the middle. The types are those that a run finds."""
    said, _ = start(tmp_path, "helper").communicate(timeout=120)

    assert said.splitlines() == ["outer", "outer", f"done in {tmp_path / '__pycache__'}"]
