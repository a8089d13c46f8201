"""Long computations in short steps."""

import asyncio

from exporter.cooperative import BATCH_SIZE, Cooperative, batches, release, run_yielding


def test_a_sequence_is_split_into_batches_that_cover_it() -> None:
    items = range(2 * BATCH_SIZE + 1)
    split = list(batches(items))
    assert [len(batch) for batch in split] == [BATCH_SIZE, BATCH_SIZE, 1]
    assert [item for batch in split for item in batch] == list(items)


def test_an_empty_sequence_has_no_batches() -> None:
    assert list(batches(())) == []


def test_a_list_is_emptied_one_batch_at_a_time() -> None:
    items = list(range(2 * BATCH_SIZE + 1))
    left = [len(items) for _ in release(items)]
    assert left == [BATCH_SIZE + 1, 1, 0]


def test_other_tasks_run_between_the_steps_of_a_computation() -> None:
    order: list[str] = []

    def computation() -> Cooperative[str]:
        for step in ("first", "second"):
            order.append(step)
            yield
        return "result"

    async def scenario() -> str:
        asyncio.get_running_loop().call_soon(order.append, "another task")
        return await run_yielding(computation())

    assert asyncio.run(scenario()) == "result"
    assert order == ["first", "another task", "second"]
