"""Settings of ingestion: which topics there are already, and what their records mean."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from stream_rec.kafka_settings import hide_secrets
from stream_rec.names import Name

Content = Literal["auto", "events", "items", "profiles", "forget", "ubi_events", "ubi_queries"]
Meaning = Literal["view", "click", "purchase", "search", "impression", "ignore"]
Path = Annotated[str, Meta(min_length=1, max_length=500)]
Paths = Path | Annotated[tuple[Path, ...], Meta(min_length=1, max_length=10)]
CONTENT_OF_SECTION: dict[str, tuple[Content, str]] = {
    "views": ("events", "view"),
    "clicks": ("events", "click"),
    "purchases": ("events", "purchase"),
    "searches": ("events", "search"),
    "impressions": ("events", "impression"),
    "items": ("items", ""),
    "profiles": ("profiles", ""),
    "forget": ("forget", ""),
    "ubi_events": ("ubi_events", ""),
    "ubi_queries": ("ubi_queries", ""),
}
"""By the name of a section that says by itself what its topic holds: that, and the type of all its events."""


class AdoptedTopic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A topic that is there already, and what its records mean."""

    name: Annotated[str, Meta(max_length=249, pattern=r"^[A-Za-z0-9._-]*\Z")] = ""
    """On the brokers; no prefix is put before it. Empty: as the section is called."""
    holds: Content = "auto"
    """auto: what the section's name says, where it is that of a topic of ours, else `events`."""
    format: Literal["json", "avro", "protobuf"] = "json"
    """avro and protobuf: as Confluent's serializers write them, with a schema of [registry]."""
    envelope: Literal["none", "cloudevents", "debezium"] = "none"
    """Around each record. cloudevents: binary or structured. debezium: with or without its schema, unwrapped or not."""
    event_type: Annotated[str, Meta(max_length=200)] = ""
    """Of all records, where none says its own."""
    each: Annotated[str, Meta(max_length=500)] = ""
    """Path of a list, as of an order's lines: each of its elements is an event, whose paths begin with `each.`."""
    fields: Annotated[dict[str, Paths], Meta(max_length=200)] = {}
    """Where each of our fields stands in a record: `user_id = "user.id"`. Of several the first that is there. A field
    that is not named here is looked for under its own name."""
    types: Annotated[dict[str, Meaning], Meta(max_length=1000)] = {}
    """What the records' own types mean: `add_to_cart = "click"`."""
    other_types: Literal["reject", "ignore"] = "reject"
    """What becomes of types that are neither named in `types` nor ours. With UBI they are always ignored."""
    results_shown: bool = True
    """Whether the results of `ubi_queries` are impressions, too: all were shown."""

    def resolved(self, section: str) -> AdoptedTopic:
        """Return the same with what the section's name says."""
        content, event_type = CONTENT_OF_SECTION.get(section, ("events", ""))
        is_auto = self.holds == "auto"
        return msgspec.structs.replace(
            self,
            name=self.name or section,
            holds=content if is_auto else self.holds,
            event_type=self.event_type or (event_type if is_auto else ""),
        )


class IngestSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ingest process: from topics that are there already to those of the pipeline."""

    topics: Annotated[dict[Name, AdoptedTopic], Meta(max_length=100)] = {}
    """Topics of yours, each a table `[ingest.topics.NAME]`, see docs/guides/existing-topics.md."""
    group: Name = "ingest"
    """Name of the consumer group of these processes, after `kafka.topic_prefix`."""
    data_dir: str = ".stream-rec/ingest"
    """It holds a lock, and nothing that could be lost."""
    instance_id: Name = "ingest-1"
    """Stable name of this process among them; no two live ones may share it."""
    batch_records: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    """Taken at once, at most."""

    @property
    def adopted(self) -> dict[str, AdoptedTopic]:
        """Topics by their names on the brokers, with all that the names of their sections say."""
        return {each.name: each for each in (topic.resolved(name) for name, topic in self.topics.items())}

    def __post_init__(self) -> None:
        """Check that no topic is described twice."""
        if len(self.adopted) < len(self.topics):
            names = [topic.resolved(section).name for section, topic in self.topics.items()]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"topic {twice} is described twice in [ingest.topics]; one table can hold many `types`")


class RegistrySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The schema registry, for topics whose format is avro or protobuf."""

    url: Annotated[str, Meta(pattern=r"^(https?://.+)?\Z")] = ""
    """As Confluent's clients have it: https://registry:8081."""
    username: str = ""
    """Where it asks for one."""
    password: str = ""
    """Of that user; a secret: better as a variable than in a file."""
    ssl_cafile: str = ""
    """PEM file of the authority that signed its certificate. Empty: the system's authorities."""
    timeout_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    """How long it may take to answer."""

    def __repr__(self) -> str:
        """Show everything but the password: a repr ends in logs and tracebacks."""
        values = hide_secrets(msgspec.structs.asdict(self))
        return f"RegistrySettings({', '.join(f'{key}={value!r}' for key, value in values.items())})"
