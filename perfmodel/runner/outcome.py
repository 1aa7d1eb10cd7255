"""What came of a command that nobody watches: one value for its JSON line, its record, its notification, its exit.

Nothing in it names a person or says a score: codes, counts, and sentences about files, notebooks and machines alone.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, Finding, PerfmodelError, RunError, SchemeError, TransientError, WarningsError, by_code
from ..urls import is_url
from .engine import LOCAL, Engine
from .lock import Busy, now
from .manifest import sha256
from .packs import UnitsFailed
from .parameters import from_environment
from .quarters import closed_quarter
from .run import Progress, folder_of
from .stored import run

if TYPE_CHECKING:
    from ..cycle import Cycle

DONE, REFUSED, FAILED, INTERRUPTED = "done", "refused", "failed", "interrupted"


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended.

    ``outcome``: "done"; "refused" (data, scheme, command or lock: the same again would be refused again), "failed" (the
    machine, a notebook, or packs of units), "interrupted". ``run`` is the published run's id, ``already`` whether it
    stood there before, ``made`` its manifest and ``manifest`` the digest of that; ``where`` is DIR, a folder or an
    address, and ``folder`` DIR where attempts are noted: a folder of this machine. ``what`` and ``codes`` (findings by
    code) say why it is not done, ``error`` is what was raised.
    """

    outcome: str
    exit: int
    started: str
    seconds: float
    folder: Path | None = None
    cycle: str = ""
    run: str = ""
    already: bool = False
    where: str = ""
    made: Mapping[str, Any] = field(default_factory=dict)
    manifest: str = ""
    what: str = ""
    codes: Mapping[str, int] = field(default_factory=dict)
    error: BaseException | None = field(default=None, compare=False, repr=False)

    @property
    def page(self) -> str:
        """The page to open: the newest run's entry in DIR; "" where there is none."""
        return f"{self.where}/index.html" if self.run else ""

    @property
    def run_page(self) -> str:
        """The published run's own page; "" where there is none."""
        return f"{self.where}/{self.run}/index.html" if self.run else ""

    @property
    def transient(self) -> bool:
        """Whether the same may succeed when it is tried again: the machine failed, nothing was refused."""
        return isinstance(self.error, (TransientError, OSError))

    @property
    def busy(self) -> bool:
        """Whether somebody else was at work, so that this attempt never began."""
        return isinstance(self.error, Busy)

    def summary(self) -> dict[str, Any]:
        """The attempt as one JSON object."""
        said: dict[str, Any] = {"outcome": self.outcome, "exit": self.exit, "cycle": self.cycle}
        said |= {"started": self.started, "seconds": round(self.seconds, 3)}
        if self.what:
            said |= {"what": self.what, "codes": dict(self.codes)}
        if not self.run:
            return said
        made = self.made
        return said | {
            "run": self.run,
            "page": self.page,
            "already": self.already,
            "status": made["status"],
            "simulated": made["simulated"],
            "counts": counts_of(made),
            "warnings": made["warnings"]["codes"],
            "digest": made["digest"],
            "manifest": self.manifest,
        }


def attempt(
    source: str,
    *,
    newest: bool = False,
    ledger: str = "",
    pseudonyms: str = "",
    engine: str = LOCAL,
    cluster: str = "",
    jobs: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Outcome:
    """What ``perfmodel run`` does: a run of ``source`` with the ``options`` of ``run``, and what came of it.

    ``ledger`` is where decisions are recorded; its head is printed in the report. ``pseudonyms`` may be ``env:NAME``.
    ``newest``: ``source`` is a folder of quarters, and the one that has just closed is meant. ``engine, cluster, jobs``
    are those of ``Engine``.
    """
    from ..io import id_of
    from ..ledger import head_at

    if newest:
        try:
            source = closed_quarter(source, date.today())
        except RunError as error:
            return not_done(error, now())
    where = (options.get("cycle"), options.get("scheme"))

    def work(heard: Progress) -> Any:
        key = from_environment(pseudonyms, "--pseudonyms")
        head = head_at(ledger) if ledger else ""
        workers = Engine(engine, cluster, jobs or os.cpu_count() or 1)
        given: dict[str, Any] = {
            "pseudonyms": key,
            "ledger_head": head,
            "engine": workers,
            "jobs": jobs,
            "progress": heard,
        }
        return run(source, **given, **options)

    out = options.get("out")
    away = str(out) if is_url(out) else ""
    folder = None if away or (is_url(source) and out is None) else folder_of(source, out, *where)
    found = "" if is_url(source) else id_of(source, *where) or ""
    return attended(work, folder=folder, away=away, cycle=found, progress=progress)


def attended(
    work: Callable[[Progress], Any],
    *,
    folder: Path | None,
    away: str = "",
    cycle: str = "",
    progress: Progress | None = None,
) -> Outcome:
    """Do ``work``, which publishes in ``folder``, and say what came of it: nothing that a user can cause is raised.

    ``work`` is given a ``Progress`` that notes which run it published, beside what ``progress`` wants to hear. ``away``
    is DIR where that is an address, at which no attempt is noted.
    """
    heard = progress or Progress()
    found: dict[str, Any] = {}

    def done(run: Path, already: bool) -> None:
        text = (run / "manifest.json").read_bytes()
        found.update(run=run.name, already=already, made=json.loads(text), manifest=sha256(text))
        found["where"] = away or str(run.parent)
        heard.done(run, already)

    started, began = now(), time.monotonic()
    try:
        work(replace(heard, done=done))
        whole = Outcome(DONE, 0, started, 0.0, **found)
    except (PerfmodelError, OSError, MemoryError, KeyboardInterrupt, SystemExit) as error:
        whole = replace(not_done(error, started), **found)
    cycle = whole.made.get("cycle", cycle)
    return replace(whole, folder=folder, cycle=cycle, seconds=time.monotonic() - began)


def not_done(error: BaseException, started: str) -> Outcome:
    """The outcome of an attempt that raised ``error``."""
    outcome, code = _kind(error)
    return Outcome(outcome, code, started, 0.0, what=what_of(error), codes=codes_of(error), error=error)


def _kind(error: BaseException) -> tuple[str, int]:
    match error:
        case KeyboardInterrupt():
            return INTERRUPTED, 130
        case SystemExit(code=code):
            return INTERRUPTED, code if isinstance(code, int) else 1
        case Busy():
            return REFUSED, 1
        case RunError() | OSError() | MemoryError():
            return FAILED, 1
    return REFUSED, getattr(error, "exit_status", 1)


def what_of(error: BaseException) -> str:
    """Why it is not done, in a sentence or two that name no person: data are told where they are checked, not here."""
    match error:
        case KeyboardInterrupt() | SystemExit():
            return "It was interrupted; nothing was published."
        case MemoryError():
            return "Memory ran out; nothing was published. Use fewer --jobs, or a machine with more memory."
        case OSError(strerror=strerror, filename=filename):
            return f"{strerror or 'system error'}{f': {filename}' if filename else ''}. Nothing was published."
        case WarningsError():
            return str(error)
        case UnitsFailed(failed=failed):
            return f"{len(failed)} units have no pack; everything else is published."
        case DataError() | SchemeError(findings=(_, *_)):
            return "The data are refused. perfmodel check names each place and what to do."
        case RunError():
            # A notebook's own error may quote data: its kind is enough to find it in DIR/.failed.
            return re.sub(r"(failed in its cell \w+: \w+): .*", r"\1.", str(error), flags=re.DOTALL)
    return str(error)


def codes_of(error: BaseException) -> dict[str, int]:
    """Findings of a refusal by code: its errors, or its warnings where there is no error."""
    found = getattr(error, "findings", ())
    return by_code(found, "error") or by_code(found, "warning")


def counts_of(manifest: Mapping[str, Any]) -> dict[str, int]:
    """How many went in and what became of them; why somebody is excluded is written by people, and may name them."""
    counts = manifest["counts"]
    parts = {name: sum(counts.get(name, {}).values()) for name in ("excluded", "waiting")}
    return {"in": counts["in"], "scored": counts["scored"], **parts}


def checked(cycle: "Cycle | None", findings: Iterable[Finding], *, strict: bool = False) -> dict[str, Any]:
    """What ``perfmodel check`` found, as one JSON object: counts alone, for a finding may quote data."""
    errors, warnings = (by_code(findings, level) for level in ("error", "warning"))
    refused = cycle is None or bool(strict and warnings)
    said: dict[str, Any] = {"outcome": REFUSED if refused else DONE, "exit": int(refused)}
    if cycle is not None:
        tables = {name: len(table) for name, table in cycle.tables.items() if len(table)}
        said |= {"cycle": cycle.id, "simulated": bool(cycle.simulated), "tables": tables}
    return said | {"errors": errors, "warnings": warnings}
