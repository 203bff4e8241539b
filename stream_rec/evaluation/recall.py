"""Candidate recall: how often what the user did next could have been in the list, and which source it came from.

No list can be better than its candidates: where recall is low a source is missing, where recall is high and
the hit rate low it is the ranking that fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_rec.retrieval.candidates import SOURCES


def measure_recall(
    sources: NDArray[np.uint16], n_candidates: NDArray[np.int32], slices: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Any]:
    """Return the recall of all sources together and what each adds: of all events and of each slice.

    Args:
        sources: (events,) bits of the sources that proposed each event's item; 0 where it was no candidate.
        n_candidates: (lists,) how many each list was made from.
        slices: (events,) bool by name.
    """
    p50, p99 = np.percentile(n_candidates, [50, 99])
    return {
        "per_list": {"mean": float(n_candidates.mean()), "p50": float(p50), "p99": float(p99)},
        **_measure(sources),
        "slices": {name: {"n": int(mask.sum()), **_measure(sources[mask])} for name, mask in slices.items()},
    }


def _measure(sources: NDArray[np.uint16]) -> dict[str, Any]:
    """Return recall, and for each source the shares of the events it covers and only it covers; None of no events."""
    return {
        "recall": _share(sources > 0),
        "sources": {
            name: {"covers": _share(sources & (1 << bit) > 0), "only": _share(sources == 1 << bit)}
            for bit, name in enumerate(SOURCES)
        },
    }


def _share(claims: NDArray[np.bool_]) -> float | None:
    return float(claims.mean()) if len(claims) else None
