"""Old runs go, but none that anything rests on: what was signed, decided, frozen or shown must stay to be looked up."""

import os
import posixpath
import re
import shutil
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import LedgerError
from ..ledger import GENESIS, Entry
from ..runner import lock, publish
from ..runner.manifest import moment, read_manifest
from ..runner.parameters import UsageError
from ..runner.status import runs_in
from .state import DATA, FINAL, FREEZE

DAYS = {"d": 1, "w": 7}
MONTHS = {"m": 1, "y": 12}


@dataclass(frozen=True)
class Fate:
    """One run and why it stays; "" where it goes."""

    run: str
    finished: str
    kept: str


def age_of(text: str, now: datetime) -> datetime:
    """The moment so long before ``now``: ``4y``, ``6m``, ``8w`` or ``30d``; months and years by the calendar.

    Raises
    ------
    UsageError
        If ``text`` is no such age.
    """
    found = re.fullmatch(r"([1-9]\d{0,4})([dwmy])", text)
    if not found:
        raise UsageError(f"--older-than {text}: write an age as 4y, 6m, 8w or 30d.")
    number, unit = int(found[1]), found[2]
    if unit in DAYS:
        return now - timedelta(days=number * DAYS[unit])
    year, month = divmod(now.year * 12 + now.month - 1 - number * MONTHS[unit], 12)
    if year < 1:
        raise UsageError(f"--older-than {text} is longer ago than there are years.")
    return now.replace(year=year, month=month + 1, day=min(now.day, monthrange(year, month + 1)[1]))


def fates(folder: Path, entries: Iterable[Entry], before: datetime) -> list[Fate]:
    """What becomes of each run in ``folder``, oldest first, if those finished before ``before`` may go.

    Raises
    ------
    LedgerError
        If the committee's pages beside the runs were made from another ledger than ``entries`` are of.
    """
    entries = tuple(entries)
    shown = publish.committee_of(folder)
    if (folder / "committee").exists() and not shown:
        raise LedgerError(
            f"The committee's pages in {folder} do not say which ledger they were made from, so nobody can tell "
            "whether this is the one. Write them anew: perfmodel decide CYCLE --pages. Nothing was removed."
        )
    heads = {GENESIS, *(entry.hash for entry in entries)}
    if shown and shown["head"] not in heads:
        raise LedgerError(
            f"The committee's pages in {folder} were made from a ledger with head {shown['head'][:12]}, which is not "
            "in this one, so it cannot say which runs are final. Name theirs with --ledger. Nothing was removed."
        )
    runs = sorted(runs_in(folder), key=lambda one: (one["finished"], one["run"]))
    newest, resting = publish.newest(folder), _named(entries)
    if newest not in {run["run"] for run in runs} and runs:  # nobody says which: the last one finished
        newest = runs[-1]["run"]
    frozen = [entry.data["parts"] | {"": entry.cycle} for entry in entries if entry.kind == FREEZE and _of_data(entry)]
    found = []
    for run in runs:
        name = run["run"]
        if name == newest:
            why = "it is the newest"
        elif name in resting:
            why = resting[name]
        elif shown and shown["run"] == name:
            why = "the committee's pages show it"
        elif any(_made_from(read_manifest(folder / name), parts) for parts in frozen):
            why = "it is of frozen data"
        elif (folder / name).is_symlink():
            why = "it is a link to somewhere else"
        elif moment(run["finished"]) >= before:
            why = "it is not that old"
        else:
            why = ""
        found.append(Fate(name, run["finished"], why))
    return found


def prune(folder: str | Path, entries: Iterable[Entry], before: datetime, *, dry: bool = False) -> list[Fate]:
    """Remove the runs of ``folder`` finished before ``before`` that nothing rests on; what became of each run.

    ``dry`` removes nothing. Each goes by a rename first, so that a run is there whole or not at all.

    Raises
    ------
    LedgerError
        As ``fates``.
    Busy
        If a run is going on there.
    """
    folder = Path(folder)
    with lock.held(folder, "prune"):
        publish.clear(folder, publish.RUNS)
        found = fates(folder, entries, before)
        for fate in found:
            if not fate.kept and not dry:
                gone = folder / f"{publish.BUILDING}{fate.run}-{os.getpid()}"
                os.replace(folder / fate.run, gone)
                shutil.rmtree(gone)
        listed = publish.newest(folder) in {fate.run for fate in found}
        if listed and not dry and not all(fate.kept for fate in found):
            with lock.held(folder, "prune", wait=publish.PATIENCE, name=lock.PAGES):
                publish.list_runs(folder)
    return found


def now() -> datetime:
    return datetime.now(UTC)


def _named(entries: Iterable[Entry]) -> dict[str, str]:
    """Runs that the ledger names, and as what: a final quarter before anything else."""
    found: dict[str, str] = {}
    for entry in entries:
        if run := entry.data.get("run"):
            if entry.kind == FINAL:
                found[run] = f"{entry.cycle} was made final on it"
            else:
                found.setdefault(run, f"entry {entry.seq} of the ledger rests on it")
    return found


def _of_data(entry: Entry) -> bool:
    return entry.data.get("stage") == DATA


def _made_from(manifest: Mapping[str, Any], parts: Mapping[str, str]) -> bool:
    """Whether a run was made from the very files that were frozen; ``parts[""]`` is their cycle."""
    cycle, inputs = parts[""], manifest["inputs"]
    files = {posixpath.normpath(f"{cycle}/{name}"): digest for name, digest in parts.items() if name}
    return manifest["cycle"] == cycle and all(inputs.get(name) == digest for name, digest in files.items())
