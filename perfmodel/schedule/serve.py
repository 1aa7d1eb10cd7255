"""Serving the schedule: a Prefect server, its own on this machine unless another is named, and a runner beside it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from ..errors import RunError
from ..runner.parameters import UsageError

URL = "PREFECT_API_URL"
PORT = 4200  # Prefect's own
PATIENCE = 300.0  # seconds for the server to answer; a first start makes its database
POLL = 10  # seconds between two looks at what is due, fewer for short intervals

# Nothing is told to Prefect's makers, by the library, the server or its pages.
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
}
# What our own server needs not do when it starts: offer blocks, of which the flow uses none.
LEAN = {"PREFECT_API_BLOCKS_REGISTER_ON_START": "false"}


@dataclass(frozen=True)
class Plan:
    """What is run and when: exactly one of ``cron`` (in ``timezone``) and ``interval`` (seconds).

    ``sources`` are quarters or folders of quarters; ``options`` are those of ``runner.attempt``. Of several
    sources each publishes in a folder of its own name below ``reports``.

    Raises
    ------
    UsageError
        If there is no time or two, or two sources would publish in one folder.
    """

    sources: tuple[str, ...]
    options: dict[str, Any]
    cron: str = ""
    interval: float = 0.0
    timezone: str = ""
    reports: str = "reports"
    notify: tuple[str, ...] = ()
    link: str = ""
    retries: int = 2
    retry_delay: float = 60.0
    at_once: int = 1

    def __post_init__(self):
        if bool(self.cron) == bool(self.interval):
            raise UsageError(
                'Say when: --cron "0 6 5 1,4,7,10 *" (the 5th of each quarter at 6), or --interval SECONDS.'
            )
        key = self.options.get("pseudonyms", "")
        if key and not key.startswith("env:"):
            raise UsageError("A schedule is kept where others can read it, so --pseudonyms takes the key as env:NAME.")
        names = [self.name_of(source) for source in self.sources]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"Two CYCLEs are called {', '.join(twice)} and would publish in one folder; rename one.")

    @staticmethod
    def name_of(source: str) -> str:
        """What a source is called on the schedule."""
        return Path(source.split("://")[-1]).resolve().stem or "quarter"

    def parameters(self, source: str) -> dict[str, Any]:
        """Of the flow for ``source``; paths are seen from the folder in which the schedule was started."""
        own = str(Path(self.reports) / self.name_of(source)) if len(self.sources) > 1 else self.reports
        return {
            "source": source,
            "options": self.options,
            "reports": own,
            "place": os.getcwd(),
            "notify": list(self.notify),
            "link": self.link,
            "retries": self.retries,
            "retry_delay": self.retry_delay,
        }


def serve(plan: Plan, *, port: int = PORT, tell=lambda text: None) -> None:
    """Run ``plan`` until interrupted. $PREFECT_API_URL names another server than one of our own on loopback.

    Raises
    ------
    UsageError
        If Prefect is not installed, or ``cron`` or ``timezone`` is none.
    RunError
        If the server does not start or cannot be reached.
    """
    if find_spec("prefect") is None:
        raise UsageError("schedule needs Prefect, which is not here. Get it with: pip install 'perfmodel[schedule]'")
    os.environ.update(QUIET)
    # No proxy stands between a machine and itself.
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    os.environ.setdefault("PREFECT_RUNNER_POLL_FREQUENCY", str(max(1, min(POLL, int(plan.interval or POLL)))))
    with _server(port, tell) as url:
        os.environ[URL] = url  # read when Prefect is loaded, and by what it starts
        _serve(plan, tell)


def _serve(plan: Plan, tell) -> None:
    from prefect import serve
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import EntrypointType, RunnerDeployment
    from prefect.schedules import Cron, Interval

    from .flow import quarter

    try:
        zone = plan.timezone or local_zone()
        when = Cron(plan.cron, timezone=zone) if plan.cron else Interval(plan.interval)
    except ValueError as problem:
        raise UsageError(f"Prefect knows no such time: {problem}") from None
    # Due again while it is still running: dropped, for it would only find that nothing is new.
    alone = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    deployments = [
        RunnerDeployment.from_flow(
            quarter,
            plan.name_of(source),
            schedule=when,
            parameters=plan.parameters(source),
            tags=["perfmodel"],
            concurrency_limit=alone,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        for source in plan.sources
    ]
    for source in plan.sources:
        tell(f"{source} is on the schedule as perfmodel/{plan.name_of(source)}; stop it with Ctrl-C")
    # A runner that is full would keep what is due for later, so it is bounded only where that is needed.
    limit = plan.at_once if plan.at_once < len(deployments) else None
    serve(*deployments, limit=limit, print_starting_message=False)


def local_zone() -> str:
    """Name of this machine's time zone, UTC where it has none: a cron line means the time on the wall."""
    from tzlocal import get_localzone_name

    return get_localzone_name() or "UTC"


@contextmanager
def _server(port: int, tell) -> Iterator[str]:
    """Address of the Prefect server to use; our own lives as long as the block."""
    if url := os.environ.get(URL):
        if not answers(url):
            raise RunError(f"No Prefect server answers at {url}. Start it, or unset {URL} to have one started here.")
        yield url
        return
    url = f"http://127.0.0.1:{port}/api"
    if answers(url):
        tell(f"a Prefect server is running at {url} already; it is used")
        yield url
        return
    if not _is_free(port):
        raise RunError(f"Port {port} is taken by something else than a Prefect server. Name another with --port.")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    home.mkdir(parents=True, exist_ok=True)
    said = home / "perfmodel-server.log"
    with said.open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **LEAN, URL: url}, stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + PATIENCE
        while not answers(url):
            if process.poll() is not None or time.monotonic() > until:
                raise RunError(f"Prefect's server did not start. What it said is in {said}.")
            time.sleep(0.2)
        tell(f"Prefect's pages: http://127.0.0.1:{port}")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    """Whether a Prefect server answers at ``url``; on loopback no proxy stands between."""
    try:
        with build_opener(ProxyHandler({})).open(f"{url}/health", timeout=5) as answer:
            return answer.status == 200
    except (URLError, OSError, ValueError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
