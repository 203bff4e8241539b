"""What comes of a request: an answer, a problem that the service has named, or nothing; and when to ask again."""

from __future__ import annotations

import http
import random
from dataclasses import dataclass
from typing import TypeVar

import httpx
import msgspec

from stream_rec.client.over_http.calls import Call
from stream_rec.events.over_http import Problem

T = TypeVar("T")
Outcome = httpx.Response | httpx.RequestError
PASSING = (429, 502, 503, 504)
"""Statuses after which the same request may be answered: the service's own, and those of proxies before it."""
LOST = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)
"""What may have been a moment's trouble. Whether the request arrived nobody knows."""


class RequestFailed(Exception):
    """A request was not answered as it should be. What it was to write may have been written: send it again freely."""


class HttpProblem(RequestFailed):
    """The service says why it does not answer (RFC 9457): ``detail`` has what to do."""

    def __init__(self, problem: Problem, retry_after_s: float | None) -> None:
        """Take what it says.

        Args:
            retry_after_s: When to ask again, if the service has said so.
        """
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.status = problem.status
        self.title = problem.title
        self.detail = problem.detail
        self.reason = problem.reason
        """Of 422: what kind of wrong it is, as on `rejected`."""
        self.retry_after_s = retry_after_s


class NoAnswer(RequestFailed):
    """The service was not reached in time, or what answered is not the service; ``__cause__`` says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often, and how soon, something is asked again that had no answer, or one of ``PASSING``.

    All requests can be: events count once by their ``event_id``, the rest is reading, or a state that is put.
    """

    most: int = 3
    first_pause_s: float = 0.1
    """Twice as long each time, less up to half of it by lot, so that clients do not come back all at once."""
    longest_pause_s: float = 5.0
    """Where the service says ``Retry-After`` a longer time, that is left to the app."""

    def find_pause(self, call: Call[T], outcome: Outcome, n_tried: int) -> float | None:
        """Return after how many seconds to ask again, or None: not at all."""
        if call.is_probe or n_tried > self.most:
            return None
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in PASSING:
                return None
        elif not isinstance(outcome, LOST):
            return None
        pause_s: float = min(self.longest_pause_s, self.first_pause_s * 2 ** (n_tried - 1)) * random.uniform(0.5, 1)
        wanted_s = (retry_after_of(outcome) or 0.0) if isinstance(outcome, httpx.Response) else 0.0
        return None if wanted_s > self.longest_pause_s else max(pause_s, wanted_s)


def read(call: Call[T], outcome: Outcome) -> T:
    """Return what a call was answered.

    Raises:
        HttpProblem: the service says what is wrong.
        NoAnswer: nothing came, or nothing of the service's.
    """
    if not isinstance(outcome, httpx.Response):
        what = f"{type(outcome).__name__}: {outcome}"
        raise NoAnswer(f"no answer to {call.method} {call.path} ({what}); does the service run there?") from outcome
    if outcome.is_success or (call.is_probe and outcome.status_code == 503):
        try:
            return msgspec.json.decode(outcome.content, type=call.answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if outcome.is_success:
                raise NoAnswer(
                    f"what answered {call.method} {call.path} is not the service, or an older one: {error}; "
                    f"it began with {outcome.text[:100]!r}"
                ) from error
    raise HttpProblem(_problem_of(outcome), retry_after_of(outcome))


def retry_after_of(response: httpx.Response) -> float | None:
    """Return the seconds that a header `Retry-After` says; a date in it is not read."""
    said: str = response.headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else None


def _problem_of(response: httpx.Response) -> Problem:
    """Return the service's own words, or those of a proxy before it."""
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        status = response.status_code
        known = status in http.HTTPStatus._value2member_map_
        return Problem(status, http.HTTPStatus(status).phrase if known else "", response.text[:200])
