"""The API keys that the simulated API accepts, and the errors for the others."""

import re
from dataclasses import dataclass

from exporter.simulator.query import APIError


@dataclass(frozen=True, slots=True)
class Keys:
    """The known API keys.

    Attributes:
        accepted: the key of the account.
        admin: the key of an administrator, which lists the sessions of all users.
        restricted: keys whose access rules exclude sessions (403).
        suspended: keys whose user is suspended (403).
        orphaned: keys whose user has been deleted (401, with the whole `Authorization` header in the body).
    """

    accepted: str
    admin: str | None = None
    restricted: frozenset[str] = frozenset()
    suspended: frozenset[str] = frozenset()
    orphaned: frozenset[str] = frozenset()

    def check(self, header: str) -> bool:
        """Return whether a header contains the administrator's key.

        Raises:
            APIError: the header contains neither key; like in the real API, the text may repeat the sent key.
        """
        match = re.fullmatch(r"\s*(\w+)\s+(.+)", header)
        if match is None:
            raise APIError(401, "request is not authenticated")
        scheme, token = match[1], match[2].strip()
        if scheme.lower() != "bearer":
            raise APIError(401, f"unsupported authorization header scheme: {scheme}")
        if token in self.orphaned:
            raise APIError(401, f"no user found from authorization header: {header}")
        if token in self.suspended:
            raise APIError(403, "user is suspended")
        if token in self.restricted:
            raise APIError(403, "credential has insufficent privileges")  # spelled as in the real API
        if token not in (self.accepted, self.admin):
            raise APIError(401, f"no token {token} found")
        return token == self.admin
