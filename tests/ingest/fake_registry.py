"""A schema registry in this process, over HTTP as Confluent's clients talk to one, that can be made to fail."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from stream_rec.ingest_settings import RegistrySettings

GUIDS = uuid.UUID("6f9619ff-8b86-4d01-b42d-00c04fc964ff")
Answer = tuple[int, Any]


class FakeRegistry:
    """What is registered, what was asked for, and what it answers instead."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.schemas: list[dict[str, Any]] = []
        """By id, from 1."""
        self.asked: list[str] = []
        self.deleted: set[int] = set()
        self.instead: tuple[int, bytes] | None = None
        """A status and a body in place of every answer."""
        self.login: tuple[str, str] | None = None
        self.holds = threading.Event()
        self.holds.set()
        """While it is not set, nothing is answered."""
        self.ready = threading.Event()

    @property
    def settings(self) -> RegistrySettings:
        return RegistrySettings(url=self.url, timeout_s=30)

    def register(self, text: str, kind: str = "AVRO", subject: str = "", **references: int) -> int:
        """Register a schema and return its id; those that it refers to are named with their ids."""
        named = [
            {"name": name.replace("__", "/"), "subject": self.schemas[number - 1]["subject"], "version": number}
            for name, number in references.items()
        ]
        body = {"schema": text, "schemaType": kind, "references": named}
        return int(self.add(subject or f"subject-{len(self.schemas)}", body)["id"])

    def add(self, subject: str, body: dict[str, Any]) -> dict[str, Any]:
        """Take what a serializer registers; the same again is the same. Versions are ids here."""
        plain = {"schema": body["schema"], "schemaType": body.get("schemaType", "AVRO"),
                 "references": body.get("references") or []}  # fmt: skip
        for known in self.schemas:
            if known["subject"] == subject and plain.items() <= known.items():
                return known
        number = len(self.schemas) + 1
        self.schemas.append(
            {**plain, "id": number, "version": number, "subject": subject, "guid": str(uuid.uuid5(GUIDS, str(number)))}
        )
        return self.schemas[-1]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        """Return what a registry says."""
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if method == "POST":
            return 200, self.add(parts[1], body)
        match parts:
            case ["schemas", "ids", number]:
                return self._found(int(number), 40403)
            case ["schemas", "guids", guid]:
                found = [schema["id"] for schema in self.schemas if schema["guid"] == guid]
                return self._found(found[0] if found else 0, 40403)
            case ["subjects", _, "versions", number]:
                return self._found(int(number), 40402)
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _found(self, number: int, code: int) -> Answer:
        if not 0 < number <= len(self.schemas) or number in self.deleted:
            return 404, {"error_code": code, "message": f"{number} not found"}
        return 200, self.schemas[number - 1]


@contextmanager
def fake_registry(certificate: Path | None = None) -> Iterator[FakeRegistry]:
    """Give a registry; it is gone when the context ends.

    Args:
        certificate: PEM file with its key; with one it speaks TLS.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            registry.asked.append(path)
            registry.holds.wait()
            status, said = self._answer(path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            with suppress(BrokenPipeError):  # who asked waits no more
                self.wfile.write(said)

        def _answer(self, path: str, body: bytes) -> tuple[int, bytes]:
            if registry.instead is not None:
                return registry.instead
            if registry.login is not None:
                login = base64.b64encode(":".join(registry.login).encode()).decode()
                if self.headers.get("Authorization") != f"Basic {login}":
                    return 401, b'{"error_code": 401, "message": "Unauthorized"}'
            status, said = registry.answer(self.command, path, json.loads(body or b"{}"))
            return status, json.dumps(said).encode()

        do_GET = do_POST = _serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if certificate is None else "https"
    registry = FakeRegistry(f"{scheme}://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield registry
    finally:
        registry.holds.set()
        server.shutdown()
        server.server_close()
