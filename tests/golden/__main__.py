"""Regenerates the golden exposition: ``python -m tests.golden``. Review the difference before you commit it."""

import asyncio

from tests.golden.exposition import METRICS, exposition

METRICS.write_text(asyncio.run(exposition()), encoding="utf-8")
