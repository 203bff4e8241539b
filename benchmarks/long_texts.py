"""Long texts: are they compared better by their beginning, or by more of them, read in chunks?

    apt-get install manpages manpages-dev
    python benchmarks/long_texts.py [--pages /usr/share/man] [--encoders e5-small,hashing] [--chunks 1,2,4,8] [--n 220]

Manual pages have a title, a long text and, at their end, others that the reader should see too: these are to be among
the 10 nearest. What lists them is left out of the text. Vectors are whitened, as they are in the catalog; those of two
encoders count alike. Prints NDCG@10, what more chunks bring over one with its 95 % interval (bootstrap of the pages),
and the CPU seconds for a text.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_rec.catalog import whitening
from stream_rec.embedding.encoder import build_one
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.embedding.text import canonical_text
from stream_rec.events.item import Item

SECTIONS = "man[2-57]"
WORDS = re.compile(r"(?:\.(?:[BIR]{1,2}|IP|TP|SS)\s+)?([^.'].*)")
"""Of a line, but of none that is a comment or another macro."""
LEAST_WORDS = 250
NEAREST = 10
SAMPLES = 1000
Vectors = NDArray[np.float32]


class Page(NamedTuple):
    """A manual page."""

    title: str
    text: str
    see_also: frozenset[str]


def main() -> None:
    """Encode, compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, default=Path("/usr/share/man"))
    parser.add_argument("--encoders", default="e5-small,hashing")
    parser.add_argument("--chunks", default="1,2,4,8")
    parser.add_argument("--n", type=int, default=220, help="pages taken, with those that they name")
    arguments = parser.parse_args()
    pages = choose(read_pages(arguments.pages), arguments.n)
    texts = [canonical_text(Item(name, title=page.title, description=page.text)) for name, page in pages.items()]
    numbers = {name: number for number, name in enumerate(pages)}
    wanted = [[numbers[name] for name in page.see_also if name in numbers] for page in pages.values()]
    words = [len(text.split()) for text in texts]
    print(f"{len(texts)} texts, words: median {np.median(words):.0f}, most {max(words)}")
    encoders = arguments.encoders.split(",")
    first: NDArray[np.float64] | None = None
    print("| chunks |", " | ".join([*encoders, "together", "over one chunk"]), "| CPU s a text |")
    for n_chunks in map(int, arguments.chunks.split(",")):
        cosines, seconds = [], []
        for name in encoders:
            rows, cpu_s = encode(name, texts, n_chunks)
            cosines.append(rows @ rows.T)
            seconds.append(cpu_s)
        alone = [ndcg(each, wanted) for each in cosines]
        together = ndcg(np.sum(cosines, axis=0), wanted)
        first = together if first is None else first
        cells = [*(f"{each.mean():.3f}" for each in alone), f"{together.mean():.3f}", describe(together - first)]
        print(f"| {n_chunks} |", " | ".join([*cells, *(f"{cpu_s:.3f}" for cpu_s in seconds)]), "|", flush=True)


def read_pages(folder: Path) -> dict[str, Page]:
    """Return the pages by name, as ``open.2``, that have a long text."""
    pages = {file.name.removesuffix(".gz"): read_page(file) for file in sorted(folder.glob(f"{SECTIONS}/*.gz"))}
    return {name: page for name, page in pages.items() if len(page.text.split()) > LEAST_WORDS}


def read_page(file: Path) -> Page:
    """Return what a page says, without its markup."""
    title, text, see_also, section = [], [], set(), ""
    for line in gzip.decompress(file.read_bytes()).decode(errors="replace").splitlines():
        if heading := re.match(r"\.SH\s+(.*)", line):
            section = heading[1].strip('"').upper()
        elif section == "SEE ALSO":
            see_also.update(f"{name}.{number}" for name, number in re.findall(r"^\.BR (\S+) \((\d\w*)\)", line))
        elif section not in ("", "COLOPHON") and (words := WORDS.match(line)):
            plain = re.sub(r"\\f\w|\\[&/,|^:]", "", words[1].replace('"', "")).replace(r"\-", "-")
            (title if section == "NAME" else text).append(plain)
    return Page(" ".join(title), " ".join(text), frozenset(see_also))


def choose(pages: dict[str, Page], n: int) -> dict[str, Page]:
    """Return some pages and those that they name, the same each time."""
    names = sorted(name for name, page in pages.items() if page.see_also & pages.keys())
    random.Random(0).shuffle(names)
    chosen: dict[str, Page] = {}
    for name in names:
        if len(chosen) >= n:
            break
        chosen |= {one: pages[one] for one in [name, *sorted(pages[name].see_also & pages.keys())]}
    return chosen


def encode(name: str, texts: list[str], n_chunks: int) -> tuple[Vectors, float]:
    """Return the whitened vectors, and the CPU seconds that a text took."""
    encoder = build_one(EmbedderSettings(encoder=name, max_chunks=n_chunks))
    began = time.process_time()
    rows = encoder.encode_passages(texts)
    cpu_s = (time.process_time() - began) / len(texts)
    return whitening.apply(whitening.fit(rows), rows), cpu_s


def ndcg(cosines: Vectors, wanted: list[list[int]]) -> NDArray[np.float64]:
    """Return the NDCG@10 of each page that names others."""
    cosines = cosines - 9.0 * np.eye(len(cosines), dtype=np.float32)
    nearest = np.argsort(-cosines, axis=1)[:, :NEAREST]
    gains = 1 / np.log2(np.arange(2, NEAREST + 2))
    return np.array(
        [gains[np.isin(row, names)].sum() / gains[: len(names)].sum() for row, names in zip(nearest, wanted) if names]
    )


def describe(changes: NDArray[np.float64]) -> str:
    """Return the mean change with its interval."""
    generator = np.random.default_rng(0)
    means = changes[generator.integers(0, len(changes), (SAMPLES, len(changes)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{changes.mean():+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
