"""API keys as a file has them."""

from __future__ import annotations

import hashlib

import pytest

from stream_rec.config import Settings, override
from stream_rec.errors import SettingsError
from stream_rec.serving.keys import read_keys

NOTHING = hashlib.sha256(b"").hexdigest()
DIGEST = hashlib.sha256(b"secret").hexdigest()


def write(tmp_path, text: str):
    file = tmp_path / "keys.toml"
    file.write_text(text)
    return file


def test_a_key_is_found_by_what_it_is(tmp_path):
    """The digest itself opens nothing."""
    file = write(tmp_path, f'[[key]]\nname = "shop"\nsha256 = "{DIGEST}"\nscopes = ["read"]\n')
    keys = read_keys(file)

    assert keys.find("secret").name == "shop"
    assert [keys.find(other) for other in ("", "Secret", DIGEST)] == [None] * 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "key"),
        ("[[key", "serve.keys_file"),
        ('[[key]]\nname = "shop"\nsha256 = "secret"\nscopes = ["read"]\n', "sha256"),
        (f'[[key]]\nname = "shop"\nsha256 = "{DIGEST}"\nscopes = ["all"]\n', "all"),
        (f'[[key]]\nname = "shop"\nsha256 = "{DIGEST}"\nscopes = []\n', "scopes"),
        (f'[[key]]\nname = "shop"\nsha256 = "{DIGEST}"\n', "scopes"),
        (f'[[key]]\nname = "shop"\nsha256 = "{NOTHING}"\nscopes = ["read"]\n', "digest of an empty key"),
    ],
)
def test_a_file_with_a_fault_is_refused(tmp_path, text, words):
    """With what is wrong, and what would be right."""
    with pytest.raises(SettingsError, match=words) as refused:
        read_keys(write(tmp_path, text))
    assert "serve.keys_file=" in str(refused.value)
    with pytest.raises(SettingsError, match="No such file"):
        read_keys(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"serve.host": "0.0.0.0"}, "lets other machines in"),
        ({"serve.host": "shop.example"}, "lets other machines in"),
        ({"serve.tls_cert": "a.pem"}, "TLS needs both"),
        ({"serve.host": "::", "serve.keys_file": "k", "serve.tls_key": "a.pem"}, "TLS needs both"),
    ],
)
def test_nobody_is_let_in_who_was_not_meant(flags, words):
    """Keys come before other machines do."""
    from stream_rec.cli.serve import require_protection

    with pytest.raises(SettingsError, match=words):
        require_protection(override(Settings(), flags).serve, "serve")
    for good in ({}, {"serve.host": "::1"}, {"serve.host": "localhost"}, {"serve.host": "::", "serve.keys_file": "k"}):
        require_protection(override(Settings(), good).serve, "serve")
