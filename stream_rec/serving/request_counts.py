"""How many requests were answered, and how long that took: counted once, for ``/metrics`` and for the status."""

from __future__ import annotations

from collections import Counter

from litestar.plugins.prometheus import PrometheusConfig
from prometheus_client import REGISTRY

from stream_rec.serving.gate import OPEN

BUCKETS_S: list[str | float] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0]
"""Of how long requests take: a list that is read out takes a tenth of a millisecond."""
COUNTER = "stream_rec_requests_total"


def counting() -> PrometheusConfig:
    """Return what counts an app's requests: by method, route and status, but those of ``OPEN``.

    A route is a pattern, as ``/v1/items/{item_id}``, so that there are few labels whatever is asked. What the gate
    refuses before the app sees it is not counted.
    """
    return PrometheusConfig(
        app_name="stream_rec",
        prefix="stream_rec",
        group_path=True,
        exclude=[f"^{path}$" for path in OPEN],
        buckets=BUCKETS_S,
    )


def count_requests() -> dict[str, int]:
    """Return what this process has counted, by method, route and class of status, as ``GET /v1/popular 2xx``."""
    counts: Counter[str] = Counter()
    for family in REGISTRY.restricted_registry([COUNTER]).collect():
        for sample in family.samples:
            labels = sample.labels
            counts[f"{labels['method']} {labels['path']} {labels['status_code'][0]}xx"] += int(sample.value)
    return dict(sorted(counts.items()))
