"""The parts of `make test-cluster` that need no cluster."""

import subprocess
from pathlib import Path

import pytest

from tests.cluster.admission import Rendering
from tests.cluster.builds import PROGRAMS, Program, build_module, default_cache
from tests.cluster.documents import code_blocks, section
from tests.cluster.kubelet import next_step, running_status
from tests.cluster.prometheus_operator import jobs_of, metrics_port
from tests.cluster.report import Report
from tests.cluster.scraping import Access, localized
from tests.cluster.shell import applied, copy_of_repository
from tests.cluster.upgrades import earlier_manifests
from tests.deploy.manifests import HELM, KUBERNETES, ROOT
from tests.support import documents
from tests.support.go_modules import BuildError

OF_EXPORTER = "livepeer-monitoring/livepeer-session-exporter"
KUBERNETES_PROGRAM = Program("kubectl", "k8s.io/kubernetes", "v1.37.2", "cmd/kubectl")


def test_the_libraries_of_kubernetes_are_required_in_the_version_that_belongs_to_it() -> None:
    go_mod = "module k8s.io/kubernetes\n\ngo 1.26.0\n\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n)\n"
    assert build_module(KUBERNETES_PROGRAM, go_mod) == (
        "module build\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v1.37.2\n\nreplace k8s.io/api => k8s.io/api v0.37.2\n"
    )


def test_other_replacements_of_a_module_are_not_taken_over() -> None:
    program = Program("etcd", "go.etcd.io/etcd/server/v3", "v3.7.3", "")
    go_mod = "module go.etcd.io/etcd/server/v3\n\ngo 1.26.0\n\nreplace go.etcd.io/etcd/api/v3 => ../api\n"
    assert "replace" not in build_module(program, go_mod)


def test_a_module_without_a_version_of_go_is_an_error() -> None:
    with pytest.raises(BuildError, match="no version of Go"):
        build_module(KUBERNETES_PROGRAM, "module k8s.io/kubernetes\n")


def test_the_programs_of_one_run_have_different_names_in_the_cache() -> None:
    assert len({program.file_name for program in PROGRAMS}) == len(PROGRAMS)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CLUSTER_TEST_CACHE": "/given", "HOME": "/home/a"}, "/given"),
        ({"XDG_CACHE_HOME": "/caches", "HOME": "/home/a"}, "/caches/livepeer-session-exporter/cluster"),
        ({"HOME": "/home/a"}, "/home/a/.cache/livepeer-session-exporter/cluster"),
    ],
)
def test_the_cache_is_the_given_directory_or_in_that_of_the_user(environment: dict[str, str], expected: str) -> None:
    assert default_cache(environment) == Path(expected)


def test_a_section_ends_at_the_next_heading_of_its_level(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n\n## B\n\nb\n\n### C\n\nc\n\n## D\n\nd\n")
    assert section(page, "## B") == "\nb\n\n### C\n\nc\n\n"
    assert section(page, "## D") == "\nd\n"
    with pytest.raises(ValueError, match="no heading"):
        section(page, "## C")


def test_a_command_that_continues_over_lines_is_one_command() -> None:
    text = "Text.\n\n```sh\na \\\n  -b\nc\n```\n\n```yaml\nno: command\n```\n\n```sh\nd\n```\n"
    assert code_blocks(text) == [["a \\\n  -b", "c"], ["d"]]


def test_the_documentation_has_the_commands_that_are_typed() -> None:
    guide, readme = ROOT / "docs" / "kubernetes.md", ROOT / "deploy" / "README.md"
    assert [len(block) for block in code_blocks(section(readme, "## Five minutes"))] == [3, 3, 3]
    assert [len(block) for block in code_blocks(section(readme, "## Upgrade and rollback"))] == [2]
    assert [len(block) for block in code_blocks(section(guide, "## One exporter and shards"))] == [2, 2]
    assert [len(block) for block in code_blocks(section(guide, "## Prometheus without the operator"))] == [2, 3]


def test_the_names_of_applied_objects_are_read_from_the_output_of_kubectl() -> None:
    output = "namespace/a serverside-applied\nservice/b created\ndeployment.apps/c unchanged\nerror: d\n"
    assert applied(output) == ["namespace/a", "service/b", "deployment.apps/c"]


def test_a_configuration_gets_the_access_the_directory_and_the_shard_that_a_pod_has() -> None:
    access = Access("https://127.0.0.1:1", Path("/ca.pem"), "token")
    config = {
        "rule_files": ["/etc/prometheus/rules/*.yaml"],
        "scrape_configs": [{"job_name": "$(SHARD)", "kubernetes_sd_configs": [{"role": "pod"}]}],
    }
    discovery = {
        "role": "pod",
        "api_server": "https://127.0.0.1:1",
        "authorization": {"credentials": "token"},
        "tls_config": {"ca_file": "/ca.pem"},
    }
    assert localized(config, access, Path("/here")) == {
        "rule_files": ["/here/rules/*.yaml"],
        "scrape_configs": [{"job_name": "0", "kubernetes_sd_configs": [discovery]}],
    }
    assert config["scrape_configs"] == [{"job_name": "$(SHARD)", "kubernetes_sd_configs": [{"role": "pod"}]}]


@pytest.mark.parametrize(
    ("rendering", "jobs", "port"),
    [
        (
            KUBERNETES / "rendered" / "standalone.yaml",
            {"podMonitor/livepeer-monitoring/livepeer-session-exporter/0"},
            9877,
        ),
        (
            HELM / "rendered" / "service-monitor.yaml",
            {"serviceMonitor/livepeer-monitoring/livepeer-session-exporter/0"},
            9877,
        ),
        (
            HELM / "rendered" / "scrape-config.yaml",
            {"scrapeConfig/livepeer-monitoring/livepeer-session-exporter"},
            9877,
        ),
        (HELM / "rendered" / "tls.yaml", {"podMonitor/livepeer-monitoring/livepeer-session-exporter/0"}, 9443),
        (KUBERNETES / "rendered" / "sidecar.yaml", {"podMonitor/default/livepeer-session-exporter/0"}, 9877),
        (HELM / "rendered" / "default.yaml", set(), 9877),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else None,
)
def test_the_expected_jobs_and_port_are_those_of_the_monitors(rendering: Path, jobs: set[str], port: int) -> None:
    read = Rendering(rendering.stem, rendering.read_text(), "default")
    assert (jobs_of(read), metrics_port(read)) == (jobs, port)


def test_the_namespace_of_a_rendering_is_that_of_its_objects() -> None:
    named = documents.dump({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "b"}})
    plain = documents.dump({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}})
    assert Rendering("a", named, "c").namespace == "b"
    assert Rendering("a", plain, "c").namespace == "c"


def test_parts_of_a_rendering_are_its_namespaces_the_operator_s_objects_or_all_but_namespaces() -> None:
    kinds = {"Namespace": "v1", "Service": "v1", "PodMonitor": "monitoring.coreos.com/v1"}
    objects = [{"kind": kind, "apiVersion": version, "metadata": {"name": "a"}} for kind, version in kinds.items()]
    rendering = Rendering("a", documents.dump_all(objects))
    parts = (rendering.only(namespaces=True), rendering.only(operator=True), rendering.only())
    found = [[each["kind"] for each in part.objects()] for part in parts]
    assert found == [["Namespace"], ["PodMonitor"], ["Service", "PodMonitor"]]


def test_a_pod_is_bound_then_run_and_removed_when_it_is_deleted() -> None:
    node, running = {"nodeName": "a"}, running_status("10.0.0.1")
    deleted = {"deletionTimestamp": "now"}
    assert next_step({"metadata": {}, "spec": {}, "status": {"phase": "Pending"}}) == "bind"
    assert next_step({"metadata": {}, "spec": node, "status": {"phase": "Pending"}}) == "run"
    assert next_step({"metadata": {}, "spec": node, "status": running}) is None
    assert next_step({"metadata": deleted, "spec": node, "status": running}) == "remove"


def test_the_summary_has_versions_counts_and_times() -> None:
    now = iter((1.0, 3.5))
    lines: list[str] = []
    report = Report(lines.append, lambda: next(now))
    report.version("helm", "v4.3.1")
    with report.step("a step"):
        report.passed("a result", objects_applied=2)
        report.passed("another", objects_applied=3)
    summary = [line.split() for line in report.summary().splitlines()]
    assert lines == ["a step\n", "  a result\n", "  another\n"]
    assert ["helm", "v4.3.1"] in summary
    assert ["objects", "applied", "5"] in summary
    assert ["a", "step", "2.5"] in summary


def test_a_copy_of_the_repository_has_the_tracked_files_and_links_only(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "a").mkdir(parents=True)
    (source / "a" / "file").write_text("text")
    (source / "link").symlink_to("a/file")
    (source / "deleted").write_text("")
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=source, check=True)
    (source / "untracked").write_text("")
    (source / "deleted").unlink()
    copy_of_repository(source, target)
    assert {path.name for path in target.iterdir()} == {"a", "link"}
    assert (target / "link").readlink() == Path("a/file")


def test_without_history_there_are_no_earlier_manifests(tmp_path: Path) -> None:
    assert earlier_manifests(tmp_path) == {}
