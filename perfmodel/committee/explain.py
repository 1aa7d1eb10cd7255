"""Explanation sheets: of one employee, what a sheet says, gathered from run, frozen data and ledger."""

import hashlib
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from ..assessment import Assessment
from ..errors import DecisionError
from ..io.correct import WITHDRAWN, Correction
from ..language import say, speaking, spoken
from ..outcomes import bonuses
from ..ratings import counted
from ..report import words
from ..report.explain import LEAST_SHARED, Appealed, Bonus, Decided, Facts, Standard, explain_page
from ..scheme import Scheme
from ..scoring import counted_milestones, scorecards
from .appeals import appealed, corrections_of
from .following import must_be_the_runs
from .pages import Scene
from .state import APPEAL_RESOLVE, CONSENT, State, void, window_of

SHEETS = "restricted/sheets"
ALONE = "left alone"
KINDS = {CONSENT: "consent", APPEAL_RESOLVE: "appeal"}


def file_of(employee: str) -> str:
    """A file name of an id; one that cannot be a name gets a mark of its own, so that no two share a file."""
    plain = re.sub(r"[^A-Za-z0-9._-]|^\.", "_", employee)[:60]
    # Some systems hold A1 and a1 for one name, so only ids without small letters stand as they are.
    return (
        plain
        if plain == employee == employee.upper()
        else f"{plain}-{hashlib.sha256(employee.encode()).hexdigest()[:8]}"
    )


def sheet_path(employee: str) -> str:
    """Where the employee's sheet stands in ``DIR/committee``."""
    return f"{SHEETS}/{file_of(employee)}.html"


def must_be_known(scene: Scene, employee: str) -> None:
    """Refuses an id that the run does not have.

    Raises
    ------
    DecisionError
        If nobody has that id.
    """
    if employee not in scene.case.roll.people:
        raise DecisionError(
            f"Nobody called {employee} is in run {scene.case.run}; ids are those of the table employees. "
            "[unknown-employee]"
        )


def sheets_of(scene: Scene, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Pages by path, for employees each in the language given; the same scene gives the same bytes."""
    if not wanted:
        return {}
    must_be_the_runs(scene.case.assessment, scene.case)
    gathered = _Gathered(scene)
    found = {}
    for employee, lang in sorted(wanted.items()):
        with speaking(lang):
            found[sheet_path(employee)] = explain_page(gathered.facts(employee)).encode("utf-8")
    return found


class _Gathered:
    """What all sheets of a scene share, computed once."""

    def __init__(self, scene: Scene):
        self.scene, self.case, self.state = scene, scene.case, scene.state
        self.stale = {} if scene.state.final else void(scene.state, scene.case.roll)
        self.paid, self.share = _paid(scene)
        self.base = _Figures(scene.case.assessment, scene.case.tables["scores"], scene.case.tables["discussion"])

    def facts(self, employee: str) -> Facts:
        """The facts of one sheet. An appeal's corrected figures take the place of the frozen ones."""
        scene, case, state = self.scene, self.case, self.state
        figures = self.base
        if after := appealed(case.assessment, state, employee):
            figures = _Figures(after, after.scores, after.discussion)
        people = figures.assessment.cycle.employees.set_index("employee_id")
        scheme = case.cycle.scheme
        last = window_of(state.final, scene.days) if state.final else None
        return Facts(
            employee=employee,
            name=str(people.at[employee, "name"]),
            post=scheme.profile(people.at[employee, "profile"]).name.say(spoken()),
            unit=str(people.at[employee, "unit"]),
            scheme=scheme,
            **figures.of(employee),
            status=scene.status,
            run=case.run,
            head=scene.head,
            simulated=case.cycle.simulated,
            decided=_decided(state, employee, self.stale),
            appeals=_appeals(state, employee, scheme),
            final_on=_day(state.final.at) if state.final else None,
            last_day=last,
            over=last is not None and scene.today > last,
            bonus=self._bonus(employee),
        )

    def _bonus(self, employee: str) -> Bonus | None:
        pay = self.case.cycle.pay
        if employee not in set(pay["employee_id"]):
            return None
        row = self.paid.loc[employee]
        return Bonus(
            target=float(row["bonus_target"]),
            currency=row["currency"],
            company=float(row["company_multiplier"]),
            multiplier=float(row["multiplier"]),
            claim=float(row["claim"]),
            share=self.share if row["claim"] > 0 else None,
            cents=int(row["cents"]) if self.state.final else None,
            reason=row["reason"],
        )


def _paid(scene: Scene) -> tuple[pd.DataFrame, float | None]:
    """Bonuses by employee, and the share of every claim that the pool pays where that is one for many."""
    grades = pd.DataFrame(scene.state.grades.items(), columns=["employee_id", "grade"])
    table = bonuses(grades, scene.case.cycle.pay, scene.case.cycle.scheme).set_index("employee_id")
    claims = table["claim"].mul(100).round().sum()
    paid = table["cents"].sum()
    many = table["claim"].gt(0).sum() >= LEAST_SHARED
    return table, float(paid / claims) if many and claims and paid != claims else None


class _Figures:
    """Figures of an assessment as sheets take them."""

    def __init__(self, assessment: Assessment, scores: pd.DataFrame, discussion: pd.DataFrame):
        cycle = assessment.cycle
        self.assessment = assessment
        own = ["employee_id", "scorecard", "kpi", "threshold", "stretch"]
        named = cycle.results[own].rename(columns={"kpi": "item"})
        rated = counted(cycle.ratings, cycle.scheme.role_weights).drop_duplicates(
            ["employee_id", "scorecard", "rater_id"]
        )
        adjusted = assessment.severity.adjusted_ratings.drop_duplicates(["employee_id", "scorecard", "reason"])
        self.tables = {
            "items": _by_employee(assessment.items.merge(named, on=["employee_id", "scorecard", "item"], how="left")),
            "cards": _by_employee(scorecards(cycle)),
            "milestones": _by_employee(counted_milestones(cycle)),
            "events": _by_employee(cycle.table("events")),
        }
        self.flags, self.totals = _by_employee(discussion), _by_employee(assessment.proposals)
        self.se = scores.set_index("employee_id")["se"].astype(float).to_dict()
        self.rated, self.adjusted = _by_employee(rated), _by_employee(adjusted)
        self.raters = assessment.severity.raters[["severity", "lower", "upper", "verdict"]].to_dict("index")

    def of(self, employee: str) -> dict[str, Any]:
        """The fields of ``Facts`` that come from figures."""
        found = {name: table.get(employee, []) for name, table in self.tables.items()}
        (score,) = self.totals[employee]
        if str(score["reason"]).startswith(ALONE):  # the ratings say which of several reasons it is
            own = [row["reason"] for row in self.adjusted.get(employee, [])]
            score["reason"] = next((text for text in own if text.startswith(ALONE)), score["reason"])
        return {
            **found,
            "score": {**score, "se": self.se.get(employee, np.nan)},
            "standards": {card["scorecard"]: self._standard(employee, card) for card in found["cards"]},
            "flags": tuple((flag["flag"], flag["evidence"]) for flag in self.flags.get(employee, [])),
        }

    def _standard(self, employee: str, card: Mapping[str, Any]) -> Standard:
        """Whose standard a scorecard's ratings were adjusted for. Only the own manager is spoken of."""
        name = card["scorecard"]
        raters = [row["rater_id"] for row in self.rated.get(employee, []) if row["scorecard"] == name]
        if len(raters) != 1:
            return Standard("several")
        one = self.raters[raters[0]]
        reasons = [row["reason"] for row in self.adjusted.get(employee, []) if row["scorecard"] == name]
        verdict = next((text for text in reasons if text.startswith("assuming")), one["verdict"])
        whose = "manager" if raters[0] == card["manager_id"] else "rater"
        return Standard(whose, one["severity"], one["lower"], one["upper"], verdict)


def _by_employee(table: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Rows by employee, as records."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_dict("records"):
        found.setdefault(row["employee_id"], []).append(row)
    return found


def _day(at: str) -> date:
    return datetime.fromisoformat(at).date()


def _decided(state: State, employee: str, stale: Mapping[str, list[str]]) -> Decided | None:
    found = state.decisions.get(employee)
    if found is None:
        return None
    said = found.data
    return Decided(
        found.grade,
        _day(found.entry.at),
        (said["proposer"], said["authoriser"]),
        said["code"],
        said["reason"],
        said["evidence"],
        KINDS.get(found.entry.kind, "decision"),
        "; ".join(stale.get(employee, ())),
    )


def _appeals(state: State, employee: str, scheme: Scheme) -> tuple[Appealed, ...]:
    found = []
    for appeal in state.appeals.get(employee, ()):
        said = appeal.opened.data
        told: dict[str, Any] = {}
        if appeal.resolved:
            data = appeal.resolved.data
            told = {
                "outcome": data["outcome"],
                "day": _day(appeal.resolved.at),
                "reason": data["reason"],
                "panel": tuple(data["panel"]),
                "corrected": tuple(
                    (what_of(each, scheme), each.was, each.now) for each in corrections_of(state, appeal)
                ),
            }
        found.append(Appealed(date.fromisoformat(said["on"]), said["facts"], **told))
    return tuple(found)


def what_of(said: Correction, scheme: Scheme) -> str:
    """A corrected figure in words, without a rater's id."""
    names = {item.id: item.name.say(spoken()) for item in scheme.items}
    key = dict(said.key)
    parts = [names.get(key.get("kpi", ""), ""), *(key.get(name, "") for name in ("scorecard", "milestone", "code"))]
    column = say("withdrawn") if said.column == WITHDRAWN else words.label(said.column).lower()
    return words.joined([*filter(None, parts), column])


__all__ = ["SHEETS", "file_of", "must_be_known", "sheet_path", "sheets_of", "what_of"]
