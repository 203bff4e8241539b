"""Who may do what on the broker: the least that each program needs, after the topics' ``written_by`` and ``read_by``.

A principal stands for one kind of program. Besides what it reads and writes, each of ours asks the broker how topics
are configured, for it does not start on others. Kafka lets who may read or write a topic describe it, and who may write
one write it idempotently; transactions are not used. Who may describe a group sees who is in it and how far it has
read, and cannot join it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter

from msgspec import Struct

from stream_rec.config import Settings
from stream_rec.events.source import TOPIC_OF_SOURCE
from stream_rec.topics.definition import TopicDefinition, changelogs, load

ADMIN, WORKER, EMBEDDER = "stream-rec-admin", "stream-rec-worker", "stream-rec-embedder"
EVENTS, CATALOG, LISTS, OPERATOR = "stream-rec-events", "stream-rec-catalog", "stream-rec-lists", "stream-rec-operator"
HTTP, HTTP_RANKING = "stream-rec-http", "stream-rec-http-ranking"
DASHBOARD, SINK = "stream-rec-dashboard", "stream-rec-sink"
INGEST = "stream-rec-ingest"
EXPORT, IMPORT = "stream-rec-export", "stream-rec-import"

PURPOSE = {
    ADMIN: "runs `stream-rec topics create` and `topics check`",
    WORKER: "runs `stream-rec worker`",
    EMBEDDER: "runs `stream-rec embedder`",
    INGEST: "runs `stream-rec ingest`, which reads the topics of [ingest.topics], too",
    EVENTS: "an app that says what users do",
    CATALOG: "an app that says what items there are",
    LISTS: "an app that shows lists",
    HTTP: "runs `stream-rec serve` that reads lists out",
    HTTP_RANKING: "runs `stream-rec serve` with `serve.ranks`: it reads what is known of every user, too",
    DASHBOARD: "runs `stream-rec dashboard`: it reads what is known of every user, and writes rules and its status",
    SINK: "runs `stream-rec sink`: it reads lists, and writes its status",
    OPERATOR: "a person who runs `stream-rec rejected`, `watch`, `rules`, `backfill` and `user forget`",
    EXPORT: "runs `stream-rec snapshot export`, every night perhaps; it can write nothing",
    IMPORT: "runs `stream-rec snapshot import`, once, before the first worker; it can read no record",
}
"""Principals, and who each is."""

ROLES = {
    WORKER: {"worker", "user stage", "item stage", "rule check", "catalog"},
    EMBEDDER: {"embedder"},
    INGEST: {"ingest"},
}
"""What ``written_by`` and ``read_by`` call our own programs. The rest is ``apps``."""
SERVICES = {HTTP: "serve", HTTP_RANKING: "serve", DASHBOARD: "dashboard", SINK: "sink"}
"""What ``written_by`` calls our services where they speak for themselves; else they write for apps."""
APPS = "apps"
REJECTED, ITEMS, RECOMMENDATIONS, FORGET, RECEIPTS = "rejected", "items", "recommendations", "forget", "receipts"
RULES, SURFACES, STATUS = "rules", "surfaces", "status"
EVENTS_OF_USERS = tuple(TOPIC_OF_SOURCE.values())
"""What `backfill` sends. Their rejected records, and those of items, can be sent again."""
SIGNALS = "item-signals"
IN_SNAPSHOT = (ITEMS, RULES, "item-embeddings", "head-weights", RECOMMENDATIONS, SURFACES)
"""What a snapshot is taken of, and written to, besides both changelogs."""
RANKED_FROM = (ITEMS, "item-embeddings", "item-knowledge", "head-weights", RULES)
"""What `stream-rec serve` with `serve.ranks` reads, besides users' states."""
KNOWLEDGE = "item-knowledge"
"""Follows from a snapshot, and is written with it."""


class Grant(Struct, frozen=True):
    """Operations that one principal may do on some topics, or on some consumer groups."""

    principal: str
    """One of ``PURPOSE``; with a topic prefix the user's name begins with it, so that pipelines stay apart."""
    operations: tuple[str, ...]
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    is_prefix: bool = False
    """Whether the names are only how names begin."""


def grants(settings: Settings) -> list[Grant]:
    """Return all that the programs of one pipeline may do, by principal."""
    tables = changelogs(settings.worker.app_id)
    definitions = [*load(), *tables]
    every = _full(settings, definitions)
    of_apps = [topic for topic in definitions if APPS in topic.written_by]
    by_hand = (*EVENTS_OF_USERS, ITEMS, REJECTED, FORGET)
    in_snapshot = (*_full_names(settings, *IN_SNAPSHOT), *_full(settings, tables))
    workers = _full_names(settings, settings.worker.app_id)
    over_http = _full_names(settings, *EVENTS_OF_USERS, ITEMS, FORGET, RULES)
    of_services = {
        principal: _full(settings, (topic for topic in definitions if service in topic.written_by))
        for principal, service in SERVICES.items()
    }
    users = [table for table in tables if table.name == f"{settings.worker.app_id}-user-state-changelog"]
    return [
        Grant(ADMIN, ("Create", "Describe", "DescribeConfigs"), every),
        *_of_program(settings, WORKER, definitions),
        Grant(WORKER, ("Read",), groups=workers),
        *_of_program(settings, EMBEDDER, definitions),
        Grant(EMBEDDER, ("Read",), groups=_full_names(settings, "embedder-"), is_prefix=True),
        *_of_program(settings, INGEST, definitions),
        *([Grant(INGEST, ("Read",), tuple(settings.ingest.adopted))] if settings.ingest.topics else []),
        Grant(INGEST, ("Read",), groups=_full_names(settings, settings.ingest.group)),
        Grant(EVENTS, ("Write",), _full(settings, (topic for topic in of_apps if topic.name not in (ITEMS, RULES)))),
        Grant(CATALOG, ("Write",), _full_names(settings, ITEMS)),
        # The view reads items, too: what is gone is not shown.
        Grant(LISTS, ("Read",), _full_names(settings, RECOMMENDATIONS, SURFACES, ITEMS)),
        Grant(LISTS, ("Describe",), groups=workers),  # to say that no worker is ready where there is no list
        Grant(HTTP, ("Read",), _full_names(settings, RECOMMENDATIONS, ITEMS)),
        Grant(HTTP, ("Write",), (*over_http, *of_services[HTTP])),
        Grant(
            HTTP_RANKING, ("Read",), (*_full_names(settings, RECOMMENDATIONS, *RANKED_FROM), *_full(settings, users))
        ),
        Grant(HTTP_RANKING, ("Write",), (*over_http, *of_services[HTTP_RANKING])),
        Grant(
            DASHBOARD,
            ("Read",),
            (*_full_names(settings, RECOMMENDATIONS, STATUS, REJECTED, *RANKED_FROM), *_full(settings, users)),
        ),
        Grant(DASHBOARD, ("Write",), (*_full_names(settings, RULES), *of_services[DASHBOARD])),
        Grant(SINK, ("Read",), _full(settings, (topic for topic in definitions if SERVICES[SINK] in topic.read_by))),
        Grant(SINK, ("Write",), of_services[SINK]),
        # `backfill` reads what is there already, and whose events may not come back. How far the workers are it knows
        # from lists, offsets and the group.
        Grant(OPERATOR, ("Read",), _full_names(settings, *by_hand, RECOMMENDATIONS, RECEIPTS, STATUS)),
        Grant(OPERATOR, ("Write",), _full_names(settings, *by_hand)),
        Grant(OPERATOR, ("Read", "Write"), _full_names(settings, RULES)),
        Grant(OPERATOR, ("Describe",), _full_names(settings, SIGNALS)),
        Grant(OPERATOR, ("Describe",), groups=workers),
        # Besides its contents, a snapshot needs to know that all workers are gone, and have taken all there was.
        Grant(EXPORT, ("Read",), in_snapshot),
        Grant(EXPORT, ("Describe",), _full_names(settings, *EVENTS_OF_USERS, FORGET, SIGNALS)),
        Grant(EXPORT, ("Describe",), groups=workers),
        # An import checks that all topics are as defined, those that it writes empty, and that no worker has run.
        Grant(IMPORT, ("Describe", "DescribeConfigs"), every),
        Grant(IMPORT, ("Write",), (*in_snapshot, *_full_names(settings, KNOWLEDGE))),
        Grant(IMPORT, ("Describe",), groups=workers),
    ]


def user_of(principal: str, settings: Settings) -> str:
    """Return the name by which a principal logs in."""
    return settings.kafka.topic(principal)


def as_commands(settings: Settings) -> str:
    """Return the shell script that grants it all with Kafka's ``kafka-acls.sh``; running it again changes nothing."""
    lines = [_HEAD]
    for principal, granted in groupby(grants(settings), key=attrgetter("principal")):
        user = user_of(principal, settings)
        lines += ["", f"# {user}: {PURPOSE[principal]}", *(_command(user, grant) for grant in granted)]
    return "\n".join(lines) + "\n"


def as_table(settings: Settings) -> str:
    """Return it as a Markdown table, one line for each grant."""
    rows = ["| principal | may | on |", "|---|---|---|"]
    for grant in grants(settings):
        names = " ".join(f"`{name}{'*' if grant.is_prefix else ''}`" for name in grant.topics or grant.groups)
        what = f"group {names}" if grant.groups else names
        rows.append(f"| `{user_of(grant.principal, settings)}` | {', '.join(grant.operations)} | {what} |")
    return "\n".join(rows) + "\n"


def _of_program(settings: Settings, principal: str, definitions: list[TopicDefinition]) -> list[Grant]:
    roles = ROLES[principal]
    granted = [
        Grant(principal, ("Describe", "DescribeConfigs"), _full(settings, definitions)),
        Grant(principal, ("Read",), _full(settings, (t for t in definitions if roles & set(t.read_by)))),
        Grant(principal, ("Write",), _full(settings, (t for t in definitions if roles & set(t.written_by)))),
    ]
    return [grant for grant in granted if grant.topics]


def _full(settings: Settings, definitions: Iterable[TopicDefinition]) -> tuple[str, ...]:
    return _full_names(settings, *(topic.name for topic in definitions))


def _full_names(settings: Settings, *names: str) -> tuple[str, ...]:
    return tuple(map(settings.kafka.topic, names))


def _command(user: str, grant: Grant) -> str:
    words = ["--allow-principal", f"User:{user}"]
    for operation in grant.operations:
        words += ["--operation", operation]
    if grant.is_prefix:
        words += ["--resource-pattern-type", "prefixed"]
    for option, names in (("--topic", grant.topics), ("--group", grant.groups)):
        for name in names:
            words += [option, name]
    lines, line = [], "allow"
    for option, value in zip(words[::2], words[1::2]):
        word = f"{option} {shlex.quote(value)}"
        if len(line) + len(word) > 110:
            lines.append(f"{line} \\")
            line = "   "
        line += f" {word}"
    return "\n".join([*lines, line])


_HEAD = """\
#!/bin/sh
# The least that each program of stream-rec needs on the broker. Written by `stream-rec topics acls`; run it as a super
# user of the cluster:
#
#     BOOTSTRAP=broker:9093 COMMAND_CONFIG=super.properties sh acls.sh
#
# KAFKA_ACLS names Kafka's tool where it is not on the path. The broker needs
# authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer. Nothing is taken away from anybody.
set -eu

allow() {
    "${KAFKA_ACLS:-kafka-acls.sh}" --bootstrap-server "$BOOTSTRAP" --command-config "$COMMAND_CONFIG" --add "$@"
}"""
