"""A schema registry, as Confluent's clients ask it: schemas by the ids that records name.

Source:
    Confluent Schema Registry, API reference: ``/schemas/ids/{id}``, ``/schemas/guids/{guid}``, error codes.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit
from uuid import UUID

from stream_rec.certificates import REMEDY, is_about_trust, system_authorities
from stream_rec.errors import RegistryRefused, RegistryUnavailable, SettingsError
from stream_rec.ingest_settings import RegistrySettings

SchemaId = int | UUID

RETRIES = 2
"""Besides the first try, where no answer came or one that says: later."""
RETRY_WAIT_MS = 200
UNKNOWN = (40401, 40402, 40403)
"""The registry's own codes for: no such subject, version, schema. Any other 404 is of something that is no registry."""
LOGIN = (401, 403)
MOST_CHARS = 200
"""Of what a registry, or what stands in for one, is quoted with."""


class FoundSchema(NamedTuple):
    """A schema as it is registered."""

    kind: str
    """AVRO, PROTOBUF or JSON."""
    text: str
    references: Mapping[str, str] = {}
    """Schemas that it refers to, by the names that it has for them; what they refer to themselves stands before."""


class SchemaRegistry:
    """Asks a registry, and says what a person must do where it gives no answer."""

    def __init__(self, settings: RegistrySettings) -> None:
        """Nothing is asked yet.

        Raises:
            SettingsError: no url is set, or a setting cannot be used.
        """
        from confluent_kafka.schema_registry import SchemaRegistryClient

        if not settings.url:
            raise SettingsError("[registry] url is not set; topics whose format is avro or protobuf need a registry")
        if any("@" in urlsplit(url).netloc for url in settings.url.split(",")):
            raise SettingsError(
                "[registry] url has a login in it, which is shown: use [registry] username and password"
            )
        options: dict[str, Any] = {
            "url": settings.url,
            "timeout": settings.timeout_s,
            "max.retries": RETRIES,
            "retries.wait.ms": RETRY_WAIT_MS,
        }
        if (authorities := settings.ssl_cafile or system_authorities()) is not None:
            options["ssl.ca.location"] = authorities
        if settings.username:
            options["basic.auth.user.info"] = f"{settings.username}:{settings.password}"
        self.url = settings.url
        self._timeout_s = settings.timeout_s
        try:
            self._client = SchemaRegistryClient(options)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"[registry] ssl_cafile: {authorities} cannot be used: {error}") from error
        except ValueError as error:
            raise SettingsError(f"[registry] url {settings.url} cannot be used: {error}") from error

    def find(self, schema_id: SchemaId) -> FoundSchema | None:
        """Return a schema, None where the registry has none of that id, or lacks what that refers to.

        Raises:
            RegistryUnavailable: it gives no answer, or one that says nothing of the schema.
        """
        # the client's caches grow without bound, and keep answers that are no schemas; what is made of one is kept
        self._client.clear_caches()  # type: ignore[no-untyped-call]
        if isinstance(schema_id, int):
            schema = self._ask(partial(self._client.get_schema, schema_id))
        else:
            schema = self._ask(partial(self._client.get_schema_by_guid, str(schema_id)))
        if schema is None:
            return None
        references: dict[str, str] = {}
        if not self._follow(schema, references, set()):
            return None
        return FoundSchema(schema.schema_type, schema.schema_str, references)

    def _follow(self, schema: Any, found: dict[str, str], seen: set[str]) -> bool:
        """Put what a schema refers to into ``found``; return whether all of it is there."""
        for reference in schema.references or ():
            if reference.name in seen:
                continue
            seen.add(reference.name)
            registered = self._ask(partial(self._client.get_version, reference.subject, reference.version, True))
            if registered is None or not self._follow(registered.schema, found, seen):
                return False
            found[reference.name] = registered.schema.schema_str
        return True

    def _ask(self, question: Callable[[], Any]) -> Any | None:
        """Return what the registry answers, None where it says that there is nothing of the kind."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            answer = question()
            schema = getattr(answer, "schema", answer)
            if not isinstance(schema.schema_str, str) or not isinstance(schema.schema_type, str):
                raise ValueError("its answer has no schema in it")
        except SchemaRegistryError as error:
            if error.http_status_code == 404 and error.error_code in UNKNOWN:
                return None
            self._explain_status(error, error.http_status_code, _shorten(str(error.error_message)))
        except Exception as error:  # whatever it is, no record is to blame for it
            self._explain_failure(error)
        return answer

    def _explain_status(self, error: Exception, status: int, said: str) -> NoReturn:
        where = f"the schema registry at {self.url} answers HTTP {status}"
        if status in LOGIN:
            raise RegistryRefused(f"{where}: {said}; correct [registry] username and password") from error
        if status == 404:
            raise RegistryUnavailable(
                f"{where}, but not as a registry does that lacks a schema: see that [registry] url has the whole path "
                "(Apicurio's ends with /apis/ccompat/v7) and that, where headers of records name schemas by GUID, it "
                "knows of these"
            ) from error
        raise RegistryUnavailable(
            f"{where}: {said}; see its log, and whether [registry] url, or a proxy ($HTTPS_PROXY, $NO_PROXY), leads "
            "elsewhere"
        ) from error

    def _explain_failure(self, error: Exception) -> NoReturn:
        if is_about_trust(error):
            raise RegistryRefused(
                f"the certificate of the schema registry at {self.url} is not trusted ({_shorten(str(error))}): name "
                f"the PEM file of the authority that signed it as [registry] ssl_cafile; {REMEDY}"
            ) from error
        what = _shorten(f"{type(error).__name__}: {error}")
        raise RegistryUnavailable(
            f"the schema registry at {self.url} gives no answer that can be used, {1 + RETRIES} tries of "
            f"{self._timeout_s:g} s ([registry] timeout_s) each ({what}): start it, correct [registry] url, or see "
            "whether a proxy ($HTTPS_PROXY, $NO_PROXY) stands between"
        ) from error


def _shorten(text: str) -> str:
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]}..."
