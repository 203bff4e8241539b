"""The rule check: what is wrong with records of ``rules`` is said, and mended, by the one worker that reads them.

A compacted topic keeps the newest record of a rule alone: behind a bad one the last good one is gone some day, and a
ban with it. So the check puts that one again, and all processes have the same rules, whenever they were started.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
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
from stream_rec.telemetry.counts import Counts

log = logging.getLogger(__name__)

BATCH_RULES = 100
BATCH_WAIT_S = 0.02
REMEMBERED = 10_000
"""Rules of a partition that were read here last: ten times as many as are obeyed."""


class RuleCheck:
    """What one worker does with the rules of its partitions."""

    def __init__(
        self, app: faust.App, producer: AIOKafkaProducer, rules: Rules, settings: Settings, counts: Counts
    ) -> None:
        """Begin to read.

        Args:
            rules: Those of the catalog, which follows the whole topic.
        """
        self._rules = rules
        self._settings = settings
        self._counts = counts
        self._read = LatestRules()

        @app.agent(raw_topic(app, settings.kafka.topic("rules")), name="rule-check")
        async def rule_check(stream: faust.StreamT[bytes]) -> None:
            batches = exactly_once_effect(stream, producer, max_records=BATCH_RULES, wait_s=BATCH_WAIT_S)
            async for batch in batches:
                await self.handle(batch)

    async def handle(self, batch: Batch) -> None:
        """Take one batch: check, commit."""
        await batch.commit(sends=check(batch.messages, self._rules, self._read, self._settings, self._counts))


class LatestRules:
    """The rules that were read here last, so long as each partition is read on and no other worker had it meanwhile.

    The catalog's own reader may be behind: what it knows of a rule then is what that was before.
    """

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._found: dict[int, OrderedDict[bytes | None, Rule | None]] = {}

    def see(self, message: Message) -> None:
        """Note that a record is read; forget those of its partition if there is a gap before it."""
        if self._next.get(message.partition) != message.offset:
            self._found[message.partition] = OrderedDict()
        self._next[message.partition] = message.offset + 1

    def put(self, message: Message, rule: Rule | None) -> None:
        """Note what a record that is right says: the rule, or that it is over."""
        found = self._found[message.partition]
        found[message.key] = rule
        found.move_to_end(message.key)
        if len(found) > REMEMBERED:
            found.popitem(last=False)

    def find(self, message: Message, rule_id: str, rules: Rules) -> Rule | None:
        """Return the rule with the key of a record as it was before that, None where there was none."""
        found = self._found[message.partition]
        return found[message.key] if message.key in found else rules.find(rule_id)


def check(
    messages: Sequence[Message], rules: Rules, latest: LatestRules, settings: Settings, counts: Counts
) -> list[Send]:
    """Return what is to be said of some records of ``rules``, and the rules that are to be put again.

    Args:
        rules: All that are known, before or after these records.
        latest: Those that were read here before these records; these are put there.
    """
    sends = []
    newest = {(message.partition, message.key): message for message in messages}
    for message in messages:
        latest.see(message)
        place, where = Place(message.partition, settings.kafka.partitions), (message.partition, message.key)
        read = validate.rule_record(message.key, message.value, limits=settings.limits, place=place)
        if not isinstance(read, Rejection):
            _, rule = read
            latest.put(message, rule)
            ousted = [] if rule is None else rules.find_ousted(rule)
            if ousted:
                sends.append(reject(message, Rejection("bad_rule", _say_too_many(ousted)), settings.kafka, counts))
            continue
        rule_id = validate.id_in_key(message.key, limits=settings.limits, place=place)
        last = None
        if not isinstance(rule_id, Rejection) and newest[where] is message:
            last = latest.find(message, rule_id, rules)
        if last is not None:
            log.error("rule_put_again rule=%s at=%s[%d]@%d", rule_id, message.topic, message.partition, message.offset)
            read = Rejection(read.reason, f"{read.detail}; the last good record of {rule_id} is put again")
            sends.append(Send(settings.kafka.topic("rules"), message.key, msgspec.json.encode(last)))
        sends.append(reject(message, read, settings.kafka, counts))
    return sends


def _say_too_many(ousted: list[str]) -> str:
    return (
        f"{MOST} rules are obeyed, {MOST_FLOORS} floors and exposes among them, and this is one more: "
        f"{', '.join(ousted)[:500]} must wait; end one, see `stream-rec rules list`"
    )
