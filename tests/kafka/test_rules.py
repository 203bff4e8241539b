"""The owner's rules on a real broker: in force within two seconds, and gone as fast."""

from __future__ import annotations

import time
from contextlib import closing

import msgspec
import pytest
from click.testing import CliRunner
from kafka import KafkaProducer

from stream_rec.cli import cli
from stream_rec.client import RecommendationsView
from stream_rec.client.reader import TopicReader
from stream_rec.events.item import Item
from stream_rec.events.partition import partition_of
from stream_rec.events.rejected import Rejected
from stream_rec.events.rule import Rule, Target
from stream_rec.events.slate import DEFAULT_LIST
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

PROMISED_S = 2.0
N_ITEMS = 12


def ids(view: RecommendationsView, user_id: str) -> list[str]:
    """Return the items of a user's list, best first."""
    slate = view.own(user_id)
    return [] if slate is None else [item.item_id for item in slate.items]


def test_rules_are_in_force_within_two_seconds(bootstrap: str) -> None:
    """For who does something after it; a ban and its end also for who does nothing. A restart forgets none."""
    with RunningPipeline(bootstrap, quick_settings()) as running:
        with running.producer() as producer, running.view() as view:
            for number in range(N_ITEMS):
                producer.item(Item(f"i{number}", title=f"thing {number}", category="odd" if number % 2 else "even"))
            for number in range(N_ITEMS):
                for user in range(N_ITEMS - number):
                    producer.view(f"user-{user}", f"i{number}")
            producer.flush()
            running.wait_until_settled()
            wait_until(lambda: "i0" in ids(view, DEFAULT_LIST) and "i0" in ids(view, "user-0"))

            producer.rule(Rule("no-i0", "ban", "ann", "recalled", Target(item_ids=["i0"])))
            producer.rule(Rule("one-odd", "cap", "ann", "too many", Target(category="odd"), count=1))
            producer.rule(Rule("first", "pin", "ann", "campaign", Target(item_ids=["i11"]), slot=2))
            producer.flush()
            began = time.monotonic()

            def has_arrived() -> bool:
                producer.view("bob", "i2")
                producer.flush()
                return ids(view, "bob")[1:2] == ["i11"]

            wait_until(has_arrived)
            assert time.monotonic() - began < PROMISED_S
            bobs = view.own("bob")
            assert [item.reason.rule for item in bobs.items[:2]] == [None, "first"]
            assert sum(int(item_id[1:]) % 2 for item_id in ids(view, "bob")) == 1
            assert "i0" not in ids(view, "bob")
            wait_until(lambda: "i0" not in ids(view, "user-0"))  # who has done nothing since
            wait_until(lambda: ids(view, DEFAULT_LIST)[1:2] == ["i11"])
            wait_until(lambda: ids(view, "user-0")[1:2] == ["i11"])  # made anew, beside live events

        running.children["worker-1"].kill()
        running.start_worker("worker-1")
        with running.producer() as producer, running.view() as view:
            producer.view("carl", "i2")
            producer.flush()
            wait_until(lambda: view.own("carl") is not None)
            assert ids(view, "carl")[1] == "i11" and "i0" not in ids(view, "carl")

            for rule_id in ("no-i0", "one-odd", "first"):
                producer.end_rule(rule_id)
            producer.view("dora", "i2")
            producer.flush()
            wait_until(lambda: "i0" in ids(view, "user-0") and "i0" in ids(view, DEFAULT_LIST))


def test_the_owner_puts_lists_explains_and_ends_rules_by_hand(bootstrap: str, tmp_path) -> None:
    """Each command says what it did; what is wrong is named by its line, and nothing is sent."""
    with RunningPipeline(bootstrap, quick_settings(), workers=0, embedder=False) as running:
        with running.producer() as producer:
            producer.item(Item("teapot", title="copper teapot", category="kitchen"))

        def run(*arguments: str, input: str | None = None):
            options = ["--bootstrap", bootstrap, "--topic-prefix", running.settings.kafka.topic_prefix, "rules"]
            return CliRunner().invoke(cli, [*options, *arguments], input=input)

        good = '{"rule_id":"r1","action":"ban","author":"ann","reason":"recalled","target":{"category":"kitchen"}}'
        bad = '{"rule_id":"r2","action":"cap","author":"ann","reason":"?","target":{"tag":"x"}}'
        refused = run("put", "-", input=f"{good}\n\n{bad}\n")
        assert refused.exit_code == 2 and "line 3: bad_rule: a cap needs `count`" in refused.output
        assert run("list").output == "0 rules\n"

        assert run("put", "-", input=good).output.startswith("1 rule sent")
        assert run("list").output == "r1  ban: category kitchen  (ann: recalled)\n1 rule\n"
        assert run("explain", "teapot").output.endswith("teapot: in no list, by r1\n")
        assert run("explain", "nothing").exit_code == 1
        file = tmp_path / "rules.jsonl"
        file.write_text(run("list", "--json").output)
        assert run("put", str(file)).exit_code == 0

        assert run("end", "r9").exit_code == 2
        assert run("end", "r1").output == "rule r1 has ended\n"
        assert run("explain", "teapot").output == "teapot: 0 of 0 rules are about it; it may be in lists\n"


def test_a_rule_survives_a_bad_record_in_its_place(bootstrap: str) -> None:
    """The last good one is put again, so that whoever starts later has it, too; what was wrong stands on `rejected`."""
    with RunningPipeline(bootstrap, quick_settings()) as running:
        with running.producer() as producer, running.view() as view:
            for number in range(3):
                producer.item(Item(f"i{number}", title=f"thing {number}"))
                producer.view("ann", f"i{number}")
            producer.rule(Rule("no-i0", "ban", "ann", "recalled", Target(item_ids=["i0"])))
            producer.flush()
            running.wait_until_settled()
            wait_until(lambda: "i1" in ids(view, "ann") and "i0" not in ids(view, "ann"))

        kafka = running.settings.kafka
        sender = KafkaProducer(bootstrap_servers=bootstrap)
        partition = partition_of(b"no-i0", kafka.partitions)
        sender.send(kafka.topic("rules"), key=b"no-i0", value=b'{"rule_id": "no-i0"}', partition=partition).get(10)
        sender.close()

        def newest() -> bytes:
            with closing(TopicReader(kafka, "rules")) as reader:
                return [record.value for record in reader.read_to_end(30.0) if record.key == b"no-i0"][-1]

        wait_until(lambda: b"recalled" in newest())
        with closing(TopicReader(kafka, "rejected")) as reader:
            said = [msgspec.json.decode(record.value, type=Rejected) for record in reader.read_to_end(30.0)]
        assert [(each.reason, "is put again" in each.detail) for each in said] == [("wrong_type", True)]
