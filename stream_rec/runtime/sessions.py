"""Logins of aiokafka's clients that end: with their token, or when the brokers want them anew.

A broker ends a connection at the first request after the time for which it took the login. Java's clients and
kafka-python log in again before; aiokafka 0.14 does not, and would lose each connection with what is under way on it,
hear of errors, and look for the group's coordinator. So here a connection is replaced while it is still good, by one
with a login of its own; where none can be had, it stays for as long as the broker lets it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any

from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError, NoError, SaslAuthenticationFailed, StaleMetadata
from aiokafka.protocol.admin import SaslAuthenticateRequest

from stream_rec.errors import StreamRecError

if TYPE_CHECKING:
    from stream_rec.oauth import TokenSource

RENEWED_AT = (0.82, 0.9)
"""Of a login's time: where in between is chance, lest all connect at once. Later than the token's own successor."""
RETRY_S, RETRY_SHARE = 1.0, 0.125
"""How long it is put off where it failed: so much of the time that is left, and a second at least."""

log = logging.getLogger(__name__)
of_library = logging.getLogger("aiokafka")
"""Of what aiokafka says itself, over and over: it is held back together with that, see ``cli/logs.py``."""


class AiokafkaTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """A token source as aiokafka asks for it; event loops of several threads may."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._given = ""

    async def token(self) -> str:
        """Return a token.

        Raises:
            KafkaConnectionError: there is none now. aiokafka tries again then, and ends nothing.
        """
        try:
            self._given = await self._source.token_async()
        except StreamRecError as error:
            raise KafkaConnectionError(str(error)) from error
        return self._given

    def refused(self) -> None:
        """Note that a broker does not take what was given last: the next is another."""
        self._source.forget(self._given)


class Connection(AIOKafkaConnection):  # type: ignore[misc]
    """A connection that knows until when it is logged in.

    It says, too, that its token was refused: aiokafka takes that for accepted, and is cut off then.
    """

    renewed_at = ends_at = float("inf")
    """By the monotonic clock: when another should take its place, and when the broker ends it."""

    def send(self, request: Any, expect_response: bool = True) -> Awaitable[Any]:
        """Send a request, as of ``AIOKafkaConnection``; of a login, read what the answer says."""
        answer: Awaitable[Any] = super().send(request, expect_response)
        return self._log_in(answer, time.monotonic()) if isinstance(request, SaslAuthenticateRequest) else answer

    async def _log_in(self, answer: Awaitable[Any], sent_at: float) -> Any:
        response = await answer
        if response.error_code != NoError.errno:
            return response
        if self._sasl_mechanism == "OAUTHBEARER" and response.sasl_auth_bytes:
            self._sasl_oauth_token_provider.refused()
            raise SaslAuthenticationFailed(response.sasl_auth_bytes.decode(errors="replace"))
        if (lifetime_ms := getattr(response, "session_lifetime_ms", 0)) > 0:
            self.renewed_at = sent_at + random.uniform(*RENEWED_AT) * lifetime_ms / 1000
            self.ends_at = sent_at + lifetime_ms / 1000
        return response

    async def end_when_answered(self) -> None:
        """Close when what is under way has its answer, or none in time."""
        try:
            if under_way := [future for _, _, future in self._requests]:
                await asyncio.wait(under_way, timeout=self._request_timeout)
        finally:
            self.close(CloseReason.IDLE_DROP)


class _Sessions:
    """The connections of one client, each replaced in time."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()

    async def connection(
        self, node_id: int | str, *, group: ConnectionGroup = ConnectionGroup.DEFAULT, no_hint: bool = False
    ) -> AIOKafkaConnection | None:
        """Return a connection to a broker, or None where there is none now; in place of aiokafka's ``_get_conn``."""
        client, key = self._client, (node_id, group)
        held = client._conns.get(key)
        if held is not None and held.connected():
            now = time.monotonic()
            if not isinstance(held, Connection) or now < held.renewed_at:
                return held
            if now < held.ends_at:
                held.renewed_at = held.ends_at
                self._begin(self._replace(key, held))
                return held
            self._begin(held.end_when_answered())  # it was not used for long: the broker would end it now
        if held is not None:
            del client._conns[key]
        try:
            async with client._get_conn_lock:
                if key not in client._conns:
                    client._conns[key] = await self._connect(node_id)
        except (OSError, TimeoutError, KafkaError) as error:
            of_library.error("Unable connect to node with id %s: %s", node_id, error)
            client.force_metadata_update()  # what we know of the brokers may be old
            return None
        return client._conns[key]

    async def _replace(self, key: tuple[int | str, ConnectionGroup], held: Connection) -> None:
        try:
            made = await self._connect(key[0])
        except (OSError, TimeoutError, KafkaError) as error:
            left_s = max(0.0, held.ends_at - time.monotonic())
            held.renewed_at = time.monotonic() + max(RETRY_S, RETRY_SHARE * left_s)
            log.warning("login_not_renewed node=%s left_s=%.0f why=%s", key[0], left_s, error)
            return
        if held.connected() and self._client._conns.get(key) is held:
            self._client._conns[key] = made
            await held.end_when_answered()
        else:  # it was closed meanwhile, or the client was
            made.close(CloseReason.IDLE_DROP)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # which the loop itself would not keep
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, node_id: int | str) -> Connection:
        """Connect as aiokafka's ``create_conn`` does for its clients."""
        client = self._client
        broker = client.cluster.broker_metadata(node_id)
        if broker is None:
            raise StaleMetadata(f"Broker id {node_id} not in current metadata")
        made = Connection(
            broker.host,
            broker.port,
            client_id=client._client_id,
            request_timeout_ms=client._request_timeout_ms,
            ssl_context=client._ssl_context,
            security_protocol=client._security_protocol,
            on_close=client._on_connection_closed,
            max_idle_ms=client._connections_max_idle_ms,
            sasl_mechanism=client._sasl_mechanism,
            sasl_plain_username=client._sasl_plain_username,
            sasl_plain_password=client._sasl_plain_password,
            sasl_oauth_token_provider=client._sasl_oauth_token_provider,
        )
        await made.connect()
        return made


def stay_logged_in(client: AIOKafkaClient) -> None:
    """Have a client of aiokafka, which has not started, replace connections before their logins end."""
    if client._security_protocol.startswith("SASL"):
        client._get_conn = _Sessions(client).connection
