"""Appeals against a final result: who may file and hear one, and what one corrected fact changes when replayed.

The final quarter stays closed and its tables stay as they were frozen. An outcome is an entry of its own; from it on
the person's decided grade is the one that it names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from ..assessment import Assessment
from ..cycle import Cycle
from ..errors import DecisionError
from ..io import Correction, corrected, correction_of, standing_text
from ..ledger import Draft, Entry, Ledger, token_of
from ..outcomes import bonuses, pool
from ..ratings import OVERALL
from ..scoring import gate_caps
from ..tables import INPUTS
from .case import Case, Roll, visible
from .following import must_be_the_runs
from .record import Done, state_in
from .rules import ACCEPT, CHANGE, again
from .state import (
    APPEAL_OPEN,
    APPEAL_RESOLVE,
    CHANGED,
    CONSENT,
    DECISION,
    OUTCOMES,
    WITHDRAWN,
    Appeal,
    State,
    state_of,
    window_of,
)

CODE = "R10"
SELF, RATED, MANAGED, DECIDED, FILED = "self", "rated", "managed", "decided", "filed"
TOLD = 0.005  # score points from which another's move is listed: what a sheet of two decimals could show


@dataclass(frozen=True)
class Ruling:
    """What a panel says of an appeal; ``grade`` "" takes the one that the replay proposes."""

    outcome: str
    reason: str
    panel: tuple[str, ...] = ()
    grade: str = ""
    corrections: tuple[Correction, ...] = ()

    @property
    def heard_by(self) -> list[str]:
        """The panel without names of which nothing can be seen."""
        return [name for name in map(visible, self.panel) if name]


def appeal_drafts(
    state: State, roll: Roll, employee: str, *, facts: str, by: str, on: date, working_days: int
) -> list[Draft]:
    """The entry that opens an appeal against a final result.

    Refused by name: not-final, unknown-employee, no-score, facts-missing, by-missing, too-early, too-late,
    already-open, settled.
    """
    own = state.appeals.get(employee, ())
    typed = (facts.strip(), by.strip(), on.isoformat())
    for appeal in own:
        if appeal.open and tuple(appeal.opened.data[name] for name in ("facts", "by", "on")) == typed:
            return [again(appeal.opened)]
    if state.final is None:
        _refuse("not-final", f"{roll.cycle} is not final, so there is no result to dispute: tell the committee now.")
    if employee not in roll.people:
        _refuse("unknown-employee", f"Nobody called {employee} is in run {roll.run}; ids are those of the employees.")
    if employee not in state.decisions:
        why = roll.people[employee].reason
        _refuse("no-score", f"{employee} has no decided grade to dispute: {why}. Have the fact behind it corrected.")
    if not visible(facts):
        _refuse("facts-missing", "An appeal names the facts that it rests on: add --facts TEXT.")
    if not visible(by):
        _refuse("by-missing", "Nobody is named as filing it; add --by NAME.")
    first, last = datetime.fromisoformat(state.final.at).date(), window_of(state.final, working_days)
    if on < first:
        _refuse("too-early", f"The result is final since {first}, and an appeal of {on} would come before it.")
    if on > last:
        _refuse(
            "too-late",
            f"Appeals could be filed until {last}, {working_days} working days after the result became final; "
            f"{on} is later.",
        )
    # Also one against a result before the quarter was reopened: a ruling is on the last, and would leave it open.
    if opened := [appeal for appeal in own if appeal.open]:
        _refuse("already-open", f"An appeal of {employee} is open since entry {opened[0].opened.seq}.")
    against = [appeal for appeal in own if appeal.opened.data["of"] == state.final.hash]
    if settled := [appeal for appeal in against if appeal.outcome != WITHDRAWN]:
        seq = settled[-1].opened.seq
        _refuse("settled", f"The appeal of {employee} (entry {seq}) is settled, and a result is disputed once.")
    payload = {
        "facts": facts.strip(),
        "by": by.strip(),
        "on": on.isoformat(),
        "until": last.isoformat(),
        "of": state.final.hash,
        "decided": state.decisions[employee].grade,
        "run": state.final.data["run"],
    }
    token = token_of(roll.cycle, APPEAL_OPEN, employee, state.final.hash, len(own))
    return [Draft(roll.cycle, APPEAL_OPEN, by.strip(), payload, token, employee)]


def resolve_drafts(
    state: State,
    roll: Roll,
    employee: str,
    ruling: Ruling,
    *,
    barred: Iterable[tuple[str, str]],
    proposed: Mapping[str, str],
    changes: Mapping[str, Any],
) -> list[Draft]:
    """The entry that settles an appeal, or sends it back.

    Parameters
    ----------
    barred : pairs of name and role
        Who may not hear it, as :func:`barred_of` gives them.
    proposed : mapping
        ``raw, proposed, cap`` as the replay has them for the employee.
    changes : mapping
        What the ruling changes, as :func:`changes_of` tells it.

    Refused by name: not-open, outcome-unknown, reason-missing, panel, panel-member, not-final, nothing-to-change,
    twice, grade-unknown, gate-cap, same-grade, no-score.
    """
    if recorded := said_again(state, employee, ruling):
        return [again(recorded)]
    latest = admitted(state, roll, employee, ruling, barred)
    standing = state.decisions.get(employee)
    decided = standing.grade if standing else ""
    grade = decided
    if ruling.outcome == CHANGED:
        grade = ruling.grade or proposed["proposed"]
        _may_become(roll, grade, decided, proposed["cap"])
    last, before = state.last[employee], latest.resolved.hash if latest.resolved else ""
    panel = ruling.heard_by
    payload: dict[str, Any] = {
        "outcome": ruling.outcome,
        "reason": ruling.reason.strip(),
        "panel": panel,
        "of": latest.opened.hash,
        "after": before,
        "corrections": [
            {**_cell(each), "was": each.was, "now": each.now, "version": _version(state, employee, each)}
            for each in ruling.corrections
        ],
        "decided": decided,
        "to": grade,
        "from": proposed["raw"],
        "proposed": proposed["proposed"],
        "action": ACCEPT if grade == proposed["proposed"] else CHANGE,
        "code": CODE,
        "evidence": "",
        "proposer": panel[0] if panel else latest.opened.author,
        "authoriser": panel[1] if len(panel) > 1 else latest.opened.author,
        "session": "",
        "supersedes": last.hash if ruling.outcome == CHANGED else "",
        "votes": dict(standing.data["votes"]) if standing else {},
        "basis": roll.people[employee].basis if employee in roll.people else {},
        "run": roll.run,
        "grade": ruling.grade,
        "changes": dict(changes),
    }
    said = [_cell(each) | {"now": each.now} for each in ruling.corrections]
    token = token_of(
        roll.cycle,
        APPEAL_RESOLVE,
        employee,
        latest.opened.hash,
        before,
        ruling.outcome,
        payload["reason"],
        panel,
        said,
        ruling.grade,
    )
    return [Draft(roll.cycle, APPEAL_RESOLVE, payload["authoriser"], payload, token, employee)]


def said_again(state: State, employee: str, ruling: Ruling) -> Entry | None:
    """The entry in which this very ruling stands already."""
    latest = _latest(state, employee)
    if latest is None or latest.resolved is None:
        return None
    data = latest.resolved.data
    said = [{**_cell(each), "now": each.now} for each in ruling.corrections]
    stands = [{name: each[name] for name in ("table", "key", "column", "now")} for each in data["corrections"]]
    typed = (ruling.outcome, ruling.reason.strip(), ruling.heard_by, ruling.grade, said)
    there = (data["outcome"], data["reason"], data["panel"], data["grade"], stands)
    return latest.resolved if typed == there else None


def _latest(state: State, employee: str) -> Appeal | None:
    own = state.appeals.get(employee, ())
    return own[-1] if own else None


def admitted(state: State, roll: Roll, employee: str, ruling: Ruling, barred: Iterable[tuple[str, str]]) -> Appeal:
    """The open appeal that a ruling is on, after all that can be refused before anything is replayed."""
    latest = _latest(state, employee)
    if latest is None or not latest.open:
        _refuse("not-open", f"No appeal of {employee} is open, so there is nothing to resolve.")
    _heard(roll, employee, ruling, [*barred, (latest.opened.author, FILED)])
    if state.final is None and ruling.outcome != WITHDRAWN:
        _refuse("not-final", f"{roll.cycle} was reopened: decide on {employee} there, and close it again first.")
    if employee not in roll.people and ruling.outcome != WITHDRAWN:
        _refuse(
            "unknown-employee",
            f"{employee} is not in run {roll.run}, so this appeal can only be withdrawn (--outcome {WITHDRAWN}).",
        )
    if employee not in state.decisions and ruling.outcome != WITHDRAWN:
        _refuse(
            "no-score",
            f"{employee} no longer has a decided grade, so this appeal can only be withdrawn (--outcome {WITHDRAWN}).",
        )
    if ruling.outcome != CHANGED and ruling.grade:
        _refuse("outcome-unknown", f"A grade goes with the outcome {CHANGED} alone; the others leave it.")
    if ruling.outcome == WITHDRAWN and ruling.corrections:
        _refuse("outcome-unknown", "An appeal that is withdrawn corrects nothing; leave --correct out.")
    if ruling.outcome == CHANGED and not (ruling.grade or ruling.corrections or corrections_of(state, latest)):
        _refuse("nothing-to-change", "What is changed? Name the corrected fact (--correct) or the grade (--grade G).")
    cells = [each.cell for each in ruling.corrections]
    if twice := [each for at, each in enumerate(ruling.corrections) if cells[at] in cells[:at]]:
        _refuse("twice", f"{twice[0].column} of {twice[0].row or employee} is corrected twice; keep one --correct.")
    return latest


def _cell(each: Correction) -> dict[str, Any]:
    return {"table": each.table, "key": dict(each.key), "column": each.column}


def _key(said: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """A recorded row's key in the order of the table's own."""
    return tuple((name, said["key"][name]) for name in INPUTS[said["table"]].key)


def _version(state: State, employee: str, each: Correction) -> int:
    """The number of this figure: the frozen one is version 1."""
    cells = [
        {name: said[name] for name in ("table", "key", "column")}
        for appeal in state.appeals.get(employee, ())
        for entry in state.entries
        if entry.kind == APPEAL_RESOLVE and entry.data["of"] == appeal.opened.hash
        for said in entry.data["corrections"]
    ]
    return 2 + cells.count(_cell(each))


def _heard(roll: Roll, employee: str, ruling: Ruling, barred: Iterable[tuple[str, str]]) -> None:
    """Outcome, reason and panel, or a refusal."""
    if ruling.outcome not in OUTCOMES:
        _refuse("outcome-unknown", f"{ruling.outcome!r} is no outcome; write one of {', '.join(OUTCOMES)}.")
    if not visible(ruling.reason):
        _refuse("reason-missing", "An outcome has its reason: add --reason TEXT.")
    if ruling.outcome == WITHDRAWN:
        return
    panel = ruling.heard_by
    if len(panel) < 2 or any(roll.same(one, two) for at, one in enumerate(panel) for two in panel[at + 1 :]):
        _refuse("panel", "Two different people or more hear an appeal: --panel NAME --panel NAME.")
    for name in panel:
        if roll.same(name, employee):
            _refuse("panel-member", f"{name} would judge an own result; somebody else has to.")
        for role in (role for other, role in barred if roll.same(name, other)):
            if role == RATED:
                _refuse("panel-member", f"{name} rated this person, so somebody else has to hear the appeal.")
            if role == FILED:
                _refuse("panel-member", f"{name} filed this appeal, so somebody else has to hear it.")
            if role == MANAGED:
                _refuse("panel-member", f"{name} is or was the manager, so somebody else has to hear the appeal.")
            _refuse("panel-member", f"{name} decided on this person, so somebody else has to hear the appeal.")


def _may_become(roll: Roll, grade: str, decided: str, cap: str) -> None:
    if not grade:
        _refuse(
            "no-score", "With that correction there is no score, so no grade follows from it; name one (--grade G)."
        )
    if grade not in roll.grades:
        _refuse("grade-unknown", f"{grade} is no grade of the scheme; it has {', '.join(roll.grades)}.")
    if cap and roll.grades.index(grade) < roll.grades.index(cap):
        _refuse("gate-cap", f"A gate holds the grade at {cap}, so {grade} cannot be decided.")
    if grade == decided:
        _refuse(
            "same-grade",
            f"The grade would stay {decided}. Where it stays the appeal is upheld; the corrected figure is recorded "
            "there too.",
        )


def _refuse(code: str, text: str) -> NoReturn:
    raise DecisionError(f"{text} Nothing was recorded. [{code}]")


def barred_of(case: Case, state: State, employee: str) -> list[tuple[str, str]]:
    """Who may not hear an appeal of the employee, and as what: raters, managers, and who decided."""
    found = [(rater, RATED) for rater in _raters(case.cycle, employee)]
    people, moves = case.cycle.employees, case.cycle.table("assignments")
    for table in (people, moves):
        managers = table.loc[table["employee_id"].eq(employee), "manager_id"]
        found += [(manager, MANAGED) for manager in dict.fromkeys(managers) if manager]
    for entry in state.entries:
        own = entry.kind == DECISION and entry.subject == employee
        listed = entry.kind == CONSENT and any(item["employee"] == employee for item in entry.data["list"])
        if own or listed:
            found += [(entry.data[role], DECIDED) for role in ("proposer", "authoriser")]
    return list(dict.fromkeys(found))


def _raters(cycle: Cycle, employee: str) -> list[str]:
    own = cycle.ratings[cycle.ratings["employee_id"].eq(employee)]
    return sorted(set(own.loc[own["role"].ne(SELF) | own["kpi"].eq(OVERALL), "rater_id"]) - {employee})


# --- The replay ------------------------------------------------------------------------------------------------


def replayed(frozen: Assessment, corrections: Iterable[Correction]) -> Assessment:
    """The frozen quarter with the corrected figures, computed anew; the quarter itself where there are none.

    Raises
    ------
    DataError
        If the corrected figures would be refused as input.
    """
    corrections = tuple(corrections)
    return Assessment(corrected(frozen.cycle, corrections), frozen.seed) if corrections else frozen


def appealed(frozen: Assessment, state: State, employee: str) -> Assessment | None:
    """The quarter replayed with the figures of the employee that an appeal corrected; None where none stands.

    The employee's own rows of it are what sheet and year show; what it makes of others moved nobody's result.

    Raises
    ------
    DataError
        If the corrected figures would be refused as input.
    """
    corrections = corrections_in(state, frozen.cycle, employee)
    return replayed(frozen, corrections) if corrections else None


def changes_of(case: Case, state: State, employee: str, after: Assessment, to: str) -> dict[str, Any]:
    """All that a ruling changes, as plain values: own and others' proposals, distribution, pool and bonuses.

    Others' proposals move through the severity of raters; their decided grades stand.
    """
    before = case.assessment
    one, two = (each.proposals.set_index("employee_id") for each in (before, after))
    two = two.reindex(one.index)
    # Whoever is no longer in the data has no own figures: only a withdrawal gets here, and it changes none.
    own = {
        "scores": {step: [_number(t[f"score_{step}"].get(employee)) for t in (one, two)] for step in _STEPS},
        "grades": {step: [t[f"grade_{step}"].get(employee) or "" for t in (one, two)] for step in _STEPS},
        "kpis": _kpis(before, after, employee),
    }
    moved = (two["score_proposed"] - one["score_proposed"]).drop(employee, errors="ignore")
    other = two["grade_proposed"].ne(one["grade_proposed"]).drop(employee, errors="ignore")
    listed = moved.index[(moved.abs().ge(TOLD) | other).to_numpy()]
    others = {
        "n": int(moved.abs().gt(1e-9).sum()),
        "largest": _number(moved.abs().max() if len(moved) else 0.0),
        "listed": [
            {
                "employee": who,
                "scores": [_number(t.at[who, "score_proposed"]) for t in (one, two)],
                "grades": [t.at[who, "grade_proposed"] or "" for t in (one, two)],
            }
            for who in listed
        ],
    }
    grades = {who: found.grade for who, found in state.decisions.items()}
    then = {**grades, employee: to} if to else grades
    counts = {
        "proposed": [t["grade_proposed"].value_counts().to_dict() for t in (one, two)],
        "decided": [pd.Series(g, dtype=object).value_counts().to_dict() for g in (grades, then)],
    }
    distribution = {
        name: {grade: [int(side.get(grade, 0)) for side in sides] for grade in case.roll.grades}
        for name, sides in counts.items()
    }
    return {"own": own, "others": others, "distribution": distribution, **_money(case, grades, then)}


_STEPS = ("raw", "adjusted", "proposed")


def _kpis(before: Assessment, after: Assessment, employee: str) -> list[dict[str, Any]]:
    """Own KPIs whose figures or points moved."""
    columns = ["target", "actual", "score_raw", "score_adjusted", "weight"]
    key = ["scorecard", "kpi"]
    one, two = (t.kpi_scores[t.kpi_scores["employee_id"].eq(employee)].set_index(key)[columns] for t in (before, after))
    found = []
    for at in one.index.union(two.index, sort=False):
        sides = [[_number(t.at[at, name]) if at in t.index else None for name in columns] for t in (one, two)]
        if sides[0] != sides[1]:
            named = {name: [side[i] for side in sides] for i, name in enumerate(columns) if sides[0][i] != sides[1][i]}
            found.append({"scorecard": at[0], "kpi": at[1], **named})
    return found


def _money(case: Case, before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """Pool and bonuses by the decided grades before and after, in whole cents."""
    if not len(case.cycle.pay):
        return {"pool": {}, "bonuses": {}}
    scheme, pay = case.cycle.scheme, case.cycle.pay
    pools, paid = [], []
    for grades in (before, after):
        rows = pool(case.scores(grades), pay, scheme)
        pools.append(rows[rows["step"].eq("decided")].iloc[-1].to_dict())
        table = bonuses(pd.DataFrame(grades.items(), columns=["employee_id", "grade"]), pay, scheme)
        paid.append(table.set_index("employee_id")["cents"])
    money = {name: [round(100 * float(each[name])) for each in pools] for name in ("cost", "budget", "balance")}
    differs = paid[0].index[(paid[0] != paid[1]).to_numpy()]
    changed = {who: [int(side[who]) for side in paid] for who in differs}
    return {"pool": {**money, "currency": pools[0]["currency"]}, "bonuses": changed}


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _number(value: Any) -> float | None:
    """Nine significant digits, so that the same ruling gives the same entry on every machine."""
    return None if pd.isna(value) else float(f"{float(value):.9g}")


# --- Commands --------------------------------------------------------------------------------------------------


def open_appeal(ledger: Ledger, case: Case, employee: str, *, facts: str, by: str, on: date) -> Done:
    """Open an appeal of the employee against the final result."""
    days, cycle = case.cycle.scheme.outcomes.appeal.working_days, case.cycle.id

    def rule(entries):
        return appeal_drafts(state_of(entries), case.roll, employee, facts=facts, by=by, on=on, working_days=days)

    recorded = ledger.append_from(rule, cycle)
    return Done(recorded, state_in(ledger, case))


def resolve_appeal(
    ledger: Ledger,
    case: Case,
    employee: str,
    *,
    outcome: str,
    reason: str,
    panel: Sequence[str] = (),
    correct: Sequence[str] = (),
    grade: str = "",
) -> Done:
    """Replay the frozen quarter with the corrected facts, and record the panel's ruling with all that it changes.

    ``case`` is that of the final run (:func:`.publish.of_final`); ``correct`` are texts as
    ``io.correction_of`` takes them. What was corrected before and stands (:func:`corrections_in`) is replayed with it;
    an appeal that is withdrawn replays nothing.

    Raises
    ------
    DecisionError
        For the reasons of :func:`resolve_drafts`.
    RunError
        If the program gives other scores today than the run was published with.
    DataError
        For the reasons of :func:`replayed`.
    """
    state = state_in(ledger, case)
    stood = corrections_in(state, case.cycle, employee)
    said = tuple(_said_of_all(state, employee))
    corrections = tuple(correction_of(case.cycle, employee, text, said) for text in correct)
    ruling = Ruling(outcome, reason, tuple(panel), grade.strip(), corrections)
    if standing := said_again(state, employee, ruling):
        return Done((standing,), state)
    admitted(state, case.roll, employee, ruling, barred_of(case, state, employee))
    must_be_the_runs(case.assessment, case)

    @cache
    def replay(before: tuple[Correction, ...]) -> Assessment:
        after = replayed(case.assessment, () if outcome == WITHDRAWN else _last((*before, *corrections)))
        after.proposals  # noqa: B018 - computed here, and kept
        return after

    replay(stood)  # before the ledger is held; again only where another ruling came between

    def rule(entries):
        now = state_of(entries)
        after = replay(corrections_in(now, case.cycle, employee))
        found = after.proposals.set_index("employee_id").reindex([employee]).iloc[0]
        proposed = {
            "raw": _text(found["grade_raw"]),
            "proposed": _text(found["grade_proposed"]),
            "cap": gate_caps(after.cycle).get(employee, ""),
        }
        standing = now.grades.get(employee, "")
        to = (ruling.grade or proposed["proposed"]) if outcome == CHANGED else standing
        told = changes_of(case, now, employee, after, to if to in case.roll.grades else standing)
        barred = barred_of(case, now, employee)
        return resolve_drafts(now, case.roll, employee, ruling, barred=barred, proposed=proposed, changes=told)

    recorded = ledger.append_from(rule, case.cycle.id)
    return Done(recorded, state_in(ledger, case))


def corrections_in(state: State, cycle: Cycle, employee: str) -> tuple[Correction, ...]:
    """Corrected figures of the employee that stand: of each cell the last one, of all appeals.

    Where a quarter was reopened and the figure mended in the data themselves, that one counts and no correction of
    the one before.
    """
    said = _last(_said_of_all(state, employee))
    return tuple(each for each in said if each.was == standing_text(cycle, each))


def corrections_of(state: State, appeal: Appeal) -> tuple[Correction, ...]:
    """Figures that one appeal corrected, of each cell the last.

    What a panel corrected when it sent the appeal back stands until one corrects that figure again. An appeal that was
    withdrawn corrects nothing, whatever was said of it before.
    """
    return _last(_said_of(state, appeal))


def _said_of_all(state: State, employee: str) -> Iterator[Correction]:
    return chain.from_iterable(_said_of(state, appeal) for appeal in state.appeals.get(employee, ()))


def _said_of(state: State, appeal: Appeal) -> Iterator[Correction]:
    for entry in state.entries if appeal.outcome != WITHDRAWN else ():
        if entry.kind == APPEAL_RESOLVE and entry.data["of"] == appeal.opened.hash:
            yield from map(_recorded, entry.data["corrections"])


def _last(corrections: Iterable[Correction]) -> tuple[Correction, ...]:
    """Of each cell the last correction, but for those that put back what the frozen data have."""
    found = {each.cell: each for each in corrections}
    return tuple(each for each in found.values() if each.now != each.was)


def _recorded(said: Mapping[str, Any]) -> Correction:
    return Correction(said["table"], _key(said), said["column"], said["was"], said["now"])


def corrections_table(state: State) -> pd.DataFrame:
    """Every figure that an appeal corrected, the frozen one beside it: version 1, then the others."""
    rows = []
    for entry in state.entries:
        if entry.kind != APPEAL_RESOLVE:
            continue
        for said in entry.data["corrections"]:
            each = _recorded(said)
            place = (entry.subject, each.table, each.row, each.column)
            if said["version"] == 2:
                rows.append((*place, 1, said["was"], "frozen", np.nan))
            rows.append((*place, said["version"], said["now"], "appeal", float(entry.seq)))
    columns = ["employee_id", "table", "row", "column", "version", "value", "by", "entry"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(columns[:5], kind="stable", ignore_index=True)
