"""Runs the command that stands behind it, and says on SIGUSR1 how many tasks its event loop has.

``python -m tests.soak.watched python -m exporter ...``: so that `tests.support.running` can put it in front.
"""

import asyncio
import json
import os
import signal
import sys

from exporter.__main__ import main


def _tell(*_: object) -> None:
    # Python runs a signal's handler between two steps of the main thread, which is where the loop is. Past the stream,
    # which the program may be writing to at this very moment.
    os.write(2, json.dumps({"event": "tasks", "tasks": len(asyncio.all_tasks())}).encode() + b"\n")


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _tell)
    sys.argv = sys.argv[sys.argv.index("exporter") :]
    main()
