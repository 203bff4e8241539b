"""Texts and tokens per second of encoders, their memory, and what each way of batching brings.

    python benchmarks/embed.py data/movietweetings/items.jsonl.gz --encoder minilm minilm-int8 e5-small --repeat 3

Each encoder has a process of its own, one after the other. cpu_s far from took_s times the threads says that the
machine was shared, and texts_per_s too low; texts_per_cpu_s suffers less. Two ways to batch are timed in turn:

- torch: by token budget, sorted by length (what the embedder does), and 32 texts at a time in the order of the file;
- onnxruntime: each text alone, beside others (what the embedder does), and by token budget, sorted by length, with all
  cores for one batch. The cosine between the two ways is what the company of other texts does to an int8 model.
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from stream_rec.embedding.batching import n_padded, token_batches
from stream_rec.embedding.encoder import Encoder, build_one
from stream_rec.embedding.model_files import TOKENIZER, WEIGHTS, find_files
from stream_rec.embedding.onnx_models import ONNX_MODELS, OnnxModel, read_as
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.embedding.text import canonical_text
from stream_rec.events.item import Item

FIXED = 32


def main() -> None:
    """Time each encoder in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", type=Path, help="JSON lines of items, plain or .gz")
    parser.add_argument(
        "--encoder",
        nargs="+",
        default=["minilm", "minilm-int8", "e5-small"],
        help="names of `stream-rec encoders list`, or models' names or folders (%(default)s)",
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cuda", "mps", "cpu"], help="(%(default)s)")
    parser.add_argument("--dtype", default="auto", choices=["auto", "float32", "float16", "bfloat16"])
    parser.add_argument("--token-budget", type=int, default=EmbedderSettings().token_budget, help="(%(default)s)")
    parser.add_argument("--limit", type=int, default=None, help="use only so many items, spread over the file")
    parser.add_argument("--repeat", type=int, default=3, help="(%(default)s)")
    options = parser.parse_args()
    for encoder in options.encoder:
        process = multiprocessing.get_context("spawn").Process(target=time_encoder, args=(encoder, options))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


def time_encoder(name: str, options: argparse.Namespace) -> None:
    """Print one line for each way and repetition, then the ratio of the medians and the memory."""
    texts = read_texts(options.items, options.limit)
    settings = EmbedderSettings(
        encoder=name, device=options.device, dtype=options.dtype, token_budget=options.token_budget, max_chunks=1
    )
    encoder = build_one(settings)
    encoder.encode_passages(texts[:256])  # warm-up: kernels, allocator
    print(f"encoder={encoder.identity} device={device_name(encoder.device)} d={encoder.dimensions} texts={len(texts)}")

    ways: dict[str, Callable[[], np.ndarray]] = {"embedder": lambda: encoder.encode_passages(texts)}
    if hasattr(encoder, "prepare"):
        describe_batches(encoder, texts, options.token_budget)
        ways["fixed32"] = lambda: encode_fixed(encoder, texts)
    elif name in ONNX_MODELS:
        ways["batches"] = in_batches(ONNX_MODELS[name], settings, texts)

    rates: dict[str, list[float]] = {way: [] for way in ways}
    rows: dict[str, np.ndarray] = {}
    n_tokens = 0
    for _ in range(options.repeat):
        for way, encode in ways.items():
            before = encoder.tokens_encoded
            start, start_cpu = time.perf_counter(), time.process_time()
            rows[way] = encode()
            took_s, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
            n_tokens = encoder.tokens_encoded - before or n_tokens
            rates[way].append(len(texts) / cpu_s)
            speed = f"texts_per_s={len(texts) / took_s:.0f} texts_per_cpu_s={len(texts) / cpu_s:.0f}"
            print(
                f"{way:8} took_s={took_s:.2f} cpu_s={cpu_s:.2f} {speed} tokens_per_s={n_tokens / took_s:.0f} "
                f"peak_mb={peak_mb()}",
                flush=True,
            )
    if len(ways) == 2:
        other = list(ways)[1]
        ratio = np.median(rates["embedder"]) / np.median(rates[other])
        cosines = (rows["embedder"] * rows[other]).sum(axis=1)
        print(f"embedder / {other}: {ratio:.2f} times the texts per CPU second")
        lowest = np.percentile(cosines, 1)
        print(f"cosine of the two: mean {cosines.mean():.4f} 1st percentile {lowest:.4f}", flush=True)


def peak_mb() -> int:
    """Return the most memory that this process has had, in MB: the ways before included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def read_texts(file: Path, limit: int | None) -> list[str]:
    """Return the canonical texts of the items in ``file``."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        texts = [canonical_text(msgspec.json.decode(line, type=Item)) for line in lines]
    return texts if limit is None else texts[:: max(1, len(texts) // limit)][:limit]


def encode_fixed(encoder: Encoder, texts: list[str]) -> np.ndarray:
    """Encode as a plain loop over the file would."""
    token_ids = encoder.prepare(texts).chunks.token_ids
    batches = fixed_batches(len(texts))
    return encoder.finish([encoder.forward([token_ids[i] for i in batch]) for batch in batches], batches)


def in_batches(model: OnnxModel, settings: EmbedderSettings, texts: list[str]) -> Callable[[], np.ndarray]:
    """Return what encodes the texts as torch would: padded, by token budget, sorted by length."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as onnx_encoder.py does, which may not be loaded here
    import onnxruntime
    import tokenizers

    reading = read_as(model, settings)
    folder = find_files(model, Path(settings.models_dir).expanduser())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(str(folder / WEIGHTS), options, providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.enable_truncation(reading.max_tokens)
    tokenizer.no_padding()

    def encode() -> np.ndarray:
        token_ids = [one.ids for one in tokenizer.encode_batch([reading.passage_prefix + text for text in texts])]
        rows = np.empty((len(texts), model.dimensions), np.float32)
        for batch in token_batches([len(ids) for ids in token_ids], settings.token_budget):
            padded = np.zeros((len(batch), max(len(token_ids[i]) for i in batch)), np.int64)
            mask = np.zeros_like(padded)
            for row, i in enumerate(batch):
                padded[row, : len(token_ids[i])] = token_ids[i]
                mask[row, : len(token_ids[i])] = 1
            feed = {"input_ids": padded, "attention_mask": mask, "token_type_ids": np.zeros_like(padded)}
            [hidden] = session.run(None, feed)
            weights = mask[..., None].astype(np.float32)
            pooled = hidden[:, 0] if reading.pooling == "cls" else (hidden * weights).sum(1) / weights.sum(1)
            rows[batch] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return rows

    return encode


def fixed_batches(n: int) -> list[np.ndarray]:
    """Return indices, 32 at a time."""
    return [np.arange(start, min(start + FIXED, n)) for start in range(0, n, FIXED)]


def describe_batches(encoder: Encoder, texts: list[str], token_budget: int) -> None:
    """Print how many batches each way makes, and how much of them is padding."""
    prepared = encoder.prepare(texts)
    lengths = [len(ids) for ids in prepared.chunks.token_ids]
    print(f"tokens={sum(lengths)} per_text: median={np.median(lengths):.0f} max={max(lengths)} budget={token_budget}")
    for way, batches in {"embedder": prepared.batches, "fixed32": fixed_batches(len(texts))}.items():
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
