"""What may be recorded: from a state, a roll and a request to drafts, or to a refusal that names its reason.

Pure functions, called under the ledger's lock (``Ledger.append_from``), so that nothing comes between looking and
recording. A command that was recorded already gives its standing entry again, whatever happened since.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DecisionError, Finding
from ..ledger import Draft, Entry, token_of
from ..ledger.entry import canonical
from .basis import Basis, changes
from .case import Person, Roll, plain, visible
from .state import (
    ACKNOWLEDGE,
    CONSENT,
    DATA,
    DECISION,
    FINAL,
    FREEZE,
    PLAN,
    REOPEN,
    SIGN,
    UNDO,
    VOTE,
    VOTES,
    Standing,
    State,
    tally,
    void,
    votes_by_voice,
)

CODES = tuple(f"R{n}" for n in range(1, 11))
ACCEPT, CHANGE = "accept", "change"
LEAST_HASH = 8  # digits by which a decision that is replaced may be named
SIGNED = "I have seen the decisions and the figures that they rest on, and close the quarter."


@dataclass(frozen=True)
class Choice:
    """One decision as it was typed. ``grade`` "" accepts the proposal; ``place`` is file, line and column."""

    employee: str
    grade: str = ""
    code: str = ""
    reason: str = ""
    evidence: str = ""
    proposer: str = ""
    authoriser: str = ""
    session: str = ""
    replaces: str = ""  # beginning of the hash of the decision in force that this one replaces
    basis: Basis | None = None  # what was looked at; the roll's own where it was typed on that
    place: tuple[str, int, int] = ("", 0, 0)


@dataclass(frozen=True)
class Vote:
    """One private vote before the meeting."""

    employee: str
    voter: str
    vote: str
    session: str = ""
    basis: Basis | None = None
    place: tuple[str, int, int] = ("", 0, 0)


class _Refusal(Exception):
    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


def decision_drafts(state: State, roll: Roll, choices: Sequence[Choice]) -> list[Draft]:
    """A draft for each of ``choices``, or a refusal of all with every reason.

    Refused by name: final, not-frozen, data-changed, unknown-employee, no-score, own-result, proposer-missing,
    authoriser-missing, same-person, reason-missing, code-missing, code-unknown, grade-unknown, gate-cap,
    basis-changed, superseded, twice.

    Raises
    ------
    DecisionError
        With a finding for each choice that is refused.
    """
    stale = void(state, roll)
    return _each(choices, lambda choice: _decision(state, roll, choice, stale), "decision", "decisions")


def _decision(state: State, roll: Roll, choice: Choice, stale: Mapping[str, list[str]]) -> Draft:
    typed = {
        name: visible(getattr(choice, name))
        for name in ("code", "reason", "evidence", "proposer", "authoriser", "session")
    }
    standing = state.decisions.get(choice.employee)
    if standing and not standing.consent and choice.employee not in stale and _same(standing, choice, typed):
        return again(standing.entry)
    _must_be_open(state)
    _must_be_frozen(state, roll)
    person = _person(roll, choice.employee)
    _named(roll, person, typed["proposer"], typed["authoriser"])
    grade = choice.grade.strip() or person.proposed
    if grade not in roll.grades:
        raise _Refusal("grade-unknown", f"{grade} is no grade of the scheme; it has {', '.join(roll.grades)}.")
    if person.cap and roll.grades.index(grade) < roll.grades.index(person.cap):
        raise _Refusal("gate-cap", f"a gate holds the grade at {person.cap}, so {grade} cannot be decided.")
    action = ACCEPT if grade == person.proposed else CHANGE
    _reasoned(typed, needs_code=grade != person.proposed or grade != person.raw)
    if choice.basis is not None and (changed := changes(choice.basis, person.basis)):
        raise _Refusal(
            "basis-changed", f"it was decided on other figures: {'; '.join(changed)}. Look at run {roll.run}."
        )
    before = _superseded(state, choice, stale)
    payload = {
        "from": person.raw,
        "proposed": person.proposed,
        "to": grade,
        "action": action,
        **typed,
        "supersedes": before,
        "votes": tally(state, roll, person.employee),
        "basis": person.basis,
        "run": roll.run,
    }
    token = token_of(roll.cycle, DECISION, person.employee, grade, *typed.values(), before)
    return Draft(roll.cycle, DECISION, typed["authoriser"], payload, token, person.employee)


def _same(standing: Standing, choice: Choice, typed: Mapping[str, str]) -> bool:
    """Whether a choice says again what stands: then it was recorded already."""
    said = standing.data
    grade = choice.grade.strip() or said["proposed"]
    replaced = choice.replaces.strip()
    return (
        grade == said["to"]
        and all(said[name] == value for name, value in typed.items())
        and (not replaced or said["supersedes"].startswith(replaced) or standing.entry.hash.startswith(replaced))
    )


def _superseded(state: State, choice: Choice, stale: Mapping[str, list[str]]) -> str:
    """Hash of the entry that a new decision follows on, which must be the one that its author knows of."""
    standing, replaces = state.decisions.get(choice.employee), choice.replaces.strip()
    last = state.last.get(choice.employee)
    before = last.hash if last else ""
    if standing is None or choice.employee in stale:
        if replaces and not before.startswith(replaces):
            raise _Refusal("superseded", f"no decision {replaces} is in force, so it cannot be replaced.")
        return before
    stands = (
        f"entry {standing.entry.seq} by {standing.entry.author} already decides {standing.grade} "
        f"({standing.entry.hash[:12]})"
    )
    if not replaces:
        named = standing.entry.hash[:12]
        raise _Refusal("superseded", f"{stands}. To change it, give {named} as --replaces, or in a column replaces.")
    if len(replaces) < LEAST_HASH or not standing.entry.hash.startswith(replaces):
        raise _Refusal("superseded", f"{replaces} is not, or no longer, the decision in force: {stands}.")
    return before


def consent_drafts(
    state: State,
    roll: Roll,
    *,
    reason: str,
    proposer: str,
    authoriser: str,
    code: str = "",
    session: str = "",
) -> tuple[list[Draft], dict[str, str]]:
    """One entry that accepts every proposal left over, and whom it leaves out with the reason.

    Left out: flagged cases and those whom a vote questions, which want a decision of their own; the proposer's and
    the authoriser's own results.

    Raises
    ------
    DecisionError
        If there is nobody left, or for the reasons of ``decision_drafts``.
    """
    typed = dict(
        zip(
            ("code", "reason", "proposer", "authoriser", "session"),
            (code, reason, proposer, authoriser, session),
            strict=True,
        )
    )
    typed = {name: visible(value) for name, value in typed.items()}
    stale = void(state, roll)
    left: dict[str, str] = {}
    items = []
    for who in roll.scored:
        if who in state.decisions and who not in stale:
            continue
        if why := _not_on_consent(state, roll, who, typed):
            left[who] = why
            continue
        person = roll.people[who]
        items.append((person, state.last[who].hash if who in state.last else ""))
    if not items:
        if standing := _consent_of(state, typed):
            return [again(standing)], left
        raise DecisionError(
            "Nobody is left for a consent list: whoever is not decided is flagged, questioned by a vote, or proposes "
            "or authorises it. Decide them one by one. [nobody-left]"
        )

    def one(_: Any) -> Draft:
        _must_be_open(state)
        _must_be_frozen(state, roll)
        _persons(roll, typed["proposer"], typed["authoriser"])
        _reasoned(typed, needs_code=any(person.raw != person.proposed for person, _ in items))
        listed = [
            {
                "employee": person.employee,
                "from": person.raw,
                "proposed": person.proposed,
                "to": person.proposed,
                "supersedes": before,
                "votes": tally(state, roll, person.employee),
                "basis": person.basis,
            }
            for person, before in items
        ]
        payload = {"list": listed, "action": ACCEPT, "evidence": "", **typed, "run": roll.run}
        key = [[person.employee, person.proposed, before] for person, before in items]
        return Draft(
            roll.cycle, CONSENT, typed["authoriser"], payload, token_of(roll.cycle, CONSENT, key, *typed.values())
        )

    return _each([None], one, "list", "lists"), left


def _not_on_consent(state: State, roll: Roll, who: str, typed: Mapping[str, str]) -> str:
    if who in roll.known_as(typed["proposer"]) | roll.known_as(typed["authoriser"]):
        return "own result"
    if tally(state, roll, who)["question"]:
        return "questioned"
    return "flagged" if who in roll.flagged else ""


def _consent_of(state: State, typed: Mapping[str, str]) -> Entry | None:
    lists = [entry for entry in state.entries if entry.kind == CONSENT]
    return next((e for e in reversed(lists) if all(e.data[name] == value for name, value in typed.items())), None)


def undo_drafts(state: State, roll: Roll, employee: str, *, reason: str, authoriser: str) -> list[Draft]:
    """An entry that takes the decision in force back; none is in force then, not the one before it."""

    def one(_: Any) -> Draft:
        last, who = state.last.get(employee), visible(authoriser)
        if last and last.kind == UNDO and (last.data["reason"], last.author) == (visible(reason), who):
            return again(last)
        _must_be_open(state)
        if employee not in roll.people and employee not in state.decisions:
            raise _Refusal("unknown-employee", _unknown(roll))
        if not who:
            raise _Refusal("authoriser-missing", "nobody authorises it; name a person with --authoriser.")
        if not visible(reason):
            raise _Refusal("reason-missing", "it has no reason; write one in words.")
        if employee in roll.known_as(who):
            raise _Refusal("own-result", f"{who} would act on an own result; somebody else has to.")
        if employee not in state.decisions or last is None:
            raise _Refusal("nothing-to-undo", "no decision is in force.")
        payload = {"of": last.hash, "reason": visible(reason)}
        return Draft(roll.cycle, UNDO, who, payload, token_of(roll.cycle, UNDO, employee, last.hash), employee)

    return _each([_Named(employee)], one, "decision", "decisions")


@dataclass(frozen=True)
class _Named:
    employee: str


def vote_drafts(state: State, roll: Roll, votes: Sequence[Vote]) -> list[Draft]:
    """A draft for each vote; a voter's new vote on somebody takes the place of the one before.

    Refused by name: final, unknown-employee, no-score, voter-missing, own-result, vote-unknown, basis-changed, twice.
    """

    def one(vote: Vote) -> Draft:
        person = _person(roll, vote.employee)
        voter, said = visible(vote.voter), vote.vote.strip().lower()
        standing = votes_by_voice(state, roll, person.employee).get(roll.voice(voter))
        if standing and standing.data["vote"] == said and not changes(standing.data["basis"], person.basis):
            return again(standing)
        _must_be_open(state)
        if not voter:
            raise _Refusal("voter-missing", "nobody casts this vote; name the voter.")
        if person.employee in roll.known_as(voter):
            raise _Refusal("own-result", f"{voter} would vote on an own result; leave it to the others.")
        if said not in VOTES:
            raise _Refusal("vote-unknown", f"{vote.vote!r} is no vote; write one of {', '.join(VOTES)}.")
        if vote.basis is not None and (changed := changes(vote.basis, person.basis)):
            raise _Refusal("basis-changed", f"the vote is on other figures: {'; '.join(changed)}. Vote again.")
        payload = {
            "voter": voter,
            "vote": said,
            "session": vote.session.strip(),
            "basis": person.basis,
            "run": roll.run,
            "supersedes": standing.hash if standing else "",
        }
        token = token_of(roll.cycle, VOTE, person.employee, voter, said, payload["supersedes"])
        return Draft(roll.cycle, VOTE, voter, payload, token, person.employee)

    return _each(votes, one, "vote", "votes", roll.voice)


def freeze_drafts(
    state: State, cycle: str, *, stage: str, digest: str, parts: Mapping[str, Any], by: str, reason: str = ""
) -> list[Draft]:
    """A version of plan or data. The first needs no reason; what is frozen already is not frozen again."""
    standing = state.frozen.get(stage)
    if standing and standing.data["digest"] == digest:
        return [again(standing)]
    if state.final:
        raise DecisionError(f"{_is_final(state)} [final]")
    if not visible(by):
        raise DecisionError("Nobody is named as freezing it; add --by NAME. [by-missing]")
    version = standing.data["version"] + 1 if standing else 1
    if standing and not visible(reason):
        before = standing.data["parts"]
        moved = sorted(name for name in before.keys() | parts.keys() if before.get(name) != parts.get(name))
        raise DecisionError(
            f"The {stage} was frozen as version {standing.data['version']} and changed since: {', '.join(moved)}. "
            "A new version needs its reason: add --reason TEXT. [reason-missing]"
        )
    payload = {"stage": stage, "version": version, "digest": digest, "parts": dict(parts), "reason": visible(reason)}
    token = token_of(cycle, FREEZE, stage, digest, standing.hash if standing else "")
    return [Draft(cycle, FREEZE, visible(by), payload, token)]


def decisions_digest(state: State) -> str:
    """One line for all decisions in force: grade and entry of every employee."""
    rows = [[who, found.grade, found.entry.hash] for who, found in sorted(state.decisions.items())]
    return hashlib.sha256(canonical(rows).encode("utf-8")).hexdigest()


def final_drafts(
    state: State,
    roll: Roll,
    *,
    signers: Sequence[str],
    acknowledged: Iterable[str] = (),
    head: str,
    figures: Callable[[Mapping[str, str]], Mapping[str, Any]] = lambda grades: {},
) -> list[Draft]:
    """Acknowledgement, signatures and the final entry; or every reason why the quarter cannot be closed yet.

    ``figures`` gives what else the final entry holds (pool, counts) from the decided grades. A quarter that is final
    gives its standing entry, whoever signs.

    Refused by name: late, undecided, basis-changed, warnings, code-unknown, not-frozen, data-changed, plan-changed,
    signatures.
    """
    if state.final:
        return [again(state.final)]
    codes = sorted(set(acknowledged))
    names = [visible(name) for name in signers if visible(name)]
    problems = [*_unfinished(state, roll), *_unacknowledged(state, roll, codes)]
    problems += _unfrozen(state, roll)
    if len(names) != 2 or roll.same(names[0], names[-1]):
        problems.append(_Refusal("signatures", "Two different people sign a quarter: --sign NAME --sign NAME."))
    if problems:
        listed = "\n".join(f"- {problem} [{problem.code}]" for problem in problems)
        raise DecisionError(f"{roll.cycle} cannot be made final yet; nothing was recorded.\n{listed}")
    drafts = []
    since = state.reopened.hash if state.reopened else ""
    if codes:
        numbers = {code: roll.warnings[code] for code in codes}
        token = token_of(roll.cycle, ACKNOWLEDGE, numbers, names, since)
        drafts.append(Draft(roll.cycle, ACKNOWLEDGE, names[0], {"codes": numbers, "by": names, "run": roll.run}, token))
    digest = decisions_digest(state)
    signed = {"run": roll.run, "inputs": roll.inputs, "decisions": digest, "statement": SIGNED}
    for name in names:
        drafts.append(Draft(roll.cycle, SIGN, name, signed, token_of(roll.cycle, SIGN, plain(name), signed, since)))
    payload = {
        "run": roll.run,
        "inputs": roll.inputs,
        "plan": roll.plan,
        "decisions": digest,
        "head": head,
        "signers": names,
        "without": {who: person.reason for who, person in sorted(roll.people.items()) if not person.proposed},
        **figures(state.grades),
    }
    token = token_of(roll.cycle, FINAL, digest, roll.run, since)
    return [*drafts, Draft(roll.cycle, FINAL, names[0], payload, token)]


def reopen_drafts(state: State, cycle: str, *, reason: str, by: str) -> list[Draft]:
    """The entry that takes a final quarter back; decisions stay, and may then be changed."""
    last = state.reopened
    if state.final is None:
        if last and (last.data["reason"], last.author) == (visible(reason), visible(by)):
            return [again(last)]
        raise DecisionError(f"{cycle} is not final, so there is nothing to reopen. [not-final]")
    if not visible(by):
        raise DecisionError("Nobody is named as reopening it; add --by NAME. [by-missing]")
    if not visible(reason):
        raise DecisionError("A final quarter is reopened for a reason: add --reason TEXT. [reason-missing]")
    payload = {"of": state.final.hash, "reason": visible(reason)}
    return [Draft(cycle, REOPEN, visible(by), payload, token_of(cycle, REOPEN, state.final.hash))]


def again(entry: Entry) -> Draft:
    """A standing entry as the draft that it came from: recorded once, however often it is given."""
    return Draft(entry.cycle, entry.kind, entry.author, entry.data, entry.token, entry.subject)


def _unfinished(state: State, roll: Roll) -> Iterable[_Refusal]:
    if roll.late:
        yield _Refusal("late", f"{roll.late} people wait for a late result; see the chase list of run {roll.run}.")
    missing = [who for who in roll.scored if who not in state.decisions]
    if missing:
        yield _Refusal("undecided", f"{len(missing)} without a decision and on no consent list: {_few(missing)}.")
    scored = set(roll.scored)
    for who, changed in void(state, roll).items():
        again = "Decide again." if who in scored else "Take that decision back (perfmodel decide CYCLE ID --undo)."
        yield _Refusal("basis-changed", f"{who} was decided on other figures: {'; '.join(changed)}. {again}")


def _unacknowledged(state: State, roll: Roll, codes: Iterable[str]) -> Iterable[_Refusal]:
    if unknown := sorted(set(codes) - roll.warnings.keys()):
        yield _Refusal("code-unknown", f"the run has no warning {', '.join(unknown)} to acknowledge.")
    open_ = {c: n for c, n in roll.warnings.items() if c not in set(codes) and state.acknowledged.get(c) != n}
    if open_:
        listed = ", ".join(f"{code} ({n})" for code, n in sorted(open_.items()))
        words = " ".join(f"--acknowledge {code}" for code in sorted(open_))
        yield _Refusal("warnings", f"warnings that nobody has acknowledged: {listed}. Look at them, then add {words}.")


def _unfrozen(state: State, roll: Roll) -> list[_Refusal]:
    try:
        _must_be_frozen(state, roll)
    except _Refusal as problem:
        return [problem]
    return []


def _must_be_open(state: State) -> None:
    if state.final:
        raise _Refusal("final", _is_final(state))


def _is_final(state: State) -> str:
    assert state.final is not None
    return f"the quarter is final since entry {state.final.seq}; reopen it first (perfmodel finalize --reopen)."


def _must_be_frozen(state: State, roll: Roll) -> None:
    data, plan = state.frozen.get(DATA), state.frozen.get(PLAN)
    if data is None:
        raise _Refusal("not-frozen", "the data are not frozen yet: perfmodel freeze CYCLE --stage data --by NAME.")
    if data.data["digest"] != roll.inputs:
        raise _Refusal(
            "data-changed",
            f"the data changed since they were frozen as version {data.data['version']}. Freeze them again: "
            "perfmodel freeze CYCLE --stage data --by NAME --reason TEXT.",
        )
    if plan is not None and plan.data["digest"] != roll.plan:
        raise _Refusal(
            "plan-changed",
            f"scheme or targets changed since the plan was frozen as version {plan.data['version']}. Freeze it again: "
            "perfmodel freeze CYCLE --stage plan --by NAME --reason TEXT.",
        )


def _person(roll: Roll, employee: str) -> Person:
    person = roll.people.get(employee)
    if person is None:
        raise _Refusal("unknown-employee", _unknown(roll))
    if not person.proposed:
        raise _Refusal("no-score", f"there is no score to decide on: {person.reason}.")
    return person


def _unknown(roll: Roll) -> str:
    return f"nobody of that id is in run {roll.run}; ids are those of the table employees."


def _named(roll: Roll, person: Person, proposer: str, authoriser: str) -> None:
    _persons(roll, proposer, authoriser)
    for role, name in (("propose", proposer), ("authorise", authoriser)):
        if person.employee in roll.known_as(name):
            raise _Refusal("own-result", f"{name} would {role} an own result; somebody else has to.")


def _persons(roll: Roll, proposer: str, authoriser: str) -> None:
    for name, text in (("proposer", proposer), ("authoriser", authoriser)):
        if not text:
            raise _Refusal(f"{name}-missing", f"it has no {name}; name a person (--{name} NAME, or in the file).")
    if roll.same(proposer, authoriser):
        raise _Refusal("same-person", f"{authoriser} would authorise an own proposal; two people decide.")


def _reasoned(typed: Mapping[str, str], *, needs_code: bool) -> None:
    if not typed["reason"]:
        raise _Refusal("reason-missing", "it has no reason; write one in words, for an acceptance too.")
    if typed["code"] and typed["code"] not in CODES:
        raise _Refusal("code-unknown", f"{typed['code']} is no reason code; write one of R1 to R10.")
    if needs_code and not typed["code"]:
        raise _Refusal("code-missing", "the grade is not the one that stood before; say why with a code, R1 to R10.")


def _few(ids: Sequence[str], most: int = 5) -> str:
    return ", ".join(ids[:most]) + (f" and {len(ids) - most} more" if len(ids) > most else "")


def _each(
    requests: Sequence[Any],
    rule: Callable[[Any], Draft],
    one: str,
    many: str,
    voice: Callable[[str], str] = plain,
) -> list[Draft]:
    """The rule's draft for each request; all or none, and every refusal told. ``voice``: one text for one voter."""
    drafts: list[Draft] = []
    findings = []
    seen: dict[tuple, Any] = {}
    for request in requests:
        file, line, column = getattr(request, "place", ("", 0, 0))
        who = getattr(request, "employee", "")
        key = (who, voice(getattr(request, "voter", "")))
        try:
            if who and key in seen:
                raise _Refusal("twice", "stands twice in what was given; keep one row.")
            seen[key] = request
            drafts.append(rule(request))
        except _Refusal as refusal:
            text = f"{who}: {refusal}" if who else f"{str(refusal)[:1].upper()}{str(refusal)[1:]}"
            findings.append(Finding(file, line, column, "error", refusal.code, text))
    if not findings:
        return drafts
    if len(findings) == len(requests) == 1 and not findings[0].file:
        raise DecisionError(f"{findings[0].message} Nothing was recorded. [{findings[0].code}]")
    raise DecisionError(
        f"{len(findings)} of {len(requests)} {one if len(requests) == 1 else many} refused, so none was recorded. "
        "Mend what is named, then give them again.",
        findings,
    )
