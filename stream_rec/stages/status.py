"""What a worker or an embedder says of itself: its status, put together from counts and from what it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence, Sized
from typing import Any

import faust

from stream_rec.config import Settings
from stream_rec.embedding.encoder import Encoder, join_identities
from stream_rec.live_quality import Exposure, fresh_share, measure_exposure, times_shown
from stream_rec.ranking.describe import describe
from stream_rec.recommender import Recommender
from stream_rec.runtime.consumer import consumer_of
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.readiness import Readiness
from stream_rec.runtime.topic_follower import TopicFollower
from stream_rec.stages.published import LISTS, Published
from stream_rec.telemetry.counts import Counts
from stream_rec.telemetry.process_status import ProcessStatus

QUIET_SHARE = 1 / 2
"""Of the session timeout: who has not heard of the group for so long is not ready."""


class StageStatus(ProcessStatus):
    """What a process says that has a place in a consumer group."""

    def __init__(
        self, role: str, instance_id: str, lease: Lease, readiness: Readiness, counts: Counts, settings: Settings
    ) -> None:
        """Describe a process that starts now."""
        super().__init__(role, instance_id, readiness)
        self.counts = counts
        self._lease = lease
        self._settings = settings
        self._app: faust.App | None = None

    def watch(self, app: faust.App) -> None:
        """From now on, say what the consumer of ``app`` has done."""
        self._app = app

    def fields(self) -> dict[str, Any]:
        """Return what is said, by field of ``Status``."""
        fields = super().fields() | {"rejected": dict(self.counts.rejected)}
        if self._app is not None and self._app.started:
            consumer = consumer_of(self._app)
            fields["partitions"] = sorted({tp.partition for tp in consumer.assignment()})
            fields["taken"] = self._unprefixed(consumer.n_finished)
            fields["lag"] = self._unprefixed(consumer.open_by_topic())
        return fields

    def _state(self) -> tuple[str, str]:
        state, why = super()._state()
        quiet_s = self._lease.unconfirmed_s
        if state == "ready" and quiet_s > QUIET_SHARE * self._settings.worker.session_timeout_s:
            return "starting", f"no broker has confirmed its place in the group for {quiet_s:.0f} s"
        return state, why

    def _unprefixed(self, by_topic: Mapping[str, int]) -> dict[str, int]:
        prefix = self._settings.kafka.topic_prefix
        return {topic.removeprefix(prefix): n for topic, n in sorted(by_topic.items())}


class WorkerStatus(StageStatus):
    """What a worker says besides."""

    def __init__(self, lease: Lease, readiness: Readiness, counts: Counts, settings: Settings) -> None:
        """Describe a worker that starts now."""
        super().__init__("worker", settings.worker.instance_id, lease, readiness, counts, settings)
        self._recommender: Recommender | None = None
        self._published: Published | None = None
        self._feed: TopicFollower | None = None
        self._exposure = Exposure()
        self._fresh_share = 0.0

    def watch_lists(self, recommender: Recommender, published: Published, feed: TopicFollower) -> None:
        """From now on, say what is known of items, lists and the head."""
        self._recommender, self._published, self._feed = recommender, published, feed

    async def measure(self) -> None:
        """Look at how often each item was shown: beside the loop, for a catalog may be large."""
        if (recommender := self._recommender) is None:
            return
        shown = times_shown(recommender.exposures, recommender.catalog)
        self._fresh_share = fresh_share(recommender.exposures, recommender.catalog)
        self._exposure = await asyncio.get_running_loop().run_in_executor(None, measure_exposure, shown)

    def fields(self) -> dict[str, Any]:
        """Return what is said, by field of ``Status``."""
        counts = self.counts
        fields = super().fields() | {
            "lists": counts.lists,
            "surfaces": counts.surfaces,
            "learned": counts.learned,
            "duplicates": counts.duplicates,
            "forgotten": counts.forgotten,
            "event_to_list": list(counts.event_to_list),
            "event_to_list_ms": round(counts.event_to_list_ms, 1),
            "judged": {method: sums.judged() for method, sums in counts.judged.items()},
            **self._exposure._asdict(),
            "fresh_share": self._fresh_share,
        }
        if self._recommender is not None and self._published is not None:
            catalog, partitions = self._recommender.catalog, self._published.partitions.values()
            fields |= {
                "items": catalog.n_listed,
                "embedded": catalog.spaces.n_items,
                "users": sum(len(each.shown) for each in partitions if each.form is LISTS),
                "head": describe(
                    self._recommender.head,
                    loss=self._recommender.recent_loss,
                    drifts=counts.drifts,
                    drifted_ms=counts.drifted_ms,
                ),
            }
        return fields

    def _state(self) -> tuple[str, str]:
        state, why = super()._state()
        if state == "starting" and self._feed is not None and self._feed.n_open:
            return state, f"reads what is known of items: {self._feed.n_open} records to go"
        return state, why


class EmbedderStatus(StageStatus):
    """What an embedder says besides."""

    def __init__(self, lease: Lease, readiness: Readiness, counts: Counts, settings: Settings) -> None:
        """Describe an embedder that starts now."""
        super().__init__("embedder", settings.embedder.instance_id, lease, readiness, counts, settings)
        self._encoders: Sequence[Encoder] = ()
        self._known: Sized = ()

    def watch_items(self, encoders: Sequence[Encoder], known: Sized) -> None:
        """From now on, say what embeds, and how many items have an embedding.

        Args:
            known: Those items.
        """
        self._encoders, self._known = encoders, known

    def fields(self) -> dict[str, Any]:
        """Return what is said, by field of ``Status``."""
        return super().fields() | {
            "embedded": len(self._known),
            "embedded_items": self.counts.embedded_items,
            "encoder": join_identities(self._encoders),
            "device": "+".join(dict.fromkeys(encoder.device for encoder in self._encoders)),
        }


class IngestStatus(StageStatus):
    """What an ingest process says besides."""

    def __init__(self, lease: Lease, readiness: Readiness, counts: Counts, settings: Settings) -> None:
        """Describe an ingest process that starts now."""
        super().__init__("ingest", settings.ingest.instance_id, lease, readiness, counts, settings)

    def fields(self) -> dict[str, Any]:
        """Return what is said, by field of ``Status``."""
        return super().fields() | {"ingested": dict(self.counts.ingested), "ignored": self.counts.ignored}
