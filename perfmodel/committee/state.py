"""What the entries of one quarter add up to: a pure fold, the same for everybody who reads the same ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from ..ledger import Entry
from .basis import changes
from .case import Roll

FREEZE, VOTE, DECISION, CONSENT, UNDO = "freeze", "vote", "decision", "consent", "undo"
ACKNOWLEDGE, SIGN, FINAL, REOPEN = "acknowledge", "sign", "final", "reopen"
APPEAL_OPEN, APPEAL_RESOLVE, EXPORT = "appeal_open", "appeal_resolve", "export"
UPHELD, CHANGED, SENT_BACK, WITHDRAWN = "upheld", "changed", "sent_back", "withdrawn"
OUTCOMES = (UPHELD, CHANGED, SENT_BACK, WITHDRAWN)
VOTES = ("agree", "question", "abstain")
PLAN, DATA = "plan", "data"


@dataclass(frozen=True)
class Standing:
    """A decision in force: of one employee, whether by an entry of its own or on a consent list."""

    employee: str
    grade: str
    entry: Entry
    data: Mapping[str, Any]  # of a consent list: what is recorded of this employee, and of the list

    @property
    def consent(self) -> bool:
        return self.entry.kind == CONSENT


@dataclass(frozen=True)
class Appeal:
    """An appeal of one employee. Sent back, it stays open until somebody else has looked at it again."""

    opened: Entry
    resolved: Entry | None = None

    @property
    def outcome(self) -> str:
        """What the last panel said; "" before one did."""
        return str(self.resolved.data["outcome"]) if self.resolved else ""

    @property
    def open(self) -> bool:
        return self.outcome in ("", SENT_BACK)


@dataclass(frozen=True)
class State:
    """One quarter as its entries have it."""

    entries: tuple[Entry, ...] = ()
    frozen: Mapping[str, Entry] = field(default_factory=dict)  # newest version by stage
    votes: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)  # by employee and voter, each one's last
    decisions: Mapping[str, Standing] = field(default_factory=dict)  # in force, by employee
    last: Mapping[str, Entry] = field(default_factory=dict)  # last decision, consent or undo, by employee
    acknowledged: Mapping[str, int] = field(default_factory=dict)  # warnings by code, with their number
    signatures: tuple[Entry, ...] = ()  # of the final entry in force
    final: Entry | None = None  # in force
    reopened: Entry | None = None  # the last reopening
    appeals: Mapping[str, tuple[Appeal, ...]] = field(default_factory=dict)

    @property
    def grades(self) -> dict[str, str]:
        """Decided grade by employee."""
        return {who: found.grade for who, found in sorted(self.decisions.items())}

    @property
    def open_appeals(self) -> list[str]:
        return sorted(who for who, own in self.appeals.items() if any(one.open for one in own))


def state_of(entries: Iterable[Entry], cycle: str | None = None, start: State | None = None) -> State:
    """The state after ``entries``, in their order; those of other cycles are passed over if ``cycle`` is given.

    ``start`` is the state after the entries that came before these, which are then not folded again.
    """
    own = tuple(entry for entry in entries if cycle in (None, entry.cycle))
    start = start or State()
    frozen = dict(start.frozen)
    votes = {who: dict(cast) for who, cast in start.votes.items()}
    decisions, last, acknowledged = dict(start.decisions), dict(start.last), dict(start.acknowledged)
    signatures, final, reopened = list(start.signatures), start.final, start.reopened
    appeals = dict(start.appeals)
    for entry in own:
        data, who = entry.data, entry.subject
        match entry.kind:
            case "freeze":
                frozen[data["stage"]] = entry
            case "vote":
                votes.setdefault(who, {})[data["voter"]] = entry
            case "decision":
                decisions[who], last[who] = Standing(who, data["to"], entry, data), entry
            case "consent":
                shared = {name: value for name, value in data.items() if name != "list"}
                for item in data["list"]:
                    who = item["employee"]
                    # The code of a list says why grades on it differ from the raw ones; of the others it says nothing.
                    code = {} if item["to"] != item["from"] else {"code": ""}
                    decisions[who] = Standing(who, item["to"], entry, {**shared, **item, **code})
                    last[who] = entry
            case "undo":
                decisions.pop(who, None)
                last[who] = entry
            case "acknowledge":
                acknowledged |= data["codes"]
            case "sign":
                signatures.append(entry)
            case "final":
                final = entry
            case "reopen":
                final, reopened, signatures = None, entry, []
            case "appeal_open":
                appeals[who] = (*appeals.get(who, ()), Appeal(entry))
            case "appeal_resolve":
                *before, latest = appeals[who]
                appeals[who] = (*before, Appeal(latest.opened, entry))
                if data["outcome"] == CHANGED:
                    decisions[who], last[who] = Standing(who, data["to"], entry, data), entry
    whole = (*start.entries, *own)
    return State(
        whole, frozen, votes, decisions, last, acknowledged, tuple(signatures), final, reopened, appeals
    )  # fmt: skip


def void(state: State, roll: Roll) -> dict[str, list[str]]:
    """Decisions that no longer stand on ``roll``, by employee, with what changed of the employee's own."""
    found = {}
    for who, decision in sorted(state.decisions.items()):
        person = roll.people.get(who)
        if person is None or not person.proposed:
            found[who] = [f"no score in run {roll.run}"]
        elif changed := changes(decision.data["basis"], person.basis):
            found[who] = changed
    return found


def tally(state: State, roll: Roll, employee: str) -> dict[str, int]:
    """Votes on the employee's proposal as it is now; votes on other figures no longer count."""
    person = roll.people[employee]
    counted = [
        entry.data["vote"]
        for entry in votes_by_voice(state, roll, employee).values()
        if not changes(entry.data["basis"], person.basis)
    ]
    return {name: counted.count(name) for name in VOTES}


def votes_by_voice(state: State, roll: Roll, employee: str) -> dict[str, Entry]:
    """Each voter's last vote on the employee, however the voter was spelled (``Roll.voice``)."""
    cast = sorted(state.votes.get(employee, {}).items(), key=lambda one: one[1].seq)
    return {roll.voice(voter): entry for voter, entry in cast}


def window_of(final: Entry, working_days: int) -> date:
    """Last day on which a final result may be disputed: so many working days (Monday to Friday) after its entry."""
    day = datetime.fromisoformat(final.at).date()
    while working_days:
        day += timedelta(days=1)
        working_days -= day.weekday() < 5
    return day


def status_of(state: State, roll: Roll, working_days: int, today: date) -> str:
    """PARTIAL, DRAFT, PROVISIONAL (final, and appeals may come or are open) or FINAL."""
    if state.final is None:
        return "PARTIAL" if roll.late else "DRAFT"
    if state.open_appeals or today <= window_of(state.final, working_days):
        return "PROVISIONAL"
    return "FINAL"
