"""What the ``/metrics`` of an HTTP process says of the process itself; its requests are counted beside this."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import Gauge, Info

from stream_rec import __version__
from stream_rec.telemetry.metrics import METRICS

IS_READY = Gauge("stream_rec_ready", METRICS["stream_rec_ready"])
ABOUT = Info("stream_rec", METRICS["stream_rec_info"])


def describe_process(role: str, instance_id: str, find_why_not_ready: Callable[[], str]) -> None:
    """From now on, say what it is, and whether ``find_why_not_ready`` says ""; there is one in a process."""
    ABOUT.info({"version": __version__, "role": role, "instance_id": instance_id})
    IS_READY.set_function(lambda: float(not find_why_not_ready()))
