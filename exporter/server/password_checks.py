"""Checks of passwords against bcrypt hashes, one at a time, in turns between clients."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

CACHE_SIZE: Final = 256
"""Results of bcrypt in each of the two caches, for correct and for wrong passwords."""
MAX_QUEUED_PER_CLIENT: Final = 32
"""Checks of one client address that may wait."""
MAX_QUEUED: Final = 512
"""Checks that may wait in total."""

CheckPassword = Callable[[bytes, bytes], bool]
"""Return whether a password (first) matches a bcrypt hash (second)."""


class QueueFullError(Exception):
    """Too many passwords wait to be checked."""


@dataclass(frozen=True, slots=True)
class _Check:
    digest: bytes
    password: bytes
    hashed: bytes
    result: asyncio.Future[bool]


class PasswordChecks:
    """Checks passwords with bcrypt, and caches the results.

    bcrypt runs in a thread of its own, one password at a time, as in the exporter-toolkit: the loop's threads may all
    be waiting for name servers. Client addresses take turns, so that one with many wrong passwords cannot keep out the
    others. If the queue is full, the address with the most waiting checks loses one to an address with fewer.

    Args:
        check_password: bcrypt.
    """

    def __init__(self, check_password: CheckPassword) -> None:
        self._check_password = check_password
        # Two caches, so that a flood of wrong passwords does not evict the correct one.
        self._correct: dict[bytes, None] = {}
        self._wrong: dict[bytes, None] = {}
        self._queues: dict[str, deque[_Check]] = {}  # by client, the next turn first
        self._pending: dict[tuple[str, bytes], asyncio.Future[bool]] = {}  # by client and digest
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="passwords")

    async def matches(self, host: str, digest: bytes, password: bytes, hashed: bytes) -> bool:
        """Return whether a password matches a hash.

        Args:
            host: address of the client.
            digest: identifies the user name, the password and the hash; concurrent checks of a client with the same
                digest are one.
            password: at most 72 bytes.
            hashed: bcrypt hash.

        Raises:
            QueueFullError: too many passwords wait.
        """
        cached = self._cached(digest)
        if cached is not None:
            return cached
        client = _client(host)
        result = self._pending.get((client, digest))
        if result is None:
            result = asyncio.get_running_loop().create_future()
            self._enqueue(client, _Check(digest, password, hashed, result))
            self._pending[client, digest] = result
            result.add_done_callback(lambda _: self._pending.pop((client, digest)))
        return await asyncio.shield(result)

    def _enqueue(self, client: str, check: _Check) -> None:
        queued = len(self._queues.get(client, ()))
        if queued >= MAX_QUEUED_PER_CLIENT:
            raise QueueFullError
        if sum(map(len, self._queues.values())) >= MAX_QUEUED:
            longest = max(self._queues.values(), key=len)
            if len(longest) <= queued + 1:
                raise QueueFullError
            longest.pop().result.set_exception(QueueFullError())
        self._queues.setdefault(client, deque()).append(check)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Run the checks, one of each client after the other."""
        try:
            while self._queues:
                client, queue = next(iter(self._queues.items()))
                del self._queues[client]
                check = queue.popleft()
                if queue:
                    self._queues[client] = queue  # behind the others
                await self._run_check(check)
        finally:
            self._task = None

    async def _run_check(self, check: _Check) -> None:
        is_correct = self._cached(check.digest)  # another client may have sent the same
        if is_correct is None:
            loop = asyncio.get_running_loop()
            try:
                is_correct = await loop.run_in_executor(
                    self._thread, self._check_password, check.password, check.hashed
                )
            except Exception as error:  # noqa: BLE001  # passed on to the requests that wait for it
                check.result.set_exception(error)
                return
            self._store(check.digest, is_correct=is_correct)
        check.result.set_result(is_correct)

    def _cached(self, digest: bytes) -> bool | None:
        return True if digest in self._correct else False if digest in self._wrong else None

    def _store(self, digest: bytes, *, is_correct: bool) -> None:
        cache = self._correct if is_correct else self._wrong
        if len(cache) >= CACHE_SIZE:
            del cache[next(iter(cache))]
        cache[digest] = None


def _client(host: str) -> str:
    """Return what identifies a client: its address, or the first half of an IPv6 address, which is one network."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped) if address.ipv4_mapped else address.packed[:8].hex()
