"""The flow that Prefect runs: check, run (with the packs), note, tell. Each step calls what the command calls.

What fails is raised as ``Unfinished``, whose words name no person, for Prefect keeps and shows what is raised.
"""

from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact

from ..errors import PerfmodelError, WarningsError
from ..io import read_cycle
from ..language import speaking, told
from ..runner import Outcome, Progress, attempt, attempts, attended
from ..runner.notify import base, body_of, deliver, targets, title_of
from ..runner.quarters import closed_quarter
from ..runner.run import folder_of

WAIT = 3600.0  # seconds for another run in the same DIR, after which this one mostly finds it done already


class Unfinished(Exception):
    """An attempt that was not done; its words are the outcome's, which hold no data."""

    def __init__(self, outcome: Outcome):
        self.outcome = outcome
        super().__init__(outcome.what)


def is_transient(task: Any, run: Any, state: Any) -> bool:
    """Whether Prefect shall try a task again: after a failure of the machine, never after a refusal."""
    raised = state.data if isinstance(state.data, Unfinished) else getattr(state.data, "result", None)
    return isinstance(raised, Unfinished) and raised.outcome.transient


@task(name="check")
def check(place: str, options: dict[str, Any], reports: str) -> str:
    """Find the quarter and read it; its source."""
    found: list[str] = []

    def work(progress: Progress) -> Path:
        source = closed_quarter(place, date.today())
        found.append(source)
        read = read_cycle(source, cycle=options.get("cycle"), scheme=options.get("scheme"))
        if options.get("strict") and read.warnings:
            raise WarningsError(f"{read.id} has {len(read.warnings)} warnings, and --strict computes nothing then.")
        return Path(source)

    outcome = attended(work, folder=None)
    if outcome.error is not None:
        folder = out_of(found[0], options, reports) if found else None
        raise Unfinished(replace(outcome, folder=folder, cycle=folder.name if folder else "")) from None
    return found[0]


@task(name="run", retry_condition_fn=is_transient)
def run(source: str, options: dict[str, Any], reports: str) -> Outcome:
    """What ``perfmodel run`` does, packs of units included."""
    tell = get_run_logger().info
    out = out_of(source, options, reports)
    outcome = attempt(source, **options, out=out, wait=WAIT, progress=Progress(say=lambda text: tell(told(text))))
    if outcome.error is not None:
        raise Unfinished(outcome) from None
    return outcome


@task(name="tell")
def tell(outcome: Outcome, notify: list[str], link: str) -> None:
    """Note how it ended beside the runs, leave an artifact with a link to the page, and tell whom to tell."""
    log = get_run_logger()
    try:
        attempts.record(outcome)
    except (OSError, PerfmodelError) as problem:
        log.warning(f"how this ended could not be noted in {outcome.folder}: {problem}")
    key = "perfmodel-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in outcome.cycle.lower() or "run")
    if outcome.run:
        page = f"{link}/{outcome.run}/index.html" if link else Path(outcome.run_page).resolve().as_uri()
        create_link_artifact(page, link_text=title_of(outcome), key=f"{key}-page", description=body_of(outcome, link))
    create_markdown_artifact(f"**{title_of(outcome)}**\n\n{body_of(outcome, link)}", key=key)
    for failed in deliver(targets(notify), outcome, link):
        log.warning(told(failed))


@flow(name="perfmodel", log_prints=False)
def quarter(
    source: str,
    options: dict[str, Any],
    reports: str = "reports",
    place: str = ".",
    notify: list[str] | None = None,
    link: str = "",
    retries: int = 2,
    retry_delay: float = 60.0,
) -> dict[str, Any]:
    """One quarter from its folder to its page: the summary that ``perfmodel run --json`` prints.

    Parameters
    ----------
    source : str
        A quarter, or a folder of quarters of which the one that closed last is taken when the flow runs.
    options : dict
        Options of ``runner.attempt``.
    reports, place : str
        Runs are published in ``reports``/<cycle>; paths are seen from the folder ``place``.
    notify, link
        As ``perfmodel run`` has them; ``env:NAME`` is looked up where the flow runs.
    retries, retry_delay
        How often, and after how many seconds, a run is tried again that the machine failed.
    """
    with chdir(place), speaking(options.get("lang", "en")):
        link = base(link)
        outcome = _outcome(lambda: _run(source, options, reports, retries, retry_delay))
        tell(outcome, notify or [], link)
        if outcome.error is not None:
            raise Unfinished(outcome)
        return outcome.summary()


def out_of(source: str, options: dict[str, Any], reports: str) -> Path:
    """Where the runs of ``source`` are published: a folder of the quarter's own in ``reports``."""
    folder = folder_of(source, None, options.get("cycle"), options.get("scheme"))
    return Path(reports) / (folder.name if folder else Path(source).stem)


def _run(source: str, options: dict[str, Any], reports: str, retries: int, retry_delay: float) -> Outcome:
    found = check(source, options, reports)
    again = run.with_options(retries=retries, retry_delay_seconds=retry_delay)
    return again(found, options, reports)


def _outcome(steps: Callable[[], Outcome]) -> Outcome:
    try:
        return steps()
    except Unfinished as raised:
        return raised.outcome
