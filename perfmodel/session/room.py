"""The meeting as plain values: what the run says of everybody, what the ledger says now, and what may be recorded.

``Facts`` never change while a meeting lasts; a ``Moment`` is the quarter as the ledger has it at one head; a ``Room``
keeps the newest moment for everybody who looks, and records. No page and no server is known here.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..assessment import Assessment
from ..committee import Case, Choice, Standing, State, Vote, agenda_table, open_case, rules, state_of, status_of, void
from ..committee.following import decided_history
from ..committee.publish import today
from ..committee.state import DATA, UNDO, VOTE
from ..committee.state import tally as votes_on
from ..errors import DataError, DecisionError
from ..ledger import GENESIS, Draft, Entry, Ledger
from ..outcomes import what_if
from ..scoring import item_scores, total

FRESH = 0.25  # seconds for which a look at the ledger serves everybody who asks
LONGEST = {"reason": 4000, "evidence": 1000}  # characters of a field; of all others 300
SHORT = 300


@dataclass(frozen=True, eq=False)
class Facts:
    """What a run says of a quarter's people; ``past``: earlier quarters' (id, grade by employee), oldest first."""

    case: Case
    past: Sequence[tuple[str, Mapping[str, str]]] = ()
    session: str = ""
    _agenda: dict[tuple[str, ...], list[dict[str, Any]]] = field(default_factory=dict)

    @cached_property
    def scores(self) -> dict[str, dict[str, Any]]:
        return {row["employee_id"]: row for row in self.case.tables["scores"].to_dict("records")}

    @cached_property
    def totals(self) -> dict[str, dict[str, Any]]:
        """KPI score and mean rating by employee; severity moves neither."""
        found = total(self.case.cycle, item_scores(self.case.cycle))
        return found.set_index("employee_id")[["kpi_score", "rating"]].to_dict("index")

    @cached_property
    def flags(self) -> dict[str, list[tuple[str, str]]]:
        """(flag, evidence) by employee, in the order of the discussion list."""
        found: dict[str, list[tuple[str, str]]] = {}
        for row in self.case.tables["discussion"].sort_values(["priority", "flag"]).to_dict("records"):
            found.setdefault(row["employee_id"], []).append((row["flag"], row["evidence"]))
        return found

    @cached_property
    def weights(self) -> dict[str, dict[str, Any]]:
        """What the permitted weights give, by employee."""
        table = self.case.tables.get("weight_grades", pd.DataFrame(columns=["employee_id"]))
        return {row["employee_id"]: row for row in table.to_dict("records")}

    @cached_property
    def _kpis(self) -> dict[str, np.ndarray]:
        return self.case.tables["kpi_scores"].groupby("employee_id").indices

    def kpis(self, employee: str) -> list[dict[str, Any]]:
        """Rows of ``kpi_scores`` of one employee."""
        at = self._kpis.get(employee, np.array([], dtype=int))
        return self.case.tables["kpi_scores"].iloc[at].to_dict("records")

    @cached_property
    def profiles(self) -> dict[str, Any]:
        return {profile.id: profile.name for profile in self.case.cycle.scheme.profiles}

    @cached_property
    def proposed(self) -> dict[str, str]:
        return {who: person.proposed for who, person in self.case.roll.people.items() if person.proposed}

    @cached_property
    def guideline(self) -> dict[str, tuple[float, float]]:
        """Shares of 1 by grade or band."""
        return {g.band: (g.range[0] / 100, g.range[1] / 100) for g in self.case.cycle.scheme.guideline}

    @cached_property
    def bands(self) -> dict[str, tuple[str, ...]]:
        """Every grade, best first, then the guideline's bands of several."""
        wide = {g.band: tuple(g.grades) for g in self.case.cycle.scheme.guideline if len(g.grades) > 1}
        return {**{grade: (grade,) for grade in self.case.roll.grades}, **wide}

    def agenda(self, state: State) -> list[dict[str, Any]]:
        """Rows of ``committee.agenda_table``: votes change it, decisions do not, so it is made anew for votes alone."""
        votes = tuple(entry.hash for entry in state.entries if entry.kind == VOTE)
        if votes not in self._agenda:
            rows = agenda_table(self.case, state).drop(columns="decided").to_dict("records")
            self._agenda.clear()
            self._agenda[votes] = rows
            return rows
        return self._agenda[votes]

    @cached_property
    def money(self) -> "Money | None":
        """Cost of the proposals, and what each other grade of one person would add; None without a pay table."""
        frame = pd.DataFrame(self.proposed.items(), columns=["employee_id", "grade"])
        table = what_if(frame, self.case.cycle.pay, self.case.cycle.scheme)
        if table.empty:
            return None
        first = table.iloc[0]
        keys = zip(table["employee_id"], table["to_grade"], strict=True)
        changes = dict(zip(keys, (table["change"] * 100).round().astype(int), strict=True))
        cost = round(100 * (first["cost"] - first["change"]))
        return Money(cost, round(100 * first["budget"]), str(first["currency"]), changes)


@dataclass(frozen=True)
class Money:
    """Cents: of the proposals, of the pool, and what (employee, grade) adds to the cost of the proposals."""

    cost: int
    budget: int
    currency: str
    changes: Mapping[tuple[str, str], int]

    def of(self, grades: Mapping[str, str]) -> int:
        """Cost if those in ``grades`` have these, and everybody else the proposal: claims add up one by one."""
        return self.cost + sum(self.changes.get(pair, 0) for pair in grades.items())


@dataclass(frozen=True, eq=False)
class Moment:
    """The quarter as the ledger has it at one head. Everything is derived, and derived once for all who look."""

    facts: Facts
    state: State
    head: str = GENESIS
    stale: str = ""  # a newer run, published since the meeting began

    @property
    def seq(self) -> int:
        """Number of the quarter's last entry; what a page that is up to date has seen."""
        return self.state.entries[-1].seq if self.state.entries else 0

    @cached_property
    def status(self) -> str:
        case = self.facts.case
        return status_of(self.state, case.roll, case.cycle.scheme.outcomes.appeal.working_days, today())

    @cached_property
    def agenda(self) -> list[dict[str, Any]]:
        """Everybody with a proposal, in the order of the meeting, by ``group``."""
        return self.facts.agenda(self.state)

    @cached_property
    def places(self) -> dict[str, dict[str, Any]]:
        return {row["employee_id"]: row for row in self.agenda}

    @cached_property
    def void(self) -> dict[str, list[str]]:
        """Decisions that rest on other figures, with what changed."""
        people = self.facts.case.roll.people
        doubtful = {
            who: found
            for who, found in self.state.decisions.items()
            if who not in people or found.data["basis"] != people[who].basis
        }
        return void(State(decisions=doubtful), self.facts.case.roll) if doubtful else {}

    def standing(self, employee: str) -> Standing | None:
        """The decision in force that still holds."""
        return None if employee in self.void else self.state.decisions.get(employee)

    def stands(self, employee: str) -> str:
        """Hash of the entry that decides on the employee, "" where none does."""
        found = self.standing(employee)
        return found.entry.hash if found else ""

    @cached_property
    def open_cases(self) -> list[str]:
        """To be discussed and not decided yet, in the order of the agenda."""
        return [r["employee_id"] for r in self.agenda if r["group"] != "consent" and self._undecided(r["employee_id"])]

    @cached_property
    def consent_list(self) -> list[str]:
        """Whom a consent list would accept now, by id; nobody's own result is looked at here."""
        return sorted(
            r["employee_id"] for r in self.agenda if r["group"] == "consent" and self._undecided(r["employee_id"])
        )

    def _undecided(self, employee: str) -> bool:
        return self.standing(employee) is None

    @cached_property
    def decided(self) -> int:
        return sum(self.standing(who) is not None for who in self.facts.proposed)

    def following(self, employee: str) -> str:
        """The next case to discuss after this one, round to the first; "" when none is left."""
        order = [row["employee_id"] for row in self.agenda]
        at = order.index(employee) + 1 if employee in order else 0
        left = set(self.open_cases)
        return next((who for who in (*order[at:], *order[:at]) if who in left and who != employee), "")

    @cached_property
    def grades(self) -> dict[str, str]:
        """Decided grade, or the proposal of whoever is not decided yet."""
        return {**self.facts.proposed, **{w: g for w, g in self.state.grades.items() if w in self.facts.proposed}}

    @cached_property
    def counts(self) -> dict[str, tuple[int, int]]:
        """People per grade and band: as proposed, as decided so far."""
        old, new = Counter(self.facts.proposed.values()), Counter(self.grades.values())
        return {
            band: (sum(old[g] for g in members), sum(new[g] for g in members))
            for band, members in self.facts.bands.items()
        }

    @cached_property
    def cost(self) -> int:
        """Cents that the grades cost as decided so far."""
        return self.facts.money.of(self.state.grades) if self.facts.money else 0

    def votes(self, employee: str) -> dict[str, int]:
        return votes_on(self.state, self.facts.case.roll, employee)

    @cached_property
    def names(self) -> list[str]:
        """Who proposed or authorised in this session, newest first: those in the room."""
        found: dict[str, None] = {}
        for entry in reversed(self.state.entries):
            data = entry.data if entry.kind not in (VOTE,) else {}
            if data.get("session") == self.facts.session:
                found |= dict.fromkeys(name for role in ("proposer", "authoriser") if (name := data.get(role)))
        return list(found)

    @cached_property
    def hindrance(self) -> str:
        """Why nothing can be decided now: "final", "run" (a newer one), "not-frozen", "changed", or ""."""
        frozen = self.state.frozen.get(DATA)
        if self.state.final:
            return "final"
        if self.stale:
            return "run"
        if frozen is None:
            return "not-frozen"
        return "" if frozen.data["digest"] == self.facts.case.roll.inputs else "changed"

    def since(self, seq: int) -> list[Entry]:
        return [entry for entry in self.state.entries if entry.seq > seq]


def seen_of(employees: Iterable[str]) -> str:
    """A consent list in a line: a form brings it back, so that nobody accepts a list that nobody saw."""
    return sha256("\n".join(employees).encode()).hexdigest()


@dataclass(eq=False)
class Room:
    """The newest moment for all who look, and the only door to the ledger. May be used by several threads."""

    ledger: Ledger
    facts: Facts
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _moment: Moment | None = None
    _looked: float = 0.0

    def now(self) -> Moment:
        """The quarter as the ledger has it, others' entries included; looked up at most every ``FRESH`` seconds."""
        with self._lock:
            if self._moment is not None and time.monotonic() - self._looked < FRESH:
                return self._moment
            head, stale = self.ledger.head(), self._newer_run()
            if self._moment is None or (head, stale) != (self._moment.head, self._moment.stale):
                entries = self.ledger.entries()
                head = entries[-1].hash if entries else GENESIS
                own = tuple(entry for entry in entries if entry.cycle == self.facts.case.cycle.id)
                self._moment = Moment(self.facts, self._state(own), head, stale)
            self._looked = time.monotonic()
            return self._moment

    def _state(self, entries: tuple[Entry, ...]) -> State:
        """The state after ``entries`` of the quarter; what was folded before is not folded again.

        Every entry's hash is over all before it, so the same hash at the same place means the same entries up to it.
        """
        known = self._moment.state if self._moment else State()
        n = len(known.entries)
        if n and (len(entries) < n or entries[n - 1].hash != known.entries[-1].hash):
            return state_of(entries)
        return state_of(entries[n:], start=known) if len(entries) > n else known

    def _newer_run(self) -> str:
        try:
            newest = (self.facts.case.folder / "latest").read_text(encoding="utf-8").strip()
        except OSError:
            return ""
        return newest if newest != self.facts.case.run else ""

    def decide(self, typed: Mapping[str, str]) -> Moment:
        def said(name: str) -> str:
            return typed.get(name, "")

        choice = Choice(
            said("employee"), said("grade"), said("code"), said("reason"), said("evidence"), said("proposer"),
            said("authoriser"), self.facts.session, said("replaces"),
        )  # fmt: skip
        return self._record(lambda state: rules.decision_drafts(state, self.facts.case.roll, [choice]))

    def consent(self, typed: Mapping[str, str]) -> Moment:
        """Accept the list that was seen, and no other."""
        values = {name: typed.get(name, "") for name in ("code", "reason", "proposer", "authoriser")}

        def rule(state: State) -> list[Draft]:
            drafts, _ = rules.consent_drafts(state, self.facts.case.roll, **values, session=self.facts.session)
            there = seen_of(Moment(self.facts, state).consent_list)
            if there != typed.get("seen", "") and not _standing(drafts, state):
                raise DecisionError("The list is another one than was looked at. Nothing was recorded. [list-changed]")
            return drafts

        return self._record(rule)

    def undo(self, typed: Mapping[str, str]) -> Moment:
        """Take back the decision that was seen, and no other."""
        who = typed.get("employee", "")
        values = {"reason": typed.get("undo_reason", ""), "authoriser": typed.get("undo_authoriser", "")}

        def rule(state: State) -> list[Draft]:
            last = state.last.get(who)
            if last is not None and last.kind != UNDO and last.hash != typed.get("of", ""):
                raise DecisionError("Another decision stands now. Nothing was recorded. [superseded]")
            return rules.undo_drafts(state, self.facts.case.roll, who, **values)

        return self._record(rule)

    def question(self, typed: Mapping[str, str]) -> Moment:
        """A recorded vote takes a case off the consent list."""
        vote = Vote(typed.get("employee", ""), typed.get("voter", ""), "question", self.facts.session)
        return self._record(lambda state: rules.vote_drafts(state, self.facts.case.roll, [vote]))

    def freeze(self, typed: Mapping[str, str]) -> Moment:
        case = self.facts.case
        values = {"by": typed.get("by", ""), "reason": typed.get("reason", "")}
        return self._record(
            lambda state: rules.freeze_drafts(
                state, case.cycle.id, stage=DATA, digest=case.roll.inputs, parts=dict(case.cycle.digests), **values
            )
        )

    def _record(self, rule: Callable[[State], Sequence[Draft]]) -> Moment:
        """One transaction; the moment after it.

        Raises
        ------
        DecisionError, LedgerError
            If the rules or the ledger refuse; nothing was recorded then.
        """
        if stale := self._newer_run():
            raise DecisionError(f"The run {stale} was published since this meeting began. Nothing was recorded. [run]")
        seen: tuple[Entry, ...] = ()

        def under_lock(entries: tuple[Entry, ...]) -> Sequence[Draft]:
            nonlocal seen
            seen = entries
            return rule(self._state(entries))

        cycle = self.facts.case.cycle.id
        recorded = self.ledger.append_from(under_lock, cycle)
        known = {entry.seq for entry in seen}
        entries = (*seen, *(entry for entry in recorded if entry.seq not in known))
        with self._lock:
            if self._moment is None or entries[-1].seq >= self._moment.seq:
                # Another's entry may stand behind by now: then the head is another one, and the next look finds it.
                self._moment = Moment(self.facts, self._state(entries), entries[-1].hash)
                self._looked = time.monotonic()
            return self._moment


def _standing(drafts: Sequence[Draft], state: State) -> bool:
    tokens = {entry.token for entry in state.entries}
    return all(draft.token in tokens for draft in drafts)


def too_long(typed: Mapping[str, str]) -> str:
    """The first field that holds more than anybody reads, "" where none does."""
    return next((name for name, text in typed.items() if len(text) > LONGEST.get(name, SHORT)), "")


def facts_of(
    source: str | Path,
    ledger: Ledger,
    out: str | Path | None = None,
    cycle: str | None = None,
    scheme: str | None = None,
    session: str = "",
) -> Facts:
    """The quarter in ``source`` before its committee, with its newest run and what earlier quarters gave.

    Raises
    ------
    DecisionError, RunError, DataError, SchemeError
        As ``committee.open_case``.
    """
    from ..io import read_history

    case = open_case(source, out, cycle, scheme)
    decided = decided_history(ledger.entries(), case)
    past = []
    for quarter in read_history(source):
        own = decided[decided["quarter"].eq(quarter.id)]
        if len(own):
            past.append((quarter.id, dict(zip(own["employee_id"], own["grade"], strict=True))))
            continue
        try:
            table = Assessment(quarter, case.seed).proposals
        except DataError:  # it only informs; `check` on that quarter says what is wrong with it
            continue
        table = table[table["score_raw"].notna()]
        past.append((quarter.id, dict(zip(table["employee_id"], table["grade_proposed"], strict=True))))
    facts = Facts(case, past, session or today().isoformat())
    # Worked out now, so that the first page does not wait for them.
    _ = case.roll, facts.scores, facts.totals, facts.money, facts.kpis("")
    return facts
