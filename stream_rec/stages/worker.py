"""The worker: user stage, item stage, rule check and the default list around one catalog and one head."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

from aiokafka import AIOKafkaProducer, ConsumerRecord
from mode import Service

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings
from stream_rec.embedding.query_encoder import QueryEncoder
from stream_rec.events.source import SOURCE_OF_TOPIC
from stream_rec.knowledge import state as item_state
from stream_rec.ranking.merge import SharedHead
from stream_rec.recommender import Recommender
from stream_rec.runtime import process
from stream_rec.runtime.assignment import follow_assignment
from stream_rec.runtime.clients import new_app
from stream_rec.runtime.instance import held_directory
from stream_rec.runtime.lease import Lease
from stream_rec.runtime.mirror import mirror
from stream_rec.runtime.offsets import OffsetsAfter
from stream_rec.runtime.readiness import Readiness
from stream_rec.runtime.table import Table
from stream_rec.stages import warm_up
from stream_rec.stages.catalog_feed import catalog_feed
from stream_rec.stages.default_list import DefaultList
from stream_rec.stages.erasure import Erasure
from stream_rec.stages.expiry import Expiry
from stream_rec.stages.factor_exchange import FactorExchange, is_shift
from stream_rec.stages.head_exchange import HeadExchange
from stream_rec.stages.item_stage import ItemStage
from stream_rec.stages.live_judge import LiveJudge
from stream_rec.stages.published import Published
from stream_rec.stages.reporter import ReporterService
from stream_rec.stages.required_topics import require_topics
from stream_rec.stages.rule_check import RuleCheck
from stream_rec.stages.status import WorkerStatus
from stream_rec.stages.upkeep import Upkeep
from stream_rec.stages.user_stage import UserStage
from stream_rec.surface_lists import PushedSurfaces
from stream_rec.telemetry.counts import Counts
from stream_rec.telemetry.reporter import is_watched, open_probes
from stream_rec.telemetry.traces import open_traces
from stream_rec.user import forgotten, seen
from stream_rec.user import state as user_state


def open_query_encoder(settings: Settings) -> QueryEncoder | None:
    """Return what encodes queries in a worker; it is loaded with the first search, beside the lists."""
    wanted = settings.worker.query_encoder
    if wanted == "off":
        return None
    return QueryEncoder(settings.embedder, with_torch=wanted == "torch", in_background=True)


def run(settings: Settings) -> None:
    """Run one worker until it is told to stop; ends with ``SystemExit``.

    Raises:
        StreamRecError: something that it needs is missing, taken or different; nothing was started.
    """
    worker = settings.worker
    lease, readiness, counts = Lease(worker.session_timeout_s), Readiness(), Counts()
    status = WorkerStatus(lease, readiness, counts, settings)
    with ExitStack() as stack:
        probes = stack.enter_context(open_probes(status, settings.telemetry))
        traces = open_traces(settings.telemetry, "worker", worker.instance_id)
        if traces is not None:
            stack.callback(traces.close)
        topic_ids = require_topics(settings)
        directory = stack.enter_context(held_directory(worker.data_dir, worker.instance_id))
        app = new_app(
            worker.app_id,
            settings.kafka,
            instance_id=worker.instance_id,
            lease=lease,
            session_timeout_s=worker.session_timeout_s,
            commit_interval_s=worker.commit_interval_s,
        )
        surfaces = settings.surfaces.pushed
        catalog = Catalog(settings.catalog.modalities)
        head = SharedHead.cold(settings.head, settings.ranking.seed)
        encode_query = open_query_encoder(settings)
        recommender = Recommender(catalog, head, settings.ranking, settings.head, encode_query, settings.ratings)
        pushed = PushedSurfaces(recommender, surfaces, settings.ranking)
        judge = LiveJudge(counts, settings.telemetry.judged_per_second if is_watched(settings.telemetry) else 0)
        status.watch(app)

        def services(producer: AIOKafkaProducer) -> list[Service]:
            readiness.say("compiles kernels")
            warm_up.compile_kernels()  # here, where the watchdog is watching
            readiness.say("takes over its partitions")
            of_users = {forgotten.PREFIX: forgotten.VERSION, seen.PREFIX: seen.VERSION, b"": user_state.VERSION}
            users = Table("user-state", worker.app_id, directory, producer, settings.kafka, versions=of_users)
            of_items = {b"": item_state.VERSION}
            items = Table("item-state", worker.app_id, directory, producer, settings.kafka, versions=of_items)
            offsets_after = OffsetsAfter(settings.kafka, SOURCE_OF_TOPIC)
            published = Published(directory, catalog, settings)
            upkeep = Upkeep(app, producer, users, published, recommender, pushed, settings)
            user_topics = (*SOURCE_OF_TOPIC, "forget")
            follow_assignment(app, settings.kafka, {users: user_topics, items: ("item-signals",), upkeep: user_topics})
            erasure = Erasure(app, offsets_after, settings, counts)
            listing = published, recommender, pushed
            UserStage(app, producer, users, erasure, *listing, settings, counts, judge, traces)
            ItemStage(app, producer, items, settings, counts)
            RuleCheck(app, producer, catalog.rules, settings, counts)
            expiry = Expiry(app, users, settings)
            heads = HeadExchange(producer, head, settings)
            factors = FactorExchange(producer, catalog, settings)

            def take_learned(record: ConsumerRecord) -> None:
                (factors if is_shift(record) else heads).take(record)

            mirror_of = partial(mirror, directory, topic_ids)
            feed = catalog_feed(catalog, take_learned, settings, mirror_of)
            default_list = DefaultList(app, producer, recommender, pushed, settings)
            status.watch_lists(recommender, published, feed)
            reporter = [ReporterService(status, probes, settings)] if is_watched(settings.telemetry) else []
            return [*reporter, users, items, expiry, offsets_after, feed, heads, factors, default_list, upkeep]

        process.run(
            app,
            lease,
            settings.kafka,
            directory,
            services,
            ready_timeout_s=worker.ready_timeout_s,
            readiness=readiness,
        )
