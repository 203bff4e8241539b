"""A plain `pip install stream-rec` is the client: small, and an app needs no more."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from stream_rec.testing.pipeline import RunningPipeline
from tests.packaging.environment import AS_A_USER, ROOT
from tests.packaging.test_distributions import build

pytestmark = [pytest.mark.slow, pytest.mark.kafka]

MOST_MB = 40
APP = """
import sys

from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.events.item import Item
from stream_rec.kafka_settings import KafkaSettings

kafka = KafkaSettings(bootstrap=sys.argv[1], topic_prefix=sys.argv[2])
with RecommendationsView(kafka, follow=False) as lists, EventProducer(kafka) as producer:
    producer.item(Item("teapot-1", title="Blue teapot"))
    producer.click("ann", "teapot-1")
    producer.flush()
    lists.wait_until_ready()
    while lists.own("ann") is None or not lists.own("ann").items:
        lists.poll(1.0)
    print([item.item_id for item in lists.own("ann").items])
"""


@pytest.fixture(scope="module")
def client(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment in which nothing else was installed, with the versions that are locked."""
    (wheel,) = build(source, tmp_path_factory.mktemp("dist"), "--wheel").glob("*.whl")
    folder = tmp_path_factory.mktemp("client")
    venv.create(folder, symlinks=True)
    uv = [Path(sys.executable).parent / "uv", "pip", "install", "--quiet", "--python", folder / "bin/python"]
    subprocess.run([*uv, "-c", ROOT / "constraints.txt", wheel], env=AS_A_USER, check=True)
    return folder


def test_it_is_small(client: Path):
    """Without numba, a model or a framework."""
    n_bytes = sum(path.stat().st_blocks * 512 for path in client.rglob("*") if not path.is_symlink())

    assert n_bytes < MOST_MB * 1_000_000


def test_an_app_sends_and_reads(client: Path, bootstrap: str, tmp_path: Path):
    """What the README shows, against a pipeline that runs elsewhere."""
    with RunningPipeline(bootstrap) as pipeline:
        prefix = pipeline.settings.kafka.topic_prefix
        app = [client / "bin/python", "-c", APP, bootstrap, prefix]
        ended = subprocess.run(app, env=AS_A_USER, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "['teapot-1']"
