"""`metrics`: list all metrics."""

import json

from exporter.cli.metrics import metrics
from exporter.cli.terminal import SUCCESS
from exporter.metrics import catalogue
from tests.cli.output import Output


def test_every_metric_is_listed_with_type_labels_and_description() -> None:
    output = Output()
    assert metrics(output.terminal, as_json=False) == SUCCESS
    for family, labels in catalogue.everything(catalogue.EVERY_OPTION):
        heading = f"{family.name}{{{','.join((*labels, *family.labels))}}}  {family.type}"
        assert f"{heading}\n    {family.help}\n" in output.out


def test_the_json_form_lists_the_same_metrics() -> None:
    output = Output()
    assert metrics(output.terminal, as_json=True) == SUCCESS
    rows = json.loads(output.out)
    families = [family for family, _ in catalogue.everything(catalogue.EVERY_OPTION)]
    assert [row["name"] for row in rows] == [family.name for family in families]
    assert set(rows[0]) == {"name", "type", "labels", "help", "no_sample_when"}
