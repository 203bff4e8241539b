"""An OIDC provider as small as can be: tokens by the client credentials grant, and the key that signs them."""

from __future__ import annotations

import base64
import json
import math
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus

HOST = "127.0.0.1"
AUDIENCE = "kafka"


class OidcProvider:
    """Gives a token to each client that has the secret. What a test may change while it runs is public."""

    def __init__(self, server: ThreadingHTTPServer, key: Path | None, scheme: str) -> None:
        self.clients: dict[str, str] = {}
        """Secrets by id."""
        self.subjects: dict[str, str] = {}
        """Who a client is, where it is not called as its id."""
        self.lifetime_s = 3600.0
        self.audience = AUDIENCE
        self.fails_with = 0
        """HTTP status with which it answers instead; 0: it works."""
        self.answer: bytes | None = None
        """What it says instead of a token, word for word."""
        self.forms: list[dict[str, str]] = []
        """What it was asked."""
        self.given: Counter[str] = Counter()
        """Tokens by client."""
        self.url = f"{scheme}://{HOST}:{server.server_address[1]}"
        self._key = key
        self.jwks: dict[str, Any] = {"keys": []}
        if key:
            self.jwks["keys"].append(_public(key))

    @property
    def token_url(self) -> str:
        """Where tokens are."""
        return f"{self.url}/token"

    @property
    def jwks_url(self) -> str:
        """Where the key is by which brokers check them."""
        return f"{self.url}/jwks"

    def token_for(self, subject: str) -> str:
        """Return a signed token; a word where there is no key."""
        if not self._key:
            return f"token-{self.given.total()}"
        now = time.time()
        claims = {
            "iss": self.url,
            "sub": subject,
            "aud": self.audience,
            "scope": "kafka",
            "iat": int(now),
            "exp": math.ceil(now + self.lifetime_s),
        }
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': 'one'})}.{_part(claims)}"
        return f"{signed}.{_base64(_openssl('dgst', '-sha256', '-sign', str(self._key), given=signed.encode()))}"

    def answer_to(self, header: str | None, body: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer to a request for a token."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.forms.append(form)
        if self.fails_with:
            return self.fails_with, b"{}" if self.answer is None else self.answer
        if self.answer is not None:
            return 200, self.answer
        if header:
            client_id, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
            client_id, secret = unquote_plus(client_id), unquote_plus(secret)
        else:
            client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if form.get("grant_type") != "client_credentials":
            return 400, b'{"error": "unsupported_grant_type"}'
        if not secret or self.clients.get(client_id) != secret:
            return 401, json.dumps({"error": "invalid_client", "error_description": f"not {secret}"}).encode()
        self.given[client_id] += 1
        token = self.token_for(self.subjects.get(client_id, client_id))
        given = {"access_token": token, "token_type": "Bearer", "expires_in": int(self.lifetime_s)}
        return 200, json.dumps(given).encode()


@contextmanager
def oidc_provider(directory: Path | None = None, *, certificate: Path | None = None) -> Iterator[OidcProvider]:
    """Give a provider that runs in threads of this process.

    Args:
        directory: For the key that signs tokens; without one they are words.
        certificate: A PEM file with key and certificate, for HTTPS.
    """
    key = directory / "oidc.key" if directory else None
    if key:
        key.write_bytes(_openssl("genrsa", "2048"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, json.dumps(provider.jwks).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._say(*provider.answer_to(self.headers["Authorization"], body))

        def _say(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if 300 <= status < 400:
                self.send_header("Location", f"{provider.url}/elsewhere")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    provider = OidcProvider(server, key, "https" if certificate else "http")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


def _public(key: Path) -> dict[str, str]:
    """Return the public half of a key as JWKS has it."""
    modulus = _openssl("rsa", "-in", str(key), "-noout", "-modulus").decode().strip().partition("=")[2]
    return {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "e": "AQAB", "n": _base64(bytes.fromhex(modulus))}


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _openssl(*arguments: str, given: bytes | None = None) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, input=given).stdout
