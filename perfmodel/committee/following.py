"""What follows from decisions as tables: who was decided how, how grades moved, and what a final quarter brings."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from hashlib import sha256

import numpy as np
import pandas as pd

from ..assessment import Assessment
from ..errors import RunError
from ..fairness import fairness
from ..ledger import Entry
from ..outcomes import (
    bonuses,
    grade_rise,
    improvement_goals,
    improvement_plans,
    organisation_summary,
    promotion_slate,
    training_by_domain,
    training_needs,
)
from ..tables import STAGES
from .case import Case, Roll
from .rules import ACCEPT
from .state import APPEAL_RESOLVE, CONSENT, DECISION, UNDO, VOTE, VOTES, State, state_of, tally, void

DECISIONS = """employee_id unit grade_raw grade_adjusted grade_proposed grade_decided action reason_code reason evidence
proposer authoriser session votes_agree votes_question votes_abstain decided_at entry run holds""".split()
AGENDA = "place employee_id unit group flags votes_agree votes_question votes_abstain decided".split()
MOVES = "by who n up down same".split()
CUT_LINE = ("too_close", "crosses_cut")
NOT_NAMED, NO_CODE = NOBODY = ("not named", "none")  # where a decision names nobody, or no reason code
GROUPS = ("questioned", "cut line", "flagged", "consent")
SAME_WITHIN = 1e-6  # points by which a figure computed again may differ from the published one


def decisions_table(case: Case, state: State) -> pd.DataFrame:
    """One row everybody with a proposal: what was decided, why and by whom; ``holds`` says what changed since."""
    roll, stale = case.roll, void(state, case.roll)
    rows = []
    for who in roll.scored:
        person, found = roll.people[who], state.decisions.get(who)
        start = (who, person.unit, person.raw, person.adjusted, person.proposed)
        if found is None:
            rows.append((*start, "", *[""] * 7, *tally(state, roll, who).values(), "", np.nan, "", ""))
            continue
        said, votes = found.data, found.data["votes"]
        holds = "; ".join(stale[who]) if who in stale else "yes"
        rows.append(
            (
                *start, found.grade, said["action"], said["code"], said["reason"], said["evidence"], said["proposer"],
                said["authoriser"], said["session"], *(votes[name] for name in VOTES), found.entry.at,
                float(found.entry.seq), said["run"], holds,
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=DECISIONS)


def agenda_table(case: Case, state: State) -> pd.DataFrame:
    """Everybody with a proposal by group: questioned by a vote, at a cut line, flagged otherwise, or on consent.

    Inside a group the order is random and fixed by the run, so that nobody is discussed first for a reason.
    """
    roll, flags = case.roll, case.tables["discussion"].groupby("employee_id")["flag"].agg(list).to_dict()
    rows = []
    for who in roll.scored:
        votes, own = tally(state, roll, who), flags.get(who, [])
        if votes["question"]:
            group = 0
        elif set(own) & set(CUT_LINE):
            group = 1
        else:
            group = 2 if own else 3
        order = sha256(f"{roll.run} {who}".encode()).hexdigest()
        rows.append((group, order, who, roll.people[who].unit, ", ".join(own), votes, state.decisions.get(who)))
    rows.sort(key=lambda row: row[:2])
    return pd.DataFrame(
        [
            (n, who, unit, GROUPS[group], own, *votes.values(), found.grade if found else "")
            for n, (group, _, who, unit, own, votes, found) in enumerate(rows, 1)
        ],
        columns=AGENDA,
    )


def moves_table(case: Case, state: State) -> pd.DataFrame:
    """Decided against proposed grade, by who proposed, authorised and manages, by session and reason code."""
    roll = case.roll
    rank = {grade: at for at, grade in enumerate(roll.grades)}
    rows = []
    for who, found in sorted(state.decisions.items()):
        person = roll.people.get(who)
        if person is None or not person.proposed:
            continue
        step = rank[person.proposed] - rank[found.grade]
        said = found.data
        keys = ("proposer", "authoriser", "session")
        rows += [(key, said[key] or NOT_NAMED, step) for key in keys]
        rows += [("manager", person.manager or NOT_NAMED, step), ("unit", person.unit, step)]
        rows += [("reason code", said["code"] or NO_CODE, step)]
    table = pd.DataFrame(rows, columns=["by", "who", "step"])
    if table.empty:
        return pd.DataFrame(columns=MOVES)
    found = table.groupby(["by", "who"])["step"].agg(
        n="size", up=lambda s: int((s > 0).sum()), down=lambda s: int((s < 0).sum()), same=lambda s: int((s == 0).sum())
    )
    return found.reset_index()[MOVES]


def spread_table(roll: Roll, grades: Mapping[str, str]) -> pd.DataFrame:
    """Grades in steps above the last one, at each stage, of those decided: mean, spread, and moves since the stage
    before."""
    rank = {grade: len(roll.grades) - 1 - at for at, grade in enumerate(roll.grades)}
    people = [roll.people[who] for who in sorted(grades) if who in roll.people and roll.people[who].proposed]
    steps = {
        "raw": np.array([rank[p.raw] for p in people], dtype=float),
        "adjusted": np.array([rank[p.adjusted or p.raw] for p in people], dtype=float),
        "proposed": np.array([rank[p.proposed] for p in people], dtype=float),
        "decided": np.array([rank[grades[p.employee]] for p in people], dtype=float),
    }
    rows, before = [], None
    for stage in STAGES:
        values = steps[stage]
        mean, spread = (values.mean(), values.std()) if len(values) else (np.nan, np.nan)
        up, down = (np.nan, np.nan) if before is None else (int((values > before).sum()), int((values < before).sum()))
        rows.append((stage, len(values), mean, spread, up, down))
        before = values
    return pd.DataFrame(rows, columns=["stage", "n", "mean", "spread", "up", "down"])


def acceptance(state: State) -> tuple[int, int, int]:
    """Decisions in force: accepted as proposed, all, and those for the sake of the guideline alone (R9)."""
    found = list(state.decisions.values())
    accepted = sum(one.data["action"] == ACCEPT for one in found)
    return accepted, len(found), sum(one.data["code"] == "R9" for one in found)


def decided_history(entries: Iterable[Entry], case: Case) -> pd.DataFrame:
    """Decided grades by quarter, of this one and of every earlier one that is final in the ledger.

    ``employee_id, quarter, end, grade`` as ``outcomes.promotion_slate`` takes it; "" where a quarter gave none.
    """
    by_cycle: dict[str, list[Entry]] = {}
    for entry in entries:
        by_cycle.setdefault(entry.cycle, []).append(entry)
    rows = []
    for cycle, own in by_cycle.items():
        state = state_of(own)
        if state.final is None or date.fromisoformat(state.final.data["end"]) > case.cycle.scheme.end:
            continue
        end = state.final.data["end"]
        rows += [(who, cycle, end, grade) for who, grade in state.grades.items()]
        rows += [(who, cycle, end, "") for who in state.final.data["without"]]
    return pd.DataFrame(rows, columns=["employee_id", "quarter", "end", "grade"])


def outcome_tables(case: Case, state: State, entries: Iterable[Entry]) -> dict[str, pd.DataFrame]:
    """What a final quarter brings, by name; those whose name begins with ``restricted/`` are for HR and legal alone.

    Points of items are computed again from the frozen data and must be the run's own.

    Raises
    ------
    RunError
        If the program gives other scores today than the run was published with.
    """
    assert state.final is not None
    cycle, scheme = case.cycle, case.cycle.scheme
    assessment = case.assessment
    must_be_the_runs(assessment, case)
    decided = pd.DataFrame(state.grades.items(), columns=["employee_id", "grade"])
    history, items = decided_history(entries, case), assessment.items
    people = cycle.employees
    start = max(datetime.fromisoformat(state.final.at).date(), scheme.end) + timedelta(days=1)
    needs = training_needs(decided, items, people, scheme)
    plans = improvement_plans(history, people, scheme, start=start)
    slate = promotion_slate(history, people, scheme)
    graded = case.scores(state.grades)
    whom = graded.loc[graded["grade_decided"].ne(""), "employee_id"]
    outcomes = {
        "promotion slate": pd.Series(whom.isin(slate.loc[slate["on_slate"], "employee_id"]).to_numpy(), index=whom),
        "improvement plan": pd.Series(whom.isin(plans["employee_id"]).to_numpy(), index=whom),
    }
    return {
        "promotion": slate,
        "grade_rise": grade_rise(history, people, scheme),
        "training": needs,
        "training_by_domain": training_by_domain(needs, decided, people, scheme),
        "plans": plans,
        "goals": improvement_goals(plans, needs, scheme),
        "organisation": organisation_summary(decided, items, people, scheme),
        "restricted/bonuses": bonuses(decided, cycle.pay, scheme),
        "restricted/fairness": fairness(graded, cycle.groups, scheme, outcomes=outcomes, published=assessment.fairness),
    }


def must_be_the_runs(assessment: Assessment, case: Case) -> None:
    now = assessment.proposals.set_index("employee_id")["score_proposed"]
    then = case.tables["scores"].set_index("employee_id")["score_proposed"].reindex(now.index)
    apart = (now - then).abs().gt(SAME_WITHIN) | (now.isna() != then.isna())
    if apart.any():
        raise RunError(
            f"For {apart.sum()} people the program gives other scores today than run {case.run} was published with, "
            f"{apart.index[apart][0]} first, so nothing may follow from them. Use the perfmodel of the run "
            f"({case.manifest.get('versions', {}).get('perfmodel', 'see its manifest')}), or run again and decide."
        )


def entry_rows(state: State) -> list[tuple[Entry, list[tuple[str, str, int]]]]:
    """What happened in the quarter, in order, for the minutes; votes are private and only counted.

    Each entry with what later took its decisions back: (employee, kind, number of the later entry).
    """
    later: dict[str, list[tuple[str, str, int]]] = {}
    for entry in state.entries:
        if entry.kind == UNDO:
            later.setdefault(entry.data["of"], []).append((entry.subject, UNDO, entry.seq))
        for who, before in _follows(entry):
            later.setdefault(before, []).append((who, entry.kind, entry.seq))
    return [(entry, later.get(entry.hash, [])) for entry in state.entries if entry.kind != VOTE]


def _follows(entry: Entry) -> Iterable[tuple[str, str]]:
    """Employees of a decision, list or appeal that changed one, each with the hash of the entry that it comes after."""
    if entry.kind in (DECISION, APPEAL_RESOLVE) and entry.data.get("supersedes"):
        return [(entry.subject, entry.data["supersedes"])]
    if entry.kind == CONSENT:
        return [(item["employee"], item["supersedes"]) for item in entry.data["list"] if item["supersedes"]]
    return []
