"""Where Kafka is and how to get in: the one section of the settings that needs no recommender."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from stream_rec.addresses import Address, AddressError, addresses
from stream_rec.errors import SettingsError
from stream_rec.login_logs import Secret, hide_logins

if TYPE_CHECKING:
    from stream_rec.oauth import TokenSource

SECRETS = frozenset({"sasl_password", "ssl_key_password", "oauth_client_secret", "password"})
"""Of any section."""
HIDDEN = "(hidden)"
"""Stands for a secret in what is shown."""

Prefix = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,100}\Z")]
Positive = Annotated[int, Meta(ge=1)]


class KafkaSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Kafka is, how to get in, and how topics are laid out."""

    bootstrap: str = ""
    """host:port,... of the brokers. Empty: $KAFKA_BOOTSTRAP, else the broker that `broker start` started."""
    topic_prefix: Prefix = ""
    """Put before every topic name and app id: several pipelines can share one cluster."""
    partitions: Positive = 4
    """Of every topic. At most so many workers share the work. It cannot be changed later."""
    replication_factor: Positive = 1
    """3 in production, with min.insync.replicas 2 on the brokers."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How clients talk to the brokers; SASL_SSL on a secured cluster."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    """How clients log in, where security_protocol has SASL. OAUTHBEARER: with tokens of an OIDC provider."""
    sasl_username: str = ""
    """User of this program on the brokers; of OAUTHBEARER the token says who it is."""
    sasl_password: str = ""
    """A secret: better as a variable than in a file."""
    ssl_cafile: str = ""
    """PEM file of the authority that signed the brokers' certificates. Empty: the system's authorities."""
    ssl_certfile: str = ""
    """PEM file of this client's certificate, where the brokers ask for one."""
    ssl_keyfile: str = ""
    """PEM file of the key of that certificate. Empty: it is in ssl_certfile."""
    ssl_key_password: str = ""
    """Of ssl_keyfile, where it is encrypted; a secret as well."""
    oauth_token_url: str = ""
    """Token endpoint of the OIDC provider, of which OAUTHBEARER gets tokens by the client credentials grant. It should
    begin with https: the secret goes there."""
    oauth_client_id: str = ""
    """Of this program, as the provider knows it."""
    oauth_client_secret: str = ""
    """A secret: better as a variable than in a file."""
    oauth_client_auth: Literal["basic", "post"] = "basic"
    """Whether the provider wants id and secret in the header of a request or in its body."""
    oauth_scope: str = ""
    """What is asked for, where the provider wants that said; several with spaces between."""
    oauth_audience: str = ""
    """For whom the token is, where the provider wants that said."""
    oauth_cafile: str = ""
    """PEM file of the authority that signed the provider's certificate. Empty: the system's authorities."""
    ssl_check_hostname: bool = True
    """Whether a broker's certificate must name the host that was called."""

    def __repr__(self) -> str:
        """Show everything but secrets: a repr ends in logs and tracebacks."""
        values = hide_secrets(msgspec.structs.asdict(self))
        return f"KafkaSettings({', '.join(f'{key}={value!r}' for key, value in values.items())})"

    def topic(self, name: str) -> str:
        """Full name of a topic of ours."""
        return self.topic_prefix + name

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the TLS settings as Python wants them, or None where the protocol has no TLS.

        Raises:
            SettingsError: a certificate file cannot be read.
        """
        if "SSL" not in self.security_protocol.replace("SASL_", ""):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ssl_cafile or None)
            if self.ssl_certfile:
                context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile or None, self.ssl_key_password or None)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"[kafka] ssl_cafile, ssl_certfile or ssl_keyfile cannot be used: {error}") from error
        context.check_hostname = self.ssl_check_hostname
        return context

    def addresses(self) -> list[Address]:
        """Return where the brokers are; empty where none is named.

        Raises:
            SettingsError: ``bootstrap`` is no list of addresses.
        """
        try:
            return addresses(self.bootstrap)
        except AddressError as error:
            raise SettingsError(f"[kafka] bootstrap: {error}") from error

    @property
    def uses_tokens(self) -> bool:
        """Whether clients log in with tokens."""
        return self.security_protocol.startswith("SASL") and self.sasl_mechanism == "OAUTHBEARER"

    @property
    def who(self) -> str:
        """Who logs in, as messages have it."""
        if self.uses_tokens:
            return f"client {self.oauth_client_id!r}"
        if self.security_protocol.startswith("SASL"):
            return f"user {self.sasl_username!r}"
        return f"who has {self.ssl_certfile}" if self.security_protocol == "SSL" and self.ssl_certfile else "this user"

    def token_source(self) -> TokenSource:
        """Return where this program's tokens come from; all of its clients have one source.

        Raises:
            SettingsError: a setting that OAUTHBEARER needs is missing or wrong.
        """
        from stream_rec.oauth import TokenEndpoint, token_source  # an HTTP client, which most logins do not need

        return token_source(
            TokenEndpoint(
                url=self.oauth_token_url,
                client_id=self.oauth_client_id,
                client_secret=self.oauth_client_secret,
                client_auth=self.oauth_client_auth,
                scope=self.oauth_scope,
                audience=self.oauth_audience,
                cafile=self.oauth_cafile,
            )
        )

    def client_options(self, tokens: Callable[[TokenSource], object]) -> dict[str, Any]:
        """Return the arguments that aiokafka's and kafka-python's clients have in common.

        Args:
            tokens: Makes what the library wants tokens of, where it logs in with some: ``AiokafkaTokens`` or
                ``KafkaPythonTokens``.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": [str(address) for address in self.addresses()],
            "security_protocol": self.security_protocol,
        }
        if context := self.ssl_context():
            options["ssl_context"] = context
        if self.security_protocol.startswith("SASL"):
            hide_logins()
        if self.uses_tokens:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_oauth_token_provider": tokens(self.token_source()),
            }
        elif self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": Secret(self.sasl_password),
            }
        return options


def hide_secrets(values: dict[str, Any]) -> dict[str, Any]:
    """Return one section's values with those that are secret, and there, hidden."""
    return {key: HIDDEN if key in SECRETS and value else value for key, value in values.items()}
