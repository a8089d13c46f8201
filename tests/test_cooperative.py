"""Long work in short steps."""

from exporter.cooperative import SIZE, release


def test_a_list_is_let_go_step_by_step() -> None:
    items = list(range(2 * SIZE + 1))
    left = [len(items) for _ in release(items)]
    assert left == [SIZE + 1, 1, 0]
