"""Tokens of an OIDC provider: asked for as RFC 6749 has it, kept while they are good, and never told to anybody."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import msgspec
import pytest

from stream_rec.errors import LoginRefused, SettingsError, StreamRecError, TokenUnavailable
from stream_rec.kafka_settings import KafkaSettings
from stream_rec.login_logs import Secret
from stream_rec.oauth import FIRST_RETRY_S, LONGEST_RETRY_S, REFUSED_S, Token, TokenEndpoint, TokenSource, fetch_token
from tests.security.oidc_provider import OidcProvider, oidc_provider
from tests.security.secured_broker import certificates

SECRET = "Tr0ub4dor&3+/="
TOKENS = KafkaSettings(
    bootstrap="one:9093",
    security_protocol="SASL_SSL",
    sasl_mechanism="OAUTHBEARER",
    oauth_token_url="https://idp.example/token",
    oauth_client_id="worker",
    oauth_client_secret=SECRET,
)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[OidcProvider]:
    """A provider that knows one client, and no proxy on the way there."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with oidc_provider() as made:
        made.clients["worker"] = SECRET
        yield made


def endpoint_of(provider: OidcProvider, **changed: str) -> TokenEndpoint:
    """Return the provider's endpoint as its client knows it."""
    settings = {"url": provider.token_url, "client_id": "worker", "client_secret": SECRET}
    return TokenEndpoint(**(settings | changed))


@pytest.mark.parametrize("client_auth", ["basic", "post"])
def test_a_token_is_asked_for_with_id_and_secret(provider: OidcProvider, client_auth: str):
    """In the header, each percent-encoded, or in the body; how long it is good is what the provider says."""
    assert fetch_token(endpoint_of(provider, client_auth=client_auth)) == Token("token-1", 3600.0)


def test_scope_and_audience_are_asked_for_where_they_are_set(provider: OidcProvider):
    """Some providers refuse what they do not know, so nothing is sent that is empty."""
    fetch_token(endpoint_of(provider))
    fetch_token(endpoint_of(provider, scope="kafka events", audience="https://kafka"))

    assert provider.forms == [
        {"grant_type": "client_credentials"},
        {"grant_type": "client_credentials", "scope": "kafka events", "audience": "https://kafka"},
    ]


@pytest.mark.parametrize(
    ("said", "lifetime_s"),
    [(b'"expires_in": "60"', 60.0), (b'"expires_in": 0.5', 0.5), (b'"token_type": "Bearer"', 300.0)],
)
def test_how_long_a_token_is_good_may_be_text_or_unsaid(provider: OidcProvider, said: bytes, lifetime_s: float):
    """RFC 6749 only recommends that it be said, and some say it as text."""
    provider.answer = b'{"access_token": "abc", ' + said + b"}"

    assert fetch_token(endpoint_of(provider)).lifetime_s == lifetime_s


@pytest.mark.parametrize(
    "answer",
    [
        *(b"", b"<html>", b"[]", b"null", b'{"access_token": ""}', b'{"access_token": 1}', b'{"access_token": "a b"}'),
        *(b'{"access_token": "a\\u0001auth=x"}', b'{"access_token": "a", "expires_in": -1}'),
        *(
            b'{"access_token": "a", "expires_in": "soon"}',
            b'{"access_token": "a", "expires_in": 1e999}',
            b"[" * 100_000,
        ),
    ],
)
def test_an_answer_that_holds_no_token_is_an_error(provider: OidcProvider, answer: bytes):
    """As of an address that is no token endpoint; what it says is not repeated."""
    provider.answer = answer

    with pytest.raises(LoginRefused, match=r"access_token: correct \[kafka\] oauth_token_url|is good for"):
        fetch_token(endpoint_of(provider))


@pytest.mark.parametrize(
    ("status", "said", "error", "words"),
    [
        (401, b'{"error": "invalid_client"}', LoginRefused, "invalid_client.*oauth_client_id and oauth_client_secret"),
        (401, b"", LoginRefused, r"HTTP 401\).*oauth_client_secret.*'post'"),
        (400, b'{"error": "invalid_scope", "error_description": "no\\nsuch"}', LoginRefused, "no such.*oauth_scope"),
        (404, b"<html>", LoginRefused, r"HTTP 404\).*oauth_token_url"),
        (302, b"", LoginRefused, r"HTTP 302\).*oauth_token_url"),
        (503, b"", TokenUnavailable, r"HTTP 503\).*see that it is up"),
        (429, b'{"error": "slow_down"}', TokenUnavailable, "slow_down"),
    ],
)
def test_a_refusal_says_what_to_correct(
    provider: OidcProvider, status: int, said: bytes, error: type[StreamRecError], words: str
):
    """With what the provider says. A redirect is none to follow: it would carry the secret elsewhere."""
    provider.fails_with, provider.answer = status, said

    with pytest.raises(error, match=words):
        fetch_token(endpoint_of(provider))

    assert len(provider.forms) == 1


def test_a_secret_that_the_provider_repeats_is_not_shown(provider: OidcProvider):
    """This one does, as it is; and an endpoint's own text has none either."""
    endpoint = endpoint_of(provider, client_secret=f"wrong-{SECRET}")
    with pytest.raises(LoginRefused, match=r"not \(hidden\)") as caught:
        fetch_token(endpoint)

    assert SECRET not in f"{caught.value} {endpoint} {endpoint!r} {Token('abc', 1.0)!r} {Secret(SECRET)!r} {TOKENS!r}"
    assert "abc" not in repr(Token("abc", 1.0))


def test_a_provider_that_is_away_is_said_to_be():
    """With the reason, the setting and the variables that name the way."""
    endpoint = TokenEndpoint(url="http://127.0.0.1:1/token?tenant=x", client_id="worker", client_secret=SECRET)

    with pytest.raises(TokenUnavailable, match=r"http://127\.0\.0\.1:1/token \(.*refused.*oauth_token_url.*NO_PROXY"):
        fetch_token(endpoint)


def test_the_way_may_lead_through_a_proxy(provider: OidcProvider, monkeypatch: pytest.MonkeyPatch):
    """Of HTTP_PROXY, unless NO_PROXY leaves the host out; one that does not answer is named, without its password."""
    endpoint = endpoint_of(provider, url="http://idp.invalid/token")
    monkeypatch.setenv("http_proxy", provider.url)
    monkeypatch.delenv("no_proxy", raising=False)
    assert fetch_token(endpoint).value == "token-1"

    monkeypatch.setenv("http_proxy", "http://me:pass@127.0.0.1:1")
    with pytest.raises(TokenUnavailable, match=r"the proxy 127\.0\.0\.1:1, where NO_PROXY"):
        fetch_token(endpoint)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert fetch_token(endpoint_of(provider)).value == "token-2"


def test_the_certificate_of_the_endpoint_is_checked(tmp_path: Path):
    """By oauth_cafile, else the system's authorities; the error names that setting and SSL_CERT_FILE."""
    if which("openssl") is None:
        pytest.skip("no openssl")
    authority = certificates(tmp_path)
    with oidc_provider(certificate=tmp_path / "broker.pem") as provider:
        provider.clients["worker"] = SECRET
        assert fetch_token(endpoint_of(provider, cafile=str(authority))).value == "token-1"
        with pytest.raises(LoginRefused, match=r"is not trusted \(.*\[kafka\] oauth_cafile .*SSL_CERT_FILE"):
            fetch_token(endpoint_of(provider))
        with pytest.raises(SettingsError, match="oauth_cafile cannot be used"):
            fetch_token(endpoint_of(provider, cafile=str(tmp_path / "none.pem")))


@pytest.mark.parametrize("missing", ["oauth_token_url", "oauth_client_id", "oauth_client_secret"])
def test_what_tokens_need_is_asked_for_by_name(missing: str):
    """Before anything connects."""
    with pytest.raises(SettingsError, match=f"OAUTHBEARER needs {missing}, too"):
        msgspec.structs.replace(TOKENS, **{missing: ""}).token_source()


@pytest.mark.parametrize(
    "url",
    ["idp.example/token", "ftp://idp/token", "https://", "https://me:pw@idp/token", "https://idp/a b", "http://:x"],
)
def test_an_address_that_is_none_is_an_error(url: str):
    """Nor one with a password, which would end in logs."""
    with pytest.raises(SettingsError, match="oauth_token_url") as caught:
        msgspec.structs.replace(TOKENS, oauth_token_url=url).token_source()

    assert "me:pw" not in str(caught.value)


def test_all_clients_of_a_program_share_one_source():
    """So that one token serves them; another client of the provider has its own."""
    assert TOKENS.token_source() is msgspec.structs.replace(TOKENS).token_source()
    assert TOKENS.token_source() is not msgspec.structs.replace(TOKENS, oauth_client_id="embedder").token_source()


class Source:
    """A token source whose clock, alarms and provider are the test's. Tokens are good for 100 s."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.alarms: list[tuple[float, Callable[[], object]]] = []
        self.n_asked = 0
        self.failure: Exception | None = None
        self.source = TokenSource(
            TokenEndpoint("https://idp.example/token", "worker", SECRET),
            fetch=self._fetch,
            clock=lambda: self.now,
            later=lambda wait_s, call: self.alarms.append((self.now + wait_s, call)),
        )

    def _fetch(self, _endpoint: TokenEndpoint) -> Token:
        self.n_asked += 1
        if self.failure:
            raise self.failure
        return Token(f"token-{self.n_asked}", 100.0)

    def pass_s(self, seconds: float) -> None:
        """Let time go by, and what was to be done meanwhile be done."""
        end = self.now + seconds
        while due := [alarm for alarm in self.alarms if alarm[0] <= end]:
            alarm = min(due, key=lambda each: each[0])
            self.alarms.remove(alarm)
            self.now = max(self.now, alarm[0])
            alarm[1]()
            for thread in threading.enumerate():
                if thread.name == "oauth-token":
                    thread.join()
        self.now = end


@pytest.fixture
def source() -> Source:
    return Source()


def test_a_token_serves_until_most_of_its_time_is_over(source: Source):
    """The next is fetched ahead, so that nobody waits for it."""
    assert [source.source.token(), source.source.token()] == ["token-1", "token-1"]
    source.pass_s(79)
    assert source.source.token() == "token-1"
    source.pass_s(1)

    assert source.n_asked == 2
    assert source.source.token() == "token-2"


def test_while_the_next_is_under_way_the_one_at_hand_serves():
    """However long the provider takes; nobody waits for what is not needed yet."""
    now, alarms, answered = [1000.0], [], threading.Event()
    given = iter([Token("token-1", 100.0), Token("token-2", 100.0)])

    def fetch(_endpoint: TokenEndpoint) -> Token:
        token = next(given)
        if token.value == "token-2":
            answered.wait()
        return token

    source = TokenSource(
        TOKENS.token_source().endpoint, fetch=fetch, clock=lambda: now[0], later=lambda _, call: alarms.append(call)
    )
    source.token()
    now[0] += 80
    alarms[0]()

    began = time.monotonic()
    assert source.token(4.0) == "token-1"
    assert time.monotonic() - began < 2.0
    answered.set()


def test_nothing_is_fetched_for_clients_that_are_gone(source: Source):
    """A token that nobody asked for has no successor before somebody asks."""
    source.source.token()
    source.pass_s(1000)
    assert source.n_asked == 2

    assert source.source.token() == "token-3"


def test_a_provider_that_is_away_is_asked_ahead_again_and_again(source: Source, caplog: pytest.LogCaptureFixture):
    """And warned of once; the token at hand serves as long as it is good, and not a moment longer."""
    source.source.token()
    source.failure = TokenUnavailable("it is away")
    with caplog.at_level(logging.WARNING):
        source.pass_s(99)
    assert source.n_asked > 5
    assert [record.getMessage() for record in caplog.records] == ["token_not_renewed left_s=20 why=it is away"]
    assert source.source.token() == "token-1"

    source.pass_s(1)
    with pytest.raises(TokenUnavailable, match="it is away"):
        source.source.token()


def test_a_provider_that_is_away_is_left_alone_between_tries(source: Source):
    """For twice as long after each failure, to a bound; who asks meanwhile hears of the last one, at once."""
    source.failure = TokenUnavailable("it is away")
    pauses = []
    for _ in range(7):
        with pytest.raises(TokenUnavailable, match="it is away"):
            source.source.token()
        n_asked, pause = source.n_asked, 0.0
        while source.n_asked == n_asked:
            source.now += FIRST_RETRY_S
            pause += FIRST_RETRY_S
            with pytest.raises(TokenUnavailable, match="it is away"):
                source.source.token()
        pauses.append(pause)

    assert pauses == [0.25, 0.5, 1, 2, 4, 4, 4]
    source.failure, source.now = None, source.now + LONGEST_RETRY_S
    assert source.source.token() == f"token-{source.n_asked}"


def test_who_asks_at_once_shares_one_request():
    """Threads and event loops alike; whoever gives up takes nothing from the others."""
    asked, answered = threading.Semaphore(0), threading.Event()

    def fetch(_endpoint: TokenEndpoint) -> Token:
        asked.release()
        answered.wait()
        return Token("token-1", 100.0)

    source = TokenSource(TOKENS.token_source().endpoint, fetch=fetch, later=lambda *_: None)
    with pytest.raises(TokenUnavailable, match=r"no answer within 0\.01 s"):
        source.token(0.01)

    async def ask_from_a_loop() -> list[str]:
        gives_up = asyncio.create_task(source.token_async())
        waiting = [asyncio.create_task(source.token_async()) for _ in range(3)]
        await asyncio.sleep(0)
        gives_up.cancel()
        await asyncio.wait([gives_up])
        answered.set()
        return await asyncio.gather(*waiting, asyncio.to_thread(source.token))

    assert asyncio.run(ask_from_a_loop()) == ["token-1"] * 4
    assert asked.acquire(blocking=False) and not asked.acquire(blocking=False)


def test_a_token_that_a_broker_refuses_is_not_given_again(source: Source):
    """Unless it is new: the next would be no better, and each try would ask the provider."""
    refused = source.source.token()
    source.source.forget(refused)
    assert source.source.token() == refused

    source.pass_s(REFUSED_S)
    source.source.forget("another")
    assert source.source.token() == refused
    source.source.forget(refused)
    assert source.source.token() == "token-2"
