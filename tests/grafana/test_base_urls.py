"""The links of alerts follow from the project's public address."""

from typing import Any

import pytest

from grafana.builder.base_urls import project_base_urls


@pytest.mark.parametrize("project", [{}, {"urls": {}}, {"urls": {"Source": ""}}])
def test_without_a_public_address_alerts_have_the_path_of_the_runbook(project: dict[str, Any]) -> None:
    urls = project_base_urls({"project": project})
    assert urls.runbook_annotation("one") == {"runbook": "docs/runbooks.md#one"}


@pytest.mark.parametrize("source", ["https://example.org/project", "https://example.org/project/"])
def test_with_a_public_address_alerts_have_the_url_of_the_runbook(source: str) -> None:
    urls = project_base_urls({"project": {"urls": {"Source": source}}})
    expected = {"runbook_url": "https://example.org/project/blob/main/docs/runbooks.md#one"}
    assert urls.runbook_annotation("one") == expected
