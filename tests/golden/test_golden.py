"""A page of the API and the exposition that follows from it (``python -m tests.golden`` regenerates the latter)."""

from tests.golden.exposition import METRICS, exposition
from tests.support.loop import in_loop


@in_loop
async def test_the_exposition_of_the_golden_page_is_unchanged() -> None:
    assert await exposition() == METRICS.read_text(encoding="utf-8"), "run: make generated"
