"""What a worker says of itself is true: how far it is, and what it has counted."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec

from stream_rec.events.item import Item
from stream_rec.events.status import Status
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.readiness import Readiness
from stream_rec.stages.status import WorkerStatus
from stream_rec.telemetry.counts import Counts
from tests.stages.stage import SETTINGS, Stage, message


def test_a_process_says_how_far_it_is():
    """It starts, is ready, is not while nobody confirms it, and stops."""
    now_s = [0.0]
    status = WorkerStatus(Lease(15.0, clock=lambda: now_s[0]), Readiness(), Counts(), SETTINGS)
    status.readiness.say("compiles kernels")
    assert (status().state, status().why) == ("starting", "compiles kernels")
    status.readiness.ready()
    assert (status().state, status().why) == ("ready", "")
    status._lease.renew(0.0)
    now_s[0] = 7.4
    assert status().state == "ready"
    now_s[0] = 9.0
    assert status().state == "starting" and "for 9 s" in status().why
    status.readiness.stopping()
    status.readiness.ready()
    assert (status().state, status().why) == ("stopping", "stops")


def test_a_worker_says_what_it_has_counted_and_knows(run):
    """Lists, rejections, drifts; the catalog, the head and how lists are spread."""

    async def scenario(stage: Stage) -> None:
        status = WorkerStatus(Lease(15.0), Readiness(), stage.counts, SETTINGS)
        status.watch_lists(stage.recommender, stage.published, SimpleNamespace(n_open=0))
        bad = msgspec.structs.replace(message(7), value=b"click!")
        for number in range(30):
            stage.recommender.catalog.put_item(Item(f"another-{number}"))
        for number in range(6):
            await stage.handle(message(number))
        await stage.handle(bad)
        stage.counts.drifted(5)
        await status.measure()
        said = status()

        assert (said.lists, said.rejected, sum(said.event_to_list)) == (6, {"not_json": 1}, 7)
        assert (said.items, said.users, said.learned) == (38, 5, stage.head.n_choices)
        assert said.coverage == said.shown_items / 38 > 0 and 0 < said.fresh_share <= 1 and 0 < said.gini < 1
        assert said.head.choices == said.learned > 0 and (said.head.drifts, said.head.drifted_ms) == (1, 5)
        assert 0 < said.head.loss <= 10 and said.rss_mb > 1 and said.cpu_s > 0
        assert msgspec.json.decode(msgspec.json.encode(said), type=Status) == said

    run(scenario)
