"""The golden pair: a page of JSON in, the exposition out (``python -m tests.golden`` writes it anew)."""

from tests.golden.pair import METRICS, exposition
from tests.support.loop import in_loop


@in_loop
async def test_the_page_that_is_in_the_repository_gives_the_exposition_that_is_there_too() -> None:
    assert await exposition() == METRICS.read_text(encoding="utf-8")
