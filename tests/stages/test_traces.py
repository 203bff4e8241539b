"""From an event to its list as a trace, and nothing of it where it is not wanted."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from stream_rec.client.tracing import current_trace
from stream_rec.errors import SettingsError
from stream_rec.telemetry.settings import TelemetrySettings
from stream_rec.telemetry.traces import NAME, TRACEPARENT, Traces, find_traceparent, open_traces
from tests.stages.stage import Stage, message

otel = pytest.importorskip("opentelemetry.sdk.trace", reason="needs the extra `otel`")
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STEPS = ["validate", "advance", "learn", "recommend", "commit"]


class Tracing:
    """A user stage whose traces are kept."""

    def __init__(self, stage: Stage, share: float) -> None:
        provider = otel.TracerProvider(shutdown_on_exit=False)
        self._kept = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.stage = stage
        stage.stage._traces = Traces(provider, share, draw=lambda: 0.5)

    @property
    def spans(self) -> list:
        return list(self._kept.get_finished_spans())


def with_header(number: int, value: bytes, user: str = "ann"):
    return msgspec.structs.replace(message(number, user), headers=((TRACEPARENT, value),))


@pytest.fixture
def trace(run):
    """Run a scenario on a stage that is traced."""
    return lambda scenario, share=0.0: run(lambda stage: scenario(Tracing(stage, share)))


def test_a_traced_event_is_a_span_of_five_steps_in_its_own_trace(trace):
    """One after the other, within the event's; the list's record goes on with it."""

    async def scenario(tracing: Tracing) -> None:
        batch = await tracing.stage.handle(with_header(1, PARENT.encode()))

        *steps, whole = tracing.spans
        assert whole.name == NAME and dict(whole.attributes) == {"topic": "views", "partition": 0, "offset": 1}
        assert [step.name for step in steps] == STEPS
        assert {span.context.trace_id for span in tracing.spans} == {int(PARENT[3:35], 16)}
        assert f"{whole.parent.span_id:016x}" == PARENT[36:52]
        assert {step.parent.span_id for step in steps} == {whole.context.span_id}
        times = [at for step in steps for at in (step.start_time, step.end_time)]
        assert times == sorted(times) and whole.start_time <= times[0] and times[-1] <= whole.end_time
        sent = dict(batch.headers["recommendations", b"ann"])
        assert sent[TRACEPARENT].decode() == f"{PARENT[:36]}{whole.context.span_id:016x}-01" and "world" in sent

    trace(scenario)


@pytest.mark.parametrize(
    ("value", "share", "n"),
    [
        (PARENT.encode(), 0.0, 6),
        (PARENT[:-1].encode() + b"0", 1.0, 0),
        (b"", 0.6, 6),
        (b"", 0.4, 0),
        (b"\xff nonsense", 0.0, 6),
        (b"x" * 100_000, 0.0, 0),
    ],
)
def test_who_is_traced(trace, value: bytes, share: float, n: int):
    """Whose trace is sampled; of those without, a share; what is no header begins a trace of its own, or none."""

    async def scenario(tracing: Tracing) -> None:
        await tracing.stage.handle(with_header(1, value))
        assert len(tracing.spans) == n

    trace(scenario, share)


def test_two_of_one_user_and_one_that_is_wrong(trace):
    """Each has its own trace; the list goes on with the newest event's; what is rejected says why."""

    async def scenario(tracing: Tracing) -> None:
        other = PARENT.replace("b7ad", "b7ae").encode()
        bad = msgspec.structs.replace(with_header(3, PARENT.encode()), value=b"click!")
        batch = await tracing.stage.handle(with_header(1, PARENT.encode()), with_header(2, other), bad)

        whole = [span for span in tracing.spans if span.name == NAME]
        rejected, *others = whole
        assert dict(rejected.attributes)["rejected"] == "not_json"
        newest = next(span for span in others if span.attributes["offset"] == 2)
        sent = dict(batch.headers["recommendations", b"ann"])[TRACEPARENT].decode()
        assert sent.split("-")[2] == f"{newest.context.span_id:016x}"
        assert f"{newest.parent.span_id:016x}".startswith("b7ae")

    trace(scenario)


def test_without_traces_a_list_has_the_headers_of_before(run):
    """Whatever the event's record has."""

    async def scenario(stage: Stage) -> None:
        batch = await stage.handle(with_header(1, PARENT.encode()))
        assert [name for name, _ in batch.headers["recommendations", b"ann"]] == ["world"]

    run(scenario)


@pytest.mark.parametrize("endpoint", ["localhost:4318", "ftp://host/x", "http://"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str):
    """With the form of one that is."""
    with pytest.raises(SettingsError, match="http://localhost:4318/v1/traces"):
        open_traces(TelemetrySettings(otlp_endpoint=endpoint), "worker", "w-1")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    """As other extras are."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(SettingsError, match=r"stream-rec\[otel\]"):
        open_traces(TelemetrySettings(otlp_endpoint="http://localhost:4318/v1/traces"), "worker", "w-1")


def test_nothing_is_imported_where_no_traces_are_made():
    """Neither by a worker nor by the SDK."""
    code = (
        "import sys, stream_rec.stages.worker, stream_rec.client; "
        "from stream_rec.telemetry.traces import open_traces; from stream_rec.config import Settings; "
        "assert open_traces(Settings().telemetry, 'worker', 'w') is None; "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_sdk_sends_the_trace_that_an_app_is_in():
    """None outside of a span."""
    provider = otel.TracerProvider(shutdown_on_exit=False)
    assert current_trace() == []
    with provider.get_tracer("app").start_as_current_span("page") as span:
        ((name, value),) = current_trace()

    assert name == TRACEPARENT and find_traceparent([(name, value)]).split("-")[2] == f"{span.context.span_id:016x}"
