"""Ranking version 0: the sources' scores, each scaled to 1, summed with fixed weights."""

from __future__ import annotations

import numpy as np

from stream_rec.ranking.policy import RankingConfig
from stream_rec.retrieval.candidates import CandidateSet


def contributions(candidates: CandidateSet, config: RankingConfig) -> np.ndarray:
    """Return what each source adds to each candidate's score, (k, sources)."""
    weights = {
        "followers": config.followers_weight,
        "similar": config.similar_weight,
        "trending": config.trending_weight,
        "repeat": config.repeat_weight,
    }
    return candidates.scores * np.array([weights[source] for source in candidates.sources])
