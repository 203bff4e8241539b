"""Tokens to log in with at a Kafka that asks an OIDC provider who somebody is: SASL OAUTHBEARER.

A program gets them by the client credentials grant, with an id and a secret of its own. One token serves all of its
clients until most of its time is over, and another is fetched then. Where the provider is away, the one at hand is
given out for as long as it is good, and after that who asks is told so at once; connections that are open need none.

Source:
    Hardt. The OAuth 2.0 Authorization Framework, 4.4. RFC 6749, 2012.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import lru_cache, partial
from http.client import HTTPException
from typing import Any, Literal, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlencode, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
    build_opener,
    getproxies,
    proxy_bypass,
)

from stream_rec.certificates import REMEDY, is_about_trust, system_authorities
from stream_rec.errors import LoginRefused, SettingsError, TokenUnavailable

TIMEOUT_S = 5.0
"""How long a client waits for a token. Name lookups are included, as is whatever a proxy does."""
FRESH_SHARE = 0.8
"""Of a token's time: after so much of it another is fetched. Java's clients have the same share."""
FIRST_RETRY_S, LONGEST_RETRY_S = 0.25, 4.0
"""How long the provider is left alone after a failure, twice as long after each. Less than the 10 s in which a worker
must have found its group's coordinator again."""
REFUSED_S = 5.0
"""How long a token is kept at least, though a broker refuses it: one asked for at once would be no better."""
UNSAID_S = 300.0
"""How long a token is taken to be good where the provider does not say."""
ANSWER_BYTES = 1 << 18
SAID_CHARACTERS = 300
"""Of what a provider says about an error."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where tokens come from, and as who one asks for them."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    client_auth: Literal["basic", "post"] = "basic"
    """Whether id and secret stand in the header of a request or in its body."""
    scope: str = ""
    audience: str = ""
    cafile: str = ""

    def __post_init__(self) -> None:
        """Check that all is there.

        Raises:
            SettingsError: something is missing, or the URL is none.
        """
        needed = {
            "oauth_token_url": self.url,
            "oauth_client_id": self.client_id,
            "oauth_client_secret": self.client_secret,
        }
        if missing := [name for name, value in needed.items() if not value]:
            raise SettingsError(f"[kafka] sasl_mechanism OAUTHBEARER needs {' and '.join(missing)}, too")
        if not _is_address(self.url):
            raise SettingsError(
                "[kafka] oauth_token_url is no address of a token endpoint: give one as https://host/path, without "
                "user and password"
            )

    @property
    def shown(self) -> str:
        """The URL as messages have it: without what stands behind a question mark."""
        return self.url.partition("?")[0]


class Token(NamedTuple):
    """What a provider has given."""

    value: str
    lifetime_s: float
    """From when it was asked for."""

    def __repr__(self) -> str:
        return f"Token(lifetime_s={self.lifetime_s:g})"


class TokenSource:
    """The token of one client of the provider; threads and event loops may share it."""

    def __init__(
        self,
        endpoint: TokenEndpoint,
        *,
        fetch: Callable[[TokenEndpoint], Token] | None = None,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], object]], object] | None = None,
    ) -> None:
        """Ask for nothing yet.

        Args:
            later: Calls a function after so many seconds.
        """
        self.endpoint = endpoint
        self._fetch = fetch or fetch_token
        self._clock = clock
        self._later = later or _later
        self._lock = threading.Lock()
        """Guards what follows."""
        self._token = ""
        self._had_since = self._fresh_until = self._good_until = self._leave_alone_until = 0.0
        self._retry_s = FIRST_RETRY_S
        self._failure: Exception | None = None
        self._coming: Future[str] | None = None
        self._is_awaited = self._was_given = False
        """Whether somebody waits for the token that comes, and has asked for the one at hand: that one's successor is
        fetched ahead."""

    def token(self, timeout_s: float = TIMEOUT_S) -> str:
        """Return a token that is good now; wait where none is at hand whose time is not nearly over.

        Raises:
            TokenUnavailable: the provider does not answer, or not as one; it was asked a moment ago at most.
            LoginRefused: it gives this client none, or is not trusted.
            SettingsError: ``cafile`` cannot be read.
        """
        have = self._have_or_ask()
        if isinstance(have, str):
            return have
        try:
            return have.result(timeout_s)
        except TimeoutError as error:
            return self._good_or(_mute(self.endpoint, timeout_s), error)

    async def token_async(self) -> str:
        """Return the same, and let the event loop go on meanwhile."""
        have = self._have_or_ask()
        if isinstance(have, str):
            return have
        try:
            return await asyncio.wait_for(asyncio.wrap_future(have), TIMEOUT_S)
        except TimeoutError as error:
            return self._good_or(_mute(self.endpoint, TIMEOUT_S), error)

    def forget(self, token: str) -> None:
        """Have another token fetched by the next call, where this one is the newest: somebody has refused it."""
        with self._lock:
            if token == self._token and self._clock() >= self._had_since + REFUSED_S:
                self._token, self._fresh_until, self._good_until = "", 0.0, 0.0

    def _have_or_ask(self) -> str | Future[str]:
        """Return the token, or the one that is on its way; one request is under way at most."""
        with self._lock:
            now = self._clock()
            failure = self._failure if self._coming is None and now < self._leave_alone_until else None
            if self._token and now < (self._good_until if failure or self._coming else self._fresh_until):
                self._was_given = True
                return self._token
            if failure:
                raise type(failure)(str(failure)) from failure
            self._is_awaited = True
            return self._coming or self._ask()

    def _ask(self) -> Future[str]:
        coming: Future[str] = Future()
        coming.set_running_or_notify_cancel()  # so that nobody who gives up cancels it for the others
        self._coming = coming
        # A thread of its own: a name lookup can take 30 s and cannot be stopped.
        threading.Thread(target=self._wait_for, args=(coming, self._clock()), name="oauth-token", daemon=True).start()
        return coming

    def _wait_for(self, coming: Future[str], asked_at: float) -> None:
        try:
            token = self._fetch(self.endpoint)
        except Exception as error:
            if have := self._after_failure(error):
                coming.set_result(have)
            else:
                coming.set_exception(error)
            return
        with self._lock:
            self._coming = self._failure = None
            self._retry_s, self._leave_alone_until = FIRST_RETRY_S, 0.0
            self._token, self._was_given, self._is_awaited = token.value, self._is_awaited, False
            self._had_since = self._clock()
            self._fresh_until = asked_at + FRESH_SHARE * token.lifetime_s
            self._good_until = asked_at + token.lifetime_s
            self._later(self._fresh_until - self._clock(), partial(self._fetch_ahead, token.value))
        log.debug("token_fetched lifetime_s=%.0f client_id=%s", token.lifetime_s, self.endpoint.client_id)
        coming.set_result(token.value)

    def _after_failure(self, error: Exception) -> str:
        """Return the token that is still good, if any."""
        with self._lock:
            is_first, self._failure = self._failure is None, error
            self._coming = None
            wait_s, self._retry_s = self._retry_s, min(2 * self._retry_s, LONGEST_RETRY_S)
            now = self._clock()
            self._leave_alone_until = now + wait_s
            left_s = self._good_until - now
            if not self._token or left_s <= 0:
                return ""
            self._later(wait_s, partial(self._fetch_ahead, self._token))
            if is_first:
                log.warning("token_not_renewed left_s=%.0f why=%s", left_s, error)
            return self._token

    def _fetch_ahead(self, token: str) -> None:
        """Fetch the next token while this one is good, so that no client waits for it. Who asks no more has no next."""
        with self._lock:
            if token == self._token and self._was_given and self._coming is None and self._clock() < self._good_until:
                self._ask()

    def _good_or(self, error: Exception, cause: Exception) -> str:
        with self._lock:
            if self._token and self._clock() < self._good_until:
                return self._token
        raise error from cause


def _later(wait_s: float, call: Callable[[], object]) -> None:
    timer = threading.Timer(max(0.0, wait_s), call)
    timer.daemon = True
    timer.start()


@lru_cache(maxsize=16)
def token_source(endpoint: TokenEndpoint) -> TokenSource:
    """Return the source of an endpoint, one for all clients of this process: they share its token."""
    return TokenSource(endpoint)


def fetch_token(endpoint: TokenEndpoint) -> Token:
    """Ask for a token, by way of the proxy that HTTPS_PROXY names where NO_PROXY does not leave the host out.

    Raises:
        TokenUnavailable: the endpoint does not answer, or has a failure of its own.
        LoginRefused: it gives this client no token, is not trusted, or is no token endpoint.
        SettingsError: ``endpoint.cafile`` cannot be read.
    """
    opener = build_opener(HTTPSHandler(context=_trust(endpoint)), _NoRedirects())
    try:
        body = _answer(opener, endpoint)
    except HTTPError as error:
        with error:
            raise _refusal(endpoint, error.code, error.read(ANSWER_BYTES)) from None
    except (OSError, HTTPException, ValueError) as error:
        if is_about_trust(error):
            raise LoginRefused(
                f"the certificate of {endpoint.shown} is not trusted ({_reason(error)}): set [kafka] oauth_cafile to a "
                f"PEM file with the authority that signed it; or {REMEDY}"
            ) from error
        raise _unavailable(endpoint, _reason(error)) from error
    return _token_of(endpoint, body)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port != 0
        and "@" not in parts.netloc
        and all("!" <= c <= "~" for c in url)
    )


class _NoRedirects(HTTPRedirectHandler):
    """A secret goes where it was told to go, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def _trust(endpoint: TokenEndpoint) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=endpoint.cafile or system_authorities())
    except (OSError, ssl.SSLError) as error:
        name = "[kafka] oauth_cafile" if endpoint.cafile else "the list of authorities, $SSL_CERT_FILE or the system's,"
        raise SettingsError(f"{name} cannot be used: {error}") from error


def _answer(opener: OpenerDirector, endpoint: TokenEndpoint) -> bytes:
    form = {"grant_type": "client_credentials"}
    headers = {"Accept": "application/json", "User-Agent": "stream-rec"}
    if endpoint.client_auth == "post":
        form |= {"client_id": endpoint.client_id, "client_secret": endpoint.client_secret}
    else:
        login = f"{quote_plus(endpoint.client_id)}:{quote_plus(endpoint.client_secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    form |= {name: value for name in ("scope", "audience") if (value := getattr(endpoint, name))}
    request = Request(endpoint.url, data=urlencode(form).encode(), headers=headers, method="POST")
    with opener.open(request, timeout=TIMEOUT_S) as response:
        body: bytes = response.read(ANSWER_BYTES)
    return body


def _token_of(endpoint: TokenEndpoint, body: bytes) -> Token:
    """Return the token of an answer; a broker takes no value with characters that no token has."""
    try:
        said = json.loads(body)
        value = said["access_token"]
        lifetime_s = float(said.get("expires_in") or UNSAID_S)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        value, lifetime_s = None, 0.0
    if not (isinstance(value, str) and value and value.isascii() and all("!" <= c <= "~" for c in value)):
        raise LoginRefused(
            f"what {endpoint.shown} answers holds no access_token: correct [kafka] oauth_token_url, the token endpoint "
            "of your OIDC provider"
        )
    if not 0 < lifetime_s < float("inf"):
        raise LoginRefused(f"what {endpoint.shown} gives is good for {lifetime_s:g} s: correct it at the OIDC provider")
    return Token(value, lifetime_s)


def _refusal(endpoint: TokenEndpoint, code: int, body: bytes) -> LoginRefused | TokenUnavailable:
    """Return the error for an answer that says no, with what it says; never with the secret."""
    try:
        said = json.loads(body)
        error, why = str(said.get("error", "")), str(said.get("error_description", ""))
    except (ValueError, AttributeError, RecursionError):
        error = why = ""
    words = ": ".join(filter(None, (f"HTTP {code}", error, why)))
    for secret in (endpoint.client_secret, quote_plus(endpoint.client_secret)):
        words = words.replace(secret, "(hidden)")
    words = "".join(c if c.isprintable() else " " for c in words[:SAID_CHARACTERS])
    if code in (408, 425, 429) or code >= 500:
        return _unavailable(endpoint, words)
    who = f"{endpoint.shown} gives client {endpoint.client_id!r} no token ({words}): correct [kafka]"
    if error in ("invalid_scope", "invalid_target"):
        return LoginRefused(f"{who} oauth_scope or oauth_audience")
    if code == 401 or error in ("invalid_client", "unauthorized_client", "access_denied"):
        other = "post" if endpoint.client_auth == "basic" else "basic"
        return LoginRefused(
            f"{who} oauth_client_id and oauth_client_secret, or oauth_client_auth where the provider wants them as "
            f"{other!r}; and see that this client may use the client credentials grant"
        )
    return LoginRefused(f"{who} oauth_token_url, oauth_scope or oauth_audience")


def _mute(endpoint: TokenEndpoint, waited_s: float) -> TokenUnavailable:
    return _unavailable(endpoint, f"no answer within {waited_s:g} s")


def _unavailable(endpoint: TokenEndpoint, why: str) -> TokenUnavailable:
    parts = urlsplit(endpoint.url)
    proxy = getproxies().get(parts.scheme)
    way = "HTTPS_PROXY and NO_PROXY name the way there"
    if proxy and not proxy_bypass(parts.hostname or ""):
        way = f"it was asked by way of the proxy {proxy.rpartition('@')[2]}, where NO_PROXY does not leave it out"
    return TokenUnavailable(
        f"no token comes from {endpoint.shown} ({why}): see that it is up and can be reached from here, or correct "
        f"[kafka] oauth_token_url; {way}"
    )


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", None)
    return str(getattr(inner, "verify_message", None) or inner or error or type(error).__name__)
