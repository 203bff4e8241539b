"""Records of ``items``, ``item-embeddings``, ``item-knowledge`` and ``rules`` into the catalog, as they come."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiokafka import ConsumerRecord

from stream_rec.catalog.catalog import Catalog
from stream_rec.config import Settings
from stream_rec.embedding import item_embedding
from stream_rec.embedding.item_embedding import MalformedEmbedding
from stream_rec.errors import DimensionMismatch, StateVersionError
from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.validate import InputLimits, Rejection
from stream_rec.knowledge import state as knowledge
from stream_rec.runtime.mirror import Mirror
from stream_rec.runtime.topic_follower import TopicFollower

log = logging.getLogger(__name__)


def catalog_feed(
    catalog: Catalog,
    take_learned: Callable[[ConsumerRecord], None],
    settings: Settings,
    mirror_of: Callable[[list[str]], Mirror | None],
) -> TopicFollower:
    """Return the service that fills ``catalog`` and keeps it up to date.

    Args:
        take_learned: Takes the records of ``head-weights``, which must be known before the first list too.
        mirror_of: Makes the mirror of the topics that it reads.
    """
    kafka, limits = settings.kafka, settings.limits
    head_weights, items, rules = kafka.topic("head-weights"), kafka.topic("items"), kafka.topic("rules")
    take_by_topic = {
        kafka.topic("item-embeddings"): take_embedding,
        kafka.topic("item-knowledge"): take_knowledge,
    }

    def take(record: ConsumerRecord) -> None:
        if record.topic == head_weights:
            take_learned(record)
        elif record.topic == items:
            take_item(catalog, record, limits, Place(record.partition, kafka.partitions))
        elif record.topic == rules:
            take_rule(catalog, record, limits, Place(record.partition, kafka.partitions))
        else:
            take_by_topic[record.topic](catalog, record, limits)

    topics = [items, *take_by_topic, head_weights, rules]
    return TopicFollower(kafka, topics, take, mirror_of(topics))


def take_item(catalog: Catalog, record: ConsumerRecord, limits: InputLimits, place: Place) -> None:
    """Take one record of ``items``. A bad one is left to the embedder to report; the item stays as it was."""
    read = validate.item_record(record.key, record.value, limits=limits, place=place)
    match read:
        case Rejection(reason, detail):
            _warn("ignored_item", record, f"{reason}: {detail}")
        case item_id, None:
            catalog.delete_item(item_id)
        case _, item:
            catalog.put_item(item)


def take_embedding(catalog: Catalog, record: ConsumerRecord, limits: InputLimits) -> None:
    """Take one record of ``item-embeddings``; one that cannot be read or compared is left out."""
    item_id = validate.id_in_key(record.key, limits=limits)
    if isinstance(item_id, Rejection):
        _warn("ignored_embedding", record, item_id.detail)
    elif record.value is None:
        catalog.delete_embedding(item_id)
    else:
        try:
            catalog.put_embedding(item_id, item_embedding.decode(record.value))
        except (MalformedEmbedding, StateVersionError, DimensionMismatch) as error:
            _warn("ignored_embedding", record, str(error))


def take_knowledge(catalog: Catalog, record: ConsumerRecord, limits: InputLimits) -> None:
    """Take one record of ``item-knowledge``; one that cannot be read is left out."""
    item_id = validate.id_in_key(record.key, limits=limits)
    if isinstance(item_id, Rejection):
        _warn("ignored_knowledge", record, item_id.detail)
        return
    try:
        catalog.put_knowledge(item_id, knowledge.decode(record.value) if record.value else knowledge.UNSEEN)
    except StateVersionError as error:
        _warn("ignored_knowledge", record, str(error))


def take_rule(catalog: Catalog, record: ConsumerRecord, limits: InputLimits, place: Place) -> None:
    """Take one record of ``rules``. A bad one is left to the rule check, which puts the rule again as it was."""
    read = validate.rule_record(record.key, record.value, limits=limits, place=place)
    match read:
        case Rejection(reason, detail):
            _warn("ignored_rule", record, f"{reason}: {detail}")
        case rule_id, None:
            catalog.delete_rule(rule_id)
        case _, rule:
            catalog.put_rule(rule, record.timestamp)


def _warn(event: str, record: ConsumerRecord, why: str) -> None:
    log.warning("%s at=%s[%d]@%d why=%s", event, record.topic, record.partition, record.offset, why[:200])
