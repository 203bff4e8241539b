"""Settings: defaults, then one TOML file, then ``STREAM_REC_*`` variables, then command-line flags; the later wins.

Each section is read once at start and passed down; nothing below the command line reads the environment.
A variable names its section and key: ``STREAM_REC_KAFKA_PARTITIONS=8`` is ``[kafka] partitions = 8``.
"""

from __future__ import annotations

import json
import os
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from stream_rec.addresses import AddressError, addresses
from stream_rec.catalog.settings import CatalogConfig
from stream_rec.dashboard_settings import DashboardSettings
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import SettingsError
from stream_rec.events.validate import InputLimits
from stream_rec.ingest_settings import IngestSettings, RegistrySettings
from stream_rec.kafka_settings import HIDDEN, SECRETS, KafkaSettings, hide_secrets
from stream_rec.knowledge.bounds import KnowledgeConfig
from stream_rec.names import Name
from stream_rec.ranking.policy import HeadConfig, RankingConfig
from stream_rec.serve_settings import ServeSettings
from stream_rec.setting_faults import describe_fault
from stream_rec.sink_settings import SinkSettings, require_target
from stream_rec.surface_settings import SurfaceSettings
from stream_rec.telemetry.settings import TelemetrySettings
from stream_rec.user.bounds import UserConfig
from stream_rec.user.ratings import RatingsConfig

PREFIX = "STREAM_REC_"
RENAMED = {
    "user.ring": "recent_events",
    "user.weekly_lessons": "weekly_training_events",
    "user.tally": "weekly_counts",
    "knowledge.visitors": "recent_visits",
    "worker.everybody_interval_s": "default_list_interval_s",
}
"""Settings of older versions: section and key, and what the key is called now."""

PositiveFloat = Annotated[float, Meta(gt=0)]


class BrokerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The development broker of `stream-rec broker start`."""

    data_dir: str = ".stream-rec/broker"
    """Its logs and its broker.json lie there."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Port that clients use; 0 takes the preferred or a free one at the first start and keeps it."""
    preferred_port: Annotated[int, Meta(ge=0, le=65_535)] = 9092
    """Taken at the first start where port is 0 and nobody has it; 0: any free one."""
    controller_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Port that Kafka's own controller uses; 0 takes a free one and keeps it."""
    heap_mb: Annotated[int, Meta(ge=128)] = 512
    """Most memory that Java may use for objects."""
    kafka_version: str = "4.1.0"
    """Version of Kafka's jars, and of the image with --docker."""
    image: str = "apache/kafka"
    """Container image of --docker; its tag is kafka_version."""
    start_timeout_s: PositiveFloat = 60.0
    """How long a start waits for it to answer."""


class WorkerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The worker process: user stage and item stage."""

    app_id: Name = "stream-rec"
    """Name of the workers' consumer group, and of their changelogs."""
    instance_id: Name = "worker-1"
    """Stable name of this process among the workers; no two live ones may share it."""
    data_dir: str = ".stream-rec/worker"
    """State lies in data_dir/instance_id. Losing it costs time, not data."""
    batch_events: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    """Of one batch, at most. Behind a backlog large batches serve more events: a user gets one list for them all."""
    batch_wait_s: PositiveFloat = 0.005
    """How long a lone event may wait for company."""
    commit_interval_s: PositiveFloat = 1.0
    """How often offsets are committed. What a crash takes again is as long."""
    session_timeout_s: Annotated[float, Meta(ge=6)] = 15.0
    """After so long without a sign of life a worker's partitions go to another."""
    ready_timeout_s: PositiveFloat = 300.0
    """A worker that is not ready after so long ends with exit code 75, for its supervisor to start it again."""
    default_list_interval_s: PositiveFloat = 1.0
    """How often the default list is looked at; it is sent only when it changed."""
    learn_events: Annotated[int, Meta(ge=1, le=10_000)] = 250
    """In a batch of more events than that, as under a backlog, only so many of them or so teach the head."""
    head_interval_s: PositiveFloat = 0.25
    """How often workers share what their heads have learned. Longer costs accuracy: docs/concepts/how-it-learns.md."""
    watched_users: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 1_000_000
    """Users, of all workers together, whose lists are kept fresh between their events: the newest active ones."""
    query_encoder: Literal["light", "torch", "off"] = "light"
    """With what workers encode users' searches: light: those of `embedder.encoder` that need no torch, loaded with the
    first search (some 200 MB for a model); torch: all of them; off: words and choices alone answer searches."""
    refresh_share: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """Share of a core that each worker spends on lists whose world has changed since they were made; 0: none."""


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of the program."""

    kafka: KafkaSettings = KafkaSettings()
    broker: BrokerSettings = BrokerSettings()
    worker: WorkerSettings = WorkerSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    ingest: IngestSettings = IngestSettings()
    registry: RegistrySettings = RegistrySettings()
    serve: ServeSettings = ServeSettings()
    dashboard: DashboardSettings = DashboardSettings()
    sink: SinkSettings = SinkSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    surfaces: SurfaceSettings = SurfaceSettings()
    limits: InputLimits = InputLimits()
    user: UserConfig = UserConfig()
    knowledge: KnowledgeConfig = KnowledgeConfig()
    ranking: RankingConfig = RankingConfig()
    head: HeadConfig = HeadConfig()
    ratings: RatingsConfig = RatingsConfig()
    catalog: CatalogConfig = CatalogConfig()


def load(
    file: Path | None = None, *, environ: Mapping[str, str] = os.environ, flags: Mapping[str, Any] | None = None
) -> Settings:
    """Return the settings from ``file``, ``environ`` and ``flags`` (``{"kafka.partitions": 8}``).

    Raises:
        SettingsError: a name is unknown or a value wrong; the message says which, and where it was set.
    """
    tree: dict[str, dict[str, Any]] = {}
    if file is not None:
        for section, values in _read_toml(file).items():
            if not isinstance(values, dict):
                raise SettingsError(f"{section!r} in {file} stands outside a [section]; sections: {_sections()}")
            for key, value in values.items():
                _put(tree, section, key, value, f"[{section}] {key} in {file}", strict=True)
    for name, value in sorted(environ.items()):
        if name.startswith(PREFIX) and name != f"{PREFIX}CONFIG":
            section, _, key = name.removeprefix(PREFIX).lower().partition("_")
            _put(tree, section, key, value, f"variable {name}", strict=False)
    return override(_whole(tree), flags or {})


def override(settings: Settings, flags: Mapping[str, Any]) -> Settings:
    """Return the settings with command-line flags (``{"worker.instance_id": "w2"}``) put over them; None is no flag.

    Example:
        >>> override(Settings(), {"ranking.n": 50, "ranking.seed": None}).ranking.n
        50

    Raises:
        SettingsError: as of ``load``.
    """
    tree: dict[str, dict[str, Any]] = msgspec.to_builtins(settings)
    for name, value in flags.items():
        if value is not None:
            section, _, key = name.partition(".")
            _put(tree, section, key, value, f"flag --{key.replace('_', '-')}", strict=False)
    return _whole(tree)


def redact(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the settings as plain data with every secret hidden, for `config show` and logs."""
    return {section: hide_secrets(values) for section, values in msgspec.to_builtins(settings).items()}


def as_toml(
    tree: Mapping[str, Mapping[str, Any]],
    sources: Mapping[str, str] | None = None,
    sentences: Mapping[str, str] | None = None,
) -> str:
    """Return settings, given as plain data, as the TOML file that would set them; a hidden secret is a comment.

    Args:
        sources: Where secrets come from, by ``section.key``, to be said there.
        sentences: What settings and sections mean, by ``section`` or ``section.key``: comments above them.
    """
    sentences = sentences or {}
    return "\n".join(
        _comment(sentences.get(section, ""))
        + f"[{section}]\n"
        + "".join(
            _comment(sentences.get(f"{section}.{key}", ""))
            + _toml_line(key, value, (sources or {}).get(f"{section}.{key}"))
            for key, value in values.items()
        )
        for section, values in tree.items()
    )


def _comment(sentence: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(sentence, 98, break_long_words=False))


def secret_sources(settings: Settings, file: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return where each secret that is set comes from, by ``section.key``.

    Args:
        file, environ: As ``load`` was given them.
    """
    hidden = ((section, key) for section, values in redact(settings).items() for key in values if values[key] == HIDDEN)
    return {
        f"{section}.{key}": f"variable {variable}" if (variable := _variable(section, key)) in environ else f"{file}"
        for section, key in hidden
    }


def _toml_line(key: str, value: Any, source: str | None) -> str:
    if key in SECRETS and value == HIDDEN:
        return f"# {key} = {HIDDEN}: set{f' by {source}' if source else ''}, and not written here\n"
    return f"{key} = {toml_value(value)}\n"


def _variable(section: str, key: str) -> str:
    """Return the name of the variable that gives a setting."""
    return f"{PREFIX}{section}_{key}".upper()


def toml_value(value: Any) -> str:
    """Return a value as TOML has it: as JSON, but characters beyond 16 bits as they are, DEL escaped, and `inf`.

    A table stands in one line, its keys as text.
    """
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml_value(key)} = {toml_value(each)}" for key, each in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, no UTF-8, a number of 5,000 digits
        raise SettingsError(f"settings file {file} is not TOML: {error}") from error


def _put(tree: dict[str, dict[str, Any]], section: str, key: str, value: Any, where: str, *, strict: bool) -> None:
    """Check one value by itself, so that an error can say where it was set, and put it into the tree."""
    types = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    if section not in types:
        raise SettingsError(f"{where}: there is no section {section!r}; sections: {_sections()}")
    known = {field.name: field.type for field in msgspec.structs.fields(types[section])}
    if (renamed := RENAMED.get(f"{section}.{key}")) is not None:
        raise SettingsError(f"{where}: there is no such setting; it is called {renamed} now")
    if key not in known:
        raise SettingsError(f"{where}: there is no such setting; [{section}] has {', '.join(known)}")
    if key in SECRETS and value == HIDDEN:
        raise SettingsError(
            f"{where}: {HIDDEN} is what `config show` prints in place of the secret; remove the line and give the "
            f"secret as variable {_variable(section, key)}, or write it here"
        )
    try:
        tree.setdefault(section, {})[key] = msgspec.convert(value, known[key], strict=strict)
        if (section, key) == ("kafka", "bootstrap"):
            addresses(tree[section][key])
        if (section, key) == ("sink", "url"):
            require_target(tree[section][key])
    except AddressError as error:
        raise SettingsError(f"{where}: {error}") from error
    except msgspec.ValidationError as error:
        what = str(error) if key in SECRETS else describe_fault(value, known[key], strict=strict)
        raise SettingsError(f"{where}: {what}") from error


def _whole(tree: dict[str, dict[str, Any]]) -> Settings:
    """Return settings whose values were checked one by one, and now with each other."""
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings do not go together: {error}") from error


def _sections() -> str:
    return ", ".join(field.name for field in msgspec.structs.fields(Settings))
