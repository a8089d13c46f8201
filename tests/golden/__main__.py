"""Writes the golden exposition anew: ``python -m tests.golden``. Read the difference before you commit it."""

import asyncio

from tests.golden.pair import METRICS, exposition

METRICS.write_text(asyncio.run(exposition()), encoding="utf-8")
