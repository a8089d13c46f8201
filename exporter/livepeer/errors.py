"""The errors of a poll.

    PollError
    ├── MissingKeyError          class auth            no valid API key
    ├── StatusError              by status code
    │   ├── UnauthorizedError    auth                  401
    │   ├── ForbiddenError       forbidden             403
    │   ├── NotFoundError        not_found             404
    │   ├── RateLimitError       rate_limited          429
    │   ├── BadRequestError      client                any other 4xx
    │   └── ServerError          server                5xx
    │       └── RetryDeadlineExceededError  server     5xx, and no time left for a retry
    ├── RedirectError            class redirect        3xx
    ├── ConnectError             class connect         the connection failed or was closed
    │   ├── KeptConnectionError  connect            a kept connection was closed before the response
    │   ├── DNSError             dns
    │   └── TLSError             tls
    ├── PollTimeoutError         class timeout
    ├── ResponseTooLargeError    class too_large       too many bytes, items or values
    ├── DecodeError              class decode          not JSON
    ├── SchemaError              class schema          JSON, but not an array of sessions
    ├── PaginationError          class pagination      the pages do not end, or contradict each other
    └── ClockError               class clock           the time of the API stepped

The attribute `failure` of a class is the value of the label ``class`` of ``exporter_poll_failures_total``.
Messages never contain text of a response, since the API's error bodies repeat the key.
"""

from typing import ClassVar


class PollError(Exception):
    """Base class of the errors of a poll. The message is safe to be logged and displayed."""

    failure: ClassVar[str]


class MissingKeyError(PollError):
    """There is no valid API key."""

    failure = "auth"


class StatusError(PollError):
    """The API returned an error status.

    Args:
        status: the HTTP status code.
        hint: the likely cause or remedy; may be empty.
        retry_after: seconds to wait, from the `Retry-After` header; None if there is none.
    """

    meaning: ClassVar[str]

    def __init__(self, status: int, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"{self.meaning} (HTTP {status})" + (f": {hint}" if hint else ""))
        self.status = status
        self.retry_after = retry_after


class UnauthorizedError(StatusError):
    """401: the key is unknown, deleted or malformed."""

    failure = "auth"
    meaning = "the API rejected the key"


class ForbiddenError(StatusError):
    """403: the key's user is suspended, or the key may not list sessions."""

    failure = "forbidden"
    meaning = "the key may not list sessions"


class NotFoundError(StatusError):
    """404: the base URL is probably wrong."""

    failure = "not_found"
    meaning = "the API has no such path"


class RateLimitError(StatusError):
    """429: the rate limit of the API, or of a CDN in front of it, is exceeded."""

    failure = "rate_limited"
    meaning = "the rate limit of the API is exceeded"


class BadRequestError(StatusError):
    """Any other 4xx."""

    failure = "client"
    meaning = "the API rejected the request"


class ServerError(StatusError):
    """5xx: the API, its database or its proxy failed."""

    failure = "server"
    meaning = "the API failed"


class RetryDeadlineExceededError(ServerError):
    """5xx, and a retry would probably end after the poll's deadline."""


class RedirectError(PollError):
    """The API returned a redirect. It is not followed, since the key would be sent along."""

    failure = "redirect"


class ConnectError(PollError):
    """The connection failed, or was closed before the response was complete."""

    failure = "connect"


class KeptConnectionError(ConnectError):
    """A connection kept from an earlier request was closed before the response began.

    RFC 9110, section 9.2.2, allows to repeat a GET.
    """


class DNSError(ConnectError):
    """The host name cannot be resolved."""

    failure = "dns"


class TLSError(ConnectError):
    """The TLS handshake failed; usually the server's certificate could not be verified."""

    failure = "tls"


class PollTimeoutError(PollError):
    """A request or the whole poll exceeded its time limit."""

    failure = "timeout"


class ResponseTooLargeError(PollError):
    """A page has more bytes, items or values than allowed."""

    failure = "too_large"


class DecodeError(PollError):
    """The response is not JSON."""

    failure = "decode"


class SchemaError(PollError):
    """The response is JSON, but not an array of sessions."""

    failure = "schema"


class PaginationError(PollError):
    """The pages do not end, or contradict each other. An incomplete result is not used."""

    failure = "pagination"


class ClockError(PollError):
    """The `Date` of a response contradicts the known time of the API."""

    failure = "clock"
