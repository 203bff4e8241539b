"""A status as Prometheus reads it: base units, names that begin with ``stream_rec_``, and few labels.

Nothing is kept here: whoever asks has what the process has counted by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from stream_rec.events.status import EVENT_TO_LIST_BOUNDS_MS, Status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

METRICS = {
    "stream_rec_info": "Version, role and instance of the process",
    "stream_rec_ready": "Whether the process is ready: 1 or 0",
    "stream_rec_records_total": "Records finished",
    "stream_rec_lag_records": "Records not finished yet, of its own partitions",
    "stream_rec_rejected_total": "Records rejected",
    "stream_rec_lists_total": "Lists made on events",
    "stream_rec_surfaces_total": "Records of pushed surfaces made on events",
    "stream_rec_duplicates_total": "Events that had been known",
    "stream_rec_forgotten_total": "Erasure requests carried out",
    "stream_rec_event_to_list_seconds": "From an event's arrival until its list is there",
    "stream_rec_judged_choices_total": "Choices that lists were judged by",
    "stream_rec_hits_total": "Of them in the method's 20 best items",
    "stream_rec_dcg_total": "Sum of their discounted gains",
    "stream_rec_catalog_items": "Items in the catalog",
    "stream_rec_vector_items": "Of them with vectors",
    "stream_rec_users": "Users whose lists are kept fresh",
    "stream_rec_shown_items": "Items that were in a list since it began",
    "stream_rec_coverage_ratio": "Share of the catalog's items that were",
    "stream_rec_gini_ratio": "Gini coefficient of how often they were",
    "stream_rec_fresh_slots_ratio": "Share of slots with fresh items, in the newest lists",
    "stream_rec_learned_total": "Choices that the process itself has learned from",
    "stream_rec_head_choices_total": "Choices that all workers' heads have learned from",
    "stream_rec_head_loss_nats": "Mean loss of the newest choices",
    "stream_rec_action_factor": "How much an app's own type teaches, to its kind",
    "stream_rec_drifts_total": "How often choices were seen to have changed",
    "stream_rec_embedded_items_total": "Items embedded",
    "stream_rec_ingested_total": "Records made of those of adopted topics",
    "stream_rec_ignored_total": "Records of adopted topics that settings leave out",
    "stream_rec_written_total": "Values put into a sink's target",
    "stream_rec_deleted_total": "Values deleted there",
    "stream_rec_target_failures_total": "How often the target did not do what it was asked",
}
"""Every metric of our own, and what it says. Those that begin with ``process_`` are the client library's."""


def read_metrics(status: Status) -> Iterator[Metric]:
    """Yield the metrics of one status, each family once."""
    info = {"version": status.version, "role": status.role, "instance_id": status.instance_id}
    yield InfoMetricFamily("stream_rec", METRICS["stream_rec_info"], info)
    yield _gauge("ready", float(status.state == "ready"))
    yield _labelled("records_total", "topic", status.taken)
    yield _labelled("lag_records", "topic", status.lag)
    yield _labelled("rejected_total", "reason", status.rejected)
    if status.role == "embedder":
        yield _gauge("vector_items", status.embedded)
        yield _counter("embedded_items_total", status.embedded_items)
    if status.role == "ingest":
        yield _labelled("ingested_total", "topic", status.ingested)
        yield _counter("ignored_total", status.ignored)
    if status.role == "sink":
        yield _labelled("written_total", "topic", status.written)
        yield _labelled("deleted_total", "topic", status.deleted)
        yield _counter("target_failures_total", status.target_failures)
    if status.role != "worker":
        return
    values = {
        "lists_total": status.lists,
        "surfaces_total": status.surfaces,
        "duplicates_total": status.duplicates,
        "forgotten_total": status.forgotten,
        "catalog_items": status.items,
        "vector_items": status.embedded,
        "users": status.users,
        "shown_items": status.shown_items,
        "coverage_ratio": status.coverage,
        "gini_ratio": status.gini,
        "fresh_slots_ratio": status.fresh_share,
        "learned_total": status.learned,
    }
    for name, value in values.items():
        yield _counter(name, value) if name.endswith("_total") else _gauge(name, value)
    yield _histogram(status)
    yield _labelled("judged_choices_total", "method", {method: each.n for method, each in status.judged.items()})
    yield _labelled("hits_total", "method", {method: each.hits for method, each in status.judged.items()})
    yield _labelled("dcg_total", "method", {method: each.dcg for method, each in status.judged.items()})
    if (head := status.head) is not None:
        yield _counter("head_choices_total", head.choices)
        yield _gauge("head_loss_nats", head.loss)
        yield _labelled("action_factor", "action", head.actions)
        yield _counter("drifts_total", head.drifts)


class Exposition:
    """Makes the text of ``/metrics``, with what the client library says of the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._of_status = _OfStatus()
        ProcessCollector(registry=self._registry)
        self._registry.register(self._of_status)

    def write(self, status: Status) -> bytes:
        """Return the text for one status."""
        self._of_status.status = status
        return generate_latest(self._registry)


class _OfStatus(Collector):
    status: Status | None = None

    def describe(self) -> Iterator[Metric]:
        """Name nothing ahead: the library would collect to find out."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the status at hand."""
        return iter(()) if self.status is None else read_metrics(self.status)


def _histogram(status: Status) -> Metric:
    family = HistogramMetricFamily(*_named("event_to_list_seconds"))
    bounds = [*(str(bound / 1000) for bound in EVENT_TO_LIST_BOUNDS_MS), "+Inf"]
    counts = status.event_to_list or [0] * len(bounds)
    family.add_metric([], list(zip(bounds, accumulate(counts), strict=True)), status.event_to_list_ms / 1000)
    return family


def _gauge(name: str, value: float) -> Metric:
    return GaugeMetricFamily(*_named(name), value=value)


def _counter(name: str, value: float) -> Metric:
    return CounterMetricFamily(*_named(name), value=value)


def _labelled(name: str, label: str, values: Mapping[str, float]) -> Metric:
    family = (CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily)(*_named(name), labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _named(name: str) -> tuple[str, str]:
    full = f"stream_rec_{name}"
    return full, METRICS[full]
