"""The head in words: how far each expert is believed, and which features speak for an item."""

from __future__ import annotations

import numpy as np

from stream_rec.events.status import MOST_FEATURES, HeadStatus
from stream_rec.ranking.action_weights import find_factor
from stream_rec.ranking.features import INPUT_NAMES
from stream_rec.ranking.head import Head, MixtureHead
from stream_rec.ranking.mixture import TRUST


def describe(head: Head, *, loss: float = 0.0, drifts: int = 0, drifted_ms: int = 0) -> HeadStatus:
    """Return what is said of a head; of one that is not our own, how much it has learned.

    A feature's weight is that of the linear expert, on average over the lengths of history.

    Args:
        loss: Mean loss of the newest choices, in nats.
        drifts: How often it has forgotten in part, and ``drifted_ms``: when last.
    """
    if not isinstance(head, MixtureHead):
        return HeadStatus(head.n_choices, loss=loss, drifts=drifts, drifted_ms=drifted_ms)
    record = np.array(head.of_all.record)
    believed = np.exp(TRUST * (record - record.max()))
    believed /= believed.sum()
    names = ["linear", *(f"network_{number}" for number in range(1, len(record)))]
    weights = head.of_all.linear.weights[0] + head.of_all.linear.weights[1:].mean(axis=0)
    largest = np.argsort(-np.abs(weights), kind="stable")[:MOST_FEATURES]
    return HeadStatus(
        choices=head.n_choices,
        experts=dict(zip(names, believed.tolist())),
        features={INPUT_NAMES[index]: float(weights[index]) for index in largest if weights[index]},
        actions={action: find_factor(head.of_actions, action) for action in sorted(head.of_actions)},
        loss=loss,
        drifts=drifts,
        drifted_ms=drifted_ms,
    )
