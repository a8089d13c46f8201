"""Run the command in its arguments, and print the number of asyncio tasks on SIGUSR1.

``python -m tests.soak.with_task_count python -m exporter ...``: a wrapper for `tests.support.running`.
"""

import asyncio
import json
import os
import signal
import sys

from exporter.__main__ import main


def _print_task_count(*_: object) -> None:
    # Python runs signal handlers in the main thread, which runs the event loop. The line bypasses sys.stderr, which
    # may be in the middle of a write.
    os.write(2, json.dumps({"msg": "tasks", "tasks": len(asyncio.all_tasks())}).encode() + b"\n")


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _print_task_count)
    sys.argv = sys.argv[sys.argv.index("exporter") :]
    main()
