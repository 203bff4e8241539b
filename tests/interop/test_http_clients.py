"""The clients of the HTTP service: that of TypeScript by its own tests, both on a real pipeline."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("litestar")

import uvicorn

from stream_rec.events.item import Item
from stream_rec.events.profile import Profile
from stream_rec.events.slate import DEFAULT_LIST, Slate
from stream_rec.testing.pipeline import RunningPipeline
from tests.interop import N_EVENTS, N_ITEMS, N_USERS
from tests.interop.test_clients import DEADLINE_S, missing
from tests.kafka.outcome import read, wait_until
from tests.kafka.settings import quick_settings
from tests.kafka.test_serve import serving
from tests.serving.shop import AtHand, Shop
from tests.serving.test_app import Service

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent
TYPESCRIPT = HERE.parents[1] / "deploy/clients/typescript"


def node(*arguments: str, **environment: str) -> str:
    """Return what a program under Node prints; it ends well, or the test fails with what it said."""
    done = subprocess.run(
        ["node", *arguments],
        cwd=TYPESCRIPT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout


@pytest.fixture(scope="module")
def compiled() -> None:
    """The client as JavaScript, of what its source says now."""
    if shutil.which("node") is None:
        missing("node is not installed (Debian: nodejs, npm)")
    if not (TYPESCRIPT / "node_modules/typescript").exists():
        missing("the compiler of TypeScript is not installed: make interop")
    node("node_modules/typescript/bin/tsc")


@contextmanager
def listening(service: Service) -> Iterator[str]:
    """Give the address at which the app answers in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(service.app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.usefixtures("compiled")
def test_typescript_holds_an_app_to_the_contract() -> None:
    """What is right compiles, what is wrong does not."""
    node("node_modules/typescript/bin/tsc", "-p", "test")


@pytest.mark.usefixtures("compiled")
def test_the_typescript_client_asks_every_operation() -> None:
    """Of a service without a broker; what it sends is on its topic, as it was sent."""
    shop = Shop()
    shop.declare(Profile("said", 5, ["blue kettles", "hiking"], "pt-BR", 1985))
    service = Service(replica=AtHand(shop.ranker()))
    with listening(service) as url:
        said = node("--test", "test/client.test.mjs", "test/service.test.mjs", STREAM_REC_URL=url)

    assert "# fail 0" in said and "# skipped 0" in said
    assert [record.topic for record in service.writer.records] == [
        *("views", "clicks", "purchases", "searches", "impressions"),
        *("items", "items", "rules", "rules", "forget", "profiles", "profiles"),
    ]
    assert service.writer.records[5].key == "ä b?/%2F&c".encode()


@pytest.mark.usefixtures("compiled")
def test_what_the_page_shows_works(tmp_path: Path) -> None:
    """The program in TypeScript, as it stands there: it compiles against the package where that is installed, and runs.

    The package is what `npm pack` takes: what package.json calls its files.
    """
    page = (HERE.parents[1] / "docs/guides/http.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```typescript\n(.*?)```", page, re.DOTALL)
    service = Service(replica=AtHand(Shop().ranker()))
    package = tmp_path / "node_modules/stream-rec-client"
    package.mkdir(parents=True)
    for name in ("package.json", "dist", "src"):
        (shutil.copytree if (TYPESCRIPT / name).is_dir() else shutil.copy)(TYPESCRIPT / name, package / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    options = json.loads((TYPESCRIPT / "tsconfig.json").read_text())["compilerOptions"]
    settings = {"compilerOptions": options | {"rootDir": ".", "outDir": "."}, "files": ["page.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    with listening(service) as url:
        (tmp_path / "page.ts").write_text(block.replace("http://127.0.0.1:8080", url), encoding="utf-8")
        node("node_modules/typescript/bin/tsc", "-p", str(tmp_path))
        printed = node(str(tmp_path / "page.js"))

    assert [record.topic for record in service.writer.records] == ["clicks"]
    assert len(re.findall(r"'[a-z]+-(?:teapot|cup|kettle)'", printed)) == 12, printed


@pytest.fixture(scope="module")
def running(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningPipeline, str]]:
    """One pipeline and one service for both, and the service's address."""
    with RunningPipeline(bootstrap, quick_settings()) as running:
        with running.producer() as producer:
            for number in range(N_ITEMS):
                producer.item(Item(f"thing-{number}", title=f"Thing {number}"))
                producer.click("somebody", f"thing-{number}")
        wait_until(lambda: DEFAULT_LIST in running.read_compacted("recommendations"))
        with serving(running.settings, tmp_path_factory.mktemp("serve")) as client:
            yield running, str(client.base_url)


@pytest.mark.kafka
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("client", ["python", "typescript"])
def test_an_app_is_served(running: tuple[RunningPipeline, str], client: str) -> None:
    """Each event once in the users' states, though one came twice; nothing rejected; each list as it was published."""
    pipeline, url = running
    program = [sys.executable, "http_client.py"] if client == "python" else ["node", "http_client.mjs"]
    ended = subprocess.run(
        [*program, url, client],
        cwd=HERE,
        env=os.environ | {"PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    pipeline.wait_until_settled()
    users = [f"{client}-user-{number}" for number in range(N_USERS)]

    states = pipeline.user_states()
    assert {user: states[user].counts for user in users} == dict.fromkeys(users, (N_EVENTS // 3,) * 3)
    shown = [record for record in read(pipeline, "impressions") if record.key.decode() in users]
    assert len(shown) == N_USERS
    assert not [record for record in read(pipeline, "rejected") if record.key.decode().startswith(client)]
    published = [msgspec.json.decode(r.value, type=Slate) for r in read(pipeline, "recommendations") if r.value]
    known = {(slate.user_id, slate.list_id): [item.item_id for item in slate.items] for slate in published}
    lists = json.loads(ended.stdout)
    assert sorted(lists) == users
    for user, made in lists.items():
        assert made["items"] and made["items"] == known[user, made["list_id"]]
