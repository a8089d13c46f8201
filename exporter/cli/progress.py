"""The progress of polls that take long, on one line of a terminal."""

from typing import Self, TextIO

from exporter.livepeer.page_reader import OnPage


class Progress:
    """Shows how many accounts, pages and sessions have been read, and erases the line at the end.

    Args:
        stream: the output; if it is not a terminal, nothing is written.
        accounts: number of accounts that will be read.
    """

    def __init__(self, stream: TextIO, accounts: int) -> None:
        self._stream = stream
        self._accounts = accounts
        self._done = 0
        self._read: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        self._show()
        return self

    def __exit__(self, *_: object) -> None:
        self._write("\r\x1b[K")

    def on_page(self, account: str) -> OnPage:
        """Return the function to be called after each page of an account."""

        def show_page(pages: int, sessions: int) -> None:
            self._read[account] = pages, sessions
            self._show()

        return show_page

    def finish(self) -> None:
        """Report that one more account has been read."""
        self._done += 1
        self._show()

    def _show(self) -> None:
        pages, sessions = (sum(each) for each in zip(*self._read.values(), strict=True)) if self._read else (0, 0)
        self._write(f"\r{self._done} of {self._accounts} accounts, {pages} pages, {sessions} sessions")

    def _write(self, text: str) -> None:
        if self._stream.isatty():
            print(text, end="", file=self._stream, flush=True)
