"""`once`: poll every account once and print the metrics."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.cli.once import once
from exporter.cli.terminal import FAILURE, SUCCESS
from exporter.metrics.text_format import Format
from exporter.simulator.serve import serving
from tests.cli.output import Output
from tests.cli.settings import ENVIRONMENT, environment_with, settings_for
from tests.support.clock import ManualClock
from tests.support.loop import in_loop
from tests.support.running import Response
from tests.support.simulated import Upstream, live_row, static_response


@pytest.mark.parametrize("form", Format)
@in_loop
async def test_the_whole_exposition_is_printed_in_the_requested_format(form: Format) -> None:
    output = Output()
    async with serving(Upstream([live_row(1), live_row(2)])) as url:
        assert await once(settings_for(url), ENVIRONMENT, output.terminal, form) == SUCCESS
    parse = parse_openmetrics if form is Format.OPENMETRICS else parse_text
    families = {each.name for each in parse(output.out)}
    assert {"livepeer_studio_session_active", "livepeer_studio_exporter_build_info"} <= families
    assert output.out.endswith("# EOF\n") is (form is Format.OPENMETRICS)
    assert output.err == ""


@in_loop
async def test_exporter_metrics_can_be_disabled() -> None:
    output = Output()
    async with serving(Upstream([live_row(1)])) as url:
        settings = settings_for(url, web_disable_exporter_metrics="on")
        assert await once(settings, ENVIRONMENT, output.terminal, Format.TEXT) == SUCCESS
    assert 'livepeer_studio_exporter_poll_duration_seconds_bucket{account="default",le="+Inf"} 1.0\n' in output.out
    assert output.out.count("livepeer_studio_exporter_poll_duration_seconds_bucket") == 1
    assert "\nprocess_" not in output.out


@in_loop
async def test_a_failed_poll_is_printed_as_down_and_is_a_failure() -> None:
    upstream = Upstream([])
    upstream.override = static_response(500)
    output = Output()
    async with serving(upstream) as url:
        settings, environment = settings_for(url), environment_with(ManualClock())
        assert await once(settings, environment, output.terminal, Format.TEXT) == FAILURE
    assert Response(200, {}, output.out.encode()).values['livepeer_studio_up{account="default"}'] == 0


@in_loop
async def test_a_missing_ca_file_is_an_error_that_names_the_reason() -> None:
    settings = settings_for("https://127.0.0.1/api", ca_file="missing.pem")
    with pytest.raises(OSError, match=r"^--ca-file: cannot be read: No such file or directory$"):
        await once(settings, ENVIRONMENT, Output().terminal, Format.TEXT)


@pytest.mark.parametrize("is_terminal", [True, False])
@in_loop
async def test_progress_of_a_long_pagination_is_shown_on_a_terminal_only_and_erased(is_terminal: bool) -> None:
    output = Output(is_terminal=is_terminal)
    async with serving(Upstream([live_row(number) for number in range(30)])) as url:
        settings = settings_for(url, page_limit="10")
        assert await once(settings, ENVIRONMENT, output.terminal, Format.TEXT) == SUCCESS
    assert "\r" not in output.out
    assert ("pages, " in output.err) is is_terminal
    assert output.err == "" or output.err.endswith("\r\x1b[K")
