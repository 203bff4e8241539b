"""`stream-rec encoders compare`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream_rec.cli import cli
from stream_rec.cli.compare_encoders import _choose
from stream_rec.config import Settings
from stream_rec.embedding.known_encoders import KNOWN_ENCODERS
from stream_rec.embedding.settings import EmbedderSettings
from stream_rec.errors import EncoderUnavailable, FileProblem, SettingsError

pytestmark = pytest.mark.thorough

EXAMPLES = Path(__file__).parents[2] / "examples" / "entree_chicago"
FILES = ("--items", str(EXAMPLES / "items.jsonl.gz"), "--events", str(EXAMPLES / "events.jsonl.gz"))


def run(cache: Path, *arguments: object) -> Result:
    """Call the command on the bundled log."""
    return CliRunner().invoke(cli, ["encoders", "compare", *FILES, "--cache", str(cache), *map(str, arguments)])


@pytest.mark.slow
def test_hashing_on_the_bundled_log(tmp_path):
    """Beside random vectors, best first, with what to choose; the second time no text is embedded, nor timed."""
    file = tmp_path / "said.json"
    first = run(tmp_path, "--encoders", "hashing", "--limit", 600, "--json", file)
    found = json.loads(file.read_text())
    run(tmp_path, "--encoders", "hashing, random", "--limit", 600, "--json", file, "--jobs", 2)
    again = json.loads(file.read_text())
    hashing, random = found["encoders"]["hashing"], found["encoders"]["random"]

    assert first.exit_code == 0, first.output
    assert list(found["encoders"]) == ["hashing", "random"]
    assert found["protocol"]["n_events"] == 600
    assert found["identities"]["hashing"].startswith("hashing@")
    assert hashing["over_random"]["all"]["ndcg"]["value"] == pytest.approx(hashing["ndcg"])
    assert hashing["over_random"]["all"]["ndcg"]["base"] == pytest.approx(random["ndcg"])
    assert hashing["embed_s"] > 0 and again["encoders"]["hashing"]["embed_s"] is None
    assert (again["encoders"]["hashing"]["ndcg"], again["advice"]) == (hashing["ndcg"], found["advice"])
    assert found["advice"] in first.stdout
    rows = [line.split("│")[1].strip() for line in first.stdout.splitlines() if line.startswith("│")]
    assert rows == ["hashing", "random"]


@pytest.mark.slow
def test_it_is_the_engine_of_evaluate(tmp_path):
    """The same log, encoder and settings give the same figures; so does the control."""
    files = [tmp_path / name for name in ("compare.json", "evaluate.json")]
    run(tmp_path, "--encoders", "hashing", "--limit", 400, "--json", files[0])
    options = ["--encoder", "hashing", "--limit", "400", "--baselines", "none", "--cache", str(tmp_path)]
    CliRunner().invoke(cli, ["evaluate", *FILES, *options, "--json", str(files[1])])
    compared, evaluated = (json.loads(file.read_text()) for file in files)

    assert compared["encoders"]["hashing"]["over_random"] == evaluated["text"]["parts"]


def test_each_encoder_is_compared_once_and_random_always():
    """However often it is named."""
    assert _choose("hashing,random, hashing", Settings()) == ["hashing", "random"]
    assert _choose("hashing", Settings()) == ["hashing", "random"]


def test_without_names_all_that_are_ready_are_compared(monkeypatch):
    """That of the settings first; not what would have to be fetched."""
    absent = {"e5-small", "minilm"}
    monkeypatch.setattr(
        "stream_rec.cli.compare_encoders.find_missing", lambda one, _: "fetch it" if one.name in absent else ""
    )
    ready = [one.name for one in KNOWN_ENCODERS if one.name not in absent]
    pair = Settings(embedder=EmbedderSettings(encoder="bge-small+hashing"))
    missing = Settings(embedder=EmbedderSettings(encoder="e5-small+hashing"))

    assert _choose(None, pair) == ["bge-small+hashing", *ready]
    assert _choose(None, missing) == ready


@pytest.mark.parametrize("names", ["hashing,", "a+b+c", "hashing+hashing", ""])
def test_a_name_that_can_be_none_is_found_before_the_work(tmp_path, names):
    """As it is in a settings file."""
    result = run(tmp_path, "--encoders", names)

    assert isinstance(result.exception, SettingsError)


def test_packages_that_are_missing_are_found_before_the_work(monkeypatch):
    """Not after the encoders before have embedded all texts."""
    monkeypatch.setattr("stream_rec.embedding.known_encoders.find_spec", lambda package: None)

    with pytest.raises(EncoderUnavailable, match=r"'minilm' needs .*stream-rec\[torch\]"):
        _choose("hashing,hashing+minilm", Settings())


def test_a_place_that_cannot_be_written_is_found_first(tmp_path):
    """Not after the work."""
    result = run(tmp_path, "--encoders", "hashing", "--json", tmp_path)

    assert isinstance(result.exception, FileProblem)


def test_listing_encoders_loads_no_engine():
    """It is to answer at once."""
    code = "import sys; import stream_rec.cli.encoders; sys.exit('numba' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
