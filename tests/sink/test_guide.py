"""The guide runs as it is printed: into a real Redis and PostgreSQL, out of them, and from a table to `items`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_rec.config import override
from stream_rec.events.item import Item
from stream_rec.testing.pipeline import RunningPipeline
from tests.command import CLEAN
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings
from tests.sink.conftest import settings_for
from tests.sink.held import PostgresqlStore
from tests.sink.running import running
from tests.sink.servers import PASSWORD, Server, find_program
from tests.test_docs_run import PYTHON, read

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

GUIDE = read("docs/guides/sinks.md")
REDIS, POSTGRESQL = "redis://localhost:6379/0", "postgresql://lists@localhost:5432/shop"
BLOCKS = re.findall(r"(?:^ {4}.*\n)+", re.sub(r"^```.*?^```$", "", GUIDE, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
PRODUCTS = """
CREATE TABLE products (id text, name text, description text, category text, tags text[], price numeric, stock int);
INSERT INTO products VALUES ('teapot-1', 'Blue teapot', 'Holds a litre', 'tea', '{tea,blue}', 34.90, 3),
    ('cup-3', 'Blue cup; "small"', null, 'tea', '{tea}', 9.90, 0)"""


def shell(block: str) -> str:
    """Return the indented lines of a page as a script."""
    return "".join(line[4:] for line in block.splitlines(keepends=True))


@pytest.fixture(scope="module")
def pipeline(bootstrap: str) -> Iterator[RunningPipeline]:
    """A pipeline that has made a list for `ann`."""
    with RunningPipeline(bootstrap, quick_settings()) as running_pipeline, running_pipeline.producer() as producer:
        producer.item(Item("teapot-1", title="Blue teapot", category="tea"))
        producer.item(Item("cup-3", title="Blue cup", category="tea"))
        producer.view("ann", "teapot-1")
        producer.flush()
        running_pipeline.wait_until_settled()
        yield running_pipeline


def run(script: str, pipeline: RunningPipeline, server: Server, folder: Path) -> str:
    """Run a page's commands in a folder, against this pipeline and this database, and return what they print."""
    psql, kafka = Path(find_program("psql", "postgresql")), pipeline.settings.kafka
    environ = CLEAN | {
        "PATH": f"{Path(sys.executable).parent}:{psql.parent}:{CLEAN['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PGPASSWORD": PASSWORD,
        "STREAM_REC_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "STREAM_REC_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
    }
    script = script.replace(POSTGRESQL, server.url)
    done = subprocess.run(["bash", "-ec", script], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_block_of_the_guide_is_tested_here():
    """One that is added is seen: the password, two sinks, a query, and the other way."""
    assert [shell(block).split()[0] for block in BLOCKS] == ["export", "stream-rec", "stream-rec", "psql", "psql"]
    assert [shell(block).strip() for block in BLOCKS[1:3]] == [
        f"stream-rec sink --url {url}" for url in (REDIS, POSTGRESQL)
    ]
    assert len(PYTHON.findall(GUIDE)) == 1


def test_lists_are_read_as_it_says(
    pipeline: RunningPipeline, redis_one: Server, postgresql_one: Server, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """In Python from Redis, and by SQL."""
    table = settings_for(postgresql_one).table
    for kind, server in (("redis", redis_one), ("postgresql", postgresql_one)):
        flags = {"sink.url": server.url, "sink.password": PASSWORD, "sink.table": table}
        folder = tmp_path / kind
        folder.mkdir()
        with running(override(pipeline.settings, flags), folder) as sink:
            sink.wait_until_ready()
            assert sink.stop() == 0
    with pipeline.view() as view:
        view.wait_until_ready()
        made = view.own("ann")
    [block] = PYTHON.findall(GUIDE)
    assert f'"{REDIS}"' in block

    exec(compile(block.replace(f'"{REDIS}"', f"{redis_one.url!r}, password={PASSWORD!r}"), "guide", "exec"), {})
    rows = run(shell(BLOCKS[3]).replace("stream_rec_lists", table), pipeline, postgresql_one, tmp_path)

    item_ids = [item.item_id for item in made.items]
    assert capsys.readouterr().out == f"{made.list_id} {item_ids}\n" and item_ids
    assert re.findall(r"^ (\S+) +\| \w+$", rows, re.MULTILINE) == item_ids


def test_items_of_a_table_are_produced(pipeline: RunningPipeline, postgresql_one: Server, tmp_path: Path):
    """With what a file of items says of each; one without stock is not to be shown."""
    store = PostgresqlStore(settings_for(postgresql_one))
    store.connection.execute(PRODUCTS)
    store.close()

    said = run(shell(BLOCKS[4]), pipeline, postgresql_one, tmp_path)

    assert "delivered 2 records" in said
    wait_until(lambda: b"Holds a litre" in pipeline.read_compacted("items")["teapot-1"])
    found = pipeline.read_compacted("items")
    assert b'"tags":["tea","blue"]' in found["teapot-1"] and b'"price":34.9' in found["teapot-1"]
    assert b'"title":"Blue cup; \\"small\\""' in found["cup-3"] and b'"available":false' in found["cup-3"]
