"""The pages as an application; `tests/process/test_scrape_faults.py` requests them from the real command."""

import asyncio
import gzip

import httpx
import pytest
from prometheus_client.openmetrics import exposition
from prometheus_client.parser import text_string_to_metric_families as parse_text
from starlette.types import ASGIApp

from exporter.metrics.process import Process
from exporter.metrics.text_format import Format
from exporter.pages.negotiation import ESCAPINGS
from exporter.pages.routes import PLAIN_PIECE, Health, create_app, create_probe_app
from tests.support.accounts import Accounts, session


def ask(app: ASGIApp, path: str = "/metrics", method: str = "GET", **headers: str) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter", headers={}) as client:
            client.headers.clear()
            return await client.request(method, path, headers=headers)

    return asyncio.run(once())


def site(accounts: Accounts, *, alive: bool = True, ready: bool = True, metrics_path: str = "/metrics") -> ASGIApp:
    process = Process(revision="r", series=accounts.pages.series, series_limit=1, shard=(0, 1), now=accounts.time.now)
    health = Health(alive=lambda: alive, ready=lambda: ready)
    return create_app(accounts.pages, process, health, lambda fold: f"<p>people, {fold}</p>", metrics_path=metrics_path)


@pytest.mark.parametrize("form", Format)
def test_the_page_is_the_boards_with_the_processs_metrics_at_its_end(form: Format) -> None:
    accounts = Accounts()
    accounts.publish([session(1)])
    answer = ask(site(accounts), Accept=form.value)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, form.value)
    assert answer.text.startswith(b"".join(accounts.pages.page(form).plain()).decode())
    assert "livepeer_studio_exporter_build_info{" in answer.text
    assert "process_cpu_seconds_total " in answer.text
    assert answer.text.endswith("# EOF\n") is (form is Format.OPENMETRICS)


@pytest.mark.parametrize("escaping", ESCAPINGS)
@pytest.mark.parametrize("form", Format)
def test_the_page_is_the_same_with_every_escaping_scheme(form: Format, escaping: str) -> None:
    accounts = Accounts()
    accounts.publish([session(1)])
    media = form.value.partition(";")[0]
    answer = ask(site(accounts), Accept=f"{media};version=1.0.0;escaping={escaping};q=0.6,*/*;q=0.5")
    assert answer.headers["Content-Type"] == f"{media}; version=1.0.0; charset=utf-8; escaping={escaping}"
    page = b"".join(accounts.pages.page(form).plain()).decode()
    assert page
    assert answer.text.startswith(page)


@pytest.mark.skipif(
    not hasattr(exposition, "escape_metric_name"), reason="this version of prometheus-client has no escaping schemes"
)
def test_the_schemes_of_the_content_type_leave_every_name_as_it_is_and_no_other_scheme_does() -> None:
    accounts = Accounts()
    accounts.publish([session(1)])
    samples = [sample for family in parse_text(ask(site(accounts)).text) for sample in family.samples]
    metrics, labels = {sample.name for sample in samples}, {label for sample in samples for label in sample.labels}
    assert {"livepeer_studio_up", "process_open_fds"} <= metrics
    assert {"account", "session_id", "le"} <= labels

    def is_unchanged(escaping: str) -> bool:
        metric_names = {exposition.escape_metric_name(name, escaping) for name in metrics}
        return metric_names == metrics and {exposition.escape_label_name(name, escaping) for name in labels} == labels

    every = (exposition.ALLOWUTF8, exposition.DOTS, exposition.UNDERSCORES, exposition.VALUES)
    assert {escaping for escaping in every if is_unchanged(escaping)} == {*ESCAPINGS}


def test_a_compressed_answer_says_the_same_as_a_plain_one() -> None:
    accounts = Accounts()
    accounts.publish([session(number) for number in range(3)])
    plain, packed = (ask(site(accounts), **more) for more in ({}, {"Accept-Encoding": "gzip"}))
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    page = b"".join(accounts.pages.page(Format.TEXT).plain()).decode()
    assert plain.text.startswith(page)
    assert packed.text.startswith(page)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_the_length_is_told_and_right(encoding: str) -> None:
    accounts = Accounts()
    accounts.publish([session(number) for number in range(2 * PLAIN_PIECE // 500)])

    async def raw() -> tuple[int, int]:
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(site(accounts)), base_url="http://exporter") as client,
            client.stream("GET", "/metrics", headers={"Accept-Encoding": encoding}) as response,
        ):
            body = b"".join([part async for part in response.aiter_raw()])
            text = gzip.decompress(body) if encoding == "gzip" else body
            assert text.count(b"livepeer_studio_session_active{") == 2 * PLAIN_PIECE // 500
            return int(response.headers["Content-Length"]), len(body)

    told, sent = asyncio.run(raw())
    assert told == sent


@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/readyz"])
def test_answers_are_not_stored_and_not_guessed_at(path: str) -> None:
    answer = ask(site(Accounts()), path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "fold"), [("/", "closed"), ("/?live", "open"), ("/?live=", "open"), ("/?x", "closed")]
)
def test_the_query_of_the_status_page_unfolds_the_live_sessions(path: str, fold: str) -> None:
    assert ask(site(Accounts()), path).text == f"<p>people, {fold}</p>"


def test_the_page_for_people_runs_no_scripts_and_is_framed_by_nobody() -> None:
    policy = ask(site(Accounts()), "/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy


def test_S07_several_lines_of_a_header_count_as_one_list() -> None:
    async def twice() -> httpx.Response:
        transport = httpx.ASGITransport(site(Accounts()))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            client.headers.clear()
            lines = [
                ("Accept", "image/png"),
                ("Accept", Format.OPENMETRICS.value),
                ("Accept-Encoding", "br"),
                ("Accept-Encoding", "gzip"),
            ]
            return await client.get("/metrics", headers=lines)

    headers = asyncio.run(twice()).headers
    assert (headers["Content-Type"], headers["Content-Encoding"]) == (Format.OPENMETRICS.value, "gzip")


def test_what_the_answer_depends_on_is_told_to_caches() -> None:
    assert ask(site(Accounts())).headers["Vary"] == "Accept, Accept-Encoding"


def test_the_metrics_can_have_another_path() -> None:
    app = site(Accounts(), metrics_path="/probe/metrics")
    assert (ask(app, "/probe/metrics").status_code, ask(app).status_code) == (200, 404)


@pytest.mark.parametrize(("path", "word"), [("/livez", "alive"), ("/readyz", "ready")])
def test_R13_a_probe_answers_200_while_all_is_well_and_503_otherwise(path: str, word: str) -> None:
    good = ask(site(Accounts()), path)
    assert (good.status_code, good.text) == (200, "ok\n")
    bad = site(Accounts(), alive=word != "alive", ready=word != "ready")
    assert ask(bad, path).status_code == 503


def test_one_probe_does_not_depend_on_the_other() -> None:
    assert ask(site(Accounts(), alive=False), "/readyz").status_code == 200
    assert ask(site(Accounts(), ready=False), "/livez").status_code == 200


def test_scrapes_are_answered_while_stopping_and_while_the_clock_stands() -> None:
    assert ask(site(Accounts(), alive=False, ready=False)).status_code == 200


def test_the_probes_alone_have_no_other_page() -> None:
    app = create_probe_app(Health(alive=lambda: True, ready=lambda: True))
    found = {path: ask(app, path).status_code for path in ("/livez", "/readyz", "/", "/metrics", "/livez/")}
    assert found == {"/livez": 200, "/readyz": 200, "/": 404, "/metrics": 404, "/livez/": 404}


def test_S01_head_of_every_page_has_the_same_headers() -> None:
    for path in ("/", "/metrics", "/livez", "/readyz"):
        get, head = (ask(site(Accounts()), path, method) for method in ("GET", "HEAD"))
        assert head.status_code == 200
        assert head.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/readyz"])
def test_S02_every_page_refuses_other_methods_with_allow(path: str) -> None:
    answer = ask(site(Accounts()), path, "DELETE")
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"GET", "HEAD"})


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/nothing", "GET", 404), ("/metrics/", "GET", 404), ("/metrics", "POST", 405)]
)
def test_S02_S03_an_error_has_the_security_headers_of_the_pages(path: str, method: str, status: int) -> None:
    response = ask(site(Accounts()), path, method)
    assert (response.status_code, response.headers["X-Content-Type-Options"]) == (status, "nosniff")
    assert response.headers["Cache-Control"] == "no-store"
    assert set(response.headers.get("Allow", "").split(", ")) == ({"GET", "HEAD"} if status == 405 else {""})
