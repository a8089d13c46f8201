"""Opening of files that must not be pipes or devices."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular_file(path: Path) -> BinaryIO:
    """Open a file to read it.

    To open or to read a pipe would block until another process writes to it.

    Raises:
        OSError: the file cannot be opened, or is a directory, a pipe or a device.
        ValueError: `path` is not a valid file name.
    """
    file = open(path, "rb", opener=_open_nonblocking)  # noqa: SIM115  # the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "Not a regular file")
    return file


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
