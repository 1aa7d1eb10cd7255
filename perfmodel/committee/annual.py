"""The year before the committee: decided grades of quarters that the ledger has as final, else proposals, and said."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from ..assessment import Assessment
from ..cycle import Cycle
from ..errors import DecisionError, RunError
from ..io import csv_bytes, digest, read_evaluations, read_year
from ..language import say, say_n, spoken
from ..ledger import Entry
from ..quarters import Year, annual
from ..report import annual_page, words
from ..runner import publish
from ..runner.run import one_cycle
from .appeals import appealed
from .case import Roll, inputs_digest
from .following import SAME_WITHIN
from .publish import alone, today
from .state import APPEAL_RESOLVE, State, state_of, status_of

NOTE = "year.json"


@dataclass(frozen=True)
class Source:
    """What a quarter gives to the year: ``status`` is that of its committee, "" where it is not final."""

    quarter: str
    status: str
    run: str
    entry: int
    n_decided: int
    appealed: tuple[str, ...] = ()  # of whom an appeal changed figures or grade

    def sentences(self) -> list[str]:
        """What the quarter gives, and whom an appeal changed in it."""
        if not self.appealed:
            return [self.sentence()]
        changed = say_n(
            "{quarter}: an appeal changed figures or grade of {n} person: {ids}.",
            "{quarter}: appeals changed figures or grade of {n} people: {ids}.",
            len(self.appealed),
            quarter=self.quarter,
            ids=words.listing(list(self.appealed)),
        )
        return [self.sentence(), changed]

    def sentence(self) -> str:
        if self.status:
            return say(
                "{quarter}: decided grades of {n} people, {status} by entry {entry} of the ledger, on run {run}.",
                quarter=self.quarter,
                n=self.n_decided,
                status=say(self.status),
                entry=self.entry,
                run=self.run,
            )
        if self.n_decided:
            return say_n(
                "{quarter}: from proposals, not decided; {n} decision is recorded, and the quarter is not final.",
                "{quarter}: from proposals, not decided; {n} decisions are recorded, and the quarter is not final.",
                self.n_decided,
                quarter=self.quarter,
            )
        return say("{quarter}: from proposals, not decided.", quarter=self.quarter)


def year_of(
    cycles: Sequence[Cycle],
    entries: Iterable[Entry] = (),
    day: date | None = None,
    evaluations: pd.DataFrame | None = None,
) -> tuple[Year, list[Source]]:
    """The year of ``cycles``: of each that is final in ``entries`` the decided grades, of the others the proposals.

    Whose figures an appeal corrected counts with the score of its replay, as the explanation sheet shows it.

    ``evaluations`` (``employee_id, score``) are of an annual evaluation, for the mixed method.

    Raises
    ------
    DecisionError
        If a quarter is final on other data than lie there now, or the program gives other scores than were decided on.
    """
    entries = tuple(entries)
    assessed, decided, replays, sources = [], {}, {}, []
    for cycle in cycles:
        one, state = Assessment(cycle), state_of(entries, cycle.id)
        if state.final is not None:
            _must_be_what_was_decided_on(one, state)
            decided[cycle.id] = pd.DataFrame(state.grades.items(), columns=["employee_id", "grade"])
        assessed.append(one)
        known = set(cycle.employees["employee_id"])
        found = {who: appealed(one, state, who) for who in state.appeals if who in known}
        replays[cycle.id] = {who: after for who, after in found.items() if after}
        graded = {who for who, stands in state.decisions.items() if stands.entry.kind == APPEAL_RESOLVE}
        changed = tuple(sorted((graded if state.final else set()) | replays[cycle.id].keys()))
        sources.append(_source(cycle, state, day or today(), changed))
    return annual(assessed, decided=decided, evaluations=evaluations, appealed=replays), sources


def _source(cycle: Cycle, state: State, day: date, changed: tuple[str, ...]) -> Source:
    if state.final is None:
        return Source(cycle.id, "", "", 0, len(state.decisions), changed)
    roll = Roll(cycle.id, "", tuple(cycle.scheme.cuts), {})
    status = status_of(state, roll, cycle.scheme.outcomes.appeal.working_days, day)
    return Source(cycle.id, status, str(state.final.data["run"]), state.final.seq, len(state.decisions), changed)


def _must_be_what_was_decided_on(one: Assessment, state: State) -> None:
    assert state.final is not None
    cycle, run = one.cycle, state.final.data["run"]
    if state.final.data["inputs"] != inputs_digest(cycle):
        raise DecisionError(
            f"{cycle.id} is final on the data of run {run}, and other data lie there now. Put the frozen data back, or "
            "reopen the quarter (perfmodel finalize --reopen). [data-changed]"
        )
    now = one.proposals.set_index("employee_id")["score_proposed"]
    then = pd.Series(
        {who: found.data["basis"]["scores"]["proposed"] for who, found in state.decisions.items()}, dtype=float
    )
    apart = (now.reindex(then.index) - then).abs().gt(SAME_WITHIN)
    if apart.any():
        raise DecisionError(
            f"For {apart.sum()} people of {cycle.id} the program gives other scores today than were decided on, "
            f"{apart.index[apart][0]} first, so no year may rest on them. Use the perfmodel of run {run}. "
            "[scores-changed]"
        )


def write_year(
    folder: str | Path,
    year: int,
    out: str | Path,
    entries: Iterable[Entry] = (),
    head: str = "",
    day: date | None = None,
    evaluations: str | Path | None = None,
) -> tuple[Year, Path]:
    """The year of the quarters below ``folder`` as ``out/<year>``: a page and tables; the year and the page to open.

    ``evaluations``: a CSV file ``employee_id, score`` of the annual evaluation, for the mixed method.

    Made anew each time, whole or not at all: derived from data and ledger, and never the only copy of anything.

    Raises
    ------
    DataError
        If the folder holds no quarter of the year, or one or the evaluations cannot be read.
    DecisionError
        For the reasons of ``year_of``.
    RunError
        If ``out/<year>`` holds something else.
    """
    out = Path(out)
    place = out / str(year)
    if place.exists() and not (place / NOTE).is_file():
        raise RunError(f"{place} is there and holds no year that was made here. Name another folder with --out.")
    cycles = read_year(folder, year)
    given, content = read_evaluations(evaluations) if evaluations is not None else (None, b"")
    found, sources = year_of(cycles, entries, day, given)
    some = any(one.status or one.n_decided for one in sources)  # else one sentence has said it of all
    said = [text for one in sources for text in one.sentences()] if some else []
    if given is not None:
        said.append(
            say_n(
                "The annual evaluation of {n} person, from {file}.",
                "The annual evaluations of {n} people, from {file}.",
                len(given),
                file=Path(str(evaluations)).name,
            )
        )
    files = _files(found, said, head)
    note = {
        "year": found.name,
        "lang": spoken(),
        "status": found.status,
        "ledger_head": head,
        "rests_on": found.rests_on,
        "runs": {one.quarter: one.run for one in sources if one.run},
        "inputs": {name: value for cycle in cycles for name, value in sorted(one_cycle(cycle).items())}
        | ({Path(str(evaluations)).name: digest(content)} if given is not None else {}),
        "files": {name: digest(content) for name, content in sorted(files.items())},
    }
    files[NOTE] = (json.dumps(note, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
    out.mkdir(parents=True, exist_ok=True)
    with alone(out):
        publish.clear(out, str(year))
        with publish.building(out, str(year)) as build:
            page = build / "page"
            for name, content in files.items():
                (page / name).parent.mkdir(exist_ok=True)
                (page / name).write_bytes(content)
            publish.publish(page, place, replace=True)
    return found, place / "index.html"


def _files(year: Year, said: Sequence[str], head: str) -> dict[str, bytes]:
    foot = (
        say(
            "Made from the quarters' data and the ledger with head {head}; the ledger is the record, this page a copy. "
            "Check with: perfmodel ledger verify --head {head}",
            head=head,
        )
        if head
        else say("Made from the quarters' data alone: there is no ledger here.")
    )
    page = annual_page(year, list(said), foot)
    tables = {
        "annual": year.results,
        "quarters": year.quarters,
        "kpi_scores": year.kpi_scores,
        "milestones": year.milestones,
        "milestones_left_out": year.left_out,
    }
    files = {f"tables/{name}.csv": csv_bytes(table) for name, table in tables.items()}
    return {"index.html": page.html().encode("utf-8"), **files}
