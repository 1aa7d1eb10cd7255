"""Several cycles in one command: each into a folder of its own, as many at once as there are workers, none stopping
another. On a cluster every machine must see the cycles and the folders under the same names, as object storage gives.
"""

import os
import pickle
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import RunError, TransientError
from ..language import speaking
from .engine import LOCAL, Engine, WorkerLost, each
from .lock import now
from .outcome import Outcome, attempt, not_done
from .packs import DIED, reason
from .parameters import UsageError
from .run import Progress

ATTEMPTS = 2


@dataclass(frozen=True)
class Ended:
    """What became of one cycle, with what was ``said`` meanwhile; ``error`` in full and ``findings`` are for its owner.

    The outcome's own error stays where it was raised: not every exception travels.
    """

    source: str
    outcome: Outcome
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
    sources: Iterable[str],
    *,
    out: str | None = None,
    engine: str = LOCAL,
    cluster: str = "",
    jobs: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Iterator[Ended]:
    """``attempt`` each of ``sources`` with ``options``; what became of them as it comes, one for each.

    The cycles are what is shared out: each is computed by one worker, which makes its own packs.
    """
    progress = progress or Progress()
    missing = folders(sources, out)
    tick = progress.steps(len(missing))
    here = engine == LOCAL
    cores = jobs or os.cpu_count() or 1
    own = max(1, cores // len(missing)) if here else 1
    workers = Engine(engine, cluster, min(cores, len(missing)) if here else cores)
    for _ in range(ATTEMPTS):
        tasks = [pickle.dumps((source, place, own, dict(options))) for source, place in missing.items()]
        try:
            for ended in each(one, tasks, workers, progress.say):
                if missing.pop(ended.source, None) is not None:
                    tick()
                    yield ended
        except WorkerLost:
            progress.say(f"A process was lost; {len(missing)} cycles are asked for again.")
        if not missing:
            return
    for source, place in missing.items():
        lost = replace(not_done(TransientError(DIED), now()), folder=Path(place), error=None)
        yield Ended(source, lost, DIED)


def one(task: bytes) -> Ended:
    """The run of one cycle, in the process that was asked for it."""
    source, place, jobs, options = pickle.loads(task)
    said: list[str] = []
    with speaking(options.get("lang", "en")):
        try:
            outcome = attempt(source, out=Path(place), jobs=jobs, progress=Progress(said.append), **options)
        except Exception as found:  # whatever it is, it is this cycle's and stops no other
            lost = not_done(RunError(f"{reason(found)}. Run it by itself to see more."), now())
            outcome = replace(lost, folder=Path(place))
    error, findings = str(outcome.error or ""), tuple(getattr(outcome.error, "findings", ()))
    return Ended(source, replace(outcome, error=None), error, tuple(said), findings)
