"""What became of each scored event, kept beside the JSON of an evaluation, so that a later one can be compared.

A compressed ``.npz`` of the same name: version, digest of the log, and by scored event the user, the rank, the sources
that proposed the item, and the parts that it is in. Some 3 bytes an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream_rec.errors import FileProblem
from stream_rec.evaluation.changes import EventResults
from stream_rec.evaluation.slices import Masks

VERSION = 1
"""Count up when the arrays change."""


@dataclass(frozen=True, slots=True)
class ScoredEvents:
    """The engine's results by scored event, and what a comparison needs to know of the events."""

    digest: str
    """Of the log and of which items are listed."""
    users: NDArray[np.int32]
    """(events,) user numbers."""
    parts: Masks
    """All there are, and the halves and slices, in the order in which they are shown."""
    results: EventResults


def name_file(json_file: Path) -> Path:
    """Return the file beside a JSON file."""
    return json_file.with_suffix(".npz")


def write(file: Path, events: ScoredEvents) -> None:
    """Write them."""
    with file.open("wb") as out:
        np.savez_compressed(
            out,
            version=VERSION,
            digest=events.digest,
            users=events.users.astype(np.int32),
            ranks=events.results.ranks.astype(np.uint16),
            sources=events.results.sources.astype(np.uint16),
            part_names=np.array(list(events.parts)),
            part_bits=np.packbits(np.stack(list(events.parts.values())), axis=1),
        )


def read(file: Path) -> ScoredEvents:
    """Return them.

    Raises:
        FileProblem: there is no such file, or it is not one of this version.
    """
    again = "run that evaluation again with --json"
    if not file.is_file():
        raise FileProblem(f"{file} is missing: it was written beside the JSON; {again}")
    try:
        with np.load(file, allow_pickle=False) as arrays:
            if int(arrays["version"]) != VERSION:
                raise ValueError(f"version {arrays['version']}, {VERSION} expected")
            users, ranks, sources = arrays["users"], arrays["ranks"], arrays["sources"]
            names, bits = arrays["part_names"].tolist(), arrays["part_bits"]
            digest = str(arrays["digest"])
        if not users.shape == ranks.shape == sources.shape or users.ndim != 1:
            raise ValueError(f"arrays of shapes {users.shape}, {ranks.shape} and {sources.shape}")
        masks = np.unpackbits(bits, axis=1, count=len(users)).astype(bool)
        parts = dict(zip(names, masks, strict=True))
    except Exception as error:  # what numpy, zipfile and the decompressors raise has no end
        raise FileProblem(f"{file} cannot be used: {error}; {again}") from error
    return ScoredEvents(digest, users, parts, EventResults(ranks, sources))
