"""Worker, embedder and broker write to their data directories and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_rec.events.item import Item
from stream_rec.testing.pipeline import RunningPipeline
from tests.kafka.settings import quick_settings

pytestmark = pytest.mark.kafka

READ_ONLY = Path("/proc")
"""No one makes a file there, nor does root."""
ENCODERS = ["hashing", *(pytest.param(name, marks=pytest.mark.model) for name in ("e5-small", "minilm"))]


def run_a_little(bootstrap: str, encoder: str, directory: Path) -> None:
    """Have a worker and an embedder start, do their work, and end."""
    settings = quick_settings(embedder={"encoder": encoder, "models_dir": str(directory / "models")})
    with RunningPipeline(bootstrap, settings, directory=directory) as running:
        with running.producer() as producer:
            producer.item(Item("teapot", title="Blue teapot"))
            producer.click("ann", "teapot")
        running.wait_until_settled()
        ended = {name: (child.stop(), child.log.read_text()) for name, child in running.children.items()}

    assert {name: code for name, (code, _) in ended.items()} == {"worker-1": 0, "embedder-1": 0}, ended


@pytest.mark.parametrize("encoder", ENCODERS)
def test_nothing_is_left_outside_the_data_directories(
    bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str
):
    """Neither where they were started, nor at home, nor among temporary files."""
    places = [tmp_path / name for name in ("here", "home", "temporary")]
    for place in places:
        place.mkdir()
    monkeypatch.chdir(places[0])
    monkeypatch.setenv("HOME", str(places[1]))
    monkeypatch.setenv("TMPDIR", str(places[2]))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    run_a_little(bootstrap, encoder, tmp_path / "data")

    assert [str(file) for place in places for file in place.rglob("*")] == []
    assert (tmp_path / "data" / "worker" / "worker-1" / "tables").is_dir()


def test_a_working_directory_that_cannot_be_written_is_as_good(
    bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A service manager starts them in `/`, as a user of their own."""
    monkeypatch.chdir(READ_ONLY)

    run_a_little(bootstrap, "hashing", tmp_path / "data")
