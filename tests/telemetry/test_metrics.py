"""What Prometheus reads of a process is what it has counted."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from stream_rec.events.status import EVENT_TO_LIST_BOUNDS_MS, HeadStatus, Judged, Status
from stream_rec.telemetry.metrics import METRICS, Exposition

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "observability.md"
WORKER = Status(
    role="worker",
    instance_id="worker-1",
    version="0.1.0",
    started_ms=1,
    written_ms=2,
    state="ready",
    taken={"views": 7},
    lag={"views": 2},
    rejected={"not_json": 1},
    lists=5,
    event_to_list=[1, 0, 3] + [0] * (len(EVENT_TO_LIST_BOUNDS_MS) - 3) + [2],
    event_to_list_ms=1500.0,
    judged={"lists": Judged(4, 2, 1.5)},
    coverage=0.25,
    head=HeadStatus(choices=9, actions={"wished": 1.5}, drifts=1),
)
EMBEDDER = Status(
    role="embedder", instance_id="e", version="1", started_ms=1, written_ms=2, state="starting", embedded_items=3
)
INGEST = Status(
    role="ingest",
    instance_id="i",
    version="1",
    started_ms=1,
    written_ms=2,
    state="ready",
    ingested={"clicks": 3},
    ignored=1,
)
SINK = Status(
    role="sink",
    instance_id="s",
    version="1",
    started_ms=1,
    written_ms=2,
    state="ready",
    lag={"surfaces": 3},
    written={"recommendations": 8},
    deleted={"recommendations": 2},
    target_failures=4,
)


def read(status: Status) -> dict[str, float]:
    text = Exposition().write(status).decode()
    return {
        sample.name + "".join(f"{{{value}}}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_workers_status_is_its_metrics():
    """Buckets add up, to the number of all; base units are seconds and shares."""
    seen = read(WORKER)

    assert seen["stream_rec_info{worker-1}{worker}{0.1.0}"] == seen["stream_rec_ready"] == 1
    assert (seen["stream_rec_records_total{views}"], seen["stream_rec_lag_records{views}"]) == (7, 2)
    assert (seen["stream_rec_rejected_total{not_json}"], seen["stream_rec_lists_total"]) == (1, 5)
    buckets = [seen[f"stream_rec_event_to_list_seconds_bucket{{{le}}}"] for le in ("0.001", "0.005", "60.0", "+Inf")]
    assert buckets == [1, 4, 4, 6]
    assert (seen["stream_rec_event_to_list_seconds_count"], seen["stream_rec_event_to_list_seconds_sum"]) == (6, 1.5)
    assert [seen[f"stream_rec_{name}_total{{lists}}"] for name in ("judged_choices", "hits", "dcg")] == [4, 2, 1.5]
    assert (seen["stream_rec_coverage_ratio"], seen["stream_rec_drifts_total"]) == (0.25, 1)
    assert seen["process_resident_memory_bytes"] > 0


def test_an_embedder_has_no_metrics_of_lists():
    """A 0 would say that it made none."""
    seen = read(EMBEDDER)

    assert (seen["stream_rec_ready"], seen["stream_rec_embedded_items_total"]) == (0, 3)
    assert "stream_rec_lists_total" not in seen


def test_a_sink_says_what_it_has_put_and_what_failed():
    """By topic; what is not there yet is its lag."""
    seen = read(SINK)

    assert seen["stream_rec_written_total{recommendations}"] == 8
    assert seen["stream_rec_deleted_total{recommendations}"] == 2
    assert (seen["stream_rec_target_failures_total"], seen["stream_rec_lag_records{surfaces}"]) == (4, 3)
    assert "stream_rec_lists_total" not in seen and "stream_rec_target_failures_total" not in read(WORKER)


def test_a_process_that_has_just_begun_has_metrics():
    """Nothing taken, no head, no buckets."""
    bare = Status(role="worker", instance_id="w", version="1", started_ms=1, written_ms=1, state="starting")

    assert read(bare)["stream_rec_lists_total"] == 0


def test_the_guide_has_every_metric_with_what_it_says():
    """Names are what alerts and dashboards are made of: none is missing there, and none is only there."""
    rows = re.findall(
        r"^\| `(stream_rec_[a-z_]+)(?:\{[a-z_, ]+\})?` \|[^|]*\| (.*?) \|$", GUIDE.read_text(), re.MULTILINE
    )

    assert dict(rows) == METRICS
    families = {name for status in (WORKER, EMBEDDER, INGEST, SINK) for name in _families(status)}
    assert families == METRICS.keys()


def _families(status: Status) -> set[str]:
    text = Exposition().write(status).decode()
    return set(re.findall(r"^# TYPE (stream_rec_\w+) ", text, re.MULTILINE))
