from pathlib import Path

from tests.engines.builds import MODULES, default_cache
from tests.engines.rule_check import VMALERT_FIRING, vmalert_documents
from tests.grafana.alert_cases import CASES


def test_each_case_is_a_test_of_vmalert_tool() -> None:
    tests = [test for _, document in vmalert_documents() for test in document["tests"]]
    assert len(tests) == len(CASES)
    assert all("promql_expr_test" not in test and test["metricsql_expr_test"] for test in tests)


def test_the_differences_of_vmalert_are_of_existing_cases_and_other_numbers() -> None:
    firing = {(case.alert, case.description): case.firing for case in CASES}
    assert all(firing[case] != number for case, number in VMALERT_FIRING.items())


def test_the_cache_is_in_the_first_directory_that_is_set() -> None:
    assert default_cache({"ENGINES_CACHE": "/chosen", "XDG_CACHE_HOME": "/user"}) == Path("/chosen")
    assert default_cache({"XDG_CACHE_HOME": "/user"}) == Path("/user/livepeer-session-exporter/engines")


def test_a_build_has_the_tags_and_the_version_of_its_module() -> None:
    module = {each.name: each for each in MODULES}["thanos"].with_version("v1.2.3")
    command = module.command("./cmd/thanos", Path("thanos"))
    assert command[-5:] == ["-tags", "slicelabels", "-o", "thanos", "./cmd/thanos"]
    assert any(argument.endswith("common/version.Version=v1.2.3") for argument in command)
