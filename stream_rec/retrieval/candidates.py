"""Candidates: what one source found, and the union of several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Found:
    """What one source proposes. The arrays run parallel; a row may stand there once only."""

    rows: np.ndarray
    """(k,) rows of the catalog."""
    scores: np.ndarray
    """(k,) above 0, higher is better, comparable within this source only."""
    evidence: np.ndarray
    """(k,) place among the user's recent items of the one that counted most; -1 where there is none."""

    @staticmethod
    def nothing() -> Found:
        """Return the empty proposal."""
        return Found(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))

    @staticmethod
    def union(parts: list[tuple[np.ndarray, np.ndarray]]) -> Found:
        """Return one proposal from one part for each recent item, newest first: scores of a row add up.

        Args:
            parts: (rows, scores) by recent item; their place is the evidence.
        """
        if not parts:
            return Found.nothing()
        all_rows = np.concatenate([rows for rows, _ in parts])
        all_scores = np.concatenate([scores for _, scores in parts])
        places = np.repeat(np.arange(len(parts)), [len(rows) for rows, _ in parts])
        rows, inverse = np.unique(all_rows, return_inverse=True)
        scores = np.bincount(inverse, weights=all_scores, minlength=len(rows))
        evidence = np.zeros(len(rows), dtype=np.int64)
        ascending = np.argsort(all_scores, kind="stable")
        evidence[inverse[ascending]] = places[ascending]  # the largest is written last
        return Found(rows.astype(np.int64), scores, evidence)


@dataclass(frozen=True, slots=True)
class CandidateSet:
    """The union of all sources. All arrays run parallel along the first axis."""

    sources: tuple[str, ...]
    rows: np.ndarray
    """(k,) rows of the catalog."""
    scores: np.ndarray
    """(k, sources) each source's score over its own maximum; 0 where it did not propose the item."""
    evidence: np.ndarray
    """(k, sources) as in ``Found``."""

    def __len__(self) -> int:
        return len(self.rows)

    def keep(self, mask: np.ndarray) -> CandidateSet:
        """Return the candidates where ``mask`` is true, or in the order of ``mask`` where it holds places."""
        return CandidateSet(self.sources, self.rows[mask], self.scores[mask], self.evidence[mask])


def fuse(found: dict[str, Found]) -> CandidateSet:
    """Return the union of what the sources found, each scaled to a maximum of 1."""
    parts = list(found.values())
    rows = np.unique(np.concatenate([part.rows for part in parts])) if parts else np.zeros(0, np.int64)
    scores = np.zeros((len(rows), len(parts)))
    evidence = np.full((len(rows), len(parts)), -1, dtype=np.int64)
    for column, part in enumerate(parts):
        if len(part.rows):
            at = np.searchsorted(rows, part.rows)
            scores[at, column] = part.scores / part.scores.max()
            evidence[at, column] = part.evidence
    return CandidateSet(tuple(found), rows, scores, evidence)
