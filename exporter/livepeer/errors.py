"""What can go wrong in a poll.

    PollError
    ├── MissingKeyError          class auth            no usable API key
    ├── StatusError              by status code
    │   ├── UnauthorizedError    auth                  401
    │   ├── ForbiddenError       forbidden             403
    │   ├── NotFoundError        not_found             404
    │   ├── RateLimitError       rate_limited          429
    │   ├── BadRequestError      client                any other 4xx
    │   └── ServerError          server                5xx
    │       └── RetryDeadlineExceededError  server     5xx, and no time left for a retry
    ├── RedirectError            class redirect        3xx, never followed
    ├── ConnectError             class connect         no connection, or it broke
    │   ├── DNSError             dns
    │   └── TLSError             tls
    ├── PollTimeoutError         class timeout
    ├── ResponseTooLargeError    class too_large       more bytes, items or values than a page may have
    ├── DecodeError              class decode          not JSON
    ├── SchemaError              class schema          JSON, but not a list of sessions
    └── PaginationError          class pagination      the pages never ended, or contradicted each other

Every class has a ``failure``: the value of the label ``class`` of ``exporter_poll_failures_total``.
A message never holds anything that the API sent: its error bodies echo the key.
"""

from typing import ClassVar


class PollError(Exception):
    """A poll that could not be completed; the text is safe to log and to show."""

    failure: ClassVar[str] = "internal"


class MissingKeyError(PollError):
    """There is no API key to ask with."""

    failure = "auth"


class StatusError(PollError):
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


class UnauthorizedError(StatusError):
    """401: the key is unknown, deleted or malformed."""

    failure = "auth"
    meaning = "the API does not know the key"


class ForbiddenError(StatusError):
    """403: the key's user is suspended, or the key may not read sessions."""

    failure = "forbidden"
    meaning = "the API forbids this key to read sessions"


class NotFoundError(StatusError):
    """404: in all likelihood the base URL is wrong."""

    failure = "not_found"
    meaning = "the API has no such path"


class RateLimitError(StatusError):
    """429: the account, or a CDN in front of the API, asks us to slow down."""

    failure = "rate_limited"
    meaning = "the API asks us to slow down"


class BadRequestError(StatusError):
    """Any other 4xx: the API did not accept what we asked."""

    failure = "client"
    meaning = "the API did not accept the request"


class ServerError(StatusError):
    """5xx: the API, its database or its proxy is in trouble."""

    failure = "server"
    meaning = "the API failed"


class RetryDeadlineExceededError(ServerError):
    """5xx, and no time to ask again, in whatever way."""


class RedirectError(PollError):
    """The API answered with a redirect; it is not followed, since the key would go along."""

    failure = "redirect"


class ConnectError(PollError):
    """No connection, or it broke before the answer was complete."""

    failure = "connect"


class DNSError(ConnectError):
    """The host's name has no address."""

    failure = "dns"


class TLSError(ConnectError):
    """The server's certificate could not be verified."""

    failure = "tls"


class PollTimeoutError(PollError):
    """A request or the whole poll took longer than it may."""

    failure = "timeout"


class ResponseTooLargeError(PollError):
    """A page had more bytes, items or values than a page may have."""

    failure = "too_large"


class DecodeError(PollError):
    """The answer was not JSON."""

    failure = "decode"


class SchemaError(PollError):
    """The answer was JSON, but not a list of sessions."""

    failure = "schema"


class PaginationError(PollError):
    """The pages never came to an end, or contradicted each other; half a walk is no walk."""

    failure = "pagination"
