"""Commands of the committee: a case, a ledger and what was typed, to entries. One transaction each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..cycle import Cycle
from ..distribution import distribution
from ..errors import DecisionError
from ..ledger import GENESIS, Entry, Ledger
from ..outcomes import pool
from ..tables import COMPANY
from . import rules
from .case import Case, inputs_digest, plan_digest, plan_parts
from .rules import Choice, Vote
from .state import CONSENT, PLAN, State, state_of
from .typed import read_choices, read_votes


@dataclass(frozen=True)
class Done:
    """What a command recorded (or found recorded already), and the state after it."""

    entries: tuple[Entry, ...]
    state: State
    left: Mapping[str, str] | None = None  # whom a consent list left out, and why


def state_in(ledger: Ledger, case: Case) -> State:
    """The quarter as the ledger has it now."""
    return state_of(ledger.entries(case.cycle.id))


def freeze(ledger: Ledger, cycle: Cycle, stage: str, *, by: str, reason: str = "") -> Done:
    """Freeze plan or data of a cycle as it lies there."""
    parts: dict[str, Any] = plan_parts(cycle) if stage == PLAN else dict(cycle.digests)
    digest = plan_digest(cycle) if stage == PLAN else inputs_digest(cycle)
    return _record(
        ledger,
        cycle.id,
        lambda state: rules.freeze_drafts(
            state, cycle.id, stage=stage, digest=digest, parts=parts, by=by, reason=reason
        ),
    )


def decide(ledger: Ledger, case: Case, choices: Sequence[Choice]) -> Done:
    """Record decisions, all or none."""
    return _record(ledger, case.cycle.id, lambda state: rules.decision_drafts(state, case.roll, choices))


def decide_file(ledger: Ledger, case: Case, path: str | Path, given: Mapping[str, str]) -> Done:
    """Record the decisions of a filled-in pack or CSV file, all or none."""
    return decide(ledger, case, read_choices(path, given, case.bases_of, case.run))


def consent(ledger: Ledger, case: Case, **typed: str) -> Done:
    """Accept every proposal that is left over with one recorded reason; ``left`` of the result says who is not."""
    left: dict[str, str] = {}

    def rule(state: State):
        drafts, out = rules.consent_drafts(state, case.roll, **typed)
        left.update(out)
        return drafts

    done = _record(ledger, case.cycle.id, rule)
    return Done(done.entries, done.state, left)


def undo(ledger: Ledger, case: Case, employee: str, *, reason: str, authoriser: str) -> Done:
    """Take the decision on an employee back."""
    return _record(
        ledger,
        case.cycle.id,
        lambda state: rules.undo_drafts(state, case.roll, employee, reason=reason, authoriser=authoriser),
    )


def vote(ledger: Ledger, case: Case, votes: Sequence[Vote]) -> Done:
    """Record votes, all or none."""
    return _record(ledger, case.cycle.id, lambda state: rules.vote_drafts(state, case.roll, votes))


def vote_file(ledger: Ledger, case: Case, path: str | Path, session: str = "") -> Done:
    """Record the votes of a file, all or none."""
    return vote(ledger, case, read_votes(path, session, case.bases_of, case.run))


def finalize(ledger: Ledger, case: Case, signers: Sequence[str], acknowledged: Iterable[str] = ()) -> Done:
    """Close the quarter: one final entry, however often and by however many it is given.

    Raises
    ------
    DecisionError
        If the ledger does not verify, or for the reasons of ``rules.final_drafts``.
    """
    if found := ledger.verify():
        raise DecisionError(
            "The ledger cannot be vouched for, so no quarter is closed on it: " + " ".join(found[:3]) + " [ledger]"
        )
    cycle = case.cycle.id

    def rule(entries: tuple[Entry, ...]):
        head = entries[-1].hash if entries else GENESIS
        return rules.final_drafts(
            state_of(entries, cycle),
            case.roll,
            signers=signers,
            acknowledged=acknowledged,
            head=head,
            figures=lambda grades: figures(case, state_of(entries, cycle), grades),
        )

    recorded = ledger.append_from(rule)
    return Done(recorded, state_of(ledger.entries(cycle)))


def reopen(ledger: Ledger, case: Case, *, reason: str, by: str) -> Done:
    """Take a final quarter back by a new entry."""
    return _record(
        ledger,
        case.cycle.id,
        lambda state: rules.reopen_drafts(state, case.cycle.id, reason=reason, by=by),
    )


def _record(ledger: Ledger, cycle: str, rule) -> Done:
    recorded = ledger.append_from(lambda entries: rule(state_of(entries)), cycle)
    return Done(recorded, state_of(ledger.entries(cycle)))


def figures(case: Case, state: State, grades: Mapping[str, str]) -> dict[str, Any]:
    """What a final entry holds of the quarter beside its decisions: days, counts, distribution, pool."""
    kinds = [found.entry.kind for found in state.decisions.values()]
    changed = sum(found.grade != found.data["proposed"] for found in state.decisions.values())
    money = decided_pool(case, grades)
    last = money[money["step"].eq("decided")].to_dict("records")
    return {
        "start": case.cycle.scheme.start.isoformat(),
        "end": case.cycle.scheme.end.isoformat(),
        "counts": {
            **{name: value for name, value in case.manifest["counts"].items() if name in ("in", "scored")},
            "decided": len(kinds) - kinds.count(CONSENT),
            "consented": kinds.count(CONSENT),
            "changed": changed,
        },
        "grades": {grade: list(grades.values()).count(grade) for grade in case.roll.grades},
        "pool": {name: last[0][name] for name in ("n", "cost", "budget", "balance", "currency")} if last else {},
    }


def decided_pool(case: Case, grades: Mapping[str, str]) -> pd.DataFrame:
    """The contract's ``pool`` with the step decided, of those decided so far."""
    return pool(case.scores(grades), case.cycle.pay, case.cycle.scheme)


def decided_distribution(case: Case, grades: Mapping[str, str]) -> pd.DataFrame:
    """The contract's ``distribution`` with the stage decided, of those decided so far."""
    return distribution(case.scores(grades), case.cycle.scheme)


def as_it_stands(case: Case, grades: Mapping[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Distribution of the company and pool, if whoever is not decided yet keeps the proposal: proposed, decided."""
    proposed = {who: person.proposed for who, person in case.roll.people.items() if person.proposed}
    whole = {**proposed, **grades}
    table = decided_distribution(case, whole)
    table = table[table["unit"].eq(COMPANY) & table["stage"].isin(["proposed", "decided"])]
    money = decided_pool(case, whole)
    return table, money[money["step"].isin(["proposed", "decided"])]
