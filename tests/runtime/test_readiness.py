"""How far a process is."""

from __future__ import annotations

from stream_rec.runtime.readiness import Readiness


def test_a_process_starts_is_ready_and_stops():
    """What it is at counts while it starts; who stops is never ready again."""
    readiness = Readiness()
    readiness.say("compiles kernels")
    assert (readiness.state, readiness.why) == ("starting", "compiles kernels")
    readiness.ready()
    readiness.say("compiles kernels")
    assert (readiness.state, readiness.why) == ("ready", "")
    readiness.stopping()
    readiness.ready()
    assert (readiness.state, readiness.why) == ("stopping", "stops")
