"""Whether a Kafka answers, with the protocol and login of the settings; and if not, what answers instead."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from stream_rec.addresses import Address
from stream_rec.errors import BrokerUnavailable, LoginRefused
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.runtime.sessions import AiokafkaTokens, Connection

REMEDY = "start one with `stream-rec broker start`, or set KAFKA_BOOTSTRAP"


def require_answering(kafka: KafkaSettings, timeout_s: float = 8.0, *, remedy: str = REMEDY) -> None:
    """Return when a broker of ``kafka.bootstrap`` has answered as Kafka, with the protocol and login of the settings.

    A refused connection fails at once; nothing takes longer than ``timeout_s``, name lookups included.

    Args:
        remedy: What the message says to do where nothing answers.

    Raises:
        BrokerUnavailable: nothing answers; the message says what did happen at each address.
        LoginRefused: one answers, and the login or its certificate is wrong.
        TokenUnavailable: the OIDC provider gives no token to log in with.
        SettingsError: a certificate file cannot be read, or the addresses are none.
    """
    servers = list(kafka.addresses())
    login = {key: value for key, value in kafka.client_options(AiokafkaTokens).items() if key != "bootstrap_servers"}
    if kafka.uses_tokens:  # the provider's own failures, by themselves and not as those of a broker
        began = time.monotonic()
        kafka.token_source().token(timeout_s / 2)
        timeout_s -= time.monotonic() - began
    failures = _within(timeout_s, _failures, kafka, servers, login, timeout_s)
    if refused := [failure for failure in failures if isinstance(failure, Refusal)]:
        raise LoginRefused(f"the Kafka broker at {kafka.bootstrap} cannot be used: {'; '.join(refused)}")
    if failures:
        raise BrokerUnavailable(f"no Kafka broker answers at {kafka.bootstrap} ({'; '.join(failures)}): {remedy}")


class Refusal(str):
    """Why a broker that is there does not let us in, or is not trusted, and which setting to correct."""


def answers(bootstrap: str, timeout_s: float) -> bool:
    """Whether a broker without passwords answers at ``bootstrap``."""
    try:
        require_answering(KafkaSettings(bootstrap=bootstrap), timeout_s)
    except BrokerUnavailable:
        return False
    return True


async def _failures(kafka: KafkaSettings, servers: list[Address], login: dict[str, Any], timeout_s: float) -> list[str]:
    """Ask one server after the other; return an empty list when one answers, else what came instead, one each.

    It speaks through aiokafka's single connections: kafka-python's clients retry for ever where the login is refused,
    and hang where something that is no Kafka answers (3.0.12).
    """
    failures = []
    share_s = 0.8 * timeout_s / len(servers)  # 0.8: back before the thread that asks is given up
    for address in servers:
        try:
            async with asyncio.timeout(share_s):
                await _ask(address.host, address.port, login)
            return []
        except TimeoutError:
            failures.append(f"{address} said nothing that Kafka says for {share_s:.1f} s")
        except (OSError, KafkaError) as error:
            failures.append(_refusal(error, kafka) or f"{address}: {error}")
    if kafka.security_protocol != "PLAINTEXT":
        failures.append(f"asked with [kafka] security_protocol {kafka.security_protocol}")
    return failures


def _refusal(error: Exception, kafka: KafkaSettings) -> Refusal | None:
    """Return what is wrong with the login or the trust, None where it is something else. Never the password."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Refusal(
            f"its certificate is not trusted ({error.verify_message}); correct [kafka] ssl_cafile, or the host name in "
            "kafka.bootstrap"
        )
    if alert := _alert(error):
        return Refusal(
            f"it does not take this client's certificate ({alert}); correct [kafka] ssl_certfile and ssl_keyfile, or "
            "have the brokers trust the authority that signed it"
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return Refusal(f"it takes no logins by [kafka] sasl_mechanism {kafka.sasl_mechanism}; set one that it takes")
    if isinstance(error, (SaslAuthenticationFailed, AuthenticationFailedError)):
        if kafka.uses_tokens:
            return Refusal(
                f"it refused the token of {kafka.who}; see that the brokers expect its issuer and audience, as [kafka] "
                "oauth_token_url, oauth_scope and oauth_audience ask for them, and can fetch the provider's keys"
            )
        return Refusal(
            f"it refused the login of {kafka.who} by {kafka.sasl_mechanism}; correct [kafka] sasl_username and "
            "sasl_password"
        )
    return None


def _alert(error: BaseException | None) -> str:
    """Return what a broker's TLS says of the certificate that it was shown, or of its absence; else an empty string."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    reason = (error.reason or "") if error else ""
    words = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE", "ACCESS_DENIED")
    return reason.lower().replace("_", " ") if "ALERT" in reason and any(word in reason for word in words) else ""


async def _ask(host: str, port: int, login: dict[str, Any]) -> None:
    """Connect, log in, and reach a broker at the address that the cluster tells its clients to use."""
    connection = Connection(host, port, **login)
    await connection.connect()
    try:
        cluster = await connection.send(MetadataRequest([]))
    finally:
        connection.close()
    if not cluster.brokers:
        raise KafkaConnectionError("it has no brokers yet")
    _, advertised_host, advertised_port, *_ = cluster.brokers[0]
    try:
        _, writer = await asyncio.open_connection(advertised_host, advertised_port)
        writer.close()
    except OSError as error:
        raise OSError(f"it sends clients on to {advertised_host}:{advertised_port}: {error}") from error


def _within(limit_s: float, ask: Callable[..., Coroutine[Any, Any, list[str]]], *args: Any) -> list[str]:
    """Return what ``ask`` returns, or a failure where it takes longer than ``limit_s`` seconds.

    In a thread of its own, so that it works where an event loop runs already, and because a name lookup can take
    30 s and cannot be stopped: the thread is then left behind.
    """
    results: Future[list[str]] = Future()

    def run() -> None:
        try:
            results.set_result(asyncio.run(ask(*args)))
        except BaseException as error:
            results.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return results.result(limit_s)
    except TimeoutError:
        return [f"no answer within {limit_s:.3g} s"]
