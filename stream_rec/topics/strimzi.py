"""Topics and permissions as resources of Strimzi, which runs Kafka on Kubernetes: its operators make and keep them.

Source: the resources KafkaTopic and KafkaUser of the API ``kafka.strimzi.io/v1``, Strimzi 0.49 and newer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

from stream_rec.config import Settings
from stream_rec.topics.acls import PURPOSE, Grant, grants, user_of
from stream_rec.topics.definition import all_topics

API = "kafka.strimzi.io/v1"
RESOURCE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""What Kubernetes takes as a resource's name, but for dots beside dots and hyphens."""
WORD = re.compile(r"[A-Za-z][A-Za-z0-9./-]*")
NOT_TEXT = {"false", "n", "no", "null", "off", "on", "true", "y", "yes"}
"""Words that YAML takes for something else."""


def as_topics(settings: Settings, cluster: str) -> str:
    """Return every topic of a pipeline as YAML, one KafkaTopic each.

    Args:
        cluster: Name of the Kafka resource that the topics are of.
    """
    return _as_yaml(
        _resource(
            "KafkaTopic",
            cluster,
            topic.name,
            "topicName",
            {"partitions": topic.partitions, "replicas": topic.replication_factor, "config": topic.config},
        )
        for topic in all_topics(settings)
    )


def as_users(settings: Settings, cluster: str) -> str:
    """Return every principal of a pipeline and the least that it may do as YAML, one KafkaUser each.

    They log in by SCRAM-SHA-512, with passwords that the operator makes and keeps in a Secret of the user's name. Where
    clients log in with tokens, an OIDC provider has the users, and only what they may do is said here.

    Args:
        cluster: As for ``as_topics``.
    """
    return _as_yaml(
        _resource(
            "KafkaUser",
            cluster,
            user_of(principal, settings),
            "userName",
            {
                **({} if settings.kafka.uses_tokens else {"authentication": {"type": "scram-sha-512"}}),
                "authorization": {"type": "simple", "acls": [acl for grant in granted for acl in _acls(grant)]},
            },
            purpose=PURPOSE[principal],
        )
        for principal, granted in groupby(grants(settings), key=attrgetter("principal"))
    )


def resource_name(name: str) -> str:
    """Return a name that Kubernetes takes: the name itself, or what is left of it and a digest that keeps it apart.

    Example:
        >>> resource_name("views"), resource_name("Shop_views")
        ('views', 'shop-views-ca78e0e4')
    """
    if RESOURCE_NAME.fullmatch(name) and not re.search(r"\.[.-]|-\.", name):
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{plain[:244]}-{digest}".strip("-")


def _resource(
    kind: str, cluster: str, name: str, name_field: str, spec: Mapping[str, Any], purpose: str = ""
) -> dict[str, Any]:
    """Return one resource; its ``name_field`` says what it is called in Kafka where Kubernetes does not take that."""
    metadata: dict[str, Any] = {"name": resource_name(name), "labels": {"strimzi.io/cluster": cluster}}
    if purpose:
        metadata["annotations"] = {"stream-rec/purpose": purpose.replace("`", "")}
    named = {} if metadata["name"] == name else {name_field: name}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": {**named, **spec}}


def _acls(grant: Grant) -> Iterator[dict[str, Any]]:
    for kind, names in (("topic", grant.topics), ("group", grant.groups)):
        for name in names:
            pattern = "prefix" if grant.is_prefix else "literal"
            resource = {"type": kind, "name": name, "patternType": pattern}
            yield {"resource": resource, "operations": list(grant.operations)}


def _as_yaml(resources: Iterable[Mapping[str, Any]]) -> str:
    return "".join("---\n" + "\n".join(_lines(resource)) + "\n" for resource in resources)


def _lines(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a mapping; what is no mapping and no list of mappings is written as JSON, which YAML reads."""
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield f"{key}:"
            yield from (f"  {line}" for line in _lines(inner))
        elif isinstance(inner, list) and inner and isinstance(inner[0], Mapping):
            yield f"{key}:"
            for one in inner:
                first, *rest = _lines(one)
                yield f"  - {first}"
                yield from (f"    {line}" for line in rest)
        else:
            yield f"{key}: {_scalar(inner)}"


def _scalar(value: object) -> str:
    """Return a value as it stands behind its key: a word as it is, all else as JSON."""
    is_word = isinstance(value, str) and WORD.fullmatch(value) and value.lower() not in NOT_TEXT
    return str(value) if is_word else json.dumps(value)
