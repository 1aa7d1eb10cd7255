"""The committee's pages: derived from run and ledger, so that they can be written again at any time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import pandas as pd
from markupsafe import Markup

from ..language import say, say_n, spoken, told
from ..ledger import Entry
from ..report import Callout, Page, Section, Sentences, Table, fairness_page, words
from ..report.explain import outcome_name
from ..report.page import Value
from ..tables import COMPANY, STAGES
from .case import Case
from .following import (
    NOBODY,
    acceptance,
    agenda_table,
    decisions_table,
    entry_rows,
    moves_table,
    outcome_tables,
    spread_table,
)
from .record import as_it_stands, decided_distribution, decided_pool
from .state import CHANGED, CONSENT, DECISION, UNDO, State, state_of, status_of, void, window_of
from .turned_out import Followed, follow, turned_out, turned_out_parts

RUBBER_STAMP = 0.95  # share of proposals accepted from which a reader is warned
LEAST_TOLD = 10  # decisions under which a rate says nothing
LISTED = 12  # people on consent that a page names; the table has all


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a page is made from: the case, the quarter's state, the whole ledger's entries and head, the day."""

    case: Case
    state: State
    entries: tuple[Entry, ...]
    head: str
    today: date

    @property
    def days(self) -> int:
        return self.case.cycle.scheme.outcomes.appeal.working_days

    @cached_property
    def followed(self) -> Followed:
        """Decisions of earlier quarters, each with how the person's next quarter turned out."""
        return follow(self.entries, self.case)

    @property
    def status(self) -> str:
        return status_of(self.state, self.case.roll, self.days, self.today)


@dataclass(frozen=True, eq=False, repr=False)
class Links(Value):
    """Where to go on: (address, text, what stands there)."""

    links: Sequence[tuple[str, str, str]]

    def body(self) -> Markup:
        items = Markup("").join(Markup('<li><a href="{}">{}</a>: {}</li>').format(*link) for link in self.links)
        return Markup("<ul>{}</ul>").format(items)


def files_of(scene: Scene) -> dict[str, bytes]:
    """Every file of ``DIR/committee`` by its path; the same scene gives the same bytes."""
    from ..io import csv_bytes

    state, case = scene.state, scene.case
    tables = {
        "decisions": decisions_table(case, state),
        "agenda": agenda_table(case, state),
        "moves": moves_table(case, state),
        "distribution": decided_distribution(case, state.grades),
        "pool": decided_pool(case, state.grades),
        "turned_out": turned_out(scene.followed.rows, level=scene.followed.level),
    }
    outcomes = outcome_tables(case, state, scene.entries) if state.final else {}
    pages = {
        "index.html": _index(scene),
        "agenda.html": _agenda(scene, tables["agenda"]),
        "minutes.html": _minutes(scene),
        "second_look.html": _second_look(scene, tables),
    }
    if outcomes:
        pages["outcomes.html"] = _outcomes(scene, outcomes, tables["pool"])
        told_of = SimpleNamespace(cycle=case.cycle, status=scene.status, fairness=outcomes["restricted/fairness"])
        pages["restricted/fairness.html"] = fairness_page(told_of)
        pages["restricted/bonuses.html"] = _bonuses(scene, outcomes["restricted/bonuses"])
    files = {name: text.encode("utf-8") for name, text in pages.items()}
    for name, frame in {**tables, **outcomes}.items():
        path = f"{name}.csv" if name.startswith("restricted/") else f"tables/{name}.csv"
        files[path] = csv_bytes(frame)
    return files


def sentences(case: Case, state: State) -> list[str]:
    """Pool and distribution as they stand after the decisions so far; who is not decided counts as proposed."""
    table, money = as_it_stands(case, state.grades)
    shares = table.set_index(["stage", "grade"])["n"]
    moved = [
        f"{grade} {shares['proposed', grade]} → {shares['decided', grade]}" for grade in case.roll.grades
    ]  # fmt: skip
    decided, scored = len(state.decisions), len(case.roll.scored)
    lines = [
        say("{n} of {total} decided.", n=decided, total=scored),
        say("Distribution, proposed → as decided so far: {moved}.", moved=words.joined(moved)),
    ]
    if len(money) == 2:
        before, after = money.to_dict("records")
        lines.append(
            say(
                "Pool: {cost} of {budget} {currency} (as proposed {before}); balance {balance}.",
                cost=words.grouped(after["cost"]),
                budget=words.grouped(after["budget"]),
                currency=after["currency"],
                before=words.grouped(before["cost"]),
                balance=words.grouped(after["balance"]),
            )
        )
    else:
        lines.append(say("Pool: no pay table, so no cost is known."))
    return lines


def status_sentence(scene: Scene) -> str:
    """What the status of the quarter means now."""
    state, case = scene.state, scene.case
    if state.final is None:
        if case.roll.late:
            return say_n(
                "PARTIAL: {n} person waits for a late result; cannot be made final.",
                "PARTIAL: {n} people wait for a late result; cannot be made final.",
                case.roll.late,
            )
        return say("DRAFT: nothing is final before two people sign.")
    last, signers = window_of(state.final, scene.days), " · ".join(state.final.data["signers"])
    if scene.status == "PROVISIONAL" and scene.today > last:
        return say_n(
            "PROVISIONAL: signed by {signers}; {n} appeal is open, filed until {day}. Payouts are provisional.",
            "PROVISIONAL: signed by {signers}; {n} appeals are open, filed until {day}. Payouts are provisional.",
            len(state.open_appeals),
            signers=signers,
            day=words.day(last),
        )
    if scene.status == "PROVISIONAL":
        return say(
            "PROVISIONAL: signed by {signers}; appeals may be filed until {day}, {n} open. Payouts are provisional.",
            signers=signers,
            day=words.day(last),
            n=len(state.open_appeals),
        )
    return say("FINAL: signed by {signers}; the time for appeals ended on {day}.", signers=signers, day=words.day(last))


def page_of(scene: Scene, title: str, parts: Sequence[Any], status: str | None = None) -> str:
    """A page of the committee: its parts, the state of the quarter, and where it came from."""
    meta = {
        say("Run"): scene.case.run,
        say("Ledger head"): scene.head[:12],
        say("Entries of the quarter"): str(len(scene.state.entries)),
        say("Decided"): say("{n} of {total}", n=len(scene.state.decisions), total=len(scene.case.roll.scored)),
    }
    if scene.state.final or scene.state.appeals:
        meta[say("Appeals")] = say("{n} open", n=len(scene.state.open_appeals))
    shown = scene.status if status is None else status
    foot = say(
        "Made from run {run} and the ledger with head {head}; the ledger is the record, this page a copy of it. "
        "Check with: perfmodel ledger verify --head {head}",
        run=scene.case.run,
        head=scene.head,
    )
    return Page(title, [*parts, foot], shown, meta, scene.case.cycle.simulated).html()


def _index(scene: Scene) -> str:
    case, state = scene.case, scene.state
    links = [
        ("agenda.html", say("Agenda"), say("who to discuss, from votes and flags; the rest on consent")),
        ("minutes.html", say("Minutes"), say("what was decided, by whom, why")),
        ("second_look.html", say("Second look"), say("moves, spread, and who sat in the room")),
        (f"../{case.run}/index.html", say("Run {run}", run=case.run), say("the figures that decisions rest on")),
    ]
    if state.final:
        links.insert(3, ("outcomes.html", say("Outcomes"), say("what follows from the decided grades")))
    if state.appeals:
        links.append(("restricted/appeals.html", say("Appeals"), say("what each one changes; for HR and legal alone")))
    parts: list[Any] = [Sentences([status_sentence(scene), *sentences(case, state)])]
    if stale := void(state, case.roll):
        listed = say("; ").join(f"{who}: {words.joined(map(told, why))}" for who, why in list(stale.items())[:LISTED])
        text = say_n(
            "{n} decision rests on other figures than run {run} shows: {listed}.",
            "{n} decisions rest on other figures than run {run} shows: {listed}.",
            len(stale),
            run=case.run,
            listed=listed,
        )
        parts.append(Callout(text, say("Decide again."), act=True))
    parts += [Section(say("Pages"), [Links(links)]), *turned_out_parts(scene.followed)]
    return page_of(scene, say("Committee, {cycle}", cycle=case.cycle.id), parts)


def _agenda(scene: Scene, table: pd.DataFrame) -> str:
    case = scene.case
    evidence = case.tables["discussion"].groupby("employee_id")["evidence"].agg(list).to_dict()
    parts: list[Any] = []
    heads = {
        "questioned": (say("Questioned by a vote"), say("Somebody doubts the proposal: discussed first.")),
        "cut line": (say("At a cut line"), say("Rating error or the adjustment decides the grade.")),
        "flagged": (say("Flagged otherwise"), say("Figures that do not fit together, or a grade with consequences.")),
    }
    counts = {group: int(table["group"].eq(group).sum()) for group in ("questioned", "cut line", "flagged", "consent")}
    parts.append(
        Sentences(
            [
                say(
                    "{questioned} questioned by a vote, {cut} at a cut line, {flagged} flagged otherwise; {rest} on "
                    "consent.",
                    questioned=counts["questioned"],
                    cut=counts["cut line"],
                    flagged=counts["flagged"],
                    rest=counts["consent"],
                ),
                say("Inside a group the order is drawn by lot, fixed by the run: no place on the list means anything."),
            ]
        )
    )
    names = {who: person.name for who, person in case.roll.people.items()}
    for group, (title, lead) in heads.items():
        own = table[table["group"].eq(group)]
        frame = pd.DataFrame(
            {
                "place": own["place"],
                "employee_id": own["employee_id"],
                "name": own["employee_id"].map(names),
                "unit": own["unit"],
                "grade_proposed": [case.roll.people[who].proposed for who in own["employee_id"]],
                "votes": [_votes(row) for row in own.to_dict("records")],
                "evidence": [words.gap().join(map(told, evidence.get(who, []))) for who in own["employee_id"]],
                "decided": [grade or say("not yet") for grade in own["decided"]],
            }
        )
        parts.append(Table(frame, f"{title} ({len(own)})", lead, _labels(), {"place": "count"}))
    rest = table[table["group"].eq("consent")].sort_values("employee_id")
    frame = pd.DataFrame(
        {
            "employee_id": rest["employee_id"],
            "unit": rest["unit"],
            "grade_proposed": [case.roll.people[who].proposed for who in rest["employee_id"]],
            "decided": [grade or say("not yet") for grade in rest["decided"]],
        }
    )
    lead = say("No flag and no doubt: one recorded reason serves the whole list. Anybody may take a case off it.")
    parts.append(Table(frame, f"{say('On consent')} ({len(rest)})", lead, _labels()))
    return page_of(scene, say("Agenda, {cycle}", cycle=case.cycle.id), parts)


def _votes(row: Mapping[str, Any]) -> str:
    counts = [row[f"votes_{name}"] for name in ("agree", "question", "abstain")]
    if not sum(counts):
        return say("no votes")
    return say("{a} agree, {q} question, {n} abstain", a=counts[0], q=counts[1], n=counts[2])


def _minutes(scene: Scene) -> str:
    case, state = scene.case, scene.state
    votes = sum(entry.kind == "vote" for entry in state.entries)
    voters = len({entry.data["voter"] for entry in state.entries if entry.kind == "vote"})
    rows = []
    for entry, later in entry_rows(state):
        what, why = _said(entry)
        for who, kind, number in later if entry.kind in (DECISION, CONSENT) else ():
            of = f"{who}: " if entry.kind == CONSENT else ""
            text = say("taken back by entry {n}", n=number) if kind == UNDO else say("replaced by entry {n}", n=number)
            what += f" ({of}{text})"
        rows.append(
            {
                "entry": entry.seq,
                "at": f"{entry.at[:10]} {entry.at[11:16]} UTC",
                "by": entry.author,
                "employee_id": entry.subject,
                "what": what,
                "why": why,
                "hash": entry.hash[:12],
            }
        )
    table = pd.DataFrame(rows, columns=["entry", "at", "by", "employee_id", "what", "why", "hash"])
    lead = Sentences(
        [
            status_sentence(scene),
            say(
                "{n} private votes by {voters} people came before; they are counted and not shown.",
                n=votes,
                voters=voters,
            ),
        ]
    )
    return page_of(
        scene,
        say("Minutes, {cycle}", cycle=case.cycle.id),
        [
            lead,
            Table(table, say("What was recorded, in order"), "", _labels(), {"entry": "count"}),
            *turned_out_parts(scene.followed),
        ],
    )


def _said(entry: Entry) -> tuple[str, str]:
    """What an entry did, and why, for the minutes."""
    data = entry.data
    match entry.kind:
        case "freeze":
            return say("{stage} frozen, version {n}", stage=told(data["stage"]), n=data["version"]), data["reason"]
        case "decision":
            what = say("{proposed} accepted", proposed=data["to"])
            if data["action"] == "change":
                what = say("{proposed} changed to {to}", proposed=data["proposed"], to=data["to"])
            votes = data["votes"]
            parts = [
                " ".join(filter(None, [data["code"], data["reason"].rstrip(".。")])),
                say("evidence: {text}", text=data["evidence"]) if data["evidence"] else "",
                say("proposed by {name}", name=data["proposer"]),
                say("session {name}", name=data["session"]) if data["session"] else "",
                _votes({f"votes_{name}": n for name, n in votes.items()}),
            ]
            return what, say("; ").join(filter(None, parts))
        case "consent":
            ids = [item["employee"] for item in data["list"]]
            named = words.listing(ids, LISTED)
            what = say_n(
                "{n} proposal accepted on consent: {ids}",
                "{n} proposals accepted on consent: {ids}",
                len(ids),
                ids=named,
            )
            return what, " ".join(filter(None, [data["code"], data["reason"].rstrip(".。")])) + say("; ") + say(
                "proposed by {name}", name=data["proposer"]
            )
        case "undo":
            return say("decision taken back"), data["reason"]
        case "acknowledge":
            return say("warnings acknowledged: {codes}", codes=words.joined(sorted(data["codes"]))), " · ".join(
                data["by"]
            )
        case "sign":
            return say("signed"), told(data["statement"])
        case "final":
            return say("the quarter was made final"), say("on run {run}", run=data["run"])
        case "reopen":
            return say("the quarter was reopened"), data["reason"]
        case "appeal_open":
            return say("an appeal was filed"), data["facts"]
        case "appeal_resolve":
            outcome = outcome_name(data["outcome"])
            if data["outcome"] == CHANGED:
                what = say("an appeal was heard: {outcome}, {before} → {after}", outcome=outcome,
                           before=data["decided"], after=data["to"])  # fmt: skip
            else:
                what = say("an appeal was heard: {outcome}", outcome=outcome)
            return what, data["reason"]
        case "export":
            what = say_n(
                "{n} row exported for {layout}, number {number}",
                "{n} rows exported for {layout}, number {number}",
                data["n"],
                layout=data["layout"],
                number=data["number"],
            )
            return what, say("effective {day}", day=words.day(date.fromisoformat(data["effective"])))
        case _:
            return told(entry.kind), ""


def _second_look(scene: Scene, tables: Mapping[str, pd.DataFrame]) -> str:
    case, state = scene.case, scene.state
    accepted, all_of, balance = acceptance(state)
    spread = spread_table(case.roll, state.grades)
    up, down = (int(spread.iloc[-1][name]) if all_of else 0 for name in ("up", "down"))
    lines = [
        say(
            "{up} moved up and {down} down from the proposal; {accepted} of {n} accepted as proposed.",
            up=up,
            down=down,
            accepted=accepted,
            n=all_of,
        ),
        say(
            "Guideline balance only (R9): {n} of {total} decisions.", n=balance, total=all_of
        ),
    ]  # fmt: skip
    if all_of:
        raw, decided = spread.iloc[0], spread.iloc[-1]
        lines.append(
            say(
                "Spread of grades: {before} steps raw, {after} decided.",
                before=words.plain(raw["spread"], 2),
                after=words.plain(decided["spread"], 2),
            )
        )
    parts: list[Any] = [Sentences(lines)]
    if all_of >= LEAST_TOLD and accepted >= RUBBER_STAMP * all_of:
        parts.append(
            Callout(
                say(
                    "{n} of {total} proposals were accepted as they were. A committee that always agrees with a model "
                    "has not decided: look at some cases anew, and at who spoke.",
                    n=accepted,
                    total=all_of,
                ),
                say("Rubber stamp?"),
                act=True,
            )
        )
    if "plan" not in state.frozen:
        text = say(
            "The plan was never frozen, so nothing shows that targets and scheme stood before ratings were seen."
        )
        parts.append(Callout(text))
    seen = spread.assign(stage=[told(stage) for stage in spread["stage"]])
    labels = _labels() | {"mean": say("Mean, steps above the last grade"), "spread": say("Spread, steps")}
    formats = {"mean": "score2", "spread": "score2", "up": "count", "down": "count", "n": "count"}
    parts.append(Table(seen, say("From the figures to the decisions"), say("Those decided so far."), labels, formats))
    table = tables["distribution"]
    company = table[table["unit"].eq(COMPANY)]
    wide = company.pivot(index="grade", columns="stage", values="n")
    wide = wide[[stage for stage in STAGES if stage in wide]]
    wide = wide.reindex([*case.roll.grades, *[g for g in wide.index if g not in case.roll.grades]]).reset_index()
    wide.columns = [told(str(name)) if name != "grade" else "grade" for name in wide.columns]
    parts.append(Table(wide, say("People per grade, company"), "", _labels()))
    heads = {
        "manager": say("Moves by manager of the person"),
        "proposer": say("Moves by who proposed"),
        "authoriser": say("Moves by who authorised"),
        "session": say("Moves by session"),
        "reason code": say("Moves by reason code"),
    }
    for by, title in heads.items():
        own = tables["moves"]
        own = own[own["by"].eq(by)].drop(columns="by").sort_values("who")
        own = own.assign(who=own["who"].replace({name: told(name) for name in NOBODY}))
        labels, order = _labels(), say("Decided against proposed grade; in the order of names.")
        if by == "reason code":
            own = own.sort_values("who", key=lambda codes: codes.str.extract(r"(\d+)", expand=False).astype(float))
            meaning = {code: f"{code} {said}" for code, said in words.reason_codes().items()}
            labels, order = labels | {"who": say("Reason code")}, say("Decided against proposed grade.")
            own = own.assign(who=own["who"].replace(meaning))
        parts.append(Table(own, title, order, labels, formats))
    return page_of(scene, say("Second look, {cycle}", cycle=case.cycle.id), parts)


def _outcomes(scene: Scene, tables: Mapping[str, pd.DataFrame], money: pd.DataFrame) -> str:
    case = scene.case
    slate, rise, plans = tables["promotion"], tables["grade_rise"], tables["plans"]
    domains = tables["training_by_domain"]
    whole = domains[domains["unit"].eq(COMPANY)]
    cycles = sorted({entry.cycle for entry in scene.entries})
    quarters = [cycle for cycle in cycles if state_of(scene.entries, cycle).final]
    lines = [
        status_sentence(scene),
        say(
            "Quarters that are final in this ledger: {quarters}. What it does not know of others counts as not met, "
            "and the tables say so.",
            quarters=words.joined(quarters),
        ),
        say_n(
            "{n} person meets the conditions for promotion; the slate is what the committee chooses from.",
            "{n} people meet the conditions for promotion; the slate is what the committee chooses from.",
            int(slate["on_slate"].sum()),
        )
        if slate["on_slate"].any()
        else say("Nobody meets the conditions for promotion, as far as this ledger knows."),
        say_n(
            "{n} improvement plan by the scheme's own standard.",
            "{n} improvement plans by the scheme's own standard.",
            len(plans),
        )
        if len(plans)
        else say("Nobody needs an improvement plan by the scheme's own standard."),
    ]
    last = money[money["step"].eq("decided")]
    if len(last):
        row = last.iloc[0]
        lines.append(
            say(
                "Decided grades cost {cost} of a pool of {budget} {currency}; amounts by person are for HR alone.",
                cost=words.grouped(row["cost"]),
                budget=words.grouped(row["budget"]),
                currency=row["currency"],
            )
        )
    met = slate[slate["on_slate"]][["employee_id", "unit", "level", "good_quarters", "months_in_level"]]
    near = slate[slate["near"]][["employee_id", "unit", "level", "missing"]].assign(
        missing=lambda t: t["missing"].map(told)
    )
    risen = rise[rise["sustained"]][["employee_id", "unit", "level", "good_in_row", "quarters"]]
    shown = plans[["employee_id", "unit", "manager_id", "grade", "trigger", "start", "end", "standard"]]
    shown = shown.assign(standard=shown["standard"].map(told), trigger=shown["trigger"].map(told))
    summed = whole[["name", "n_people", "n_in_need", "share", "n_needs"]]
    pooled = tables["organisation"]
    pooled = pooled[pooled["unit"].eq(COMPANY)][["level", "name", "n", "mean", "share_behind", "reason"]]
    pooled = pooled.assign(level=pooled["level"].map(told), reason=pooled["reason"].map(told))
    names = _names(case.cycle.scheme)
    summed, pooled = (table.assign(name=table["name"].replace(names)) for table in (summed, pooled))
    pooled = pooled if pooled["reason"].any() else pooled.drop(columns="reason")
    formats = {
        "mean": "score",
        "share_behind": "percent",
        "n_in_need": "count",
        "n_people": "count",
        "n_needs": "count",
    }
    titled = _labels() | {"name": say("What")}
    parts = [
        Sentences(lines),
        Table(met, say("Promotion slate"), say("By id; the order says nothing of who is better."), _labels()),
        Table(near, say("Close to the slate"), say("What is missing, or not known."), _labels()),
        Table(risen, say("Sustained high results"), say("For whom a rise of the pay grade is looked at."), _labels()),
        Table(shown, say("Improvement plans"), "", _labels()),
        Table(summed, say("Training needs by responsibility, company"), "", titled, formats),
        Table(pooled, say("Results pooled, company"), say("Never of fewer than ten people."), titled, formats),
    ]
    return page_of(scene, say("Outcomes, {cycle}", cycle=case.cycle.id), parts)


def _names(scheme) -> dict[str, str]:
    """The scheme's own names as tables have them, each in the language spoken."""
    named = [*(category.name for category in scheme.categories), *scheme.responsibilities.values()]
    return {name.en: name.say(spoken()) for name in named}


def _bonuses(scene: Scene, table: pd.DataFrame) -> str:
    total = int(table["cents"].sum())
    currency = next(iter(table["currency"]), "")
    paid = say("Sum of all amounts: {total} {currency}, to the cent.", total=words.cents(total), currency=currency)
    shown = table[["employee_id", "grade", "bonus_target", "multiplier", "claim", "amount", "currency", "reason"]]
    shown = shown.assign(amount=table["cents"], reason=shown["reason"].map(told))
    bonuses = Table(shown, say("Bonus by person"), "", _labels(), {"amount": "cents"})
    parts = [Sentences([status_sentence(scene), paid]), bonuses]
    return page_of(scene, say("Bonuses, {cycle}: for HR alone", cycle=scene.case.cycle.id), parts)


def _labels() -> dict[str, str]:
    return {
        "employee_id": say("Employee"),
        "name": say("Name"),
        "unit": say("Unit"),
        "place": say("Case"),
        "grade": say("Grade"),
        "grade_proposed": say("Proposed"),
        "decided": say("Decided"),
        "votes": say("Votes"),
        "evidence": say("Evidence"),
        "entry": say("Entry"),
        "at": say("At"),
        "by": say("By"),
        "what": say("What"),
        "why": say("Why"),
        "hash": say("Hash"),
        "stage": say("Stage"),
        "who": say("Who"),
        "n": say("People"),
        "up": say("Up"),
        "down": say("Down"),
        "same": say("As proposed"),
        "level": say("Level"),
        "manager_id": say("Manager"),
        "missing": say("Missing"),
        "trigger": say("Rests on"),
        "start": say("Start"),
        "end": say("End"),
        "standard": say("Standard"),
        "good_quarters": say("Quarters at a good grade"),
        "months_in_level": say("Months in level"),
        "good_in_row": say("In a row"),
        "quarters": say("Quarters"),
        "n_people": say("People"),
        "n_in_need": say("In need"),
        "share": say("Share"),
        "n_needs": say("Needs"),
        "mean": say("Mean points"),
        "share_behind": say("Behind target"),
        "reason": say("Reason"),
        "bonus_target": say("Bonus target"),
        "multiplier": say("Multiplier"),
        "claim": say("Claim"),
        "amount": say("Amount"),
        "currency": say("Currency"),
    }
