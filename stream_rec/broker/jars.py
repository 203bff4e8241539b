"""The jars that the development broker runs on, fetched by jgo into the local Maven repository."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from stream_rec.certificates import CHECK_NETWORK, REMEDY, is_about_trust, trust_the_system
from stream_rec.errors import BrokerUnavailable
from stream_rec.file_lock import only_one

if TYPE_CHECKING:
    from jgo.maven import Artifact

LOGGING = "org.slf4j:slf4j-simple:1.7.36"
"""Kafka's jars bring no logger of their own, and without one the log file stays empty; Kafka speaks slf4j 1.7."""

LISTED_VERSION = "4.1.0"
LISTED = """
com.dynatrace.hash4j:hash4j:0.22.0
com.fasterxml.jackson.core:jackson-annotations:2.19.0
com.fasterxml.jackson.core:jackson-core:2.19.0
com.fasterxml.jackson.core:jackson-databind:2.19.0
com.fasterxml.jackson.dataformat:jackson-dataformat-csv:2.19.0
com.fasterxml.jackson.dataformat:jackson-dataformat-yaml:2.19.0
com.fasterxml.jackson.datatype:jackson-datatype-jdk8:2.19.0
com.github.ben-manes.caffeine:caffeine:3.2.0
com.github.luben:zstd-jni:1.5.6-10
com.google.re2j:re2j:1.8
com.typesafe.scala-logging:scala-logging_2.13:3.9.5
com.yammer.metrics:metrics-core:2.2.0
commons-beanutils:commons-beanutils:1.9.4
commons-collections:commons-collections:3.2.2
commons-digester:commons-digester:2.1
commons-logging:commons-logging:1.3.2
commons-validator:commons-validator:1.9.0
net.sf.jopt-simple:jopt-simple:5.0.4
net.sourceforge.argparse4j:argparse4j:0.7.0
org.apache.kafka:kafka-clients:4.1.0
org.apache.kafka:kafka-coordinator-common:4.1.0
org.apache.kafka:kafka-group-coordinator-api:4.1.0
org.apache.kafka:kafka-group-coordinator:4.1.0
org.apache.kafka:kafka-metadata:4.1.0
org.apache.kafka:kafka-raft:4.1.0
org.apache.kafka:kafka-server-common:4.1.0
org.apache.kafka:kafka-server:4.1.0
org.apache.kafka:kafka-share-coordinator:4.1.0
org.apache.kafka:kafka-storage-api:4.1.0
org.apache.kafka:kafka-storage:4.1.0
org.apache.kafka:kafka-tools-api:4.1.0
org.apache.kafka:kafka-transaction-coordinator:4.1.0
org.apache.kafka:kafka_2.13:4.1.0
org.apache.logging.log4j:log4j-api:2.24.3
org.apache.logging.log4j:log4j-core:2.24.3
org.bitbucket.b_c:jose4j:0.9.6
org.hdrhistogram:HdrHistogram:2.2.2
org.jspecify:jspecify:1.0.0
org.lz4:lz4-java:1.8.0
org.pcollections:pcollections:4.0.2
org.scala-lang:scala-library:2.13.16
org.scala-lang:scala-reflect:2.13.16
org.slf4j:slf4j-api:1.7.36
org.slf4j:slf4j-simple:1.7.36
org.xerial.snappy:snappy-java:1.1.10.7
org.yaml:snakeyaml:2.4
"""
"""What ``resolve`` comes to for this version, with the logger: it reads their POMs one by one, for 4 s of CPU."""

PARALLEL = 6
"""Jars on their way at once: the registry is far, and most are small."""

NEEDS_EXTRA = (
    "the extra `broker` is not installed: pip install 'stream-rec[broker]', or set KAFKA_BOOTSTRAP to a Kafka of yours"
)

logger = logging.getLogger(__name__)


def kafka_jars(version: str) -> list[Path]:
    """Return the jars that Kafka ``version`` runs on, fetched once (43 MB) into the local Maven repository.

    Raises:
        BrokerUnavailable: the extra is missing, or the jars cannot be fetched.
    """
    if version == LISTED_VERSION:
        return fetch(LISTED.split(), version)
    return fetch([f"org.apache.kafka:kafka_2.13:{version}", LOGGING], version, with_what_they_need=True)


def fetch(coordinates: list[str], version: str, *, with_what_they_need: bool = False) -> list[Path]:
    """Return the jars of ``coordinates``, and of what they need where that is asked; raises as ``kafka_jars`` does."""
    try:
        from jgo.config import GlobalSettings
    except ImportError as error:
        raise BrokerUnavailable(NEEDS_EXTRA) from error
    # jgo writes a jar in place: two at once, or one that was cut off, would leave half a jar
    lock = _lock_folder(Path(GlobalSettings.load().repo_cache)) / f"stream-rec-jars-{os.getuid()}.lock"
    with only_one(lock, waiting_for="kafka_jars"), trust_the_system():
        logger.info("looking_for_kafka version=%s", version)
        try:
            artifacts = resolve(coordinates) if with_what_they_need else name(coordinates)
            for path in (artifact.cached_path for artifact in artifacts):
                if path is not None and path.exists() and not zipfile.is_zipfile(path):
                    path.unlink()
            missing = [one for one in artifacts if one.cached_path is None or not one.cached_path.exists()]
            if missing:
                logger.info("fetching_kafka version=%s jars=%d of=%d", version, len(missing), len(artifacts))
            began = time.monotonic()
            with ThreadPoolExecutor(PARALLEL) as pool:
                jars = list(pool.map(lambda artifact: Path(artifact.resolve()), artifacts))
            if missing:
                logger.info("fetched_kafka version=%s took_s=%.1f", version, time.monotonic() - began)
        except Exception as error:  # jgo raises RuntimeError and what requests raises
            check = f"{REMEDY}; or" if is_about_trust(error) else f"{CHECK_NETWORK}, and [broker] kafka_version; or"
            raise BrokerUnavailable(
                f"the jars of Kafka {version} cannot be fetched ({error}): {check} set KAFKA_BOOTSTRAP to a Kafka of "
                "yours"
            ) from error
    return jars


def name(coordinates: list[str]) -> list[Artifact]:
    """Return the artifacts of ``coordinates``, and none besides; nothing is fetched."""
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import MavenContext

    repository = GlobalSettings.load().repo_cache
    context = MavenContext(repo_cache=repository, remote_repos={"central": MAVEN_CENTRAL_URL})
    parts = [one.split(":") for one in coordinates]
    return [context.project(group, artifact).at_version(version).artifact() for group, artifact, version in parts]


def resolve(coordinates: list[str]) -> list[Artifact]:
    """Return the artifacts of ``coordinates`` and of all that they need, as their POMs say, which are fetched."""
    import jgo

    return list(jgo.resolve("+".join(coordinates)))


def _lock_folder(repository: Path) -> Path:
    """Return the Maven repository itself, or, where that is somebody else's, the folder of temporary files."""
    with contextlib.suppress(OSError):
        repository.mkdir(parents=True, exist_ok=True)
    return repository if os.access(repository, os.W_OK) else Path(tempfile.gettempdir())
