"""What users did lies in folders that only their owner can look into."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from stream_rec.private_folder import make_private, shut_others_out
from stream_rec.runtime.instance import held_directory


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _a_usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_data_directory_is_its_owners(tmp_path: Path):
    """With all that is made above it; what was there before keeps its permissions."""
    above = mode_of(tmp_path)

    with held_directory(str(tmp_path / ".stream-rec" / "worker"), "worker-1") as directory:
        assert mode_of(directory) == mode_of(directory.parent) == mode_of(directory.parents[1]) == 0o700
    assert mode_of(tmp_path) == above


def test_one_of_before_is_shut(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """And that is said; the folder above it may be shared with others."""
    (tmp_path / "worker-1").mkdir(mode=0o755)
    tmp_path.chmod(0o755)

    with caplog.at_level(logging.INFO), held_directory(str(tmp_path), "worker-1") as directory:
        assert mode_of(directory) == 0o700
    assert mode_of(tmp_path) == 0o755
    assert "made_private" in caplog.text and "mode_was=755" in caplog.text


def test_what_is_not_ours_stays_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A mounted volume may belong to somebody else."""
    (tmp_path / "log").mkdir()

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refused)
    shut_others_out(tmp_path / "log")
    make_private(tmp_path / "log")

    assert mode_of(tmp_path / "log") == 0o755
    assert "others_can_look_into" in caplog.text and "Operation not permitted" in caplog.text
