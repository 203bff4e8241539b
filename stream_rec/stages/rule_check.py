"""The rule check: what is wrong with records of ``rules`` is said, and mended, by the one worker that reads them.

A compacted topic keeps the newest record of a rule alone: behind a bad one the last good one is gone some day, and a
ban with it. So the check puts that one again, and all processes have the same rules, whenever they were started.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import faust
import msgspec
from aiokafka import AIOKafkaProducer
from faust.types import Message

from stream_rec.catalog.rules import MOST, MOST_FLOORS, Rules
from stream_rec.config import Settings
from stream_rec.events import validate
from stream_rec.events.partition import Place
from stream_rec.events.rule import Rule
from stream_rec.events.validate import Rejection
from stream_rec.runtime.batch import Batch, Send, exactly_once_effect
from stream_rec.runtime.clients import raw_topic
from stream_rec.stages.reject import reject

log = logging.getLogger(__name__)

BATCH_RULES = 100
BATCH_WAIT_S = 0.02


class RuleCheck:
    """What one worker does with the rules of its partitions."""

    def __init__(self, app: faust.App, producer: AIOKafkaProducer, rules: Rules, settings: Settings) -> None:
        """Begin to read.

        Args:
            rules: Those of the catalog, which follows the whole topic.
        """
        self._rules = rules
        self._settings = settings

        @app.agent(raw_topic(app, settings.kafka.topic("rules")), name="rule-check")
        async def rule_check(stream: faust.StreamT[bytes]) -> None:
            batches = exactly_once_effect(stream, producer, max_records=BATCH_RULES, wait_s=BATCH_WAIT_S)
            async for batch in batches:
                await self.handle(batch)

    async def handle(self, batch: Batch) -> None:
        """Take one batch: check, commit."""
        await batch.commit(sends=check(batch.messages, self._rules, self._settings))


def check(messages: Sequence[Message], rules: Rules, settings: Settings) -> list[Send]:
    """Return what is to be said of some records of ``rules``, and the rules that are to be put again.

    Args:
        rules: All that are known, before or after these records.
    """
    sends = []
    newest = {(message.partition, message.key): message for message in messages}
    found: dict[tuple[int, bytes | None], Rule | None] = {}
    for message in messages:
        place, where = Place(message.partition, settings.kafka.partitions), (message.partition, message.key)
        read = validate.rule_record(message.key, message.value, limits=settings.limits, place=place)
        if not isinstance(read, Rejection):
            _, rule = read
            found[where] = rule
            ousted = [] if rule is None else rules.find_ousted(rule)
            if ousted:
                sends.append(reject(message, Rejection("bad_rule", _say_too_many(ousted)), settings.kafka))
            continue
        rule_id = validate.id_in_key(message.key, limits=settings.limits, place=place)
        last = None
        if not isinstance(rule_id, Rejection) and newest[where] is message:
            last = found[where] if where in found else rules.find(rule_id)
        if last is not None:
            log.error("rule_put_again rule=%s at=%s[%d]@%d", rule_id, message.topic, message.partition, message.offset)
            read = Rejection(read.reason, f"{read.detail}; the last good record of {rule_id} is put again")
            sends.append(Send(settings.kafka.topic("rules"), message.key, msgspec.json.encode(last)))
        sends.append(reject(message, read, settings.kafka))
    return sends


def _say_too_many(ousted: list[str]) -> str:
    return (
        f"{MOST} rules are obeyed, {MOST_FLOORS} floors and exposes among them, and this is one more: "
        f"{', '.join(ousted)[:500]} must wait; end one, see `stream-rec rules list`"
    )
