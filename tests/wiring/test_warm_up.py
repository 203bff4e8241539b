"""Nothing is compiled while events wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).parents[1] / "data" / "entree_chicago-events.jsonl"

CODE = """
import sys
from itertools import islice
from pathlib import Path

from numba.core.registry import CPUDispatcher

from stream_rec.config import Settings
from stream_rec.events.item import Item
from stream_rec.replay.log import read_events
from stream_rec.replay.pipeline import Pipeline
from stream_rec.wiring import warm_up, worker


def compiled():
    modules = [(name, module) for name, module in sys.modules.items() if name.startswith("stream_rec")]
    return {
        f"{module}.{name}": list(value.signatures)
        for module, holder in modules
        for name, value in vars(holder).items()
        if isinstance(value, CPUDispatcher)
    }


warm_up.compile_kernels()
before = compiled()
assert before
assert [name for name, signatures in before.items() if not signatures] == []
pipeline = Pipeline(Settings())
for kind, event in islice(read_events(Path(sys.argv[1]), limits=Settings().limits, received_ms=2 * 10**12), 300):
    pipeline.catalog.put_item(Item(event.item_id))
    pipeline.list_for(kind, event, pipeline.learn(kind, event))
assert compiled() == before, {k: v for k, v in compiled().items() if v != before.get(k)}
"""


def test_a_real_log_finds_every_kernel_compiled():
    """After the warm-up each has been run, and with the very types that events and lists bring."""
    done = subprocess.run([sys.executable, "-c", CODE, str(DATA)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
