"""How a folder of runs stands, for somebody or something that looks in now and then."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..language import say, say_n, told
from . import attempts, lock
from .manifest import changes, moment, published
from .outcome import DONE, counts_of
from .publish import newest

SHOWN = 3  # changed files that are named


@dataclass(frozen=True)
class Status:
    """What is known of one DIR: its runs from the newest, whether they are as published, the last attempts, who works.

    ``changed``: by run, the files that are not as its manifest says. ``killed``: who held the lock and let go of it by
    dying. ``last`` and ``failed`` as ``status.json`` has them.
    """

    folder: Path
    newest: str
    runs: tuple[Mapping[str, Any], ...]
    changed: Mapping[str, list[str]]
    last: Mapping[str, Any]
    failed: Mapping[str, Any]
    holder: lock.Holder | None
    killed: lock.Holder | None
    now: datetime

    @property
    def age(self) -> timedelta | None:
        """How long ago the newest run was finished."""
        ends = [run["finished"] for run in self.runs if run["run"] == self.newest]
        return self.now - moment(ends[0]) if ends else None

    @property
    def fine(self) -> bool:
        """Whether there is a newest run, every run looked at is as published, and the last attempt was done."""
        ended_well = not self.killed and self.last.get("outcome", DONE) == DONE
        return self.age is not None and not any(self.changed.values()) and ended_well

    def summary(self) -> dict[str, Any]:
        """All of it as one JSON object."""
        return {
            "folder": str(self.folder),
            "exit": int(not self.fine),
            "newest": self.newest,
            "age": round(self.age.total_seconds()) if self.age is not None else None,
            "runs": [dict(run) for run in self.runs],
            "changed": {run: list(files) for run, files in self.changed.items()},
            "last": dict(self.last),
            "failed": dict(self.failed),
            "holder": asdict(self.holder) if self.holder else None,
            "killed": asdict(self.killed) if self.killed else None,
        }

    def lines(self) -> list[str]:
        """All of it for a terminal: a table of the runs, then a sentence for each thing to know."""
        return [*_table(self.runs, self.newest), *self._sentences()]

    def _sentences(self) -> list[str]:
        said = []
        if self.age is None and self.newest:
            said.append(
                say("Newest should be {run}, and there is no whole run of that id. Run again.", run=self.newest)
            )
        elif self.age is None:
            said.append(say("There is no run in {folder} yet.", folder=self.folder))
        else:
            said.append(say("Newest: {run}, {age} old.", run=self.newest, age=in_words(self.age)))
        for run, files in self.changed.items():
            more = f" (+{len(files) - SHOWN})" if len(files) > SHOWN else ""
            listed = ", ".join(files[:SHOWN]) + more
            said.append(
                say(
                    "{run} was changed since it was published: {files}. Make it anew with --force.",
                    run=run,
                    files=listed,
                )
                if files
                else say("{run} is as it was published.", run=run)
            )
        if self.last:
            said.append(_attempt(say("Last attempt"), self.last))
        if self.failed and self.failed != self.last:
            said.append(_attempt(say("Last one that was not done"), self.failed))
        if self.holder:
            said.append(say("At work: {holder}", holder=told(str(self.holder))))
        if self.killed:
            said.append(say("Killed before its end: {holder}", holder=told(str(self.killed))))
        return said


def status_of(folder: str | Path, *, every: bool = False, now: datetime | None = None) -> Status:
    """How ``folder`` stands. The newest run's files are held against its manifest; ``every`` run's if asked.

    Raises
    ------
    RunError
        If there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"There is no folder {folder}, so nothing was ever published there. Name the DIR of a run.")
    first = newest(folder)
    runs = sorted(runs_in(folder), key=lambda run: (run["run"] == first, run["finished"]), reverse=True)
    looked = [run["run"] for run in runs if every or run["run"] == first]
    noted = attempts.read(folder)
    holder, holds = lock.holder_of(folder)
    return Status(
        folder=folder,
        newest=first,
        runs=tuple(runs),
        changed={run: changes(folder / run) for run in looked},
        last=noted.get("last", {}),
        failed=noted.get("failed", {}),
        holder=holder if holds else None,
        killed=None if holds else holder,
        now=now or datetime.now(UTC),
    )


def runs_in(folder: Path) -> list[dict[str, Any]]:
    """Each published run of ``folder`` in a few words."""
    return [
        {
            "run": made["run_id"],
            "finished": made["finished"],
            "status": made["status"],
            "simulated": made["simulated"],
            "counts": counts_of(made),
            "warnings": sum(made["warnings"]["codes"].values()),
            "each_unit": made["parameters"]["each_unit"],
        }
        for made in published(folder)
    ]


def in_words(age: timedelta) -> str:
    """The largest unit that an age has at least two of, else what it has."""
    seconds = max(0, round(age.total_seconds()))
    if seconds >= 2 * 86400:
        return say_n("{n} day", "{n} days", seconds // 86400)
    if seconds >= 2 * 3600:
        return say_n("{n} hour", "{n} hours", seconds // 3600)
    if seconds >= 120:
        return say_n("{n} minute", "{n} minutes", seconds // 60)
    return say_n("{n} second", "{n} seconds", seconds)


def _table(runs: tuple[Mapping[str, Any], ...], first: str) -> list[str]:
    if not runs:
        return []
    head = [say("run"), say("finished (UTC)"), say("status"), say("scored"), say("warnings"), say("units")]
    rows = [
        [
            f"{run['run']}{' *' if run['run'] == first else ''}",
            run["finished"],
            run["status"],
            say("{scored} of {total}", scored=run["counts"]["scored"], total=run["counts"]["in"]),
            str(run["warnings"]),
            say("each") if run["each_unit"] else "-",
        ]
        for run in runs
    ]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]


def _attempt(which: str, attempt: Mapping[str, Any]) -> str:
    codes = ", ".join(f"{code} {n}" for code, n in attempt.get("codes", {}).items())
    why = " ".join(filter(None, [told(attempt.get("what", "")), f"({codes})" if codes else ""]))
    ended = str(attempt["outcome"])
    words = {"outcome": say(ended), "started": attempt["started"], "which": which, "why": why}
    if why:
        return say("{which}, {started} UTC: {outcome}. {why}", **words)
    return say("{which}, {started} UTC: {outcome}.", **words)
