"""`demo`: serve the metrics of a simulated account."""

import random
from collections.abc import Mapping
from typing import Final

from exporter.cli.arguments import Invocation
from exporter.cli.terminal import SUCCESS, Terminal
from exporter.config import LoadedSettings, load
from exporter.config.names import API_KEY_VARIABLES, ENV_PREFIX
from exporter.logs import Redactor, configure
from exporter.runtime.daemon import Daemon
from exporter.runtime.environment import Environment
from exporter.simulator.api import create_app
from exporter.simulator.outages import FailingSource, Outages
from exporter.simulator.serve import serving
from exporter.simulator.world import DEMO_SPEED, DEMO_STREAMS, World

DEMO_SETTINGS: Final = {"account": "demo", "poll_interval": "5s", "active_window": "15s"}
"""Defaults of the demo; simulated streams start and end faster than real ones."""

OUTAGE_AFTER: Final = 150.0
"""Seconds until the simulated API fails for the first time."""

OUTAGE_EVERY: Final = 3600.0
"""Seconds from one outage to the next."""

OUTAGE_DURATION: Final = 75.0
"""Seconds of an outage; time without polls counts as unobserved from 60 s on."""

_CREDENTIAL_VARIABLES: Final = (*API_KEY_VARIABLES, f"{ENV_PREFIX}API_KEY_FILE")

_GREETING: Final = """
Serving a simulated Livepeer Studio account. Its streams start, degrade and end faster than real ones.
Its API fails for a short time after {outage:g} s, and once an hour, so that failed polls are shown too.

  status page  http://localhost:{port}/
  metrics      http://localhost:{port}/metrics

Press Ctrl-C to stop.
"""


async def demo(
    invocation: Invocation, environ: Mapping[str, str], environment: Environment, redactor: Redactor, terminal: Terminal
) -> int:
    """Serve the metrics of a simulator in this process, polled over HTTP on loopback.

    Returns:
        The exit code.

    Raises:
        SettingsError: the settings are invalid.
        WebConfigError: the web config file is invalid.
        OSError: an address cannot be listened on.
    """
    key = f"demo-{random.getrandbits(64):016x}"
    start = environment.now()
    world = World(random.getrandbits(32), DEMO_STREAMS, start=start, speed=DEMO_SPEED)
    source = FailingSource(world, Outages(start + OUTAGE_AFTER, OUTAGE_EVERY, OUTAGE_DURATION))
    # The user's own API key is not sent to the simulator, nor the simulator's to the user's base URL.
    variables = {name: value for name, value in environ.items() if name not in _CREDENTIAL_VARIABLES}
    async with serving(create_app(source, key=key, now=environment.now)) as url:
        arguments = {**DEMO_SETTINGS, **invocation.arguments, "base_url": url}

        def load_settings() -> LoadedSettings:
            return load(arguments, {**variables, "LIVEPEER_API_KEY": key})

        def announce(port: int) -> None:
            print(_GREETING.format(port=port, outage=OUTAGE_AFTER), file=terminal.out, flush=True)

        loaded = load_settings()
        configure(loaded.settings.log_level, loaded.settings.log_format, terminal.err, redact=redactor)
        await Daemon(load_settings, loaded, environment, environ=environ, announce=announce).run()
    return SUCCESS
