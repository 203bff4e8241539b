"""The AsyncAPI 3.0 document: how an app in any language writes to and reads from the topics."""

from __future__ import annotations

from typing import Any

from stream_rec import __version__
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.topics.definition import TopicDefinition
from stream_rec.topics.examples import EXAMPLES
from stream_rec.topics.schema import MESSAGES, schema_of

BINDING_VERSION = "0.5.0"
"""Of AsyncAPI's Kafka bindings."""

ABOUT = """\
Apps write what users do and what items there are; a list for each user comes out, seconds later.

Keys are UTF-8 text and decide the partition by murmur2, as Java's client does it. Clients built on librdkafka must set
`partitioner=murmur2_random`: a record in another partition than its key's is rejected as `wrong_partition`.

Records may be compressed with any codec of Kafka. Of transactions, what is committed counts; one that is left open
holds back what comes after it in its partitions until it ends.

Partitions and replicas are the defaults of the settings `kafka.partitions` and `kafka.replication_factor`; the setting
`kafka.topic_prefix` is put before each address. Topics that only stream-rec itself reads and writes are not in here."""


def document(topics: tuple[TopicDefinition, ...]) -> dict[str, Any]:
    """Return the document for those of ``topics`` that apps write or read."""
    public = [topic for topic in topics if not topic.is_binary]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "stream-rec", "version": __version__, "description": ABOUT, "license": {"name": "MIT"}},
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in public},
        "operations": {name: operation for topic in public for name, operation in _operations(topic)},
        "components": {"messages": {topic.name: _message(topic) for topic in public}},
    }


def _channel(topic: TopicDefinition) -> dict[str, Any]:
    kafka = KafkaSettings()
    spec = topic.spec(kafka)
    named_by_binding = ("retention.ms", "delete.retention.ms")
    configuration = {key: int(spec.config[key]) for key in named_by_binding if key in spec.config}
    return {
        "address": topic.name,
        "description": topic.description,
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                "partitions": spec.partitions,
                "replicas": spec.replication_factor,
                "topicConfiguration": {"cleanup.policy": [topic.cleanup], **configuration},
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _operations(topic: TopicDefinition) -> list[tuple[str, dict[str, Any]]]:
    """Return what stream-rec does with the topic; nothing for one that nothing reads yet."""
    if "apps" in topic.written_by:
        action, others = "receive", topic.read_by
    else:
        action, others = "send", topic.written_by
    if not others:
        return []
    operation = {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"{'Read' if action == 'receive' else 'Written'} by: {', '.join(others)}.",
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.name}"}],
    }
    return [(f"{action}-{topic.name}", operation)]


def _message(topic: TopicDefinition) -> dict[str, Any]:
    example = EXAMPLES[topic.name]
    message = MESSAGES[topic.schema]
    return {
        "name": message.__name__,
        "title": message.__name__,
        "summary": schema_of(message)["description"],
        "contentType": "application/json",
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-07",
            "schema": {"$ref": f"schemas/{topic.schema}"},
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"{topic.key}, as UTF-8", "examples": [example.key]},
                "bindingVersion": BINDING_VERSION,
            }
        },
        "examples": [{"name": topic.name, "payload": example.value}],
    }
