"""Several cycles in one command: each into a folder of its own, as many at once as there are workers, none stopping
another. On a cluster every machine must see the cycles and the folders under the same names, as object storage gives.
"""

import os
import pickle
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import PerfmodelError
from ..language import speaking
from .engine import LOCAL, Engine, WorkerLost, each
from .packs import DIED, UnitsFailed, reason
from .parameters import UsageError
from .run import Progress, run

ATTEMPTS = 2


@dataclass(frozen=True)
class Outcome:
    """What became of one cycle: the page to open, "" where there is none, and why not everything is done, "" if it is.

    ``said`` is what the run told meanwhile, ``findings`` what the reading found.
    """

    source: str
    page: str = ""
    error: str = ""
    said: tuple[str, ...] = ()
    findings: tuple = ()


def folders(sources: Iterable[str], out: str | None) -> dict[str, str]:
    """Where each of ``sources`` is published below ``out`` (``reports``): under its path from where their paths part.

    Raises
    ------
    UsageError
        If a cycle is named twice, or two would share a folder.
    """
    sources = [os.path.abspath(source) if os.path.exists(source) else source for source in sources]
    if len(set(sources)) < len(sources):
        raise UsageError("A cycle is named twice; name each once.")
    local = [source for source in sources if os.path.exists(source)]
    common = os.path.commonpath([os.path.dirname(source) for source in local]) if local else ""
    names = {}
    for source in sources:
        parts = os.path.relpath(source, common).split(os.sep) if source in local else [source]
        names[source] = os.path.join(*(re.sub(r"[^\w.-]|^\.+", "_", part) for part in parts))
    if len(set(names.values())) < len(names):
        raise UsageError("Two of these cycles would be published in one folder; run them one by one with --out.")
    return {source: os.path.join(os.path.abspath(out or "reports"), name) for source, name in names.items()}


def run_each(
    sources: Iterable[str], options: Mapping[str, Any], *, out: str | None, engine: Engine, progress: Progress
) -> Iterator[Outcome]:
    """Run each of ``sources`` with ``options`` of ``run``; outcomes as they come, one for each.

    The cycles are what is shared out: each is computed by one worker, which makes its own packs.
    """
    missing = folders(sources, out)
    tick = progress.steps(len(missing))
    jobs = max(1, engine.jobs // len(missing)) if engine.name == LOCAL else 1
    if engine.name == LOCAL:
        engine = replace(engine, jobs=min(engine.jobs, len(missing)))
    for _ in range(ATTEMPTS):
        tasks = [pickle.dumps((source, place, jobs, dict(options))) for source, place in missing.items()]
        try:
            for outcome in each(one, tasks, engine, progress.say):
                if missing.pop(outcome.source, None) is not None:
                    tick()
                    yield outcome
        except WorkerLost:
            progress.say(f"A process was lost; {len(missing)} cycles are asked for again.")
        if not missing:
            return
    for source in list(missing):
        yield Outcome(source, error=DIED)


def one(task: bytes) -> Outcome:
    """The run of one cycle, in the process that was asked for it."""
    source, place, jobs, options = pickle.loads(task)
    said: list[str] = []
    page, error = "", ""
    findings: tuple = ()
    with speaking(options.get("lang", "en")):
        try:
            engine = Engine(jobs=jobs)
            page = str(
                run(source, out=Path(place), jobs=jobs, engine=engine, progress=Progress(said.append), **options)
            )
        except UnitsFailed as found:
            page, error = str(found.page), str(found)
        except PerfmodelError as found:
            error, findings = str(found), found.findings
        except Exception as found:  # whatever it is, it is this cycle's and stops no other
            error = f"{reason(found)}. Run it by itself to see more."
    return Outcome(source, page, error, tuple(said), tuple(findings))
