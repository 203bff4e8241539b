"""A password is told to the broker and to nobody else: no output, log, error or repr has it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stream_rec.config import Settings, as_toml, load, redact
from stream_rec.errors import SettingsError
from stream_rec.ingest_settings import RegistrySettings
from stream_rec.kafka_settings import SECRETS, KafkaSettings

TOKEN = "Tr0ub4dor&3"
KAFKA_SECRETS = SECRETS & set(KafkaSettings.__struct_fields__)
SECRET_WORDS = ("password", "secret", "token", "credential", "passphrase")
NO_SECRETS = {"token_budget", "max_tokens", "oauth_token_url"}
"""Numbers of tokens of text, and where those are got that one logs in with."""


def settings_with_secrets() -> Settings:
    secrets = {key: f"{TOKEN}-{key}" for key in KAFKA_SECRETS}
    return Settings(kafka=KafkaSettings(security_protocol="SASL_PLAINTEXT", sasl_username="ann", **secrets))


def test_every_setting_that_sounds_secret_is_treated_as_one():
    """Whoever adds a setting with such a name must say that it is a secret."""
    sounding = {
        field.name
        for section in {RegistrySettings, *(section.type for section in msgspec.structs.fields(Settings))}
        for field in msgspec.structs.fields(section)
        if any(word in field.name for word in SECRET_WORDS)
    }

    assert sounding - NO_SECRETS == SECRETS


@pytest.mark.parametrize("shows", [repr, str, lambda s: as_toml(redact(s)), lambda s: f"{s.kafka!r} {s.kafka}"])
def test_settings_do_not_show_secrets(shows):
    """Also a repr, which ends in tracebacks and logs; that there is one may be seen."""
    text = shows(settings_with_secrets())

    assert TOKEN not in text
    assert "(hidden)" in text


@pytest.mark.parametrize("secret", sorted(KAFKA_SECRETS))
@pytest.mark.parametrize("value", [f"['{TOKEN}']", f"{{ a = '{TOKEN}' }}", f"'{TOKEN}", f"'{TOKEN}'\nx = 1", "4711"])
def test_an_error_in_a_settings_file_does_not_show_secrets(tmp_path: Path, secret: str, value: str):
    """Of the wrong type, cut off, or beside another mistake."""
    file = tmp_path / "stream-rec.toml"
    file.write_text(f"[kafka]\n{secret} = {value}\n")

    with pytest.raises(SettingsError) as caught:
        load(file, environ={})

    assert TOKEN not in str(caught.value)
    assert "4711" not in str(caught.value)


def test_a_key_that_cannot_be_opened_does_not_show_its_password(tmp_path: Path):
    """The certificate settings are named, the password is not."""
    (tmp_path / "key.pem").write_text("no key")
    kafka = KafkaSettings(
        security_protocol="SSL", ssl_certfile=str(tmp_path / "key.pem"), ssl_key_password=f"{TOKEN}-of-key"
    )

    with pytest.raises(SettingsError, match="ssl_certfile") as caught:
        kafka.ssl_context()

    assert TOKEN not in str(caught.value)


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """Address of something that closes every connection at once."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    ["config show", "config show --json", "topics check", "topics acls", "worker", "embedder", "sink", "watch ann"],
)
def test_no_command_tells_a_password(tmp_path: Path, silent: str, arguments: str):
    """Whatever it prints and however much it logs, where it works and where it fails."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("STREAM_REC_")}
    environ |= {f"STREAM_REC_KAFKA_{key.upper()}": f"{TOKEN}-{key}" for key in KAFKA_SECRETS}
    environ |= {"STREAM_REC_SINK_URL": f"redis://{silent}", "STREAM_REC_SINK_PASSWORD": f"{TOKEN}-of-sink"}
    environ |= {"STREAM_REC_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "STREAM_REC_KAFKA_BOOTSTRAP": silent}
    command = [sys.executable, "-m", "stream_rec", "--log-level", "debug", *arguments.split()]

    log = tmp_path / "log"
    with log.open("w") as said, subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=said, stderr=said) as ran:
        while ran.poll() is None:
            if "waits_for_broker" in log.read_text():  # worker and embedder, for a minute
                ran.terminate()
            time.sleep(0.05)

    assert log.read_text()
    assert "Traceback" not in log.read_text()
    assert TOKEN not in log.read_text()
