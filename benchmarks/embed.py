"""Texts and tokens per second of an encoder, and what batching by token budget and length brings.

    python benchmarks/embed.py data/movietweetings/items.jsonl.gz --encoder minilm --repeat 3

cpu_s far from took_s times the threads (OMP_NUM_THREADS) says that the machine was shared, and the rates too low.
With a transformer two ways to batch are timed in turn, in one run: by token budget, sorted by length (what the
embedder does), and 32 texts at a time in the order of the file.
"""

from __future__ import annotations

import argparse
import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from stream_rec.embedding.batching import n_padded
from stream_rec.embedding.encoder import Encoder, build_one
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.embedding.text import canonical_text
from stream_rec.events.item import Item

FIXED = 32


def main() -> None:
    """Print one line for each way and repetition, then the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", type=Path, help="JSON lines of items, plain or .gz")
    parser.add_argument(
        "--encoder", default="minilm", help="minilm, hashing, or a model's name or folder (%(default)s)"
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cuda", "mps", "cpu"], help="(%(default)s)")
    parser.add_argument("--dtype", default="auto", choices=["auto", "float32", "float16", "bfloat16"])
    parser.add_argument("--token-budget", type=int, default=EmbedderSettings().token_budget, help="(%(default)s)")
    parser.add_argument("--limit", type=int, default=None, help="use only so many items, spread over the file")
    parser.add_argument("--repeat", type=int, default=3, help="(%(default)s)")
    options = parser.parse_args()

    texts = read_texts(options.items, options.limit)
    encoder = build_one(
        EmbedderSettings(
            encoder=options.encoder, device=options.device, dtype=options.dtype, token_budget=options.token_budget
        )
    )
    encoder.encode_passages(texts[:256])  # warm-up: kernels, allocator
    print(f"encoder={encoder.identity} device={device_name(encoder.device)} d={encoder.dimensions} texts={len(texts)}")

    ways: dict[str, Callable[[], np.ndarray]] = {"budget": lambda: encoder.encode_passages(texts)}
    if hasattr(encoder, "prepare"):
        describe_batches(encoder, texts, options.token_budget)
        ways["fixed32"] = lambda: encode_fixed(encoder, texts)

    rates: dict[str, list[float]] = {way: [] for way in ways}
    n_tokens = 0
    for _ in range(options.repeat):
        for way, encode in ways.items():
            before = encoder.tokens_encoded
            start, start_cpu = time.perf_counter(), time.process_time()
            encode()
            took_s, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
            n_tokens = encoder.tokens_encoded - before or n_tokens
            rates[way].append(len(texts) / took_s)
            speed = f"texts_per_s={len(texts) / took_s:.0f} tokens_per_s={n_tokens / took_s:.0f}"
            print(f"{way:8} took_s={took_s:.2f} cpu_s={cpu_s:.2f} {speed}", flush=True)
    if len(ways) == 2:
        ratio = np.median(rates["budget"]) / np.median(rates["fixed32"])
        print(f"budget, sorted / fixed {FIXED}, unsorted: {ratio:.2f} times the texts per second")


def read_texts(file: Path, limit: int | None) -> list[str]:
    """Return the canonical texts of the items in ``file``."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        texts = [canonical_text(msgspec.json.decode(line, type=Item)) for line in lines]
    return texts if limit is None else texts[:: max(1, len(texts) // limit)][:limit]


def encode_fixed(encoder: Encoder, texts: list[str]) -> np.ndarray:
    """Encode as a plain loop over the file would."""
    token_ids = encoder.prepare(texts).token_ids
    batches = fixed_batches(len(texts))
    return encoder.finish([encoder.forward([token_ids[i] for i in batch]) for batch in batches], batches)


def fixed_batches(n: int) -> list[np.ndarray]:
    """Return indices, 32 at a time."""
    return [np.arange(start, min(start + FIXED, n)) for start in range(0, n, FIXED)]


def describe_batches(encoder: Encoder, texts: list[str], token_budget: int) -> None:
    """Print how many batches each way makes, and how much of them is padding."""
    prepared = encoder.prepare(texts)
    lengths = [len(ids) for ids in prepared.token_ids]
    print(f"tokens={sum(lengths)} per_text: median={np.median(lengths):.0f} max={max(lengths)} budget={token_budget}")
    for way, batches in {"budget": prepared.batches, "fixed32": fixed_batches(len(texts))}.items():
        padding = 1 - sum(lengths) / n_padded(lengths, batches)
        print(f"{way:8} batches={len(batches)} padding={padding:.1%}")


def device_name(device: str) -> str:
    """Return the device with what it is."""
    if device == "cuda":
        import torch

        return f"cuda ({torch.cuda.get_device_name()})"
    return f"{device} ({os.cpu_count()} cores)"


if __name__ == "__main__":
    main()
