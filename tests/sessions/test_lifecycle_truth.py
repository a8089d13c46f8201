"""The lifecycle metrics equal the truth over random histories; `make fuzz` compares more of them."""

import pytest

from tests.sessions.lifecycle_history import compare

HISTORIES = 1000
PARTS = 10


@pytest.mark.untraced
@pytest.mark.parametrize("part", range(PARTS))
def test_the_lifecycle_equals_the_truth(part: int) -> None:
    for seed in range(part, HISTORIES, PARTS):
        assert compare(seed).differences == [], f"seed {seed}"
