"""``DIR/committee``: built aside from run and ledger, then put in place whole. Never the only copy of anything."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ..errors import DecisionError, RunError
from ..io import digest
from ..language import LANGUAGES, spoken
from ..ledger import GENESIS, Ledger
from ..runner import lock, publish
from ..runner.manifest import read_manifest
from .appeal_pages import appeal_files
from .case import Case
from .explain import must_be_known, sheets_of
from .pages import Scene, files_of
from .state import State, state_of

FOLDER, NOTE = "committee", "committee.json"
RESTRICTED = "restricted"


def today() -> date:
    return datetime.now(UTC).date()


def scene_of(ledger: Ledger, case: Case, day: date | None = None) -> Scene:
    """What pages are made from, as the ledger has it now."""
    entries = ledger.entries()
    head = entries[-1].hash if entries else GENESIS
    return Scene(case, state_of(entries, case.cycle.id), entries, head, day or today())


def write_pages(
    ledger: Ledger,
    case: Case,
    day: date | None = None,
    *,
    force: bool = False,
    sheets: Mapping[str, str] | None = None,
) -> Path:
    """Bring ``DIR/committee`` up to date; the page to open.

    One at a time; whoever comes later finds it done, or goes on from the newest entries. A quarter that is final is
    shown on the run that it was made final on, whatever runs came later. ``sheets``: employees whose explanation sheet
    is wanted, with its language; sheets that are there already are brought up to date with the rest.

    Raises
    ------
    DecisionError
        If the quarter is final on other data than lie there now: nothing could be computed from them.
    """
    place = case.folder / FOLDER
    with alone(case.folder):
        scene = scene_of(ledger, case, day)
        if scene.state.final:
            case = of_final(case, scene.state)
            scene = replace(scene, case=case)
        for employee in sheets or ():
            must_be_known(scene, employee)
        wanted = {who: lang for who, lang in _sheets_in(place).items() if who in case.roll.people} | dict(sheets or {})
        note: dict[str, Any] = {"cycle": case.cycle.id, "run": case.run, "head": scene.head, "status": scene.status}
        note |= {"lang": spoken(), "sheets": wanted}
        if not force and _is_current(place, note):
            return place / "index.html"
        publish.clear(case.folder, FOLDER)
        files = {**files_of(scene), **appeal_files(scene), **sheets_of(scene, wanted)}
        with publish.building(case.folder, FOLDER) as build:
            page = build / "page"
            (page / RESTRICTED).mkdir(mode=0o700)
            for name, content in files.items():
                (page / name).parent.mkdir(exist_ok=True)
                (page / name).write_bytes(content)
            whole = {**note, "files": {name: digest(content) for name, content in sorted(files.items())}}
            text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
            (page / NOTE).write_text(text, encoding="utf-8", newline="\n")
            publish.publish(page, place, replace=True)
        if publish.newest(case.folder):
            publish.list_runs(case.folder)
    return place / "index.html"


def of_final(case: Case, state: State) -> Case:
    """The case on the run that the quarter was made final on; as it is where it is not final.

    Raises
    ------
    DecisionError, RunError
        If the data are others by now, or that run is gone.
    """
    if state.final is None:
        return case
    final = state.final.data
    if final["inputs"] != case.roll.inputs:
        raise DecisionError(
            f"{case.cycle.id} is final on the data of run {final['run']}, and other data lie there now. Put the frozen "
            "data back, or reopen the quarter (perfmodel finalize --reopen). [data-changed]"
        )
    if final["run"] == case.run:
        return case
    found = read_manifest(case.folder / final["run"])
    if not found:
        raise RunError(f"The run {final['run']} that {case.cycle.id} is final on is not in {case.folder}. Put it back.")
    publish.verify(case.folder / final["run"])
    return Case(case.cycle, case.folder, found)


def _sheets_in(place: Path) -> dict[str, str]:
    """Employees whose sheet stands in ``place``, with its language."""
    try:
        found = json.loads((place / NOTE).read_text(encoding="utf-8")).get("sheets", {})
    except (OSError, ValueError):
        return {}
    return {who: lang for who, lang in found.items() if lang in LANGUAGES}


def _is_current(place: Path, note: dict) -> bool:
    """Whether what is there was made from the same, and every file is as it was made."""
    try:
        there = json.loads((place / NOTE).read_text(encoding="utf-8"))
        if {name: there.get(name) for name in note} != note:
            return False
        return all(digest((place / name).read_bytes()) == said for name, said in there["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def alone(folder: Path) -> AbstractContextManager:
    """Nobody else writes beside the runs of ``folder`` meanwhile: neither these pages nor the list of runs."""
    return lock.held(folder, "committee", wait=publish.PATIENCE, name=lock.PAGES)
