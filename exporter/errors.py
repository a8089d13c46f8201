"""What can go wrong in a poll.

    PollError
    ├── NoKey            class auth            no usable API key
    ├── Refused          by status code
    │   ├── Unauthorized     auth              401
    │   ├── Forbidden        forbidden         403
    │   ├── NotFound         not_found         404
    │   ├── RateLimited      rate_limited      429
    │   ├── BadRequest       client            any other 4xx
    │   └── ServerFailed     server            5xx
    │       └── OutOfTime    server            5xx, and no time to ask again
    ├── Redirected       class redirect        3xx, never followed
    ├── Unreachable      class connect         no connection, or it broke
    │   ├── UnknownHost      dns
    │   └── Untrusted        tls
    ├── TimedOut         class timeout
    ├── TooLarge         class too_large       more bytes than a page may have
    ├── Undecodable      class decode          not JSON
    ├── WrongSchema      class schema          JSON, but no list of sessions
    └── Unpageable       class pagination      the pages never ended, or contradicted each other

Every class has a ``failure`` from the closed set ``FAILURES``: the value of the label ``class`` of
``exporter_poll_failures_total``. A message never holds anything that the API sent: its error bodies echo the key.
"""

from typing import ClassVar

FAILURES = (
    "auth",
    "forbidden",
    "not_found",
    "rate_limited",
    "client",
    "server",
    "dns",
    "connect",
    "tls",
    "timeout",
    "too_large",
    "decode",
    "schema",
    "redirect",
    "pagination",
    "internal",
)
"""Every class of failure; ``internal`` is a mistake of our own, which has no exception class here."""

CODES = ("200", "400", "401", "403", "404", "429", "500", "501", "502", "503", "504", "none", "other")
"""The values of the label ``code``; ``none`` is a request without an answer."""


class PollError(Exception):
    """A poll that could not be completed; the text is safe to log and to show."""

    failure: ClassVar[str] = "internal"


class NoKey(PollError):
    """There is no API key to ask with."""

    failure = "auth"


class Refused(PollError):
    """The API answered with an error status.

    Args:
        status: the HTTP status code.
        hint: what the operator can do about it; may be empty.
        retry_after: seconds that the answer asks us to wait, None where it does not say.
    """

    meaning: ClassVar[str] = "the API refused the request"

    def __init__(self, status: int, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"{self.meaning} (HTTP {status})" + (f": {hint}" if hint else ""))
        self.status = status
        self.retry_after = retry_after


class Unauthorized(Refused):
    """401: the key is unknown, deleted or malformed."""

    failure = "auth"
    meaning = "the API does not know the key"


class Forbidden(Refused):
    """403: the key's user is suspended, or the key may not read sessions."""

    failure = "forbidden"
    meaning = "the API forbids this key to read sessions"


class NotFound(Refused):
    """404: in all likelihood the base URL is wrong."""

    failure = "not_found"
    meaning = "the API has no such path"


class RateLimited(Refused):
    """429: the account, or a CDN in front of the API, asks us to slow down."""

    failure = "rate_limited"
    meaning = "the API asks us to slow down"


class BadRequest(Refused):
    """Any other 4xx: the API did not accept what we asked."""

    failure = "client"
    meaning = "the API did not accept the request"


class ServerFailed(Refused):
    """5xx: the API, its database or its proxy is in trouble."""

    failure = "server"
    meaning = "the API failed"


class OutOfTime(ServerFailed):
    """5xx, and no time to ask again, in whatever way."""


class Redirected(PollError):
    """The API answered with a redirect; it is not followed, since the key would go along."""

    failure = "redirect"


class Unreachable(PollError):
    """No connection, or it broke before the answer was complete."""

    failure = "connect"


class UnknownHost(Unreachable):
    """The host's name has no address."""

    failure = "dns"


class Untrusted(Unreachable):
    """The server's certificate could not be verified."""

    failure = "tls"


class TimedOut(PollError):
    """A request or the whole poll took longer than it may."""

    failure = "timeout"


class TooLarge(PollError):
    """A page had more bytes, items or values than a page may have."""

    failure = "too_large"


class Undecodable(PollError):
    """The answer was not JSON."""

    failure = "decode"


class WrongSchema(PollError):
    """The answer was JSON, but not a list of sessions."""

    failure = "schema"


class Unpageable(PollError):
    """The pages never came to an end, or contradicted each other; half a walk is no walk."""

    failure = "pagination"
