"""Row D07 of the fault matrix: ids that the collation of the API's database does not sort by code point."""

import pytest

from exporter.simulator.api import create_app
from exporter.simulator.collation import COLLATIONS, Collation
from exporter.simulator.serve import serving
from tests.fleet.shards import without_keyset
from tests.livepeer.clients import FixedAccount
from tests.support.canary import KEY
from tests.support.harness import harness
from tests.support.loop import in_loop
from tests.support.rows import START, ident, row

IDS = (*(ident(number << 26) for number in range(60)), "ABCDEF01-0000-4000-8000-000000000000", "7FFFFFFF", "Studio 1")


@pytest.mark.parametrize("collation", COLLATIONS.values(), ids=COLLATIONS)
@pytest.mark.parametrize("keyset", [True, False])
@pytest.mark.parametrize("shard_count", [1, 2])
@in_loop
async def test_D07_every_session_is_exported_by_one_shard(collation: Collation, keyset: bool, shard_count: int) -> None:
    account = FixedAccount(*(row(id=session_id) for session_id in IDS))
    api = create_app(account, key=KEY, now=lambda: START, collation=collation)
    exported: list[str] = []
    async with serving(api if keyset else without_keyset(api)) as url:
        for index in range(shard_count):
            async with harness(url, page_limit=10, shard_index=index, shard_count=shard_count) as program:
                await program.poll()
                assert program.last_scrape.value("up") == 1, program.poller.status.failure
                exported += program.last_scrape.sessions()
    assert sorted(exported) == sorted(IDS)
