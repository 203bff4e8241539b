"""`stream-rec encoders`: what is printed of each, and where a model is put."""

from __future__ import annotations

import json
from pathlib import Path

from stream_rec.embedding.known_encoders import KNOWN_ENCODERS
from tests.command import command


def test_the_encoders_are_listed(tmp_path: Path):
    """One line each, with what it still needs."""
    done = command("encoders", "list", cwd=tmp_path, STREAM_REC_EMBEDDER_MODELS_DIR=str(tmp_path))

    head, *lines = done.stdout.splitlines()
    assert (done.returncode, head.split()[0]) == (0, "encoder"), done.stderr
    assert [line.split()[0] for line in lines] == [encoder.name for encoder in KNOWN_ENCODERS]
    rows = {line.split()[0]: line for line in lines}
    assert rows["hashing"].endswith("ready")
    assert "encoders fetch e5-small" in rows["e5-small"] and "intfloat/e5-small-v2" in rows["e5-small"]


def test_the_encoders_as_json(tmp_path: Path):
    """The same facts, by name."""
    done = command("encoders", "list", "--json", cwd=tmp_path, STREAM_REC_EMBEDDER_MODELS_DIR=str(tmp_path))
    facts = {one["name"]: one for one in json.loads(done.stdout)}

    assert list(facts) == [encoder.name for encoder in KNOWN_ENCODERS]
    assert (facts["e5-small"]["licence"], facts["e5-small"]["dimensions"]) == ("MIT", 384)
    assert facts["e5-small"]["missing"] and not facts["random"]["missing"]


def test_a_folder_that_cannot_have_a_model_ends_with_2(tmp_path: Path):
    """The setting is named."""
    taken = tmp_path / "taken"
    taken.touch()
    done = command("encoders", "fetch", "e5-small", cwd=tmp_path, STREAM_REC_EMBEDDER_MODELS_DIR=str(taken))

    assert done.returncode == 2
    assert "models_dir" in done.stderr
