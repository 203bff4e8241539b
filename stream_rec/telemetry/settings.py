"""Settings of what processes tell of themselves."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class TelemetrySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Metrics, probes, live quality, the log and traces."""

    host: str = "127.0.0.1"
    """Address at which a worker, an embedder or a sink answers `/metrics`, `/healthz` and `/readyz`: to whoever reaches
    it."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Its port; 0: they are not served. `stream-rec serve` and `dashboard` have them at their own."""
    log_format: Literal["text", "json"] = "text"
    """How every command writes its log: text for people, or one JSON object a line."""
    status_interval_s: Annotated[float, Meta(ge=0)] = 1.0
    """How often each process writes what it measures to the topic `status`; 0: never."""
    judged_per_second: Annotated[int, Meta(ge=0, le=1_000_000)] = 100
    """Choices that a worker judges its lists by, a second, at most; 0: none."""
    otlp_endpoint: str = ""
    """Where traces go, by OTLP over HTTP, as http://localhost:4318/v1/traces; empty: none are made. Needs the extra
    `otel`."""
    trace_share: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Share of events that are traced, of those that bring no trace of their own."""
