"""The jars' download behind a proxy that looks into TLS: a server whose authority only the system knows."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which

import pytest

from stream_rec.broker.jars import LOGGING, fetch, kafka_jars
from stream_rec.certificates import GIVEN, system_authorities
from stream_rec.config import BrokerSettings
from stream_rec.errors import BrokerUnavailable
from tests.security.secured_broker import HOST, certificates

VERSION = BrokerSettings().kafka_version


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """PEM file of the authority behind a Maven repository that has the logger's jar, and is the only one there is."""
    jgo = pytest.importorskip("jgo")
    if which("openssl") is None:
        pytest.skip("no openssl")
    if not (have := kafka_jars(VERSION)):
        pytest.skip("no jars")
    repository = next(jar for jar in have if jar.name.startswith("slf4j-simple")).parents[4]
    certificate = certificates(tmp_path)
    server = ThreadingHTTPServer((HOST, 0), partial(Quiet, directory=str(repository)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "broker.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(jgo, "MAVEN_CENTRAL_URL", f"https://{HOST}:{server.server_port}")
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    for name in GIVEN:
        monkeypatch.delenv(name, raising=False)
    yield certificate
    server.shutdown()
    server.server_close()


@pytest.mark.kafka
def test_a_download_trusts_what_the_system_trusts(authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A company's proxy signs with an authority that only the system's list has."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))

    jars = fetch([LOGGING], VERSION, with_what_they_need=True)

    assert {jar.name for jar in jars} == {"slf4j-simple-1.7.36.jar", "slf4j-api-1.7.36.jar"}
    assert all(jar.is_relative_to(tmp_path / "m2") for jar in jars)


@pytest.mark.kafka
def test_who_does_not_trust_it_is_told_what_to_set(authority: Path, monkeypatch: pytest.MonkeyPatch):
    """Certificates are named, and the variable; nobody looks for a wrong version."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    with pytest.raises(BrokerUnavailable, match="SSL_CERT_FILE") as caught:
        fetch([LOGGING], VERSION, with_what_they_need=True)

    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value)
    assert "kafka_version" not in str(caught.value)


def test_the_systems_list_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """$SSL_CERT_FILE before all, and one that is not there is not taken."""
    (tmp_path / "company.pem").write_text("")

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "company.pem"))
    assert system_authorities() == str(tmp_path / "company.pem")

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    assert system_authorities() != str(tmp_path / "gone.pem")
