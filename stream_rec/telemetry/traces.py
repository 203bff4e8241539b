"""Traces from an event to its list, by OpenTelemetry: what a worker did for one event, and how long each step took.

An event whose record has a sampled W3C ``traceparent`` is traced as a part of that trace; one whose trace is not
sampled is not; of those without, some are. The library is imported where traces are made, and nowhere else.

Source:
    Trace Context, W3C Recommendation, 2021.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stream_rec.errors import SettingsError
from stream_rec.extras import needs_extra
from stream_rec.telemetry.settings import TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

TRACEPARENT = "traceparent"
"""Header of a record."""
NAME = "event to list"
EXPORT_S = 2.0
"""How long sending some traces may take, and the end of a process waits for the last."""
LONGEST_HEADER = 256

Headers = Iterable[tuple[str, bytes]]


class Trace:
    """What was done for one event so far."""

    def __init__(self, provider: TracerProvider, span: Span) -> None:
        from opentelemetry.trace import set_span_in_context

        self._tracer = provider.get_tracer("stream_rec")
        self._span = span
        self._context = set_span_in_context(span)
        self._at_ns = time.time_ns()
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}".encode()
        """By which who reads the list goes on."""

    def resume(self) -> None:
        """Begin a step: until now, others were served."""
        self._at_ns = time.time_ns()

    def step(self, name: str) -> None:
        """End a step, which began with the last, or with ``resume``."""
        now_ns = time.time_ns()
        self._tracer.start_span(name, self._context, start_time=self._at_ns).end(now_ns)
        self._at_ns = now_ns

    def end(self, **facts: str | int) -> None:
        """End it, with what is known of it now."""
        self._span.set_attributes(facts)
        self._span.end()


class Traces:
    """Makes the traces of one process."""

    def __init__(self, provider: TracerProvider, share: float, *, draw: Callable[[], float] = random.random) -> None:
        """Make traces by ``provider``.

        Args:
            share: Of events that bring no trace of their own.
            draw: Gives numbers in [0, 1).
        """
        self._provider = provider
        self._tracer = provider.get_tracer("stream_rec")
        self._share = share
        self._draw = draw

    def begin(self, headers: Headers | None, since_ms: float, **facts: str | int) -> Trace | None:
        """Return the trace of an event; None where it is not traced.

        Args:
            headers: Those of its record.
            since_ms: When it came, by the broker's clock.
            facts: Where it stands.
        """
        parent = find_traceparent(headers or ())
        if not parent and (not self._share or self._draw() >= self._share):
            return None
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract({TRACEPARENT: parent})
        start_ns = min(int(since_ms * 1e6), time.time_ns())
        span = self._tracer.start_span(NAME, context, start_time=start_ns, attributes=facts)
        return Trace(self._provider, span) if span.is_recording() else None

    def close(self) -> None:
        """Send what is not sent yet, as far as it is taken at once."""
        ending = threading.Thread(target=self._provider.shutdown, name="last-traces", daemon=True)
        ending.start()
        ending.join(EXPORT_S)


def find_traceparent(headers: Headers) -> str:
    """Return the header of that name as text, empty where there is none, or nothing that could be one.

    Example:
        >>> find_traceparent([("world", b"1"), ("traceparent", b"00-0af7")])
        '00-0af7'
    """
    found = next((value for name, value in headers if name == TRACEPARENT), None)
    return found.decode("latin-1") if found and len(found) <= LONGEST_HEADER else ""


def open_traces(settings: TelemetrySettings, role: str, instance_id: str) -> Traces | None:
    """Return what makes the traces of a process, None where none are to be made.

    Raises:
        SettingsError: ``telemetry.otlp_endpoint`` is no address, or the extra is missing.
    """
    endpoint = settings.otlp_endpoint
    if not endpoint:
        return None
    address = urlsplit(endpoint)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise SettingsError(
            f"telemetry.otlp_endpoint={endpoint!r} is no address: give one as http://localhost:4318/v1/traces"
        )
    with needs_extra("otel"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    facts: dict[str, Any] = {"service.name": f"stream-rec-{role}", "service.instance.id": instance_id}
    provider = TracerProvider(resource=Resource.create(facts), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_S)))
    return Traces(provider, settings.trace_share)
