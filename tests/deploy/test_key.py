"""deploy/new-key.sh: the service knows the keys that it makes, and no file holds one."""

from __future__ import annotations

import pytest

from stream_rec.serving.keys import read_keys
from tests.deploy.programs import ROOT, run

NEW_KEY = ROOT / "deploy/new-key.sh"


def test_keys_that_it_prints_are_known(tmp_path):
    """With the scopes that were asked for; a second key goes beside the first."""
    file = tmp_path / "keys.toml"

    shop = run("sh", NEW_KEY, file, "shop", "read", "write").stdout.strip()
    board = run("sh", NEW_KEY, file, "board", "read").stdout.strip()

    keys = read_keys(file)
    assert (keys.find(shop).name, set(keys.find(shop).scopes)) == ("shop", {"read", "write"})
    assert (keys.find(board).name, set(keys.find(board).scopes)) == ("board", {"read"})
    assert len(shop) == 48
    assert shop not in file.read_text()


@pytest.mark.parametrize("words", [["shop"], ["shop", "all"], ['sh"op', "read"], ["shop", "read", "al l"]])
def test_what_it_cannot_use_is_refused(tmp_path, words):
    """And nothing is written."""
    refused = run("sh", NEW_KEY, tmp_path / "keys.toml", *words)

    assert refused.returncode == 2
    assert refused.stderr
    assert not (tmp_path / "keys.toml").exists()
