"""The rule check: bad records of ``rules`` are set aside, each by the one worker that reads its partition.

Every worker follows the topic for its catalog (``catalog_feed.py``) and leaves out what is bad; only this one says so.
"""

from __future__ import annotations

import faust
from aiokafka import AIOKafkaProducer
from faust.types import Message

from stream_rec.catalog.rules import Rules
from stream_rec.config import Settings
from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.validate import Rejection
from stream_rec.runtime.batch import Batch, exactly_once_effect
from stream_rec.runtime.clients import raw_topic
from stream_rec.stages.catalog_feed import TOO_MANY
from stream_rec.stages.reject import reject

BATCH_RULES = 100
BATCH_WAIT_S = 0.02


class RuleCheck:
    """What one worker does with the rules of its partitions."""

    def __init__(self, app: faust.App, producer: AIOKafkaProducer, rules: Rules, settings: Settings) -> None:
        """Begin to read.

        Args:
            rules: Those of the catalog, which knows how many there are.
        """
        self._rules = rules
        self._settings = settings

        @app.agent(raw_topic(app, settings.kafka.topic("rules")), name="rule-check")
        async def rule_check(stream: faust.StreamT[bytes]) -> None:
            batches = exactly_once_effect(stream, producer, max_records=BATCH_RULES, wait_s=BATCH_WAIT_S)
            async for batch in batches:
                await self.handle(batch)

    async def handle(self, batch: Batch) -> None:
        """Take one batch: validate, commit."""
        rejections = [(message, self._check(message)) for message in batch.messages]
        kafka = self._settings.kafka
        await batch.commit(sends=[reject(message, found, kafka) for message, found in rejections if found is not None])

    def _check(self, message: Message) -> Rejection | None:
        limits, place = self._settings.limits, Place(message.partition, self._settings.kafka.partitions)
        if message.value is None:
            ended = validate.id_in_key(message.key, limits=limits, place=place)
            return ended if isinstance(ended, Rejection) else None
        rule = validate.rule(message.key, message.value, limits=limits, place=place)
        if isinstance(rule, Rejection):
            return rule
        return None if self._rules.has_room_for(rule) else Rejection("bad_rule", TOO_MANY)
