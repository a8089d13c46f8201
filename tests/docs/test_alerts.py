"""docs/alerts.md has the faults, the notifications and the route that ``make bad-evening`` uses."""

import re
from typing import Final

from tests.bad_evening.faults import make_evening
from tests.bad_evening.notifications import CONFIG
from tests.docs.test_docs import PAGES, ROOT
from tests.support import documents

TEXT: Final = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_the_table_has_the_faults_and_their_notifications() -> None:
    rows = re.findall(r"^\| (.+) \| \d+ \| (.+) \|$", TEXT, re.MULTILINE)
    faults = make_evening().faults
    assert rows == [(each.cause, ", then ".join(f"`{name}`" for name in each.notified)) for each in faults]
    assert f": {sum(len(each.notified) for each in faults)} notifications." in TEXT


def test_every_page_has_the_number_of_faults() -> None:
    counts = {count for page in PAGES for count in re.findall(r"(\d+) (?:simulated )?faults", page.read_text("utf-8"))}
    assert counts == {str(len(make_evening().faults))}


def test_the_route_is_that_of_the_configuration() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    route = documents.load(CONFIG.read_text(encoding="utf-8"))["route"]
    assert documents.load(block)["route"] == {name: value for name, value in route.items() if name != "receiver"}
