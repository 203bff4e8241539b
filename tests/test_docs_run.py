"""What a page shows runs as it is printed: tutorials in a shell, on a Kafka of their own; Python on a pipeline."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stream_rec.config import override
from stream_rec.events.item import Item
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.testing.pipeline import RunningPipeline
from tests.command import CLEAN
from tests.installed import hide_all_but
from tests.kafka.outcome import wait_until
from tests.kafka.settings import quick_settings
from tests.kafka.test_serve import serving

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
PATIENCE_S = 800.0


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def commands_of(text: str) -> str:
    """Return the indented code of a page as one script, without what `make` does: that is a test run of its own."""
    unfenced = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"(?:^ {4}.*\n)+", unfenced, flags=re.MULTILINE)
    lines = [line[4:] for block in blocks for line in block.splitlines() if not block.startswith("    make ")]
    return "\n".join([*lines, ""])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with the environment and the bundled log in it, as a checkout has them; nothing is left running."""
    (tmp_path / ".venv").symlink_to(BIN.parent)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    yield tmp_path
    subprocess.run([sys.executable, "-m", "stream_rec", "broker", "stop"], cwd=tmp_path, env=environ(), check=False)


def environ() -> dict[str, str]:
    """Return the variables of somebody who has activated the environment."""
    return CLEAN | {"PATH": f"{BIN}{os.pathsep}{CLEAN['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/guides/your-data.md"])
def test_a_tutorial_runs_to_the_letter(page: str, folder: Path):
    """With what `make setup` installs, each command in one shell, until the first that fails; it ends in a list."""
    script = f"set -eo pipefail\n{commands_of(read(page))}wait\n"
    logs = folder / "said"
    (folder / "hidden").mkdir()
    left_out = {line.split("#")[0].strip() for line in read("light.txt").splitlines()}
    hiding = hide_all_but("stream-rec[broker,compile,embed]", left_out=left_out)
    (folder / "hidden" / "sitecustomize.py").write_text(hiding)
    light = environ() | {"PYTHONPATH": f"{folder / 'hidden'}{os.pathsep}{ROOT}"}
    shell = ["bash", "-c", script]
    with (
        logs.open("w+") as said,
        subprocess.Popen(shell, cwd=folder, env=light, stdout=said, stderr=said, start_new_session=True) as running,
    ):
        try:
            code = running.wait(PATIENCE_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)

    assert code in (0, 143), logs.read_text()[-3000:]  # 143: the last job was told to stop
    assert "list of " in logs.read_text() and "Traceback" not in logs.read_text()


@pytest.mark.slow
def test_the_guide_for_settings_runs(folder: Path):
    """Without a broker; it ends in settings that the program takes."""
    script = f"set -eo pipefail\n{commands_of(read('docs/guides/tune.md'))}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environ(), capture_output=True, text=True, timeout=280
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 trials" in done.stdout and "[head]" in (folder / "settings.toml").read_text()


@pytest.fixture(scope="module")
def addresses(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where a pipeline and a service run that know what the pages are about, by the addresses that pages have."""
    with RunningPipeline(bootstrap, quick_settings()) as pipeline, pipeline.producer() as producer:
        for item_id, title in (("teapot-1", "Blue teapot"), ("cup-3", "Blue cup")):
            producer.item(Item(item_id, title=title, category="tea", attributes={"price": 15}))
            producer.view("bob", item_id)
        producer.flush()
        folder = tmp_path_factory.mktemp("serve")
        settings = override(pipeline.settings, {"serve.data_dir": str(folder / "kept")})
        with serving(settings, folder, "--ranks") as service:
            wait_until(lambda: len(service.get("/v1/popular").json().get("items", ())) == 2)
            served_at = str(service.base_url).rstrip("/")
            yield {'"localhost:9092"': repr(pipeline.settings.kafka), '"http://127.0.0.1:8080"': repr(served_at)}


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/guides/http.md", "docs/guides/surfaces.md"])
def test_python_on_a_page_runs(page: str, addresses: dict[str, str]):
    """Against what runs; nothing but the address is put in."""
    for block in PYTHON.findall(read(page)):
        (there,) = [address for address in addresses if address in block]

        exec(compile(block.replace(there, addresses[there]), page, "exec"), {"KafkaSettings": KafkaSettings})


@pytest.mark.kafka
@pytest.mark.slow
def test_tests_on_a_page_run(tmp_path: Path):
    """They are what a user's own test module would be."""
    for number, block in enumerate(PYTHON.findall(read("docs/guides/testing.md"))):
        (tmp_path / f"test_page_{number}.py").write_text(block)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=280,
    )

    assert done.returncode == 0, done.stdout[-3000:]
