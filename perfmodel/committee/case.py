"""The quarter before the committee: the cycle as it lies there, and the newest published run of it."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unicodedata import category, normalize

import pandas as pd

from ..assessment import Assessment
from ..cycle import Cycle
from ..errors import DecisionError, RunError
from ..io import read_cycle, read_table
from ..ledger.entry import canonical
from ..runner import manifest as manifests
from ..runner.publish import verify
from ..runner.run import folder_of_cycle, one_cycle
from ..scoring import gate_caps
from .basis import Basis, bases

TEXTS = """employee_id rater_id scorecard kpi category kind unit profile grade flag stage step band verdict evidence
reason moved_by currency""".split()
BLANK = "\u034f\u115f\u1160\u2800\u3164"  # letters and marks that are drawn as nothing
OF_TABLE = re.compile(r".*\.(csv|parquet|xlsx|xlsm)|database\[.*", re.IGNORECASE)  # what else is read is the scheme
RUN_ID = re.compile(r"[0-9a-f-]{1,64}")


@dataclass(frozen=True)
class Person:
    """One employee before the committee; without a score ``proposed`` is "" and ``reason`` says why."""

    employee: str
    name: str
    unit: str
    manager: str
    raw: str
    adjusted: str
    proposed: str
    reason: str = ""
    cap: str = ""  # the best grade that gates allow, "" where none holds
    basis: Basis = field(default_factory=dict)


@dataclass(frozen=True)
class Roll:
    """What the rules need to know of a run: plain values, so that a rule can be tested without a run."""

    cycle: str
    run: str
    grades: tuple[str, ...]  # best first
    people: Mapping[str, Person]
    inputs: str = ""  # digest of the data, as freeze --stage data takes it
    plan: str = ""  # digest of scheme and targets, as freeze --stage plan takes it
    late: int = 0
    warnings: Mapping[str, int] = field(default_factory=dict)
    flagged: frozenset[str] = frozenset()

    @property
    def scored(self) -> list[str]:
        """Who can be decided on, in the order of ids."""
        return sorted(who for who, person in self.people.items() if person.proposed)

    @cached_property
    def _called(self) -> dict[str, set[str]]:
        called: dict[str, set[str]] = {}
        for who, person in self.people.items():
            for text in (who, person.name, f"{person.name} ({who})", f"{who} {person.name}"):
                called.setdefault(plain(text), set()).add(who)
        return called

    def known_as(self, text: str) -> set[str]:
        """Employees whom ``text`` may mean: by id or by name, whatever the case and width of letters."""
        return self._called.get(plain(text), set())

    def same(self, one: str, other: str) -> bool:
        """Whether two texts may mean one person."""
        return plain(one) == plain(other) or bool(self.known_as(one) & self.known_as(other))

    def voice(self, text: str) -> str:
        """One text for all spellings of a person: the id where it can mean one employee alone, else the plain name."""
        known = self.known_as(text)
        return next(iter(known)) if len(known) == 1 else plain(text)


def plain(text: str) -> str:
    """A name without what two spellings of it may differ in: case, width, spaces, marks that nobody sees.

    All spaces go: two characters of a Chinese name are often set apart to be as wide as three.
    """
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return "".join(mark for mark in folded if not _unseen(mark))


def visible(text: str) -> str:
    """What was typed, without spaces around it; "" where nothing of it can be seen."""
    return text.strip() if plain(text) else ""


def _unseen(mark: str) -> bool:
    """Whether a mark has no ink: spaces, controls, zero-width and direction marks, variation selectors, fillers."""
    kind = category(mark)
    return mark.isspace() or kind in ("Cc", "Cf") or mark in BLANK or "\ufe00" <= mark <= "\ufe0f"


@dataclass(frozen=True, eq=False)
class Case:
    """A cycle with its newest run; ``folder`` is where its runs lie."""

    cycle: Cycle
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def run(self) -> str:
        return str(self.manifest["run_id"])

    @property
    def seed(self) -> int:
        return int(self.manifest["parameters"]["seed"])

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Tables of the run, ids as text, missing texts empty."""
        return tables_of(self.folder / self.run)

    def bases_of(self, run: str) -> dict[str, Basis]:
        """What decisions on the pack of another run rest on.

        Raises
        ------
        DecisionError
            If that run no longer lies beside this one.
        """
        if run == self.run:
            return {who: person.basis for who, person in self.roll.people.items()}
        if not RUN_ID.fullmatch(run) or not (self.folder / run / "manifest.json").is_file():
            raise DecisionError(
                f"This was filled in on run {run[:64]}, which is not in {self.folder}, so nobody can tell whether its "
                f"figures still hold. Fill in the pack of run {self.run}. [run-unknown]"
            )
        return bases(tables_of(self.folder / run))

    @cached_property
    def roll(self) -> Roll:
        people = self.cycle.employees.set_index("employee_id")
        caps, known = gate_caps(self.cycle), bases(self.tables)
        found = {}
        for row in self.tables["scores"].to_dict("records"):
            who = row["employee_id"]
            found[who] = Person(
                who,
                str(people.at[who, "name"]),
                row["unit"],
                str(people.at[who, "manager_id"] or ""),
                row["grade_raw"],
                row["grade_adjusted"],
                row["grade_proposed"],
                row["reason"] if not row["grade_proposed"] else "",
                caps.get(who, ""),
                known[who],
            )
        return Roll(
            self.cycle.id,
            self.run,
            tuple(self.cycle.scheme.cuts),
            found,
            inputs_digest(self.cycle),
            plan_digest(self.cycle),
            sum(self.manifest["counts"]["waiting"].values()),
            dict(self.manifest["warnings"]["codes"]),
            frozenset(self.tables["discussion"]["employee_id"]),
        )

    @cached_property
    def assessment(self) -> Assessment:
        """The quarter computed again: what the tables of a run leave out, such as points of parts of a KPI."""
        return Assessment(self.cycle, self.seed)

    def scores(self, decided: Mapping[str, str]) -> pd.DataFrame:
        """The run's scores with ``grade_decided``, "" for whoever has none yet."""
        table = self.tables["scores"]
        return table.assign(grade_decided=table["employee_id"].map(dict(decided)).astype(object).fillna(""))


def open_case(
    source: str | Path,
    out: str | Path | None = None,
    cycle: str | None = None,
    scheme: str | None = None,
    run: str | None = None,
) -> Case:
    """The quarter in ``source`` and its newest run in ``out`` (default ``reports/<cycle>``), both checked.

    ``run`` asks for another published run by id. Earlier quarters inform and correct nothing, so a change there asks
    for no new run.

    Raises
    ------
    DecisionError
        If there is no run yet, or the data differ from those that the run was made from.
    RunError
        If the published run is no longer what was published.
    DataError, SchemeError
        If the cycle is refused.
    """
    data = read_cycle(str(source), cycle=cycle, scheme=scheme)
    folder = Path(out) if out is not None else folder_of_cycle(data.id)
    newest = folder / "latest"
    run = run or (newest.read_text(encoding="utf-8").strip() if newest.is_file() else "")
    if not run or not (folder / run / "manifest.json").is_file():
        what = f"no run {run} of {data.id}" if run else f"no run of {data.id}"
        raise DecisionError(
            f"There is {what} in {folder}, so there is nothing to decide on. First: perfmodel run {source}. [no-run]"
        )
    verify(folder / run)
    said = manifests.read_manifest(folder / run)
    if said.get("cycle") != data.id:
        raise DecisionError(
            f"The run {run} in {folder} is of {said.get('cycle')} and the data of {data.id}. Name the folder of its "
            "own runs with --out. [no-run]"
        )
    before = dict(said["inputs"])
    moved = [name for name, digest in one_cycle(data).items() if before.get(name) != digest]
    own = {name for name in before if name.startswith(f"{data.id}/")}
    moved += sorted(own - one_cycle(data).keys())
    if moved:
        raise DecisionError(
            f"The data changed since run {run}: {', '.join(moved[:3])}{' and more' if len(moved) > 3 else ''}. What "
            f"would be decided on is no longer what the run shows. Run again (perfmodel run {source}), then decide. "
            "[data-changed]"
        )
    return Case(data, folder, said)


def tables_of(run: Path) -> dict[str, pd.DataFrame]:
    """CSV tables of a published run by name."""
    found = {path.stem: read_table(path, TEXTS) for path in sorted((run / "tables").glob("*.csv"))}
    if "scores" not in found or "kpi_scores" not in found:
        raise RunError(f"{run} has no tables of scores, so it is no published run. Name the folder of one.")
    return found


def inputs_digest(cycle: Cycle) -> str:
    """One line for all data of a cycle: its files, and the figures of earlier quarters that enter them."""
    return _digest(one_cycle(cycle))


def plan_parts(cycle: Cycle) -> dict[str, str]:
    """Digests of what is agreed before the quarter is rated: the scheme with the parameters of the methods, targets,
    milestones."""
    own = {name: digest for name, digest in cycle.digests.items() if name[:2] != ".."}
    schemes = {name: digest for name, digest in own.items() if not OF_TABLE.fullmatch(name)}
    targets = ["employee_id", "scorecard", "kpi", "target", "threshold", "stretch"]
    steps = ["employee_id", "scorecard", "kpi", "milestone", "weight", "due"]
    return {
        "scheme": _digest(sorted(schemes.values())),
        "targets": _of_rows(cycle.results, targets),
        "milestones": _of_rows(cycle.milestones, steps),
    }


def plan_digest(cycle: Cycle) -> str:
    return _digest(plan_parts(cycle))


def _of_rows(frame: pd.DataFrame, names: Iterable[str]) -> str:
    from ..io import csv_bytes

    return hashlib.sha256(csv_bytes(frame[list(names)])).hexdigest()


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode("utf-8")).hexdigest()
