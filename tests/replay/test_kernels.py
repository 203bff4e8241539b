"""Nothing is compiled while events wait, nor in a list's time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"

CODE = """
import sys
from itertools import islice
from pathlib import Path

import numpy as np
from numba.core.registry import CPUDispatcher

from stream_rec.config import Settings
from stream_rec.embedding.codec import ItemEmbedding
from stream_rec.events.item import Item
from stream_rec.ranking.policy import RankingConfig
from stream_rec.replay.kernels import compile_kernels
from stream_rec.replay.log import read_events
from stream_rec.replay.pipeline import Pipeline


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
            pipeline.catalog.put_embedding(event.item_id, ItemEmbedding("test", bytes(16), vector))
        pipeline.list_for(kind, event, pipeline.learn(kind, event))
assert compiled() == before, {k: v for k, v in compiled().items() if v != before.get(k)}
"""


def test_a_real_log_finds_every_kernel_compiled():
    """With the very types that events and lists bring, whatever the settings and whatever is known of the items."""
    file = DATA / "entree_chicago-events.jsonl"
    done = subprocess.run([sys.executable, "-c", CODE, str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
